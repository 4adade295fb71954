"""The cost of one run, from its record.

A run in an account is priced by what was billed: the jobs' seconds, the cluster's instance seconds. A run on a laptop
has no such seconds; all that is said of it is an estimate, of what its work would take on the instances that the
definitions ask for.

Of a cluster, a record holds the seconds of all instances of a type together. So the minute for which each instance is
billed at least is not applied here: an instance that ended within a minute cost more than this says.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict

from comparison.cost.lines import GB, Money
from comparison.cost.prices import HOURS_A_MONTH, Price, PriceBook
from comparison.cost.workload import Workload, fitted, worker_vcpus
from record.errors import UserError
from record.schema import SIDES, Cluster, Instances, Record, SideName, Stage, StageName

Part = Literal["start-up and idle", "work"]
"""What is there however little data there is, and what grows with the data."""

_ROOT_GB = 30  # of every node of the cluster (stacks/emr/cluster.py)
_COMPONENTS: dict[StageName, str] = {
    "prepare": "processing",
    "train": "training",
    "evaluate": "processing",
    "score": "transform",
}


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RunLine(_Model):
    """One thing that a run paid for."""

    side: SideName
    stage: StageName | None
    """None: of the whole side."""
    part: Part
    name: str
    quantity: float | None
    """In the price's unit; None: not recorded."""
    item: str
    price: Price | None
    estimate: str | None = None
    """Why the quantity is an estimate; None where it was billed or counted."""

    @property
    def amount(self) -> float | None:
        """US dollars, None if the quantity or the price is not known."""
        if self.quantity == 0:
            return 0.0
        return None if self.quantity is None or self.price is None else self.quantity * self.price.usd


class RunCost(_Model):
    """What one run cost."""

    region: str
    lines: tuple[RunLine, ...]

    def total(self, side: SideName, part: Part | None = None, stage: StageName | None = None) -> Money | None:
        """The sum of a side, of one part or one stage of it; a lower bound if something is not known.

        None: it has no line, since nothing of it ran. That is not the same as 0 US dollars.
        """
        amounts = [
            line.amount
            for line in self.lines
            if line.side == side and part in (None, line.part) and stage in (None, line.stage)
        ]
        return Money.of(amounts) if amounts else None


def run_cost(record: Record, book: PriceBook, region: str = "us-east-1", workload: Workload | None = None) -> RunCost:
    """What a run cost: instances, storage, requests.

    Of a run in an account: what was billed. How much of it was the start of the jobs, and how many requests there
    were, is an estimate (``workload``; default: as shipped). Of a run on a laptop everything is: what its work
    (``workload``; default: fitted to this run alone) would cost on the instances of the definitions.

    Raises:
        UserError: no price is known for the region; one line.
    """
    if region not in book.regions:
        raise UserError(f"no prices for region {region}; allowed: {', '.join(sorted(book.regions))}")
    if workload is None:
        workload = Workload.load()
        if record.where == "local" and record.dataset.events:
            workload = fitted([record], book)
    pricing = _Pricing(record, book, region, workload)
    lines = [*pricing.jobs(), *pricing.cluster()]
    for name in SIDES:
        lines += pricing.storage(name)
    return RunCost(region=region, lines=tuple(lines))


@dataclass(frozen=True)
class _Pricing:
    record: Record
    book: PriceBook
    region: str
    workload: Workload

    def line(
        self,
        side: SideName,
        stage: StageName | None,
        part: Part,
        name: str,
        quantity: float | None,
        item: str,
        estimate: str | None,
    ) -> RunLine:
        return RunLine(
            side=side,
            stage=stage,
            part=part,
            name=name,
            quantity=quantity,
            item=item,
            price=self.book.price(item, self.region),
            estimate=estimate,
        )

    def jobs(self) -> Iterator[RunLine]:
        """The SageMaker side: each stage is a job with instances and a volume of its own."""
        for stage in self.record.sides.sagemaker.stages:
            if stage.status == "skipped":
                continue
            component = _COMPONENTS[stage.name]
            for part, seconds, estimate in self._job_seconds(stage):
                for each in _instances(stage):
                    hours = None if seconds is None else each.count * seconds / 3600
                    item = f"sagemaker/{component}/{each.type}"
                    yield self.line("sagemaker", stage.name, part, "instances", hours, item, estimate)
                    # The volume of a transform job is the service's, and has no price of its own.
                    if component != "transform":
                        months = _gb_months(hours, self._setting(f"sagemaker.{stage.name}.volume_gb"))
                        item = f"sagemaker/storage/{component}"
                        yield self.line("sagemaker", stage.name, part, "storage", months, item, estimate)

    def _job_seconds(self, stage: Stage) -> Iterator[tuple[Part, float | None, str | None]]:
        """Billed seconds of one instance: of the job's and the engine's start, and of the work that grows."""
        side = self.workload.sides["sagemaker"]
        work = side.stages[stage.name]
        fixed = side.startup_seconds + work.fixed_seconds
        why = f"{side.startup_origin}; the engine's start: {work.origin}"
        if self.record.where == "aws":
            billed = stage.billable_seconds
            yield "start-up and idle", None if billed is None else min(billed, fixed), f"of what was billed, {why}"
            # Both parts together are what was billed.
            yield "work", None if billed is None else max(0.0, billed - fixed), None
            return
        yield "start-up and idle", fixed, why
        yield "work", self._growing("sagemaker", stage), work.origin

    def _growing(self, side: SideName, stage: Stage) -> float | None:
        """Estimated seconds that grow with the data, on the definition's instances; None where that cannot be said."""
        events = self.record.dataset.events
        try:
            vcpus = worker_vcpus(side, stage.instances, self.book)
        except UserError:
            return None
        work = self.workload.sides[side].stages[stage.name]
        return None if events is None else work.core_seconds_per_event * events / vcpus

    def _setting(self, *names: str) -> float | None:
        """The number that all of these settings of the run are; None if they differ or are not recorded."""
        values = {self.record.settings.get(name) for name in names}
        value = values.pop()
        return value if not values and isinstance(value, int | float) and not isinstance(value, bool) else None

    def cluster(self) -> Iterator[RunLine]:
        """The EMR side: a cluster's instances, of which the stages take a part and the rest is start and idle time."""
        stages = [stage for stage in self.record.sides.emr.stages if stage.status != "skipped"]
        if not stages:
            return
        cluster = self.record.sides.emr.cluster
        if self.record.where == "local":
            yield from self._estimated_cluster(stages)
        elif cluster is None or not cluster.instance_seconds:
            # Nobody knows how many nodes there were, and for how long: neither working nor idle.
            for stage in stages:
                for each in _instances(stage):
                    yield from self._node("work", stage.name, each.type, None, None)
            for kind in dict.fromkeys(each.type for stage in stages for each in _instances(stage)):
                yield from self._node("start-up and idle", None, kind, None, None)
        else:
            yield from self._billed_cluster(stages, cluster)

    def _estimated_cluster(self, stages: Sequence[Stage]) -> Iterator[RunLine]:
        """A cluster of the run's own, as its definition starts it."""
        work = self.workload.sides["emr"]
        for each in _instances(stages[0]):
            hours = each.count * work.startup_seconds / 3600
            yield from self._node("start-up and idle", None, each.type, hours, work.startup_origin)
        for stage in stages:
            one = work.stages[stage.name]
            for each in _instances(stage):
                growing = self._growing("emr", stage)
                hours = each.count * one.fixed_seconds / 3600
                yield from self._node("start-up and idle", stage.name, each.type, hours, one.origin)
                more = None if growing is None else each.count * growing / 3600
                yield from self._node("work", stage.name, each.type, more, one.origin)

    def _billed_cluster(self, stages: Sequence[Stage], cluster: Cluster) -> Iterator[RunLine]:
        """What was billed of the cluster, divided by the time that each stage took of it."""
        shares = _shares(stages, math.fsum(cluster.instance_seconds.values()))
        parts: list[tuple[Part, StageName | None, float, str | None]] = []
        for stage in stages:
            work = self.workload.sides["emr"].stages[stage.name]
            fixed = min(1.0, work.fixed_seconds / stage.billable_seconds) if stage.billable_seconds else 0.0
            why = f"of what was billed, the engine's start: {work.origin}"
            parts.append(("start-up and idle", stage.name, shares[stage.name] * fixed, why))
            parts.append(("work", stage.name, shares[stage.name] * (1 - fixed), None))
        parts.append(("start-up and idle", None, max(0.0, 1 - math.fsum(shares.values())), None))
        for part, name, share, reason in parts:
            for kind, seconds in cluster.instance_seconds.items():
                spot = min(cluster.spot_seconds.get(kind, 0.0), seconds)
                yield from self._node(part, name, kind, share * seconds / 3600, reason, share * spot / 3600)

    def _node(
        self, part: Part, stage: StageName | None, kind: str, hours: float | None, why: str | None, spot: float = 0
    ) -> Iterator[RunLine]:
        """The hours of a cluster's instances of one type, ``spot`` of them as Spot: instance, EMR charge, disks."""
        on_demand = None if hours is None else hours - spot
        yield self.line("emr", stage, part, "instances", on_demand, f"ec2/{kind}", why)
        if spot:
            # There is no list price for Spot instances.
            yield self.line("emr", stage, part, "Spot instances", spot, f"spot/{kind}", why)
        yield self.line("emr", stage, part, "EMR charge", hours, f"emr/{kind}", why)
        disk = self._setting("emr.primary.volume_gb", "emr.core.volume_gb")
        gigabytes = None if disk is None else disk + _ROOT_GB
        yield self.line("emr", stage, part, "disks", _gb_months(hours, gigabytes), "ebs/gp3", why)

    def storage(self, name: SideName) -> Iterator[RunLine]:
        """What a side wrote, kept for a month, and the requests for it."""
        side = dict(self.record.both())[name]
        written = [stage.bytes_out for stage in side.stages if stage.bytes_out is not None]
        if all(stage.status == "skipped" for stage in side.stages):
            return
        stored = sum(written) / GB if written else None
        yield self.line(name, None, "work", "what it wrote, for a month", stored, "s3/storage", None)
        work, counted = self.workload.sides[name], "as many as a run on a laptop has files"
        yield self.line(name, None, "work", "requests that write", work.puts, "s3/put", counted)
        yield self.line(name, None, "work", "requests that read", work.gets, "s3/get", counted)


def _instances(stage: Stage) -> Sequence[Instances]:
    """What a stage ran on; where that is not recorded, one instance without a price, so that there is a line."""
    return stage.instances or (Instances(type="unknown", count=1),)


def _gb_months(hours: float | None, gigabytes: float | None) -> float | None:
    return None if hours is None or gigabytes is None else hours * gigabytes / HOURS_A_MONTH


def _shares(stages: Sequence[Stage], instance_seconds: float) -> dict[StageName, float]:
    """Which part of the cluster's time each stage took, as it has the nodes that the definition starts with."""
    seconds = {
        stage.name: (stage.billable_seconds or 0.0) * sum(each.count for each in stage.instances) for stage in stages
    }
    # Managed scaling may have left fewer nodes than the definition starts with.
    whole = max(instance_seconds, math.fsum(seconds.values()))
    return {name: value / whole if whole else 0.0 for name, value in seconds.items()}
