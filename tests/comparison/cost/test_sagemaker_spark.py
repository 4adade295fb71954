"""What Spark on SageMaker costs, by hand: jobs of several instances."""

from typing import Any, Literal

import pytest

from assembly.template import Assembly
from comparison.cost.run import run_cost
from comparison.cost.runtime import RuntimeModel, fit_runtime
from comparison.cost.template import estimate
from comparison.cost.usage import Usage
from record.schema import Record
from tests.comparison.cost.conftest import amount, book, line, model
from tests.record.sample import sample_data
from tests.stacks.conftest import ONE_SIDE, synthesise

SIDE = "sagemaker-spark"
DAYS = 730 / 24


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    return synthesise("cost", ONE_SIDE[f"{SIDE} alone"], tmp_path_factory.mktemp("cost")).assembly


@pytest.mark.parametrize("stage", ["prepare", "train", "evaluate"])
def test_every_instance_is_billed_for_the_start_and_they_share_the_work(stage: str, alone: Assembly) -> None:
    usage = Usage(runs_per_day=1, events_per_run=100_000_000)
    # Two instances of 4 vCPUs: 60 s + 10 s + 4e-6 s x 100,000,000 events / 8 = 120 s, of each.
    item, amounts = line(alone, SIDE, f"{stage}: instances", usage)
    assert item.detail == "2 x ml.m5.xlarge"
    assert amounts["run"] == pytest.approx(2 * 120 / 3600 * 0.23)
    assert amounts["month"] == pytest.approx(DAYS * 2 * 120 / 3600 * 0.23)
    assert amounts["idle"] == 0
    _, amounts = line(alone, SIDE, f"{stage}: storage", usage)
    gb_month = 0.14 if stage == "train" else 0.1
    assert amounts["run"] == pytest.approx(2 * 120 / 3600 / 730 * 30 * gb_month)


def test_scoring_is_on_one_instance(alone: Assembly) -> None:
    # 70 s + 4e-6 s x 100,000,000 events / 4 vCPUs = 170 s.
    item, amounts = line(alone, SIDE, "score: instances", Usage(events_per_run=100_000_000))
    assert item.detail == "1 x ml.m5.xlarge"
    assert amounts["run"] == pytest.approx(170 / 3600 * 0.23)


def test_nothing_is_open_between_runs_and_no_endpoint_is_priced(alone: Assembly) -> None:
    found = estimate(alone, Usage(), book(), model())
    names = {each.name for each in found.lines if each.side == SIDE}
    assert not [name for name in names if "endpoint" in name]
    assert {f"{stage}: instances" for stage in ("prepare", "train", "evaluate", "score")} <= names
    # One instance scores: 70 s + 1e-6 s for each of 2.93 G events are 50 minutes.
    why = "more than 2.93 G events a run do not fit: score (SageMaker Spark) times out after 50 minutes"
    assert any(why in each for each in found.assumptions)


def test_shipped_runtime_is_that_of_the_same_programs_and_says_so() -> None:
    shipped = {side: RuntimeModel.load().of(side) for side in (SIDE, "emr", "sagemaker")}
    for stage, program, title in (("prepare", "emr", "EMR"), ("train", "sagemaker", "SageMaker")):
        ours, theirs = (shipped[side].stages[stage] for side in (SIDE, program))  # type: ignore[index]
        assert ours.core_seconds_per_event == theirs.core_seconds_per_event
        assert ours.origin.startswith(f"as {title}'s, which is the same program")


# A run.


def ran(where: Literal["local", "aws"], seconds: float | None = None, count: int = 2) -> Record:
    data: dict[str, Any] = sample_data(where)
    side = data["sides"].pop("sagemaker")
    side |= {"title": "SageMaker Spark", "engine": "Spark", "serve": None}
    for each in side["stages"]:
        each |= {"instances": [{"type": "ml.m5.xlarge", "count": count}], "billable_seconds": seconds}
    settings = {f"sagemaker_spark.{stage}.volume_gb": 30 for stage in ("prepare", "train", "evaluate")}
    data |= {"sides": {SIDE: side}, "agreement": [], "definitions": {}, "settings": settings}
    data["dataset"]["events"] = 100_000_000
    return Record.model_validate(data)


def test_a_run_in_an_account_costs_what_was_billed_of_every_instance() -> None:
    cost = run_cost(ran("aws", seconds=100), book(), runtime=model())
    assert amount(cost, "instances", stage="prepare") == pytest.approx(2 * 100 / 3600 * 0.23)
    # 60 s of the job's start and 10 s of the engine's are no work.
    assert amount(cost, "instances", stage="prepare", part="work") == pytest.approx(2 * 30 / 3600 * 0.23)
    assert amount(cost, "storage", stage="prepare") == pytest.approx(2 * 100 / 3600 / 730 * 30 * 0.1)
    assert amount(cost, "storage", stage="train") == pytest.approx(2 * 100 / 3600 / 730 * 30 * 0.14)
    assert amount(cost, "storage", stage="score") == 0
    found = cost.total(SIDE)
    assert found is not None
    assert found.complete


def test_a_laptops_run_is_an_estimate_of_its_instances() -> None:
    cost = run_cost(ran("local", count=4), book(), runtime=model())
    # 70 s, and 4e-6 s x 100,000,000 events / 16 vCPUs = 25 s that grow, of each of four.
    assert amount(cost, "instances", stage="train") == pytest.approx(4 * 95 / 3600 * 0.23)
    assert amount(cost, "instances", stage="train", part="work") == pytest.approx(4 * 25 / 3600 * 0.23)
    assert all(each.estimate for each in cost.lines if each.name == "instances")


def test_seconds_of_an_account_are_shared_by_all_instances() -> None:
    """At 100 M events and 8 vCPUs, 120 s are 60 s until the program starts, 10 s its start, and 50 s that grow."""
    work = fit_runtime([ran("aws", seconds=120)], book(), model()).of(SIDE).stages["train"]
    assert work.core_seconds_per_event == pytest.approx((120 - 60 - work.fixed_seconds) * 8 / 100e6)
