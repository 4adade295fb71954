"""What a row is made of, and what it may look at."""

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from assembly.posture import Posture
from assembly.template import REPOSITORY, Assembly
from comparison.claims.templates import SideTemplate
from comparison.cost.lines import Estimate
from comparison.summary import NOT_MEASURED
from record.schema import Record, SideName, StageName

Verdict = Literal["confirmed", "confirmed with a condition", "not confirmed here", "not measured"]

TEMPLATES = "counted in the templates"
CODE = "counted in the code of this checkout"
SIMULATED = "simulated"


@dataclass(frozen=True)
class Claim:
    """What the seed says: its table's cell for each side, and its longer sentence for each."""

    sagemaker: str
    emr: str
    sagemaker_detail: str
    emr_detail: str


@dataclass(frozen=True)
class Measure:
    """One thing that was measured or counted on both sides, as texts with their units.

    `origin` says how it was found, `where` leads there: `#` and a section of the page, a path of the repository, or a
    stack and a logical id. A side that was not measured says `comparison.summary.NOT_MEASURED`.
    """

    label: str
    sagemaker: str
    emr: str
    origin: str
    where: str


def measure(label: str, both: Iterable[str], origin: str, where: str) -> Measure:
    """A measure from the texts of both sides, SageMaker's first."""
    sagemaker, emr = both
    return Measure(label, sagemaker, emr, origin, where)


@dataclass(frozen=True)
class Finding:
    """What a row's rule made of the evidence; `because` names the numbers, `chart` a chart that shows them."""

    measures: tuple[Measure, ...]
    verdict: Verdict
    because: str
    chart: str | None = None


@dataclass(frozen=True)
class Row:
    """One row of the seed: its claim, what was measured, and the verdict."""

    number: int
    name: str
    claim: Claim
    measures: tuple[Measure, ...]
    verdict: Verdict
    because: str
    chart: str | None


@dataclass(frozen=True)
class Evidence:
    """All that a verdict may rest on: a run's record, the templates that it executed, its rules and costs, the code.

    The templates need no assets. Without `posture` or `cost` what they would show is not measured.
    """

    record: Record
    assembly: Assembly
    posture: Posture | None = None
    cost: Estimate | None = None
    root: Path = REPOSITORY

    @cached_property
    def templates(self) -> dict[SideName, SideTemplate]:
        """The template of each side."""
        return {name: SideTemplate(self.assembly, name) for name, _ in self.record.both()}

    @cached_property
    def formats(self) -> dict[str, str]:
        """The format of each raw table, from the dataset's definition; empty when that is not here."""
        file = self.root / "workloads" / "datasets" / self.record.dataset.name / "dataset.toml"
        if not file.is_file():
            return {}
        return {name: str(table["format"]) for name, table in tomllib.loads(file.read_text("utf-8"))["tables"].items()}

    @property
    def measured(self) -> str:
        """The origin of what the record holds."""
        return "measured on this machine" if self.record.where == "local" else "measured in the account"

    def rate(self, side: SideName, stage: StageName) -> float | None:
        """Rows a second that a stage read; None when its rows or seconds were not measured.

        In an account of the seconds that are billed, which a job's or a cluster's start is not part of.
        """
        found, seconds = dict(self.record.both())[side].stage(stage), self.seconds(side, stage)
        return found.rows_in / seconds if found and found.rows_in is not None and seconds else None

    def seconds(self, side: SideName, stage: StageName) -> float | None:
        """The seconds that `rate` counts; None when the stage did not succeed or they were not measured."""
        found = dict(self.record.both())[side].stage(stage)
        if found is None or found.status != "succeeded":
            return None
        return found.seconds if self.record.where == "local" else found.billable_seconds


def number(value: float | None, unit: str = "") -> str:
    """A number in words: `1,234 rows`; whole numbers without decimals, small ones with three digits."""
    if value is None:
        return NOT_MEASURED
    text = f"{value:,.0f}" if value == int(value) or abs(value) >= 100 else f"{value:.3g}"
    return f"{text} {unit}".rstrip()


def listed(names: Iterable[str]) -> str:
    """Names in one line, `none` when there are none."""
    return ", ".join(names) or "none"


def join(names: Sequence[str]) -> str:
    """Names as in a sentence: `a, b and c`."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else "none"
