from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comparison.cost.runtime import RuntimeModel, fit_line, fit_runtime
from record.errors import UserError
from record.schema import STAGES, Record
from tests.comparison.cost.conftest import book, model
from tests.record.sample import sample_data


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
    found = fit_runtime([run(1_000_000, 25), run(4_000_000, 40)], book())
    for side in (found.sides["sagemaker"], found.sides["emr"]):
        for stage in side.stages.values():
            assert stage.fixed_seconds == pytest.approx(20)
            assert stage.core_seconds_per_event == pytest.approx(1e-5)
            assert stage.origin == "core seconds measured on a laptop, an estimate: runs run-1000000, run-4000000"
            # 100 M events on 16 vCPUs: 20 + 1e-5 x 1e8 / 16.
            assert stage.seconds(100_000_000, 16) == pytest.approx(82.5)


def test_of_one_size_only_what_is_above_the_fixed_part_grows() -> None:
    base = model()
    stage = fit_runtime([run(100_000_000, 1510)], book(), base).sides["emr"].stages["train"]
    # 10 s are fixed by the base; the other 1500 s are on 2 cores, for a hundred million events.
    assert stage.fixed_seconds == 10
    assert stage.core_seconds_per_event == pytest.approx(1500 * 2 / 100_000_000)
    assert stage.origin.endswith("run run-100000000; of one size only, so the fixed seconds are those of: a test")
    # Ten times the events take the fixed part once.
    assert stage.seconds(1_000_000_000, 2) == pytest.approx(10 + 15_000)
    # Less time than the fixed part: nothing grows, and nothing is negative.
    short = fit_runtime([run(100_000_000, 4)], book(), base).sides["emr"].stages["train"]
    assert (short.fixed_seconds, short.core_seconds_per_event) == (4, 0)
    assert "all of it counts as fixed" in short.origin


def test_of_one_small_run_what_is_above_the_work_is_fixed() -> None:
    """What a small run cannot explain must not be multiplied with all the data of a large one."""
    base = model().sides["emr"].stages["train"]
    stage = fit_runtime([run(1_000_000, 25)], book(), model()).sides["emr"].stages["train"]
    work = base.core_seconds_per_event * 1_000_000 / 2
    assert work < base.fixed_seconds
    assert stage.core_seconds_per_event == base.core_seconds_per_event
    assert stage.fixed_seconds == pytest.approx(25 - work)
    assert stage.origin.endswith("of one size only, so the core seconds an event are those of: a test")


def test_a_run_in_an_account_counts_as_billed_with_the_start_of_its_jobs_apart() -> None:
    base = model()
    found = fit_runtime([run(10_000_000_000, 140, "aws")], book(), base)
    # 100 s billed; three m5.xlarge have 12 vCPUs, and without a cluster's primary 8. A job's start takes 60 s of them.
    assert found.sides["sagemaker"].stages["prepare"].core_seconds_per_event == pytest.approx(30 * 12 / 1e10)
    assert found.sides["emr"].stages["prepare"].core_seconds_per_event == pytest.approx(90 * 8 / 1e10)
    assert found.sides["sagemaker"].startup_seconds == 60
    assert found.sides["emr"].startup_seconds == 300
    assert found.measured_events == (10_000_000_000, 10_000_000_000)
    origin = found.sides["emr"].stages["prepare"].origin
    assert origin.startswith("fitted to what was billed in an account at 10 G events: run run-10000000000")
    # Two sizes: 60 s start, 20 s fixed, 2e-5 s for each event.
    two = fit_runtime([run(1_000_000, 140, "aws"), run(4_000_000, 200, "aws")], book(), base).sides["sagemaker"]
    assert two.startup_seconds + two.stages["train"].fixed_seconds == pytest.approx(80)
    assert two.stages["train"].core_seconds_per_event == pytest.approx(2e-5 * 12)


def test_a_job_that_was_billed_less_than_a_start() -> None:
    found = fit_runtime([run(10_000_000_000, 60, "aws")], book(), model()).sides["sagemaker"]
    assert (found.startup_seconds, found.stages["train"].seconds(10_000_000_000, 12)) == (20, 0)
    assert found.startup_origin == "20 seconds, all that was billed of the shortest job of run run-10000000000"


def test_what_was_not_billed_is_as_shipped() -> None:
    """Seconds of a state machine's history hold time that nobody is billed for."""
    data = run(1_000_000, 140, "aws").model_dump()
    for stage in data["sides"]["emr"]["stages"]:
        stage["billable_seconds"] = None
    found = fit_runtime([Record.model_validate(data)], book(), model())
    assert found.sides["emr"].stages == model().sides["emr"].stages


def test_runs_that_do_not_belong_together() -> None:
    here, account, unknown = run(1000, 50), run(2000, 50, "aws"), run(None, 50)
    with pytest.raises(UserError, match=r"^run run-2000: not of the same place, machine and dataset as run run-1000"):
        fit_runtime([here, account], book())
    foreign = run(1_000, 25).model_dump(mode="json")
    foreign["sides"]["of-a-colleague"] = foreign["sides"].pop("emr")
    foreign["agreement"], foreign["definitions"] = [], {}
    one_side = {"of-a-colleague": foreign["sides"]["of-a-colleague"]}
    with pytest.raises(UserError, match=r"^run run-1000: how long side of-a-colleague works is not known; allowed: "):
        fit_runtime([Record.model_validate(foreign | {"sides": one_side})], book())
    with pytest.raises(UserError, match=r"^run run-None: dataset\.events is not known"):
        fit_runtime([unknown], book())
    with pytest.raises(UserError, match=r"^no run"):
        fit_runtime([], book())


def test_a_stage_that_nobody_ran_is_as_shipped() -> None:
    record = run(1000, 5)
    data = record.model_dump()
    data["sides"]["emr"]["stages"] = data["sides"]["emr"]["stages"][:1]
    found = fit_runtime([Record.model_validate(data)], book())
    assert found.sides["emr"].stages["score"] == RuntimeModel.load().sides["emr"].stages["score"]


points = st.lists(st.tuples(st.floats(1, 1e9), st.floats(0, 1e5)), min_size=1, max_size=6)


@given(points)
def test_the_line_is_never_negative(found: list[tuple[float, float]]) -> None:
    sizes, times = zip(*found, strict=True)
    fixed, slope = fit_line(sizes, times, model().sides["emr"].stages["train"])
    assert fixed >= 0
    assert slope >= 0


@given(st.floats(0, 1000), st.floats(0, 1e-3), st.lists(st.integers(1, 1_000_000), min_size=2, max_size=5, unique=True))
def test_the_line_finds_what_it_was_made_of(fixed: float, slope: float, sizes: list[int]) -> None:
    found = fit_line(sizes, [fixed + slope * size for size in sizes], model().sides["emr"].stages["train"])
    assert list(found) == pytest.approx([fixed, slope], abs=1e-6)


def test_shipped_figures_say_where_they_come_from() -> None:
    shipped = RuntimeModel.load()
    for side in shipped.sides.values():
        assert set(side.stages) == set(STAGES)
        assert all("an estimate" in stage.origin and "2026" in stage.origin for stage in side.stages.values())
        assert "assumption" in side.startup_origin


@pytest.mark.parametrize("content", ["{", "{}", None])
def test_damaged_figures_are_one_line(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "runtime.json").write_text(content)
    with pytest.raises(UserError, match=rf"^{tmp_path}/runtime\.json: [^\n]+$"):
        RuntimeModel.load(tmp_path / "runtime.json")
