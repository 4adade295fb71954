"""Which side is cheapest, and where that changes: the cost of a month along one driver, everything else held equal."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from comparison.cost.formula import Tree, evaluate, parse
from comparison.cost.lines import Estimate, drivers, inputs, number
from comparison.summary import TITLES, join
from record.schema import SideName

__all__ = ["AXES", "Along", "Curve", "Stretch", "axis_end", "break_even", "find_stretches", "number"]

Along = Literal["runs_per_day", "events_per_run", "requests_per_second"]


@dataclass(frozen=True)
class Axis:
    """An input along which the cost is drawn, everything else held equal."""

    label: str
    maximum: float
    """How far the curve goes at most, unless the usage itself or the caller goes further."""
    limit: Tree = None
    """The most that the templates carry; None: no limit is known."""
    reason: str = ""
    """The parameter whose ``why`` says so."""
    serving: bool = False
    """The curve is one of serving in real time."""


AXES: dict[Along, Axis] = {
    "runs_per_day": Axis("runs a day", 100),
    "events_per_run": Axis("log events a run", 1_000_000_000, parse("events_limit"), "events_limit"),
    "requests_per_second": Axis(
        "requests a second to the endpoint",
        200,
        # A serverless endpoint has a limit of requests at a time.
        parse(
            "(requests_limit / (request_milliseconds / 1000) if request_milliseconds else None) "
            "if known(requests_limit) and serverless else requests_limit"
        ),
        "requests_limit",
        serving=True,
    ),
}
END = parse("max(min(maximum, limit) if known(limit) and limit else maximum, usage)")
"""Where a curve ends: at what the templates carry, at its maximum, or at the usage's own value if that is more."""
EXCEEDED = parse("known(limit) and (limit <= end if own else limit < usage)")
"""Whether the axis of the curve (``own``), or another's value in the usage, passes what the templates carry."""

EQUAL_USD = 1e-4
"""A difference below a hundredth of a cent a month is none."""
SAMPLES = 500
DECADES = 6
"""Below the axis's end, down to which samples are close together."""
PRECISION = 1e-12
"""Of the whole axis."""
POINTS = 240
"""Parts of equal length into which an axis is divided for a curve's points."""
SHOWN = 0.01
"""Of the whole axis: a shorter stretch of equal cost tells nothing, at 0 or where one overtakes another."""

_RUNS = "runs a day of {events_per_run} events"
_ONE_RUN = "events a run at {runs_per_day} run a day"
_EVENTS = "events a run at {runs_per_day} runs a day"
SENTENCES: list[tuple[Tree, str]] = [
    (parse(condition), text)
    for condition, text in (
        (
            "along_requests_per_second and serving and served and others",
            "{others_bring} no endpoint, so there is no break-even along requests: {served_costs} "
            "from 0 to {end} requests a second.",
        ),
        (
            "along_requests_per_second and serving and served and (0 if others else 1)",
            "{served_costs} from 0 to {end} requests a second.",
        ),
        (
            "along_requests_per_second and (0 if serving and served else 1)",
            "Requests do not change the cost without the endpoint.",
        ),
        ("unknown", "Which side is {comparative} is not known: there is no price for {missing}."),
        *(
            (f"{condition} and {count}", text.format(of=of))
            for condition, of in (
                ("along_runs_per_day", _RUNS),
                ("along_events_per_run and runs_per_day == 1", _ONE_RUN),
                ("along_events_per_run and (runs_per_day < 1 or 1 < runs_per_day)", _EVENTS),
            )
            for count, text in (
                ("stretches == 1", "{{first_cheaper}} from 0 to {{last_end}} {of}, at these prices."),
                (
                    "stretches == 2",
                    "{{last_cheaper}} above {{last_start}} and up to {{last_end}} {of}, at these prices, "
                    "{{first_name}} below.",
                ),
                (
                    "2 < stretches",
                    "{{first_cheaper}} below {{first_end}} {of}, at these prices, {{between}}, {{last_name}} above "
                    "{{last_start}} and up to {{last_end}}.",
                ),
            )
        ),
        (
            "events_per_run_exceeded and (0 if unknown else 1)",
            "More than {events_per_run_limit} events a run do not fit: {events_per_run_why}.",
        ),
        (
            "serving and requests_per_second_exceeded and (0 if unknown else 1)",
            "More than {requests_per_second_limit} requests a second are not served: {requests_per_second_why}.",
        ),
        (
            "served and others and serving and stretches",
            "Only {served_bring} an endpoint along: what serving takes on {others} is not in the cost.",
        ),
    )
]
"""What is said of a curve: every sentence whose condition holds. The page has the same list, conditions and all."""
BETWEEN = "{name} from {start} to {end}"
SERVED_COST = "{name}'s side costs {least} to {most} US dollars a month"


@dataclass(frozen=True)
class Stretch:
    """A part of the axis on which the same side is cheapest; None: no other is dearer."""

    start: float
    end: float
    cheaper: SideName | None


@dataclass(frozen=True)
class Curve:
    """The cost of a month of every side along one driver.

    ``points`` are x and a cost for each of the estimate's sides, in US dollars a month. ``stretches`` cover the axis
    from 0 to the last point; they are empty where a price is not known, since a lower bound decides nothing, along the
    requests, and where there is one side.
    """

    along: Along
    serving: bool
    points: tuple[tuple[float, ...], ...]
    stretches: tuple[Stretch, ...]
    sentences: tuple[str, ...]


def axis_end(estimate: Estimate, along: Along) -> float:
    """Where a curve ends, as `END` says."""
    values = inputs(estimate.usage, estimate.parameters)
    limit = evaluate(AXES[along].limit, values)
    return float(evaluate(END, {"limit": limit, "maximum": AXES[along].maximum, "usage": values[along]}))


def break_even(estimate: Estimate, along: Along, maximum: float | None = None, *, serving: bool | None = None) -> Curve:
    """Every side's cost of a month from 0 to ``maximum`` (default: `axis_end`), and where they cross.

    ``serving``: with the endpoint, which not every side brings along; by default only along the requests. What the
    sides share is left out, since it changes nothing.
    """
    axis = AXES[along]
    end = axis_end(estimate, along) if maximum is None else maximum
    with_endpoint = axis.serving if serving is None else serving
    items = {side: estimate.items(side, serving=with_endpoint) for side in estimate.sides}

    def costs(x: float) -> dict[SideName, float]:
        at = drivers(estimate.usage.model_copy(update={along: x}), estimate.parameters)
        return {side: sum(item.amount(at) or 0.0 for item in items[side]) for side in estimate.sides}

    points = tuple((x, *costs(x).values()) for x in (end * i / POINTS for i in range(POINTS + 1)))
    stretches: list[Stretch] = []
    missing: list[str] = []
    if not axis.serving and len(estimate.sides) > 1:
        missing = estimate.at(**{along: end}).missing(estimate.sides, serving=with_endpoint)
        stretches = [] if missing else find_stretches(lambda x: _cheapest(costs(x)), end)
    sentences = _sentences(estimate, along, end, with_endpoint, stretches, missing)
    return Curve(along, with_endpoint, points, tuple(stretches), tuple(sentences))


def find_stretches(cheaper: Callable[[float], SideName | None], end: float) -> list[Stretch]:
    """Where the cheapest side changes between 0 and ``end``: samples, close together near 0, bisection between.

    It needs no continuity: costs jump where a cluster stops ending itself, or where one more instance starts. A
    stretch that begins and ends between two samples is not seen.
    """
    samples = [0.0, *(end * 10 ** (-DECADES * (1 - i / SAMPLES)) for i in range(SAMPLES)), end]
    samples = sorted({*samples, *(end * i / SAMPLES for i in range(SAMPLES))})
    found = [Stretch(0.0, end, cheaper(0.0))]
    for low, high in pairwise(samples):
        side = cheaper(high)
        while found[-1].cheaper != side:
            # More than one change may lie between two samples; each bisection finds the first of some.
            before, after = low, high
            while after - before > end * PRECISION:
                middle = (before + after) / 2
                if cheaper(middle) == found[-1].cheaper:
                    before = middle
                else:
                    after = middle
            last = found.pop()
            found += [Stretch(last.start, after, last.cheaper), Stretch(after, end, cheaper(after))]
            low = after
    return found


def _cheapest(costs: Mapping[SideName, float]) -> SideName | None:
    (first, side), (second, _), *_ = sorted((usd, side) for side, usd in costs.items())
    return None if second - first < EQUAL_USD else side


def _sentences(
    estimate: Estimate,
    along: Along,
    end: float,
    serving: bool,
    stretches: Sequence[Stretch],
    missing: Sequence[str],
) -> list[str]:
    """The curve in words."""
    values = inputs(estimate.usage, estimate.parameters)
    served = served_sides(estimate)
    shown = [each for each in stretches if each.cheaper or each.end - each.start > stretches[-1].end * SHOWN]
    values |= {
        "end": end,
        "serving": int(serving),
        "served": len(served),
        "others": len(estimate.sides) - len(served),
        "unknown": len(missing),
        "stretches": len(shown),
    }
    texts = {"missing": ", ".join(missing), **constant_texts(estimate)}
    for name, axis in AXES.items():
        limit = evaluate(axis.limit, values)
        own = {"limit": limit, "end": end, "usage": values[name], "own": int(name == along)}
        values[f"along_{name}"] = own["own"]
        values |= {f"{name}_limit": limit, f"{name}_exceeded": evaluate(EXCEEDED, own)}
        texts[f"{name}_why"] = getattr(estimate.parameters, axis.reason).why if limit is not None else ""
    if AXES[along].serving:
        costs = [
            SERVED_COST.format(
                name=TITLES[side],
                least=estimate.at(**{along: 0.0}).month(side, serving=True),
                most=estimate.at(**{along: end}).month(side, serving=True),
            )
            for side in served
        ]
        texts["served_costs"] = join(costs)
    if shown:
        for edge, each in (("first", shown[0]), ("last", shown[-1])):
            values |= {f"{edge}_start": each.start, f"{edge}_end": each.end}
            texts |= {f"{edge}_cheaper": cheaper(estimate)[each.cheaper], f"{edge}_name": names(estimate)[each.cheaper]}
        texts["between"] = ", ".join(
            BETWEEN.format(name=names(estimate)[each.cheaper], start=number(each.start), end=number(each.end))
            for each in shown[1:-1]
        )
    numbers = {name: number(value) for name, value in values.items() if value is not None}
    return [text.format_map(numbers | texts) for condition, text in SENTENCES if evaluate(condition, values)]


def served_sides(estimate: Estimate) -> list[SideName]:
    """The sides that bring an endpoint along."""
    return [side for side in estimate.sides if any(item.serving for item in estimate.items(side))]


def cheaper(estimate: Estimate) -> dict[SideName | None, str]:
    """What is said where a side is cheapest, or none is."""
    level = "Both cost the same" if len(estimate.sides) == 2 else "Several cost the least"
    word = comparative(estimate.sides)
    return {None: level, **{side: f"{TITLES[side]} is {word}" for side in estimate.sides}}


def comparative(sides: Sequence[SideName]) -> str:
    """The word for the side that costs least: of two the cheaper one, of more the cheapest."""
    return "cheaper" if len(sides) == 2 else "cheapest"


def names(estimate: Estimate) -> dict[SideName | None, str]:
    """The sides, and none of them, as a sentence calls them."""
    return {None: "neither" if len(estimate.sides) == 2 else "none", **{side: TITLES[side] for side in estimate.sides}}


def constant_texts(estimate: Estimate) -> dict[str, str]:
    """What no usage changes of the sentences: the sides that bring an endpoint along, and the others."""
    served = served_sides(estimate)
    others = [side for side in estimate.sides if side not in served]
    return {
        "comparative": comparative(estimate.sides),
        "others": join([TITLES[side] for side in others]),
        **{f"{name}_bring": _bring(sides) for name, sides in (("served", served), ("others", others))},
    }


def _bring(sides: Sequence[SideName]) -> str:
    return f"{join([TITLES[side] for side in sides])} {'brings' if len(sides) == 1 else 'bring'}"
