"""How long a stage works: the part of a cost that only a run can tell.

    seconds = fixed + core_seconds_per_event * events / vCPUs

The assumption in it: work divides evenly over vCPUs, on whatever instances, and grows in proportion to the events.

    runtime = RuntimeModel.load()                           # shipped: measured once on a laptop
    runtime = fit_runtime([record_1, record_2], book)  # of one's own runs, best of different sizes
"""

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from comparison.cost.lines import number
from comparison.cost.prices import PriceBook
from record.emr_serverless import WORKER
from record.errors import UserError
from record.files import read_text
from record.schema import STAGES, Instances, Record, SideName, StageName
from sides import SIDES

RunsOn = Literal["job", "cluster", "job run"]
DEFAULTS = Path(__file__).parent / "runtime.json"
NonNegative = Annotated[FiniteFloat, Field(ge=0)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StageRuntime(_Model):
    """How long one stage of one side works."""

    fixed_seconds: NonNegative
    """However little data there is: the engine's start."""
    core_seconds_per_event: NonNegative
    """Seconds on one vCPU for each log event."""
    origin: str
    """Where the figures come from, in words to be shown."""

    def seconds(self, events: float, vcpus: float) -> float:
        """Seconds of work on so many vCPUs."""
        return self.fixed_seconds + self.core_seconds_per_event * events / vcpus


class SideRuntime(_Model):
    """How long one side works, and what it leaves behind."""

    stages: dict[StageName, StageRuntime]
    runs_on: RunsOn
    """What is started for a run: jobs or job runs, each with machines of its own, or one cluster for all stages."""
    startup_seconds: NonNegative
    """Billed before the work starts, of each job or of the cluster."""
    startup_origin: str
    bytes_per_event: NonNegative
    """What a run writes, bytes for each log event."""
    puts: NonNegative
    gets: NonNegative
    """Requests to S3 of a run: one for every file that is written, and for every file that a stage reads."""


class RuntimeModel(_Model):
    """How long the sides work."""

    raw_bytes_per_event: NonNegative
    """Size of the raw data as stored, bytes for each log event."""
    data_origin: str
    """Where the sizes and the numbers of files come from."""
    measured_events: tuple[NonNegative, NonNegative]
    """Log events of the smallest and of the largest run whose seconds were measured."""
    sides: dict[SideName, SideRuntime]

    @classmethod
    def load(cls, path: Path = DEFAULTS) -> Self:
        """Read the shipped figures. Raises UserError when they are damaged."""
        try:
            return cls.model_validate_json(read_text(path))
        except (UserError, ValidationError) as error:
            raise UserError(f"{path}: {' '.join(str(error).split())}") from error

    def of(self, side: SideName) -> SideRuntime:
        """The figures of a side; of one that was never measured those of a side with its service and engine.

        Raises:
            UserError: there is none; one line.
        """
        like = (SIDES[each] for each in self.sides if each in SIDES)
        alike = [
            each.name
            for each in like
            if side in SIDES and (each.service, each.engine) == (SIDES[side].service, SIDES[side].engine)
        ]
        name = side if side in self.sides else next(iter(alike), None)
        if name is None:
            raise UserError(
                f"how long side {side} works is not known; allowed: {', '.join(self.sides)}, and their like"
            )
        return self.sides[name]


def fit_runtime(records: Sequence[Record], book: PriceBook, base: RuntimeModel | None = None) -> RuntimeModel:
    """The model of the time that runs took; what they do not tell is as in ``base`` (default: as shipped).

    Of a run in an account only billed seconds count: a stage without any is as in ``base``. Seconds on a laptop become
    core seconds, and every figure that comes of them is an estimate. The start of a job is kept apart from its work.

    Runs of one size cannot tell what is fixed from what grows: the fixed seconds are then those of ``base``, or all
    of them if there were fewer, and what is left grows with the data.

    Raises:
        UserError: no runs, or runs that do not belong together, or that tell nothing; one line.
    """
    base = base or RuntimeModel.load()
    if not records:
        raise UserError("no run to take the runtime from; at least one is needed")
    first = records[0]
    for record in records:
        if record.dataset.events is None or record.dataset.events == 0:
            raise UserError(f"run {record.run_id}: dataset.events is not known; the cost model needs a number above 0")
        if (record.where, record.machine, record.dataset.name) != (first.where, first.machine, first.dataset.name):
            raise UserError(
                f"run {record.run_id}: not of the same place, machine and dataset as run {first.run_id}; "
                "a runtime model is fitted to runs that are"
            )
    try:
        sides = {name: _side(name, records, book, base.of(name)) for name in first.sides}
    except UserError as error:
        raise UserError(f"run {first.run_id}: {error}") from None
    events = [record.dataset.events or 0 for record in records]
    base = base.model_copy(update={"sides": {**base.sides, **sides}, "measured_events": (min(events), max(events))})
    sizes = [(r.dataset.bytes, r.dataset.events) for r in records if r.dataset.bytes is not None]
    largest = max(sizes, key=lambda pair: pair[1] or 0, default=None)
    if largest is None:
        return base
    raw = largest[0] / (largest[1] or 1)
    origin = f"raw bytes as in {_named(records)}; {base.data_origin}"
    return base.model_copy(update={"raw_bytes_per_event": raw, "data_origin": origin})


def worker_vcpus(instances: Sequence[Instances], book: PriceBook, runs_on: RunsOn) -> int:
    """How many vCPUs work in a stage: all of its instances', or without a cluster's primary node, a job run's driver.

    Raises:
        UserError: no instances, or a type whose size is not known; one line.
    """
    total = 0
    for i, each in enumerate(instances):
        # The first machine of a cluster is its primary node, that of a job run its driver: they do not work.
        total += _vcpus(each.type, book) * (each.count - (1 if runs_on != "job" and i == 0 else 0))
    if total == 0:
        raise UserError("no instances that work; at least one is needed")
    return total


def _vcpus(kind: str, book: PriceBook) -> int:
    """How many vCPUs an instance type has, or a worker whose size is its name."""
    if worker := WORKER.fullmatch(kind):
        return int(worker[1])
    size = book.instance_types.get(kind.removeprefix("ml."))
    if size is None:
        raise UserError(
            f"how many vCPUs {kind} has is not known; allowed: the types in instance_types of the price file"
        )
    return size.vcpus


def _side(name: SideName, records: Sequence[Record], book: PriceBook, base: SideRuntime) -> SideRuntime:
    points = {stage: _points(name, stage, records, book, base.runs_on) for stage in STAGES}
    update: dict[str, object] = {}
    startup = 0.0
    if base.runs_on == "job" and records[0].where == "aws":
        # Billed seconds of a job have its start in them, which none of them tells.
        startup = min([base.startup_seconds, *(time for found in points.values() for _, time in found)])
        if startup < base.startup_seconds:
            origin = f"{startup:g} seconds, all that was billed of the shortest job of {_named(records)}"
            update |= {"startup_seconds": startup, "startup_origin": origin}
    update["stages"] = {
        stage: _fit([(size, time - startup) for size, time in found], records, base.stages[stage])
        if found
        else base.stages[stage]
        for stage, found in points.items()
    }
    written = [
        (sum(stage.bytes_out or 0 for stage in record.sides[name].stages), record.dataset.events or 1)
        for record in records
    ]
    size, events = max(written, key=lambda pair: pair[1])
    if size:
        update["bytes_per_event"] = size / events
    return base.model_copy(update=update)


def _points(
    name: SideName, stage_name: StageName, records: Sequence[Record], book: PriceBook, runs_on: RunsOn
) -> list[tuple[float, float]]:
    """Events for each vCPU, and seconds, of every run that tells them of a stage."""
    points = []
    for record in records:
        stage = record.sides[name].stage(stage_name)
        if stage is None or stage.status != "succeeded":
            continue
        seconds = stage.billable_seconds if record.where == "aws" else stage.seconds
        if seconds is not None:
            try:
                vcpus = record.machine.cpus if record.machine else worker_vcpus(stage.instances, book, runs_on)
            except UserError as error:
                raise UserError(f"run {record.run_id}: {name} {stage.name}: {error}") from error
            points.append(((record.dataset.events or 0) / vcpus, seconds))
    return points


def _fit(points: Sequence[tuple[float, float]], records: Sequence[Record], base: StageRuntime) -> StageRuntime:
    """A straight line through the runs' seconds, with neither part negative."""
    sizes, times = zip(*points, strict=True)
    fixed, slope = fit_line(sizes, times, base)
    events = sorted({record.dataset.events or 0 for record in records})
    at = " and ".join(number(each) for each in dict.fromkeys((events[0], events[-1])))
    where = (
        f"fitted to what was billed in an account at {at} events"
        if records[0].where == "aws"
        else "core seconds measured on a laptop, an estimate"
    )
    one = ""
    if len(set(sizes)) == 1:
        kept = "core seconds an event" if slope == base.core_seconds_per_event else "fixed seconds"
        one = (
            "; of one size only, and shorter than the fixed part was thought to be, so all of it counts as fixed"
            if slope == 0
            else f"; of one size only, so the {kept} are those of: {base.origin}"
        )
    return StageRuntime(fixed_seconds=fixed, core_seconds_per_event=slope, origin=f"{where}: {_named(records)}{one}")


def fit_line(sizes: Sequence[float], times: Sequence[float], base: StageRuntime) -> tuple[float, float]:
    """Intercept and slope of the straight line with the least squares, neither below 0.

    One size gives one of them only: the one that is thought to take most of such a run (``base``). Else what a small
    run cannot explain would be multiplied with all the data of a large one.
    """
    if len(set(sizes)) == 1:
        time = statistics.fmean(times)
        work = base.core_seconds_per_event * sizes[0]
        if work < base.fixed_seconds and work <= time:
            return time - work, base.core_seconds_per_event
        intercept = min(base.fixed_seconds, time)
        return intercept, (time - intercept) / sizes[0]
    largest = max(sizes)  # to which sizes are scaled, so that no column outweighs the other
    from scipy.optimize import nnls  # here, since it takes long to load, and what only reads needs no fit

    (intercept, slope), _ = nnls([[1.0, size / largest] for size in sizes], times)
    return float(intercept), float(slope / largest)


def _named(records: Sequence[Record]) -> str:
    names = ", ".join(record.run_id for record in records)
    return f"{'run' if len(records) == 1 else 'runs'} {names}"
