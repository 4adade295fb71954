"""The rest of a page beside the record: the ten claims, the cost and the security posture, from what a run left.

data = gather(record, Path("build/compare/latest"))
write_report(record, Path("report.html"), data)
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from assembly.posture import Posture, posture
from assembly.template import REGION, Assembly
from comparison.claims import Evidence, JudgedClaim, claims
from comparison.claims.base import OUTCOMES, SERVICES, service
from comparison.claims.scaling import SimulatedDay, simulate
from comparison.cost.prices import PriceBook
from comparison.cost.run import run_cost
from comparison.cost.runtime import RuntimeModel, fit_runtime
from comparison.cost.template import estimate
from comparison.cost.usage import Usage
from comparison.report.cost_section import CostSection
from comparison.summary import join
from record.runs.folders import TEMPLATES, records, succeeded
from record.schema import Record


@dataclass(frozen=True)
class ReportData:
    """Results from the templates of a run, their rules and prices; None or empty: there is nothing of it."""

    claims: tuple[JudgedClaim, ...] = ()
    posture: Posture | None = None
    cost: CostSection | None = None
    day: SimulatedDay | None = None

    @property
    def claims_sentence(self) -> str:
        """The outcomes of the ten claims, counted in one sentence; empty without them."""
        if not self.claims:
            return ""
        outcomes = [each.outcome for each in self.claims]
        counted = {outcome: outcomes.count(outcome) for outcome in OUTCOMES.values() if outcome in outcomes}
        parts = [f"{count} {'is' if count == 1 else 'are'} {outcome}" for outcome, count in counted.items()]
        return f"Of the ten claims that teams read about the two services, {join(parts)} by what runs here."


def gather(record: Record, folder: Path) -> ReportData:
    """Everything that can be said of a run from what lies in its folder; less where less is there.

    Raises:
        UserError: something is there and cannot be used; one line.
    """
    found = posture(folder)
    if not (folder / TEMPLATES / "manifest.json").is_file():
        return ReportData(posture=found)
    assembly = Assembly(folder / TEMPLATES)
    cost = _cost(record, folder, assembly)
    evidence = Evidence(record=record, assembly=assembly, posture=found, cost=cost.estimate)
    # A claim is about two services: a run of one has nothing to say of it.
    judged = claims(evidence) if {service(side) for side in evidence.sides} == set(SERVICES) else ()
    return ReportData(claims=judged, posture=found, cost=cost, day=simulate(evidence.templates))


def _cost(record: Record, folder: Path, assembly: Assembly) -> CostSection:
    book = PriceBook.load()
    runtime = _runtime(record, folder, book)
    # A laptop is in no region, and of some regions there are no prices.
    region = record.region if record.region in book.regions else REGION
    whole = estimate(assembly, Usage(), book, runtime, region)
    if record.region not in (None, region):
        sentence = f"Prices are those of {region}: there are none of {record.region} in the price file."
        whole = whole.model_copy(update={"assumptions": (sentence, *whole.assumptions)})
    run = run_cost(record, book, region, runtime) if record.where == "aws" or record.dataset.events else None
    return CostSection(estimate=whole, run=run, billed=record.where == "aws" and record in _finished([record]))


def _runtime(record: Record, folder: Path, book: PriceBook) -> RuntimeModel:
    """How long work takes: of this run and its like beside it if they have two sizes, or it was in an account.

    One size on a laptop cannot tell an engine's start from its work.
    """
    # Damaged records beside it are of no interest here.
    beside = [other for _, other in records(folder.resolve().parent) if isinstance(other, Record)]
    alike = {other.run_id: other for other in _finished([record, *beside]) if _kind(other) == _kind(record)}
    sizes = {other.dataset.events for other in alike.values()}
    if alike and (record.where == "aws" or len(sizes) > 1):
        return fit_runtime(list(alike.values()), book)
    return RuntimeModel.load()


def _kind(record: Record) -> tuple[object, ...]:
    """Runs that may be put on one line: of one place, machine, dataset and code."""
    return record.where, record.machine, record.dataset.name, tuple(sorted(record.definitions.items()))


def _finished(records: Iterable[Record]) -> list[Record]:
    return [each for each in records if each.dataset.events and succeeded(each)]
