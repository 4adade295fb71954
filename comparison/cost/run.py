"""The cost of one run, from its record.

A run in an account is priced by what was billed: the jobs' seconds, the cluster's instance seconds. A run on a laptop
has no such seconds; all that is said of it is an estimate, of what its work would take on the instances that the
definitions ask for.

Of a cluster, a record holds the seconds of all instances of a type together. So the minute for which each instance is
billed at least is not applied here: an instance that ended within a minute cost more than this says.
"""

from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict

from comparison.cost.billing import Part, RunLineItem, SideRun
from comparison.cost.lines import GB, Money
from comparison.cost.prices import PriceBook
from comparison.cost.registry import SERVICES
from comparison.cost.runtime import RuntimeModel, fit_runtime
from record.errors import UserError
from record.schema import Record, SideName, StageName


class RunCost(BaseModel):
    """What one run cost."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    region: str
    sides: tuple[SideName, ...]
    lines: tuple[RunLineItem, ...]

    def total(self, side: SideName, part: Part | None = None, stage: StageName | None = None) -> Money | None:
        """The sum of a side, of one part or one stage of it; a lower bound if something is not known.

        None: it has no line item, since nothing of it ran. That is not the same as 0 US dollars.
        """
        amounts = [
            line.amount
            for line in self.lines
            if line.side == side and part in (None, line.part) and stage in (None, line.stage)
        ]
        return Money.of(amounts) if amounts else None


def run_cost(
    record: Record, book: PriceBook, region: str = "us-east-1", runtime: RuntimeModel | None = None
) -> RunCost:
    """What a run cost: instances, storage, requests.

    Of a run in an account: what was billed. How much of it was the start of the jobs, and how many requests there
    were, is an estimate (``runtime``; default: as shipped). Of a run on a laptop everything is: what its work
    (``runtime``; default: fitted to this run alone) would cost on the instances of the definitions.

    Raises:
        UserError: no price is known for the region; one line.
    """
    if region not in book.regions:
        raise UserError(f"no prices for region {region}; allowed: {', '.join(sorted(book.regions))}")
    if runtime is None:
        runtime = RuntimeModel.load()
        if record.where == "local" and record.dataset.events:
            runtime = fit_runtime([record], book)
    sides = [SideRun(record, side, book, region, runtime) for side in record.sides]
    ran = [item for side in sides for item in SERVICES[record.sides[side.side].service].run(side)]
    stored = [item for side in sides for item in _storage(side)]
    return RunCost(region=region, sides=tuple(record.sides), lines=(*ran, *stored))


def _storage(run: SideRun) -> Iterator[RunLineItem]:
    """What a side wrote, kept for a month, and the requests for it."""
    if not run.stages:
        return
    written = [stage.bytes_out for stage in run.record.sides[run.side].stages if stage.bytes_out is not None]
    stored = sum(written) / GB if written else None
    yield run.item(None, "work", "what it wrote, for a month", stored, "s3/storage", None)
    work, counted = run.runtime.of(run.side), "as many as a run on a laptop has files"
    yield run.item(None, "work", "requests that write", work.puts, "s3/put", counted)
    yield run.item(None, "work", "requests that read", work.gets, "s3/get", counted)
