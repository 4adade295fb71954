"""Line items: what is billed, at which price, and how its quantity follows from the usage.

Items, parameters and the drivers' formulas are plain data: the page computes with the same for the visitor's own usage.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat, NonNegativeInt

from comparison.cost.formula import Tree, evaluate, parse
from comparison.cost.prices import HOURS_A_MONTH, Price, Unit
from comparison.cost.usage import Usage
from record.schema import STAGES, SideName

SHARED = "shared"
Party = str
"""A side's name, or `SHARED`: what the sides share."""
NonNegative = Annotated[FiniteFloat, Field(ge=0)]

GB = 2**30
"""S3, EBS and data transfer are billed in units of 2^30 bytes (aws.amazon.com/s3/pricing, FAQ; 2026-11-22)."""
MINIMUM_SECONDS = 60
"""An instance of EC2 and EMR is billed by the second, a minute at least (AWS EMR best practices, 2021-11-09).

A worker of EMR Serverless as well, from when it is ready (2024-11-28).
"""

# A persistent cluster that idle termination has ended stays away: each run then starts a cluster of its own and ends
# it, as the pipeline's state machine does. So it is always on if the pause between two runs is shorter than its idle
# time, and otherwise there are the runs' own clusters. More work than a month has hours needs more clusters.
_MONTH = {
    "days_a_month": f"{HOURS_A_MONTH} / 24",
    "months": "1",
    "hours": f"{HOURS_A_MONTH}",
    "runs": "runs_per_day * days_a_month",
    "events": "events_per_run",
    "kept_months": "keep_days / days_a_month",
    "work_seconds": "cluster_fixed_seconds + cluster_seconds_per_event * events_per_run",
    "own_seconds": f"max({MINIMUM_SECONDS}, cluster_startup_seconds + work_seconds)",
    "kept_up": "persistent and known(cluster_hours_per_day)",
    "always_on": "kept_up or (persistent and 86400 <= runs_per_day * (work_seconds + idle_seconds))",
    "up_hours": f"cluster_hours_per_day * days_a_month if kept_up else {HOURS_A_MONTH}",
    "cluster_hours": "max(up_hours, runs * work_seconds / 3600) if always_on else runs * own_seconds / 3600",
    "run_hours": "(work_seconds if always_on else own_seconds) / 3600",
    # Each stage's job run on EMR Serverless has workers of its own.
    **{
        f"{stage}_run_seconds": f"max({MINIMUM_SECONDS}, {stage}_fixed_seconds"
        f" + {stage}_seconds_per_event * events_per_run)"
        for stage in STAGES
    },
    "spot_factor": "1 - spot_share * spot_discount",
    "endpoint_hours": "endpoint_hours_per_day * days_a_month",
    # Less than a rounding error does not start an instance.
    "endpoint_needed": "ceil(requests_per_second * 60 / endpoint_target - 1e-9)",
    "endpoint_instances": "min(max(endpoint_needed, endpoint_minimum), endpoint_maximum)",
    "requests": "requests_per_second * 3600 * endpoint_hours",
    "request_gb": f"request_bytes / {GB}",
    "reply_gb": f"reply_bytes / {GB}",
    "request_seconds": "request_milliseconds / 1000",
}
"""What quantities depend on, for one month, by formulas of the usage, the parameters, and the drivers above."""
_RUN = {"months": "0", "hours": "0", "endpoint_hours": "0", "requests": "0", "runs": "1", "cluster_hours": "run_hours"}
"""One run more by itself: the time of its work on a cluster that is always on, or one of its own."""
_IDLE = {
    "months": f"1 / {HOURS_A_MONTH}",
    "hours": "1",
    "runs": "0",
    "cluster_hours": "1 if persistent else 0",
    "endpoint_hours": "1",
    "endpoint_instances": "endpoint_minimum",
    "requests": "0",
}
"""An hour in which nothing runs, with everything on that is always on."""
Period = Literal["idle_hour", "run", "month"]
_CHANGED: dict[Period, dict[str, str]] = {"idle_hour": _IDLE, "run": _RUN, "month": {}}
DRIVERS: dict[Period, list[tuple[str, Tree]]] = {
    period: [(name, parse(text)) for name, text in (*_MONTH.items(), *changed.items())]
    for period, changed in _CHANGED.items()
}
"""The formulas of every period, each after those that it needs; a later one replaces an earlier one of its name."""


def _known_driver(name: str) -> str:
    if name not in _MONTH:
        raise ValueError(f"{name}: no driver; allowed: {', '.join(_MONTH)}")
    return name


Driver = Annotated[str, AfterValidator(_known_driver)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Term(_Model):
    """A part of a quantity: the coefficient times every driver."""

    coefficient: NonNegative
    drivers: tuple[Driver, ...]


class LineItem(_Model):
    """One thing that is billed."""

    side: Party
    stack: str
    resource: str
    """Logical id in the stack's template."""
    name: str
    """What of the resource, e.g. ``prepare: instances``; with stack and resource it names the item."""
    detail: str
    """E.g. ``1 x ml.m5.xlarge``."""
    serving: bool = False
    """Belongs to serving in real time, which only one side brings along."""
    until: Literal["idle termination", "time to live", "destroyed"] | None = None
    """How long it costs while nothing runs; None: then it costs nothing."""
    item: str
    unit: Unit
    price: Price | None
    terms: tuple[Term, ...]

    def quantity(self, drivers: Mapping[Driver, float]) -> float:
        """How many units are billed."""
        return math.fsum(
            math.prod((drivers[name] for name in term.drivers), start=term.coefficient) for term in self.terms
        )

    def amount(self, drivers: Mapping[Driver, float]) -> float | None:
        """US dollars; None if something is billed and its price is not known."""
        quantity = self.quantity(drivers)
        if self.price is None:
            return None if quantity else 0.0
        return quantity * self.price.usd


class Money(_Model):
    """A sum in US dollars, and whether every price in it is known: if not, it is a lower bound."""

    usd: NonNegative
    complete: bool

    @classmethod
    def of(cls, amounts: Sequence[float | None]) -> "Money":
        """The sum of amounts, of which some may not be known."""
        known = [amount for amount in amounts if amount is not None]
        return cls(usd=math.fsum(known), complete=len(known) == len(amounts))

    def __str__(self) -> str:
        """As it is shown, e.g. ``at least 12.30``."""
        if self.complete:
            return usd(self.usd)
        return AT_LEAST.format(usd=usd(self.usd)) if self.usd >= DIGITS[-1][0] else NOT_KNOWN


class Totals(_Model):
    """The cost of a side while nothing runs (an hour), of one more run, and of a month of the usage."""

    idle_hour: Money
    run: Money
    month: Money


class Limit(_Model):
    """The most that the templates carry of something."""

    value: NonNegative
    why: str
    """Why no more, e.g. ``prepare (EMR) times out after 50 minutes``."""


class Parameters(_Model):
    """What of the templates and the runtime model the drivers depend on, and where they end."""

    persistent: bool = False
    """There is a cluster that waits for runs."""
    idle_seconds: NonNegative = 0
    """After so long without work it ends itself."""
    cluster_startup_seconds: NonNegative = 0
    cluster_fixed_seconds: NonNegative = 0
    cluster_seconds_per_event: NonNegative = 0
    """A run's work on the cluster: all stages."""
    prepare_fixed_seconds: NonNegative = 0
    prepare_seconds_per_event: NonNegative = 0
    train_fixed_seconds: NonNegative = 0
    train_seconds_per_event: NonNegative = 0
    evaluate_fixed_seconds: NonNegative = 0
    evaluate_seconds_per_event: NonNegative = 0
    score_fixed_seconds: NonNegative = 0
    score_seconds_per_event: NonNegative = 0
    """Of each stage's job run, where a stage has workers of its own that are billed for a minute at least."""
    endpoint_minimum: NonNegativeInt = 0
    endpoint_maximum: NonNegativeInt = 0
    endpoint_target: Annotated[FiniteFloat, Field(gt=0)] = 1
    """Requests a minute for which an instance more is started."""
    events_limit: Limit | None = None
    """Log events that a run can work through; None: no limit is known."""
    requests_limit: Limit | None = None
    """Requests a second, of a serverless endpoint requests at a time; None: no limit is known."""
    serverless: bool = False
    """`requests_limit` is of requests at a time."""


def inputs(usage: Usage, parameters: Parameters) -> dict[str, float | None]:
    """The names that formulas start with: every number of the usage and the parameters, of a limit its value."""
    known = {name: getattr(parameters, name) for name in Parameters.model_fields}
    limits = {name: value.value for name, value in known.items() if isinstance(value, Limit)}
    return {**usage.model_dump(), **known, **limits}


def _drivers(period: Period, usage: Usage, parameters: Parameters) -> dict[Driver, float]:
    values = inputs(usage, parameters)
    for name, tree in DRIVERS[period]:
        values[name] = evaluate(tree, values)
    return {name: value for name in _MONTH if (value := values[name]) is not None}


def drivers(usage: Usage, parameters: Parameters) -> dict[Driver, float]:
    """What quantities depend on, for one month."""
    return _drivers("month", usage, parameters)


def run_drivers(usage: Usage, parameters: Parameters) -> dict[Driver, float]:
    """What one run more takes by itself."""
    return _drivers("run", usage, parameters)


def idle_drivers(usage: Usage, parameters: Parameters) -> dict[Driver, float]:
    """An hour in which nothing runs, with everything on that is always on."""
    return _drivers("idle_hour", usage, parameters)


class NotPriced(_Model):
    """Resources of the templates without a line item, and why."""

    stack: str
    type: str
    resources: tuple[str, ...]
    why: str


class Estimate(_Model):
    """What the templates cost for a usage."""

    region: str
    sides: tuple[SideName, ...]
    usage: Usage
    parameters: Parameters
    lines: tuple[LineItem, ...]
    not_priced: tuple[NotPriced, ...]
    assumptions: tuple[str, ...]
    """What was assumed, and where the runtime model's figures come from: sentences."""

    @property
    def parties(self) -> tuple[Party, ...]:
        """The sides, and what they share."""
        return (*self.sides, SHARED)

    def at(self, **usage: float | None) -> "Estimate":
        """The same for another usage."""
        return self.model_copy(update={"usage": self.usage.model_copy(update=usage)})

    def month(self, side: Party, *, serving: bool) -> Money:
        """The cost of a month, with or without serving in real time."""
        return self._sum(side, drivers(self.usage, self.parameters), serving)

    def totals(self, *, serving: bool = True) -> dict[Party, Totals]:
        """The costs of each side and of what they share, with or without serving in real time."""
        month = drivers(self.usage, self.parameters)
        run = run_drivers(self.usage, self.parameters)
        idle = idle_drivers(self.usage, self.parameters)
        return {
            side: Totals(
                idle_hour=self._sum(side, idle, serving),
                run=self._sum(side, run, serving),
                month=self._sum(side, month, serving),
            )
            for side in self.parties
        }

    def missing(self, sides: Sequence[Party] | None = None, *, serving: bool = True) -> list[str]:
        """Items of these sides, with or without serving in real time, that are billed and whose price is not known."""
        month = drivers(self.usage, self.parameters)
        lines = (line for side in sides or self.parties for line in self.items(side, serving=serving))
        return list(dict.fromkeys(line.item for line in lines if line.amount(month) is None))

    def examples(self) -> tuple[int, int]:
        """How many of the prices in use could not be verified, and how many there are in use."""
        prices = {line.item: line.price for line in self.lines if line.price is not None}
        return sum(price.example is not None for price in prices.values()), len(prices)

    def items(self, side: Party, *, serving: bool = True) -> list[LineItem]:
        """The line items of a side, with or without serving in real time."""
        return [line for line in self.lines if line.side == side and (serving or not line.serving)]

    def _sum(self, side: Party, values: Mapping[Driver, float], serving: bool) -> Money:
        return Money.of([line.amount(values) for line in self.items(side, serving=serving)])


NOT_KNOWN = "not known"
AT_LEAST = "at least {usd}"
DIGITS = ((0.0995, 2), (0.00005, 4))
"""From which US dollars on how many digits after the point are shown."""
BELOW = "below 0.0001"
UNITS = ((1e9, " G"), (1e6, " M"), (1e3, " k"))


def usd(value: float | None) -> str:
    """US dollars to be shown: two digits after the point, more for less than ten cents; ``not known`` for None."""
    if value is None:
        return NOT_KNOWN
    digits = next((digits for least, digits in DIGITS if value == 0 or value >= least), None)
    return BELOW if digits is None else f"{value:,.{digits}f}"


def number(value: float) -> str:
    """A number in three digits: ``9.13``, ``50 M``, ``1.25 M``."""
    for size, unit in UNITS:
        if value >= size * 0.9995:
            return f"{_three(value / size)}{unit}"
    return _three(value)


def _three(value: float) -> str:
    """Three digits, without an exponent."""
    if value >= 99.95 or value == 0:
        return f"{value:.0f}"
    return f"{float(f'{value:.3g}'):.10f}".rstrip("0").rstrip(".")
