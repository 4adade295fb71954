"""Crossing points against a search that tries everything."""

import re
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assembly.template import Assembly
from comparison.cost.break_even import AXES, Along, Curve, axis_end, break_even, cheaper, find_stretches
from comparison.cost.lines import Estimate, usd
from comparison.cost.template import estimate
from comparison.cost.usage import Usage
from record.schema import SideName
from tests.comparison.cost.conftest import book, model
from tests.stacks.conftest import synthesise

EMR_WORKS_LESS = {"sagemaker": {"startup_seconds": 900}, "emr": {"startup_seconds": 100}}


def priced(assembly: Assembly, usage: Usage, **work: object) -> Estimate:
    return estimate(assembly, usage, book(), model(**work))


def crossings(curve: Curve) -> list[float]:
    """Where another side becomes the cheaper one."""
    sides = [stretch for stretch in curve.stretches if stretch.cheaper is not None]
    return [after.start for before, after in pairwise(sides) if before.cheaper != after.cheaper]


def test_a_crossing_computed_by_hand(default: Assembly) -> None:
    """A cluster that is kept up for an hour a day costs the same for every run; jobs are paid each."""
    usage = Usage(events_per_run=0, cluster_hours_per_day=24)
    found = break_even(priced(default, usage), "runs_per_day", serving=False)
    # EMR, a month: 2 nodes x 730 h x (0.192 + 0.048 + 94 x 0.08 / 730) = 365.44, and a run's 13 transitions,
    # 100 puts and 1000 gets. SageMaker, a run: 4 jobs of 70 s x 0.23, volumes of 30 GB at 0.1, 0.14 and 0.1, 13
    # transitions and the same requests. Both have alarms of the same price.
    emr = 2 * (730 * 0.24 + 94 * 0.08)
    jobs = 4 * 70 / 3600 * 0.23 + 70 / 3600 / 730 * 30 * (0.1 + 0.14 + 0.1)
    runs_a_month = emr / jobs  # the transitions are as many
    (crossing,) = crossings(break_even(priced(default, usage), "runs_per_day", 2000, serving=False))
    assert crossing == pytest.approx(runs_a_month / (730 / 24), rel=1e-5)
    # Not before 100 runs a day, where the curve ends by default.
    assert crossings(found) == []
    assert found.sentences == ("SageMaker is cheaper from 0 to 100 runs a day of 0 events, at these prices.",)


def test_a_crossing_in_words(default: Assembly) -> None:
    usage = Usage(events_per_run=50_000_000, cluster_hours_per_day=2)
    curve = break_even(priced(default, usage, **EMR_WORKS_LESS), "runs_per_day")
    (crossing,) = crossings(curve)
    assert curve.sentences == (
        f"EMR is cheaper above {crossing:.3g} and up to 100 runs a day of 50 M events, at these prices, "
        "SageMaker below.",
    )


def test_a_jump_is_found_where_the_cluster_stops_ending_itself(default: Assembly) -> None:
    """Clusters of their own are cheaper here; one that is on all month is dearer, from one run a day to the next."""
    usage = Usage(events_per_run=0)
    curve = break_even(priced(default, usage, **EMR_WORKS_LESS), "runs_per_day")
    assert [each.cheaper for each in curve.stretches if each.cheaper][:2] == ["emr", "sagemaker"]
    # Work of 40 s and an idle time of 3,600 s fill the day.
    jump = next(each.start for each in curve.stretches if each.cheaper == "sagemaker")
    assert jump == pytest.approx(86_400 / 3640, rel=1e-9)
    assert curve.sentences[0].startswith(f"EMR is cheaper below {jump:.3g} runs a day of 0 events, at these prices")


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
@pytest.mark.parametrize("along", list(AXES))
def test_the_same_as_by_brute_force(name: str, along: Along, assemblies: dict[str, Assembly]) -> None:
    usage = Usage(runs_per_day=20, events_per_run=1_000_000, cluster_hours_per_day=None, request_milliseconds=20)
    found = priced(assemblies[name], usage, **EMR_WORKS_LESS)
    end = axis_end(found, along)
    curve = break_even(found, along)
    expected = brute_force(found, along, end, curve.serving)
    if along == "requests_per_second":
        assert curve.stretches == ()
        return
    assert crossings(curve) == [pytest.approx(each, abs=end / 2_000) for each in expected]


@settings(deadline=None)
@given(st.lists(st.floats(0.001, 1), min_size=1, max_size=5, unique=True).map(sorted))
def test_every_change_between_samples_is_found(changes: list[float]) -> None:
    """Wherever the cheaper side changes; two changes must be further apart than the samples are."""
    kept = [each for i, each in enumerate(changes) if i == 0 or each - changes[i - 1] > 0.01]

    def cheaper(x: float) -> SideName:
        return "emr" if sum(x >= each for each in kept) % 2 else "sagemaker"

    found = find_stretches(cheaper, 2)
    assert [each.start for each in found[1:]] == [pytest.approx(each, abs=1e-9) for each in kept]
    assert (found[0].start, found[-1].end) == (0, 2)


def test_along_the_requests_there_is_no_break_even(default: Assembly) -> None:
    curve = break_even(priced(default, Usage(requests_per_second=7)), "requests_per_second")
    assert curve.serving
    assert curve.stretches == ()
    # 4 instances of 1,000 requests a minute.
    assert curve.points[-1][0] == pytest.approx(4000 / 60)
    assert curve.points[-1][2] == curve.points[0][2]
    least, most = usd(curve.points[0][1]), usd(curve.points[-1][1])
    assert curve.sentences == (
        "EMR brings no endpoint, so there is no break-even along requests: SageMaker's side costs "
        f"{least} to {most} US dollars a month from 0 to 66.7 requests a second.",
        "More than 66.7 requests a second are not served: the endpoint has 4 instances at most, "
        "for 1,000 requests a minute each.",
    )
    (without,) = break_even(priced(default, Usage()), "requests_per_second", serving=False).sentences[:1]
    assert without == "Requests do not change the cost without the endpoint."


def test_an_axis_ends_where_the_templates_do(assemblies: dict[str, Assembly]) -> None:
    found = priced(assemblies["default"], Usage())
    # A step of 10 s + 4e-6 s x events / 4 vCPUs times out after 50 minutes; a job starts for 60 s of them, and its 30
    # GB hold 40 bytes of each event.
    on_volume, in_time = 30 * 2**30 / 40, 2930 / 1e-6
    assert axis_end(found, "events_per_run") == pytest.approx(on_volume)
    curve = break_even(found, "events_per_run")
    assert curve.points[-1][0] == axis_end(found, "events_per_run")
    limit = "More than 805 M events a run do not fit: raw data and what the side writes would fill the 30 GB of prepare"
    assert curve.sentences[1:] == (f"{limit} (SageMaker).",)
    slow = priced(assemblies["default"], Usage(), emr={"startup_seconds": 12_800})
    # The whole pipeline ends after 260 minutes, the start of a cluster twice among them: 15,600 s - 12,800 s - 40 s.
    assert axis_end(slow, "events_per_run") == pytest.approx(min(on_volume, in_time, 2760 / 4e-6))
    assert "the pipeline (EMR) times out after 260 minutes" in break_even(slow, "events_per_run").sentences[1]
    assert axis_end(found, "runs_per_day") == 100


def test_the_usage_is_on_the_axis_and_what_of_it_does_not_fit_is_said(default: Assembly) -> None:
    usage = Usage(runs_per_day=300, events_per_run=2e9, requests_per_second=90)
    found = priced(default, usage)
    assert axis_end(found, "runs_per_day") == 300
    assert axis_end(found, "events_per_run") == 2e9
    assert axis_end(found, "requests_per_second") == 90
    with_endpoint = break_even(found, "runs_per_day", serving=True).sentences
    assert [each.split(":")[0] for each in with_endpoint[1:3]] == [
        "More than 805 M events a run do not fit",
        "More than 66.7 requests a second are not served",
    ]
    assert not any("requests" in each for each in break_even(found, "runs_per_day").sentences)


def test_a_serverless_endpoint_takes_as_many_as_its_concurrency(assemblies: dict[str, Assembly]) -> None:
    template = assemblies["serverless and transient"]
    ((stack, resource),) = template.resources("AWS::SageMaker::EndpointConfig")
    (variant,) = template.properties(stack, resource)["ProductionVariants"]
    at_once = variant["ServerlessConfig"]["MaxConcurrency"]
    slow = priced(template, Usage(request_milliseconds=500))
    assert axis_end(slow, "requests_per_second") == pytest.approx(at_once / 0.5)
    assert axis_end(slow.at(request_milliseconds=0), "requests_per_second") == AXES["requests_per_second"].maximum


def test_of_more_than_two_sides_one_is_the_cheapest(tmp_path: Path) -> None:
    every = priced(synthesise("every side", {"sides": "all"}, tmp_path).assembly, Usage())
    said = " ".join(break_even(every, "runs_per_day", serving=True).sentences)
    assert not re.search(r"cheaper|[Bb]oth|neither|EMR and SageMaker Spark and", said), said
    assert "is cheapest from 0" in break_even(every, "runs_per_day").sentences[0]
    assert (
        break_even(every, "requests_per_second")
        .sentences[0]
        .startswith(
            "EMR, SageMaker Spark and EMR Serverless bring no endpoint, so there is no break-even along requests"
        )
    )
    assert cheaper(every)[None] == "Several cost the least"


def test_a_side_alone_is_compared_with_none(tmp_path: Path) -> None:
    alone = priced(synthesise("alone", {"sides": "sagemaker"}, tmp_path).assembly, Usage())
    said = break_even(alone, "requests_per_second").sentences[0]
    assert said.startswith("SageMaker's side costs ")
    assert said.endswith(" requests a second.")
    assert not any("Only" in each for along in AXES for each in break_even(alone, along, serving=True).sentences)


def test_without_a_price_no_side_is_named(default: Assembly) -> None:
    found = estimate(default, Usage(), book(ec2__m5_xlarge=None), model())
    curve = break_even(found, "runs_per_day")
    assert curve.stretches == ()
    assert curve.sentences == ("Which side is cheaper is not known: there is no price for ec2/m5.xlarge.",)


def test_only_prices_that_are_compared_matter(default: Assembly) -> None:
    """Neither what both share, nor the endpoint where it is left out."""
    found = estimate(default, Usage(), book(kms__key=None, sagemaker__hosting__ml_m5_large=None), model())
    assert break_even(found, "runs_per_day").stretches
    unknown = break_even(found, "runs_per_day", serving=True).sentences
    assert unknown == ("Which side is cheaper is not known: there is no price for sagemaker/hosting/ml.m5.large.",)
    assert "costs at least" in break_even(found, "requests_per_second").sentences[0]
