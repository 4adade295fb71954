"""Cost lines: what is billed, at which price, and how its quantity follows from the usage.

The page computes the same in JavaScript with the visitor's usage (comparison/report/templates/cost.js), so that lines
and parameters are plain data, and `drivers` is all that there is to compute.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, NonNegativeInt

from comparison.cost.prices import HOURS_A_MONTH, Price, Unit
from comparison.cost.usage import Usage

Party = Literal["sagemaker", "emr", "shared"]
PARTIES: tuple[Party, ...] = ("sagemaker", "emr", "shared")
Driver = Literal[
    "months",
    "hours",
    "runs",
    "events",
    "kept_months",
    "cluster_hours",
    "run_hours",
    "spot_factor",
    "endpoint_hours",
    "endpoint_instances",
    "requests",
    "request_gb",
    "reply_gb",
    "request_seconds",
]
NonNegative = Annotated[FiniteFloat, Field(ge=0)]

DAYS_A_MONTH = HOURS_A_MONTH / 24
GB = 2**30
"""S3, EBS and data transfer are billed in units of 2^30 bytes (aws.amazon.com/s3/pricing, FAQ; 2026-11-22)."""
MINIMUM_SECONDS = 60
"""An instance of EC2 and EMR is billed by the second, a minute at least (AWS EMR best practices, 2021-11-09)."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Term(_Model):
    """A part of a quantity: the coefficient times every driver."""

    coefficient: NonNegative
    drivers: tuple[Driver, ...]


class Line(_Model):
    """One thing that is billed."""

    side: Party
    stack: str
    resource: str
    """Logical id in the stack's template."""
    name: str
    """What of the resource, e.g. ``prepare: instances``; with stack and resource it names the line."""
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
        return f"at least {usd(self.usd)}" if self.usd >= 0.00005 else usd(None)


class Totals(_Model):
    """The cost of a side while nothing runs (an hour), of one more run, and of a month of the usage."""

    idle_hour: Money
    run: Money
    month: Money


class Limit(_Model):
    """The most that the templates carry of something."""

    value: NonNegative
    why: str
    """Why no more, e.g. ``prepare (EMR) is ended after 50 minutes``."""


class Parameters(_Model):
    """What of the templates and the workload the drivers depend on, and where they end."""

    persistent: bool = False
    """There is a cluster that stands by."""
    idle_seconds: NonNegative = 0
    """After so long without work it ends itself."""
    cluster_startup_seconds: NonNegative = 0
    cluster_fixed_seconds: NonNegative = 0
    cluster_seconds_per_event: NonNegative = 0
    """A run's work on the cluster: all stages."""
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


def drivers(usage: Usage, parameters: Parameters) -> dict[Driver, float]:
    """What quantities depend on, for one month.

    A persistent cluster that idle termination has ended stays away: each run then starts a cluster of its own and ends
    it, as the pipeline's state machine does. So it stands all month if the pause between two runs is shorter than its
    idle time, and otherwise there are the runs' own clusters. More work than a month has hours needs more clusters.
    """
    days = DAYS_A_MONTH
    runs = usage.runs_per_day * days
    work = parameters.cluster_fixed_seconds + parameters.cluster_seconds_per_event * usage.events_per_run
    # At least a minute is billed of a cluster.
    own = max(MINIMUM_SECONDS, parameters.cluster_startup_seconds + work)
    stands = parameters.persistent and usage.runs_per_day * (work + parameters.idle_seconds) >= 86_400
    hours: float = HOURS_A_MONTH
    if parameters.persistent and usage.cluster_hours_per_day is not None:
        stands, hours = True, usage.cluster_hours_per_day * days
    endpoint_hours = usage.endpoint_hours_per_day * days
    # Less than a rounding error does not start an instance.
    wanted = math.ceil(usage.requests_per_second * 60 / parameters.endpoint_target - 1e-9)
    return {
        "months": 1,
        "hours": HOURS_A_MONTH,
        "runs": runs,
        "events": usage.events_per_run,
        "kept_months": usage.keep_days / days,
        "cluster_hours": max(hours, runs * work / 3600) if stands else runs * own / 3600,
        "run_hours": (work if stands else own) / 3600,
        "spot_factor": 1 - usage.spot_share * usage.spot_discount,
        "endpoint_hours": endpoint_hours,
        "endpoint_instances": min(max(wanted, parameters.endpoint_minimum), parameters.endpoint_maximum),
        "requests": usage.requests_per_second * 3600 * endpoint_hours,
        "request_gb": usage.request_bytes / GB,
        "reply_gb": usage.reply_bytes / GB,
        "request_seconds": usage.request_milliseconds / 1000,
    }


def run_drivers(usage: Usage, parameters: Parameters) -> dict[Driver, float]:
    """What one run more takes by itself: the time of its work on a cluster that stands anyway, or one of its own."""
    month = drivers(usage, parameters)
    nothing: dict[Driver, float] = {"months": 0, "hours": 0, "endpoint_hours": 0, "requests": 0}
    return {**month, **nothing, "runs": 1, "cluster_hours": month["run_hours"]}


def idle_drivers(usage: Usage, parameters: Parameters) -> dict[Driver, float]:
    """An hour in which nothing runs, with everything standing that stands by."""
    return {
        **drivers(usage, parameters),
        "months": 1 / HOURS_A_MONTH,
        "hours": 1,
        "runs": 0,
        "cluster_hours": 1 if parameters.persistent else 0,
        "endpoint_hours": 1,
        "endpoint_instances": parameters.endpoint_minimum,
        "requests": 0,
    }


class NotPriced(_Model):
    """Resources of the templates without a line, and why."""

    stack: str
    type: str
    resources: tuple[str, ...]
    why: str


class Estimate(_Model):
    """What the templates cost for a usage."""

    region: str
    usage: Usage
    parameters: Parameters
    lines: tuple[Line, ...]
    not_priced: tuple[NotPriced, ...]
    assumptions: tuple[str, ...]
    """What was assumed, and where the workload's figures come from: sentences."""

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
            for side in PARTIES
        }

    def missing(self, sides: Sequence[Party] = PARTIES, *, serving: bool = True) -> list[str]:
        """Items of these sides, with or without serving in real time, that are billed and whose price is not known."""
        month = drivers(self.usage, self.parameters)
        lines = (line for side in sides for line in self._of(side, serving))
        return list(dict.fromkeys(line.item for line in lines if line.amount(month) is None))

    def examples(self) -> tuple[int, int]:
        """How many of the prices in use could not be verified, and how many there are in use."""
        prices = {line.item: line.price for line in self.lines if line.price is not None}
        return sum(price.example is not None for price in prices.values()), len(prices)

    def _of(self, side: Party, serving: bool) -> list[Line]:
        return [line for line in self.lines if line.side == side and (serving or not line.serving)]

    def _sum(self, side: Party, values: Mapping[Driver, float], serving: bool) -> Money:
        return Money.of([line.amount(values) for line in self._of(side, serving)])


def usd(value: float | None) -> str:
    """US dollars to be shown: two digits after the point, more for less than ten cents; ``not known`` for None."""
    if value is None:
        return "not known"
    if value == 0 or value >= 0.0995:
        return f"{value:,.2f}"
    return f"{value:.4f}" if value >= 0.00005 else "below 0.0001"


def number(value: float) -> str:
    """A number in three digits: ``9.13``, ``50 M``, ``1.25 M``."""
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= size * 0.9995:
            return f"{_three(value / size)}{unit}"
    return _three(value)


def _three(value: float) -> str:
    """Three digits, without an exponent."""
    if value >= 99.95 or value == 0:
        return f"{value:.0f}"
    return f"{float(f'{value:.3g}'):.10f}".rstrip("0").rstrip(".")
