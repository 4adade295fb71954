"""Crossing points against a search that tries everything."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comparison.cost.break_even import MAXIMUM, Along, break_even, find_stretches
from comparison.cost.lines import Estimate
from comparison.cost.template import estimate
from comparison.cost.usage import Usage
from comparison.record import SideName
from comparison.template import Assembly
from tests.comparison.cost.conftest import book, workload

EMR_WORKS_LESS = {"sagemaker": {"startup_seconds": 900}, "emr": {"startup_seconds": 100}}


def priced(assembly: Assembly, usage: Usage, **work: object) -> Estimate:
    return estimate(assembly, usage, book(), workload(**work))


def test_a_crossing_computed_by_hand(default: Assembly) -> None:
    """A cluster that is kept up for an hour a day costs the same for every run; jobs are paid each."""
    usage = Usage(events_per_run=0, cluster_hours_per_day=24)
    found = break_even(priced(default, usage), "runs_per_day", serving=False)
    # EMR, a month: 2 nodes x 730 h x (0.192 + 0.048 + 94 x 0.08 / 730) = 365.44, and a run's 12 transitions,
    # 100 puts and 1000 gets. SageMaker, a run: 4 jobs of 70 s x 0.23, volumes of 30 GB at 0.1, 0.14 and 0.1, 8
    # transitions and the same requests. Both have an alarm of 0.20.
    emr = 2 * (730 * 0.24 + 94 * 0.08)
    jobs = 4 * 70 / 3600 * 0.23 + 70 / 3600 / 730 * 30 * (0.1 + 0.14 + 0.1)
    runs_a_month = emr / (jobs + (8 - 12) * 0.000025)
    (crossing,) = break_even(priced(default, usage), "runs_per_day", 2000, serving=False).crossings
    assert crossing == pytest.approx(runs_a_month / (730 / 24), rel=1e-5)
    # Not before 100 runs a day, where the curve ends by default.
    assert found.crossings == ()
    assert found.sentences == (
        "SageMaker is cheaper at any number of runs a day of 0 events up to 100, at these prices.",
    )


def test_a_crossing_in_words(default: Assembly) -> None:
    usage = Usage(events_per_run=50_000_000, cluster_hours_per_day=2)
    curve = break_even(priced(default, usage, **EMR_WORKS_LESS), "runs_per_day")
    (crossing,) = curve.crossings
    assert curve.sentences == (
        f"EMR is cheaper above {crossing:.3g} runs a day of 50 M events at these prices, SageMaker below.",
    )


def test_a_jump_is_found_where_the_cluster_stops_ending_itself(default: Assembly) -> None:
    """Clusters of their own are cheaper here; one that stands all month is dearer, from one run a day to the next."""
    usage = Usage(events_per_run=0)
    curve = break_even(priced(default, usage, **EMR_WORKS_LESS), "runs_per_day")
    assert [each.cheaper for each in curve.stretches if each.cheaper][:2] == ["emr", "sagemaker"]
    # Work of 40 s and an idle time of 3,600 s fill the day.
    jump = next(each.start for each in curve.stretches if each.cheaper == "sagemaker")
    assert jump == pytest.approx(86_400 / 3640, rel=1e-9)
    assert curve.sentences[0].startswith(f"EMR is cheaper below {jump:.3g} runs a day of 0 events at these prices")


def brute_force(curve_of: Estimate, along: Along, end: float, serving: bool) -> list[float]:
    """Where the cheaper side changes, among 4,000 steps."""
    found, before = [], None
    for i in range(4_001):
        at = curve_of.at(**{along: end * i / 4_000})
        difference = at.month("sagemaker", serving=serving).usd - at.month("emr", serving=serving).usd
        now = None if abs(difference) < 1e-4 else difference < 0
        if i and now != before and now is not None and before is not None:
            found.append(end * i / 4_000)
        before = before if now is None else now
    return found


@pytest.mark.parametrize("name", ["default", "serverless and transient"])
@pytest.mark.parametrize("along", list(MAXIMUM))
def test_the_same_as_by_brute_force(name: str, along: Along, assemblies: dict[str, Assembly]) -> None:
    usage = Usage(runs_per_day=20, events_per_run=1_000_000, cluster_hours_per_day=None, request_milliseconds=20)
    found = priced(assemblies[name], usage, **EMR_WORKS_LESS)
    end = MAXIMUM[along]
    curve = break_even(found, along)
    expected = brute_force(found, along, end, curve.serving)
    assert list(curve.crossings) == [pytest.approx(each, abs=end / 2_000) for each in expected]


@settings(deadline=None)
@given(st.lists(st.floats(0.001, 1), min_size=1, max_size=5, unique=True).map(sorted))
def test_every_change_between_samples_is_found(changes: list[float]) -> None:
    """Wherever the answer changes; two changes must be further apart than the samples are."""
    kept = [each for i, each in enumerate(changes) if i == 0 or each - changes[i - 1] > 0.01]

    def cheaper(x: float) -> SideName:
        return "emr" if sum(x >= each for each in kept) % 2 else "sagemaker"

    found = find_stretches(cheaper, 2)
    assert [each.start for each in found[1:]] == [pytest.approx(each, abs=1e-9) for each in kept]
    assert (found[0].start, found[-1].end) == (0, 2)


def test_along_the_requests_the_endpoint_counts_and_that_is_said(default: Assembly) -> None:
    curve = break_even(priced(default, Usage()), "requests_per_second")
    assert curve.serving
    assert "Only SageMaker brings an endpoint along" in curve.sentences[-1]
    assert curve.points[-1][1] > curve.points[0][1]
    assert curve.points[-1][2] == curve.points[0][2]


def test_without_a_price_no_side_is_named(default: Assembly) -> None:
    found = estimate(default, Usage(), book(ec2__m5_xlarge=None), workload())
    curve = break_even(found, "runs_per_day")
    assert curve.stretches == ()
    assert curve.sentences == ("Which side is cheaper is not known: there is no price for ec2/m5.xlarge.",)
