"""Which side is cheaper, and where that changes: the cost of a month along one driver, everything else held equal."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from comparison.cost.lines import Estimate, Limit, number
from comparison.summary import TITLES
from record.schema import SIDES, SideName

__all__ = ["MAXIMUM", "Along", "Curve", "Stretch", "axis_end", "break_even", "find_stretches", "number"]

Along = Literal["runs_per_day", "events_per_run", "requests_per_second"]

MAXIMUM: dict[Along, float] = {"runs_per_day": 100, "events_per_run": 1_000_000_000, "requests_per_second": 200}
"""How far each curve goes at most, unless the usage itself or the caller goes further."""

# A difference below a hundredth of a cent a month is none.
_EQUAL_USD = 1e-4
_SAMPLES = 500
_PRECISION = 1e-12  # of the whole axis
POINTS = 240
"""Parts of equal length into which an axis is divided for a curve's points."""


@dataclass(frozen=True)
class Stretch:
    """A part of the axis on which the same side is cheaper; None: they cost the same."""

    start: float
    end: float
    cheaper: SideName | None


@dataclass(frozen=True)
class Curve:
    """The cost of a month of both sides along one driver.

    ``points`` are (x, sagemaker, emr), in US dollars a month. ``stretches`` cover the axis from 0 to the last point;
    they are empty where a price is not known, since a lower bound decides nothing, and along the requests, which only
    one side answers.
    """

    along: Along
    serving: bool
    points: tuple[tuple[float, float, float], ...]
    stretches: tuple[Stretch, ...]
    sentences: tuple[str, ...]


def axis_end(estimate: Estimate, along: Along) -> float:
    """Where a curve ends: at what the templates carry, at `MAXIMUM`, or at the usage's own value if that is more."""
    limit = _limit(estimate, along)
    carried = MAXIMUM[along] if limit is None or limit.value == 0 else min(MAXIMUM[along], limit.value)
    return max(carried, float(getattr(estimate.usage, along)))


def break_even(estimate: Estimate, along: Along, maximum: float | None = None, *, serving: bool | None = None) -> Curve:
    """Both sides' cost of a month from 0 to ``maximum`` (default: `axis_end`), and where they cross.

    ``serving``: with the endpoint, which only SageMaker brings along; by default only along the requests. What both
    share is left out, since it changes nothing.
    """
    end = axis_end(estimate, along) if maximum is None else maximum
    with_endpoint = along == "requests_per_second" if serving is None else serving

    def costs(x: float) -> tuple[float, float]:
        at = estimate.at(**{along: x})
        return at.month("sagemaker", serving=with_endpoint).usd, at.month("emr", serving=with_endpoint).usd

    points = tuple((x, *costs(x)) for x in (end * i / POINTS for i in range(POINTS + 1)))
    limits = _limits(estimate, along, end, with_endpoint)
    if along == "requests_per_second":
        return Curve(along, with_endpoint, points, (), (_requests(estimate, end, with_endpoint), *limits))
    unknown = estimate.at(**{along: end}).missing(SIDES, serving=with_endpoint)
    if unknown:
        sentence = f"Which side is cheaper is not known: there is no price for {', '.join(unknown)}."
        return Curve(along, with_endpoint, points, (), (sentence,))
    stretches = find_stretches(lambda x: _cheaper(*costs(x)), end)
    sentences = [_sentence(estimate, along, stretches), *limits]
    if with_endpoint:
        sentences.append("Only SageMaker brings an endpoint along: what serving takes on EMR is not in EMR's cost.")
    return Curve(along, with_endpoint, points, tuple(stretches), tuple(sentences))


def find_stretches(cheaper: Callable[[float], SideName | None], end: float) -> list[Stretch]:
    """Where the answer changes between 0 and ``end``: samples, close together near 0, and bisection between them.

    It needs no continuity: costs jump where a cluster stops ending itself, or where one more instance starts. A
    stretch that begins and ends between two samples is not seen.
    """
    samples = [0.0, *(end * 10 ** (-6 * (1 - i / _SAMPLES)) for i in range(_SAMPLES)), end]
    samples = sorted({*samples, *(end * i / _SAMPLES for i in range(_SAMPLES))})
    found = [Stretch(0.0, end, cheaper(0.0))]
    for low, high in pairwise(samples):
        answer = cheaper(high)
        while found[-1].cheaper != answer:
            # More than one change may lie between two samples; each bisection finds the first of some.
            before, after = low, high
            while after - before > end * _PRECISION:
                middle = (before + after) / 2
                if cheaper(middle) == found[-1].cheaper:
                    before = middle
                else:
                    after = middle
            last = found.pop()
            found += [Stretch(last.start, after, last.cheaper), Stretch(after, end, cheaper(after))]
            low = after
    return found


def _cheaper(sagemaker: float, emr: float) -> SideName | None:
    if abs(sagemaker - emr) < _EQUAL_USD:
        return None
    return "sagemaker" if sagemaker < emr else "emr"


def _limit(estimate: Estimate, along: Along) -> Limit | None:
    """The most that the templates carry along an axis."""
    usage, parameters = estimate.usage, estimate.parameters
    if along == "events_per_run":
        return parameters.events_limit
    limit = parameters.requests_limit if along == "requests_per_second" else None
    if limit is None or not parameters.serverless:
        return limit
    if usage.request_milliseconds == 0:
        return None
    return Limit(value=limit.value / (usage.request_milliseconds / 1000), why=limit.why)


def _limits(estimate: Estimate, along: Along, end: float, serving: bool) -> list[str]:
    """What ends the axis, and what of the usage itself is more than the templates carry."""
    found = []
    axes: list[tuple[Along, str]] = [("events_per_run", "events a run do not fit")]
    if serving:
        axes.append(("requests_per_second", "requests a second are not carried"))
    for name, words in axes:
        limit = _limit(estimate, name)
        if limit is None:
            continue
        if limit.value <= end if name == along else limit.value < getattr(estimate.usage, name):
            found.append(f"More than {number(limit.value)} {words}: {limit.why}.")
    return found


def _requests(estimate: Estimate, end: float, serving: bool) -> str:
    """The curve along the requests in words."""
    if not serving:
        return "Requests change neither side's cost without the endpoint."
    least, most = (estimate.at(requests_per_second=x).month("sagemaker", serving=True) for x in (0.0, end))
    return (
        "EMR brings no endpoint, so there is no break-even along requests: SageMaker's side costs "
        f"{least} to {most} US dollars a month from 0 to {number(end)} requests a second."
    )


def _sentence(estimate: Estimate, along: Along, stretches: Sequence[Stretch]) -> str:
    """The curve in words."""
    usage = estimate.usage
    of = {
        "runs_per_day": f"runs a day of {number(usage.events_per_run)} events",
        "events_per_run": f"events a run at {number(usage.runs_per_day)} "
        f"{'run' if usage.runs_per_day == 1 else 'runs'} a day",
    }[along]
    # That both cost the same at 0, or where one overtakes the other, tells nothing.
    least = stretches[-1].end / 100
    shown = [each for each in stretches if each.cheaper is not None or each.end - each.start > least]
    first, last = shown[0], shown[-1]
    if len(shown) == 1:
        return f"{_who(first)} from 0 to {number(last.end)} {of}, at these prices."
    if len(shown) == 2:
        return (
            f"{_who(last)} above {number(last.start)} and up to {number(last.end)} {of}, at these prices, "
            f"{_short(first)} below."
        )
    between = [f"{_short(each)} from {number(each.start)} to {number(each.end)}" for each in shown[1:-1]]
    return (
        f"{_who(first)} below {number(first.end)} {of}, at these prices, {', '.join(between)}, "
        f"{_short(last)} above {number(last.start)} and up to {number(last.end)}."
    )


def _who(stretch: Stretch) -> str:
    return "Both cost the same" if stretch.cheaper is None else f"{TITLES[stretch.cheaper]} is cheaper"


def _short(stretch: Stretch) -> str:
    return "neither" if stretch.cheaper is None else TITLES[stretch.cheaper]
