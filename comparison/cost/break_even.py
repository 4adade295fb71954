"""Which side is cheaper, and where that changes: the cost of a month along one driver, everything else held equal."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from comparison.cost.lines import Estimate, number
from comparison.record import SideName
from comparison.summary import TITLES

__all__ = ["MAXIMUM", "Along", "Curve", "Stretch", "break_even", "find_stretches", "number"]

Along = Literal["runs_per_day", "events_per_run", "requests_per_second"]

MAXIMUM: dict[Along, float] = {"runs_per_day": 100, "events_per_run": 1_000_000_000, "requests_per_second": 200}
"""How far each curve goes unless asked otherwise."""

# A difference below a hundredth of a cent a month is none.
_EQUAL_USD = 1e-4
_SAMPLES = 500
_PRECISION = 1e-12  # of the whole axis
_POINTS = 60


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
    they are empty where a price is not known, since a lower bound decides nothing.
    """

    along: Along
    serving: bool
    points: tuple[tuple[float, float, float], ...]
    stretches: tuple[Stretch, ...]
    sentences: tuple[str, ...]

    @property
    def crossings(self) -> tuple[float, ...]:
        """Where another side becomes the cheaper one."""
        sides = [stretch for stretch in self.stretches if stretch.cheaper is not None]
        return tuple(after.start for before, after in pairwise(sides) if before.cheaper != after.cheaper)


def break_even(estimate: Estimate, along: Along, maximum: float | None = None, *, serving: bool | None = None) -> Curve:
    """Both sides' cost of a month from 0 to ``maximum``, and where they cross.

    ``serving``: with the endpoint, which only SageMaker brings along; by default only along the requests. What both
    share is left out, since it changes nothing.
    """
    end = MAXIMUM[along] if maximum is None else maximum
    with_endpoint = along == "requests_per_second" if serving is None else serving

    def costs(x: float) -> tuple[float, float]:
        at = estimate.at(**{along: x})
        return at.month("sagemaker", serving=with_endpoint).usd, at.month("emr", serving=with_endpoint).usd

    points = tuple((x, *costs(x)) for x in (end * i / _POINTS for i in range(_POINTS + 1)))
    unknown = estimate.at(**{along: end}).missing()
    if unknown:
        sentence = f"Which side is cheaper is not known: there is no price for {', '.join(unknown)}."
        return Curve(along, with_endpoint, points, (), (sentence,))
    stretches = find_stretches(lambda x: _cheaper(*costs(x)), end)
    sentences = _sentences(estimate, along, stretches)
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


def _sentences(estimate: Estimate, along: Along, stretches: Sequence[Stretch]) -> list[str]:
    """The curve in words."""
    usage = estimate.usage
    runs = f"{number(usage.runs_per_day)} {'run' if usage.runs_per_day == 1 else 'runs'} a day"
    events = f"{number(usage.events_per_run)} events"
    of = {
        "runs_per_day": f"runs a day of {events}",
        "events_per_run": f"events a run at {runs}",
        "requests_per_second": f"requests a second, beside {runs} of {events}",
    }[along]
    # That both cost the same at 0, or where one overtakes the other, tells nothing.
    least = stretches[-1].end / 100
    shown = [each for each in stretches if each.cheaper is not None or each.end - each.start > least]
    if len(shown) == 1:
        return [f"{_who(shown[0])} at any number of {of} up to {number(shown[0].end)}, at these prices."]
    first, *middle, last = shown
    if not middle:
        return [f"{_who(last)} above {number(last.start)} {of} at these prices, {_short(first)} below."]
    between = [f"{_short(each)} from {number(each.start)} to {number(each.end)}" for each in middle]
    return [
        f"{_who(first)} below {number(first.end)} {of} at these prices, {', '.join(between)}, "
        f"{_short(last)} above {number(last.start)}."
    ]


def _who(stretch: Stretch) -> str:
    return "Both cost the same" if stretch.cheaper is None else f"{TITLES[stretch.cheaper]} is cheaper"


def _short(stretch: Stretch) -> str:
    return "neither" if stretch.cheaper is None else TITLES[stretch.cheaper]
