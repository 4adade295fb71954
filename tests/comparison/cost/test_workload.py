import pytest
from hypothesis import given
from hypothesis import strategies as st

from comparison.cost import CostError
from comparison.cost.workload import Workload, fitted, line
from comparison.record import STAGES, Record
from tests.comparison.cost.conftest import book
from tests.comparison.sample import sample_data


def run(events: int | None, seconds: float, where: str = "local") -> Record:
    """A run in which every stage takes so long."""
    data = sample_data("local" if where == "local" else "aws")
    data["run_id"] = f"run-{events}"
    data["dataset"]["events"] = events
    for side in data["sides"].values():
        for stage in side["stages"]:
            stage["seconds"] = seconds
            stage["instances"] = [{"type": "m5.xlarge", "count": 3}]
            if where == "aws":
                stage["billable_seconds"] = seconds - 40
    return Record.model_validate(data)


def test_two_sizes_tell_the_fixed_part_from_what_grows() -> None:
    # 2 cores: 20 s + 1e-5 s x events / 2.
    found = fitted([run(1_000_000, 25), run(4_000_000, 40)], book())
    for side in found.sides.values():
        for stage in side.stages.values():
            assert stage.fixed_seconds == pytest.approx(20)
            assert stage.core_seconds_per_event == pytest.approx(1e-5)
            assert stage.origin == "core seconds measured on a laptop, an estimate: runs run-1000000, run-4000000"
            # 100 M events on 16 vCPUs: 20 + 1e-5 x 1e8 / 16.
            assert stage.seconds(100_000_000, 16) == pytest.approx(82.5)


def test_of_one_size_all_of_it_grows_and_that_is_said() -> None:
    stage = fitted([run(1_000_000, 25)], book()).sides["emr"].stages["train"]
    assert stage.fixed_seconds == 0
    assert stage.core_seconds_per_event == pytest.approx(25 * 2 / 1_000_000)
    assert stage.origin.endswith("run run-1000000; of one size only, so all of it counts as growing with the data")


def test_a_run_in_an_account_counts_as_billed() -> None:
    found = fitted([run(1_000_000, 100, "aws")], book())
    # 60 s billed; three m5.xlarge have 12 vCPUs, and without a cluster's primary 8.
    assert found.sides["sagemaker"].stages["prepare"].core_seconds_per_event == pytest.approx(60 * 12 / 1e6)
    assert found.sides["emr"].stages["prepare"].core_seconds_per_event == pytest.approx(60 * 8 / 1e6)
    # The jobs' start is billed, and so in these seconds; a cluster's is not in its steps'.
    assert found.sides["sagemaker"].startup_seconds == 0
    assert found.sides["emr"].startup_seconds == Workload.load().sides["emr"].startup_seconds


def test_runs_that_do_not_belong_together() -> None:
    here, account, unknown = run(1000, 50), run(2000, 50, "aws"), run(None, 50)
    with pytest.raises(CostError, match=r"^run run-2000: not of the same place, machine and dataset as run run-1000"):
        fitted([here, account], book())
    with pytest.raises(CostError, match=r"^run run-None: dataset\.events is not known"):
        fitted([unknown], book())
    with pytest.raises(CostError, match=r"^no run"):
        fitted([], book())


def test_a_stage_that_nobody_ran_is_as_shipped() -> None:
    record = run(1000, 5)
    data = record.model_dump()
    data["sides"]["emr"]["stages"] = data["sides"]["emr"]["stages"][:1]
    found = fitted([Record.model_validate(data)], book())
    assert found.sides["emr"].stages["score"] == Workload.load().sides["emr"].stages["score"]


points = st.lists(st.tuples(st.floats(1, 1e9), st.floats(0, 1e5)), min_size=1, max_size=6)


@given(points)
def test_the_line_is_never_negative(found: list[tuple[float, float]]) -> None:
    sizes, times = zip(*found, strict=True)
    fixed, slope = line(sizes, times)
    assert fixed >= 0
    assert slope >= 0


@given(st.floats(0, 1000), st.floats(0, 1e-3), st.lists(st.integers(1, 1_000_000), min_size=2, max_size=5, unique=True))
def test_the_line_finds_what_it_was_made_of(fixed: float, slope: float, sizes: list[int]) -> None:
    found = line(sizes, [fixed + slope * size for size in sizes])
    assert list(found) == pytest.approx([fixed, slope], abs=1e-6)


def test_shipped_figures_say_where_they_come_from() -> None:
    shipped = Workload.load()
    for side in shipped.sides.values():
        assert set(side.stages) == set(STAGES)
        assert all("an estimate" in stage.origin and "2026" in stage.origin for stage in side.stages.values())
        assert "assumption" in side.startup_origin
