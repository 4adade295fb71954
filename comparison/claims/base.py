"""The parts of a judged claim: the claim, the evidence, the figures that were measured, the verdict.

Three steps lead from a run to a sentence, and a module has the three of each claim:

    measured = measure(evidence)        # plain data: figures, of every side
    verdict = judge(measured)           # plain data: whether the claim holds, and why
    because = word(measured, verdict)   # sentences for people

A claim is about two services; a run may have several sides of each, and all of them have to show what is claimed.
"""

import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, Protocol

from assembly.posture import Posture
from assembly.template import REPOSITORY, Assembly
from comparison import summary
from comparison.claims.templates import SideTemplate
from comparison.cost.lines import Estimate, usd
from comparison.summary import NOT_MEASURED, TITLES, difference, milliseconds, percent, score, seconds, size
from record.schema import Record, Side, SideName, StageName
from sides import SERVICES as KNOWN
from sides import SIDES

Service = Literal["sagemaker", "emr"]
SERVICES: tuple[Service, ...] = ("sagemaker", "emr")

Outcome = Literal["holds", "holds with a condition", "does not hold", "not measured"]
OUTCOMES: dict[Outcome, str] = {
    "holds": "confirmed",
    "holds with a condition": "confirmed with a condition",
    "does not hold": "not confirmed here",
    "not measured": NOT_MEASURED,
}
"""Each in the words of the report."""

Value = str | float | bool | tuple[str, ...] | None
"""A number, names, yes or no, or a text that says why there is none of these; None: not measured."""

TEMPLATES = "counted in the templates"
CODE = "counted in the code of this checkout"
SIMULATED = "simulated"


def service_of(side: SideName) -> str:
    """The name of a side's service; a side that this checkout does not have begins with it."""
    if side in SIDES:
        return SIDES[side].service
    return max((name for name in KNOWN if side.startswith(name)), key=len, default=side)


def service(side: SideName) -> Service:
    """The service of a side that the claims are about (`Evidence.sides`)."""
    return next(each for each in SERVICES if each == service_of(side))


@dataclass(frozen=True)
class Claim:
    """A row of the seed: its table's cell for each service, and its longer sentence for each."""

    number: int
    name: str
    cells: Mapping[Service, str]
    details: Mapping[Service, str]
    chart: str | None = None
    """A chart of the page that shows the figures."""


@dataclass(frozen=True)
class Figure:
    """One thing that was measured or counted on every side; of the whole run, each side has the same value.

    `unit` is that of numbers, empty for a plain count. `origin` says how it was found, `where` leads there: `#` and a
    section of the page, a path of the repository, or a stack and a logical id.
    """

    label: str
    values: Mapping[SideName, Value]
    unit: str
    origin: str
    where: str


@dataclass(frozen=True)
class Measured:
    """The figures of a claim by a key each: all that its verdict rests on.

    Every reader gives the value of a side, or without one that of the whole run.
    """

    sides: tuple[SideName, ...]
    where: Literal["local", "aws"]
    figures: Mapping[str, Figure]

    def of(self, name: Service) -> tuple[SideName, ...]:
        """The sides of a service."""
        return tuple(side for side in self.sides if service(side) == name)

    def number(self, key: str, side: SideName | None = None) -> float | None:
        """A number; None where it was not measured, or where there is none."""
        value = self._value(key, side)
        return value if isinstance(value, int | float) and not isinstance(value, bool) else None

    def names(self, key: str, side: SideName | None = None) -> tuple[str, ...]:
        """Names; none as well where they were not measured."""
        value = self._value(key, side)
        return value if isinstance(value, tuple) else ()

    def flag(self, key: str, side: SideName | None = None) -> bool | None:
        """Yes or no; None where it was not measured, or where there is nothing to ask."""
        value = self._value(key, side)
        return value if isinstance(value, bool) else None

    def text(self, key: str, side: SideName | None = None) -> str | None:
        """A text; None where there is something else."""
        value = self._value(key, side)
        return value if isinstance(value, str) else None

    def known(self, key: str, side: SideName | None = None) -> bool:
        """Tell whether it was measured."""
        return self._value(key, side) is not None

    def shown(self, key: str, side: SideName | None = None) -> str:
        """A value in words."""
        return shown(self._value(key, side), self.figures[key].unit)

    def _value(self, key: str, side: SideName | None) -> Value:
        return self.figures[key].values[self.sides[0] if side is None else side]


@dataclass(frozen=True)
class Reason:
    """Why a verdict is as it is, or under which condition: a code, the sides concerned, and names of what is."""

    code: str
    sides: tuple[SideName, ...] = ()
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """The judgement of a claim. `favours` are the sides for which it speaks; none where it only tells them apart.

    `reasons` are those of the outcome; of one that holds with a condition they are the conditions.
    """

    outcome: Outcome
    favours: tuple[SideName, ...] = ()
    reasons: tuple[Reason, ...] = ()

    def reason(self, code: str) -> Reason | None:
        """The reason of that code, None when it is none of them."""
        return next((reason for reason in self.reasons if reason.code == code), None)


@dataclass(frozen=True)
class JudgedClaim:
    """A claim with its figures, its verdict, and the sentences that give the numbers behind it."""

    claim: Claim
    measured: Measured
    verdict: Verdict
    because: str

    @property
    def outcome(self) -> str:
        """The outcome in the words of the report."""
        return OUTCOMES[self.verdict.outcome]


class Rule(Protocol):
    """A module with the three steps of a claim."""

    def measure(self, evidence: "Evidence", /) -> Measured:
        """Collect the figures."""

    def judge(self, measured: Measured, /) -> Verdict:
        """Decide by the figures alone."""

    def word(self, measured: Measured, verdict: Verdict, /) -> str:
        """Give the figures and the reasons in sentences."""


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
    def sides(self) -> dict[SideName, Side]:
        """The sides of the record that the claims are about, in its order."""
        return {name: side for name, side in self.record.sides.items() if service_of(name) in SERVICES}

    @cached_property
    def templates(self) -> dict[SideName, SideTemplate]:
        """The template of each side."""
        return {name: SideTemplate(self.assembly, name) for name in self.sides}

    def template(self, name: Service) -> SideTemplate:
        """The template of a service's first side, where a figure leads to."""
        return next(self.templates[side] for side in self.sides if service(side) == name)

    @cached_property
    def formats(self) -> dict[str, str]:
        """The format of each raw table, from the dataset's definition; empty when that is not here."""
        file = self.root / "workloads" / "datasets" / self.record.dataset.name / "dataset.toml"
        if not file.is_file():
            return {}
        return {name: str(table["format"]) for name, table in tomllib.loads(file.read_text("utf-8"))["tables"].items()}

    @property
    def origin(self) -> str:
        """The origin of what the record holds."""
        return "measured on this machine" if self.record.where == "local" else "measured in the account"

    def each(
        self, label: str, value: Callable[[SideName], Value], origin: str, where: str, *, unit: str = ""
    ) -> Figure:
        """A figure with a value of each side's own."""
        return Figure(label, {side: value(side) for side in self.sides}, unit, origin, where)

    def run(self, label: str, value: Value, origin: str, where: str, *, unit: str = "") -> Figure:
        """A figure of the whole run."""
        return self.each(label, lambda _: value, origin, where, unit=unit)

    def measured(self, figures: Mapping[str, Figure]) -> Measured:
        """The figures of a claim."""
        return Measured(tuple(self.sides), self.record.where, figures)

    def done(self, side: SideName) -> tuple[str, ...] | None:
        """The stages of a side that succeeded; None when it started none."""
        stages = self.sides[side].stages
        return tuple(stage.name for stage in stages if stage.status == "succeeded") if stages else None

    def rate(self, side: SideName, stage: StageName) -> float | None:
        """Rows a second that a stage read; None when its rows or seconds were not measured.

        In an account of the seconds that are billed, which a job's or a cluster's start is not part of.
        """
        found, seconds = self.sides[side].stage(stage), self.seconds(side, stage)
        return found.rows_in / seconds if found and found.rows_in is not None and seconds else None

    def seconds(self, side: SideName, stage: StageName) -> float | None:
        """The seconds that `rate` counts; None when the stage did not succeed or they were not measured."""
        found = self.sides[side].stage(stage)
        if found is None or found.status != "succeeded":
            return None
        return found.seconds if self.record.where == "local" else found.billable_seconds


_NUMBERS: dict[str, Callable[[float], str]] = {
    "AUC": score,
    "difference": difference,
    "ms": milliseconds,
    "share": percent,
    "USD": lambda value: f"{usd(value)} USD",
    "bytes": lambda value: size(int(value)),
    "s": seconds,
}
"""Units whose numbers have a form of their own."""


def shown(value: Value, unit: str = "") -> str:
    """A value in words: `1,234 rows`, `yes`, `S3, Redshift`, or the text itself."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(value) or "none"
    return number(value, unit) if value is None or unit not in _NUMBERS else _NUMBERS[unit](value)


def number(value: float | None, unit: str = "") -> str:
    """A number in words: `1,234 rows`; whole numbers without decimals, small ones with three digits."""
    if value is None:
        return NOT_MEASURED
    text = f"{value:,.0f}" if value == int(value) or abs(value) >= 100 else f"{value:.3g}"
    return f"{text} {unit}".rstrip()


def join(names: Sequence[str]) -> str:
    """Names as in a sentence: `a, b and c`, or `none`."""
    return summary.join(names) or "none"


def titles(sides: Iterable[SideName]) -> str:
    """Names of sides as in a sentence."""
    return join([TITLES[side] for side in sides])
