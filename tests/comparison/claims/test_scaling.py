"""The simulation: cases computed by hand, and what must hold for any load."""

from hypothesis import given
from hypothesis import strategies as st

from comparison.claims.scaling import (
    ENDPOINT_START_MINUTES,
    MINUTES,
    NODE_START_MINUTES,
    ManagedScaling,
    SimulatedDay,
    Simulation,
    TargetTracking,
    cluster,
    day,
    endpoint,
    simulate,
)
from comparison.claims.templates import SideTemplate
from tests.comparison.claims.conftest import Templates

LOADS = st.lists(st.floats(0, 12, allow_nan=False), min_size=1, max_size=120)
LIMITS = st.tuples(st.integers(1, 5), st.integers(0, 6)).map(lambda pair: (pair[0], sum(pair)))


def test_endpoint_out_and_in_by_hand() -> None:
    # 2,500 requests a minute, target 1,000: above it in minutes 0, 1, 2. Asked for at the end of minute 2, three
    # instances serve from minute 3 + 5 = 8 on. From minute 20 on 500 requests: below 900 for each of the three in
    # minutes 20 to 34, so one is left from minute 35 on.
    found = endpoint(TargetTracking(1, 4, 1_000), [2.5] * 20 + [0.5] * 20)
    assert ENDPOINT_START_MINUTES == 5
    assert found.instances == (1,) * 8 + (3,) * 27 + (1,) * 5
    assert found.unmet == (1.5,) * 8 + (0.0,) * 32
    assert (found.unmet_minutes, found.reaction_minutes) == (8, 8)
    assert found.instance_hours == (8 + 27 * 3 + 5) / 60


def test_a_lower_target_needs_more_instances() -> None:
    found = endpoint(TargetTracking(1, 8, 500), [2.5] * 20)
    assert max(found.instances) == 5


def test_a_pause_after_scaling_out_delays_the_next_one() -> None:
    load = [1.5] * 8 + [3.5] * 40  # two serve from minute 8 on, when there are more requests than for two

    def third(pause: int) -> int:
        instances = endpoint(TargetTracking(1, 4, 1_000, scale_out_seconds=pause), load).instances
        return instances.index(4)

    # The alarm never ended: asked for at the end of minute 8. With a pause of 300 s, at the end of minute 13.
    assert third(0) == 8 + 1 + 5
    assert third(300) == 13 + 1 + 5


def test_a_pause_after_scaling_in_delays_the_next_one() -> None:
    load = [4.0] * 10 + [2.0] * 15 + [0.5] * 60

    def one(pause: int) -> int:
        return endpoint(TargetTracking(1, 4, 1_000, scale_in_seconds=pause), load).instances.index(1, 20)

    # Four serve from minute 8 on. Low from minute 10 to 24: two from minute 25 on; low for these from 25 to 39.
    assert one(0) == 40
    assert one(1_200) == 25 + 20 + 1


def test_short_peaks_do_not_scale_the_endpoint() -> None:
    assert set(endpoint(TargetTracking(1, 4, 1_000), [2.0, 2.0, 0.5] * 20).instances) == {1}


def test_cluster_out_and_in_by_hand() -> None:
    # Three node-minutes of work a minute. One node does one, two wait: 2, 4, 6, ... The first minute asks for three
    # nodes, the second for all four (4 + 3 above the maximum); they run from minute 0 + 7 and 1 + 7 on.
    found = cluster(ManagedScaling(1, 4), [3.0] * 10 + [0.0] * 30)
    assert NODE_START_MINUTES == 6
    assert found.instances[:10] == (1,) * 7 + (3,) + (4,) * 2
    assert found.unmet[:10] == (2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0, 14.0, 13.0, 12.0)
    # Four a minute bring 12 down to 0 in minutes 10 to 12, of which the last needs four nodes. Five minutes later one.
    assert found.unmet[10:14] == (8.0, 4.0, 0.0, 0.0)
    assert found.instances[10:] == (4,) * 8 + (1,) * 22
    assert (found.unmet_minutes, found.reaction_minutes) == (12, 7)


def test_a_load_that_is_met_needs_no_reaction() -> None:
    assert cluster(ManagedScaling(2, 4), [2.0] * 60) == Simulation((2,) * 60, (0.0,) * 60)
    assert endpoint(TargetTracking(2, 4, 1_000), [2.0] * 60).reaction_minutes is None


@given(LOADS, LIMITS)
def test_never_outside_the_limits(load: list[float], limits: tuple[int, int]) -> None:
    for found in (endpoint(TargetTracking(*limits, 1_000, 60, 300), load), cluster(ManagedScaling(*limits), load)):
        assert len(found.instances) == len(found.unmet) == len(load)
        assert all(limits[0] <= each <= limits[1] for each in found.instances)
        assert all(each >= 0 for each in found.unmet)


@given(st.floats(0, 12), st.floats(0, 12), LIMITS)
def test_a_steady_load_that_is_larger_never_runs_on_less(a: float, b: float, limits: tuple[int, int]) -> None:
    less, more = sorted((a, b))
    tracking, managed = TargetTracking(*limits, 1_000, 60, 300), ManagedScaling(*limits)
    for of_less, of_more in (
        (endpoint(tracking, [less] * 90), endpoint(tracking, [more] * 90)),
        (cluster(managed, [less] * 90), cluster(managed, [more] * 90)),
    ):
        assert all(x <= y for x, y in zip(of_less.instances, of_more.instances, strict=True))


@given(LOADS, LIMITS)
def test_no_work_is_lost_on_the_cluster(load: list[float], limits: tuple[int, int]) -> None:
    """What came and does not wait was done, by no more than the nodes that ran."""
    found = cluster(ManagedScaling(*limits), load)
    done = sum(load) - found.unmet[-1]
    assert -1e-4 <= done <= sum(found.instances) + 1e-4


def test_the_day() -> None:
    load = day()
    assert len(load) == MINUTES == 1440
    assert load == day()
    assert (max(load), load.count(3.5)) == (3.5, 61)
    assert min(load) == load[0] == 0.3


def test_parameters_are_the_templates(templates: Templates) -> None:
    def of(**settings: object) -> SimulatedDay:
        assembly = templates(**settings)
        return simulate({"sagemaker": SideTemplate(assembly, "sagemaker"), "emr": SideTemplate(assembly, "emr")})

    usual, less, slower = (
        {side: made for side, made in of(**settings).sides.items() if made}
        for settings in (
            {},
            {"sagemaker__endpoint__maximum": 2, "emr__maximum": 2},
            {"sagemaker__endpoint__scale_in_seconds": 3600},
        )
    )
    assert {side: max(made.instances) for side, made in usual.items()} == {"sagemaker": 4, "emr": 4}
    assert of() == of()
    for side, made in usual.items():
        assert less[side].unmet_minutes > made.unmet_minutes
    assert slower["sagemaker"].instance_hours > usual["sagemaker"].instance_hours
    assert slower["emr"] == usual["emr"]
