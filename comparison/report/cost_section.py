"""What the page shows of the cost: words, sums and lines as computed here, and the data to compute them again there."""

from dataclasses import asdict, dataclass
from typing import Any

from pydantic.fields import FieldInfo

from comparison.cost import break_even as curves
from comparison.cost import lines
from comparison.cost.break_even import Along, Curve, break_even
from comparison.cost.lines import Estimate, LineItem, Money, Party, drivers, number, usd
from comparison.cost.run import RunCost
from comparison.cost.table import name_of
from comparison.cost.usage import Usage
from comparison.summary import TITLES, join
from record.schema import STAGES, Record

AXES: dict[Along, str] = {name: axis.label for name, axis in curves.AXES.items()}

_INPUTS = {
    "runs_per_day": ("Runs a day", 1),
    "events_per_run": ("Log events a run, millions", 1e6),
    "requests_per_second": ("Requests a second", 1),
    "endpoint_hours_per_day": ("Endpoint, hours a day", 1),
    "cluster_hours_per_day": ("Cluster kept up, hours a day", 1),
    "spot_share": ("Task nodes that come as Spot, %", 0.01),
    "spot_discount": ("Discount of Spot, %", 0.01),
}
"""The usage that a visitor may change: its label, and what one of it is in the usage's own unit."""

_ROWS = (
    ("month", False, "A month of this use, without the endpoint"),
    ("month", True, "A month of this use, with the endpoint"),
    ("run", True, "One run more"),
    ("idle_hour", False, "An idle hour, without the endpoint"),
    ("idle_hour", True, "An idle hour, with the endpoint"),
)


@dataclass(frozen=True)
class CostSection:
    """The cost of the templates that a run executed, and of the run."""

    estimate: Estimate
    run: RunCost | None
    billed: bool
    """The seconds of work are fitted to those that a service billed, not to a laptop's."""

    @property
    def curve(self) -> Curve:
        """The curve that the page opens with."""
        return break_even(self.estimate, "runs_per_day")

    @property
    def words(self) -> str:
        """Which side is cheapest, and up to where."""
        return " ".join(self.curve.sentences)

    @property
    def verdict(self) -> str:
        """The cost in one sentence of the page's verdict."""
        usage = self.estimate.usage
        month = self.estimate.totals(serving=False)
        work = "fitted to what was billed" if self.billed else "measured on a laptop"
        sums = join([f"{month[side].month} US dollars on {TITLES[side]}" for side in self.estimate.sides])
        without = "both without" if len(self.estimate.sides) == 2 else "without"
        return (
            f"At {_runs(usage)} of {number(usage.events_per_run)} events, a month costs about {sums}, {without} "
            f"real-time serving (an estimate: list prices, and work {work}): {self.words}"
        )

    @property
    def parties(self) -> dict[Party, str]:
        """The columns of the table of sums."""
        return {party: name_of(party) for party in self.estimate.parties}

    @property
    def served(self) -> str:
        """The sides that bring an endpoint along, as in `A and B bring`."""
        return curves.constant_texts(self.estimate)["served_bring"]

    @property
    def comparative(self) -> str:
        """The word for the side that costs least."""
        return curves.comparative(self.estimate.sides)

    @property
    def examples(self) -> str:
        """How many prices could not be verified, in words; empty if all were."""
        examples, used = self.estimate.examples()
        return f"{examples} of the {used} prices in use could not be verified and are examples" if examples else ""

    @property
    def inputs(self) -> dict[str, dict[str, Any]]:
        """The inputs by the usage's field: label, unit, limits and value."""
        asked = {name for line in self.estimate.lines for term in line.terms for name in term.drivers}
        shown = {name: label for name, label in _INPUTS.items() if "spot" not in name or "spot_factor" in asked}
        return {name: self._input(name, *label) for name, label in shown.items()}

    def _input(self, name: str, label: str, scale: float) -> dict[str, Any]:
        value = getattr(self.estimate.usage, name)
        return {
            "label": label,
            "scale": scale,
            "maximum": _maximum(Usage.model_fields[name]),
            "optional": value is None or Usage.model_fields[name].default is None,
            "value": "" if value is None else f"{value / scale:.10g}",
        }

    @property
    def totals(self) -> list[tuple[str, str, list[tuple[str, str]]]]:
        """Rows of the table of sums: key, label, and for each side its key and its sum."""
        both = {serving: self.estimate.totals(serving=serving) for serving in (False, True)}
        return [
            (
                f"{period} {str(serving).lower()}",
                label,
                [(side, str(getattr(both[serving][side], period))) for side in self.estimate.parties],
            )
            for period, serving, label in _ROWS
        ]

    @property
    def lines(self) -> list[tuple[LineItem, str]]:
        """Every line item with its amount of a month."""
        month = drivers(self.estimate.usage, self.estimate.parameters)
        return [(line, usd(line.amount(month))) for line in self.estimate.lines]

    @property
    def not_priced(self) -> list[tuple[str, int, str]]:
        """Type, number of resources and reason of what has no line item."""
        counted: dict[tuple[str, str], int] = {}
        for each in self.estimate.not_priced:
            key = (each.type, each.why)
            counted[key] = counted.get(key, 0) + len(each.resources)
        return sorted((kind, count, why) for (kind, why), count in counted.items())

    @property
    def of_run(self) -> list[tuple[str, list[str]]]:
        """The run's own cost, a row a stage, a cell a side."""
        if self.run is None:
            return []
        run = self.run
        rows = [(name, [_shown(run.total(side, "work", name)) for side in run.sides]) for name in STAGES]
        fixed = [_shown(run.total(side, "start-up and idle")) for side in run.sides]
        return [
            *[(f"{name}: work, which grows with the data", cells) for name, cells in rows],
            ("Start-up and idle: the same for any size", fixed),
            ("In all, with storage and requests", [_shown(run.total(side)) for side in run.sides]),
        ]

    def data(self) -> dict[str, Any]:
        """What the page computes with, as plain data."""
        served = curves.served_sides(self.estimate)
        return {
            "estimate": self.estimate.model_dump(mode="json", include={"usage", "parameters", "lines"}),
            "sides": self.estimate.sides,
            "parties": self.estimate.parties,
            "drivers": lines.DRIVERS,
            "axes": {name: asdict(axis) for name, axis in curves.AXES.items()},
            "end": curves.END,
            "exceeded": curves.EXCEEDED,
            "search": {
                "equal": curves.EQUAL_USD,
                "samples": curves.SAMPLES,
                "decades": curves.DECADES,
                "precision": curves.PRECISION,
                "points": curves.POINTS,
                "shown": curves.SHOWN,
            },
            "sentences": curves.SENTENCES,
            "between": curves.BETWEEN,
            "cheaper": curves.cheaper(self.estimate),
            "names": curves.names(self.estimate),
            "served": served,
            "served_cost": curves.SERVED_COST,
            "texts": curves.constant_texts(self.estimate),
            "money": {
                "digits": lines.DIGITS,
                "below": lines.BELOW,
                "least": lines.AT_LEAST,
                "unknown": lines.NOT_KNOWN,
            },
            "units": lines.UNITS,
            "inputs": self.inputs,
        }


def origin_of_run(record: Record) -> str:
    """Where the cost of a run comes from."""
    return (
        "billed seconds at list prices" if record.where == "aws" else "an estimate: nothing was billed for a laptop run"
    )


def _shown(total: Money | None) -> str:
    return "not run" if total is None else str(total)


def _runs(usage: Usage) -> str:
    return "1 run a day" if usage.runs_per_day == 1 else f"{number(usage.runs_per_day)} runs a day"


def _maximum(field: FieldInfo) -> float:
    """The largest value that a field of the usage allows."""
    return float(next(each.le for each in _metadata(field) if hasattr(each, "le")))


def _metadata(field: FieldInfo) -> list[Any]:
    # Of `X | None` pydantic leaves X's limits with X.
    inner = [each for part in getattr(field.annotation, "__args__", ()) for each in getattr(part, "__metadata__", ())]
    nested = [each for holder in inner for each in getattr(holder, "metadata", ())]
    return [*field.metadata, *inner, *nested]
