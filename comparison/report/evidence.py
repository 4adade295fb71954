"""What a page shows beside the record: the ten rows, the cost and the security posture, from what lies beside a run.

evidence = gather(record, Path("build/compare/latest"))
write_report(record, Path("report.html"), evidence)
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from assembly.posture import Posture, posture
from assembly.template import REGION, Assembly
from comparison.claims import Row, rows
from comparison.claims.base import Evidence as RowEvidence
from comparison.claims.base import Verdict
from comparison.claims.scaling import Load, simulate
from comparison.cost.prices import PriceBook
from comparison.cost.run import run_cost
from comparison.cost.runtime import RuntimeModel, fit_runtime
from comparison.cost.template import estimate
from comparison.cost.usage import Usage
from comparison.report.cost_section import CostSection
from record.runs.folders import TEMPLATES, records
from record.schema import Record


@dataclass(frozen=True)
class Evidence:
    """What was computed from the templates of a run, their rules and prices; None or empty: there is nothing of it."""

    rows: tuple[Row, ...] = ()
    posture: Posture | None = None
    cost: CostSection | None = None
    load: Load | None = None

    @property
    def claims(self) -> str:
        """What became of the ten claims, in one sentence; empty without them."""
        if not self.rows:
            return ""
        verdicts = [row.verdict for row in self.rows]
        counted = {verdict: verdicts.count(verdict) for verdict in get_args(Verdict) if verdict in verdicts}
        parts = [f"{count} {'is' if count == 1 else 'are'} {verdict}" for verdict, count in counted.items()]
        said = f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]
        return f"Of the ten claims that teams read about the two services, {said} by what runs here."


def gather(record: Record, folder: Path) -> Evidence:
    """Everything that can be said of a run from what lies in its folder; less where less is there.

    Raises:
        CostError, PriceError, PostureError, TemplateError: something is there and cannot be used; one line.
    """
    found = posture(folder)
    if not (folder / TEMPLATES / "manifest.json").is_file():
        return Evidence(posture=found)
    assembly = Assembly(folder / TEMPLATES)
    cost = _cost(record, folder, assembly)
    evidence = RowEvidence(record=record, assembly=assembly, posture=found, cost=cost.estimate)
    return Evidence(rows=rows(evidence), posture=found, cost=cost, load=simulate(evidence.templates))


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
    return [each for each in records if each.dataset.events and all(s.status == "succeeded" for _, s in each.both())]
