"""The cost of a run, by hand."""

from typing import Any

import pytest

from comparison.cost.lines import Money
from comparison.cost.run import RunCost, run_cost
from comparison.cost.runtime import fit_runtime
from comparison.cost.table import run_table
from record.errors import UserError
from record.schema import Record
from tests.comparison.cost.conftest import book, model
from tests.record.sample import bare_sample, failed_sample, sample, sample_data

VOLUMES: dict[str, Any] = {
    "sagemaker.prepare.volume_gb": 30,
    "sagemaker.train.volume_gb": 30,
    "sagemaker.evaluate.volume_gb": 30,
    "emr.primary.volume_gb": 64,
    "emr.core.volume_gb": 64,
}


def billed(cluster: dict[str, Any] | None = None) -> Record:
    """A run in an account: every job was billed 100 s; every step took 50 s of a cluster of three nodes."""
    data = sample_data("aws")
    data["settings"] = VOLUMES
    for name, seconds in (("sagemaker", 100), ("emr", 50)):
        for stage in data["sides"][name]["stages"]:
            stage["billable_seconds"] = seconds
            stage["instances"] = [{"type": f"{'ml.' if name == 'sagemaker' else ''}m5.xlarge", "count": 3}]
    default = {"id": "j-1", "own": True, "instance_seconds": {"m5.xlarge": 1500}}
    data["sides"]["emr"]["cluster"] = default | (cluster or {})
    return Record.model_validate(data)


def amount(cost: RunCost, side: str, name: str, **where: Any) -> float:
    lines = [each for each in cost.lines if each.side == side and each.name == name]
    lines = [each for each in lines if all(getattr(each, key) == value for key, value in where.items())]
    return sum(each.amount or 0 for each in lines)


def total(cost: RunCost, *which: Any) -> Money:
    found = cost.total(*which)
    assert found
    return found


def test_a_job_costs_its_billed_seconds() -> None:
    cost = run_cost(billed(), book(), runtime=model())
    # Three instances for 100 s each: 70 s of start (60 s of the job, 10 s of the engine), 30 s that grow.
    assert amount(cost, "sagemaker", "instances", stage="train") == pytest.approx(3 * 100 / 3600 * 0.23)
    assert amount(cost, "sagemaker", "instances", stage="train", part="work") == pytest.approx(3 * 30 / 3600 * 0.23)
    assert amount(cost, "sagemaker", "storage", stage="train") == pytest.approx(3 * 100 / 3600 / 730 * 30 * 0.14)
    # A transform job's volume has no price of its own.
    assert amount(cost, "sagemaker", "storage", stage="score") == 0
    assert total(cost, "sagemaker").complete


def test_a_job_shorter_than_a_start_costs_no_more_than_was_billed() -> None:
    record = billed()
    data = record.model_dump()
    data["sides"]["sagemaker"]["stages"][0]["billable_seconds"] = 20
    cost = run_cost(Record.model_validate(data), book(), runtime=model())
    assert amount(cost, "sagemaker", "instances", stage="prepare") == pytest.approx(3 * 20 / 3600 * 0.23)
    assert amount(cost, "sagemaker", "instances", stage="prepare", part="work") == 0


def test_a_cluster_costs_its_instances_seconds() -> None:
    cost = run_cost(billed(), book(), runtime=model())
    # 1,500 s of all instances; four steps of 50 s on three nodes are 600 s of them, 10 s of each step the engine's
    # start, and 900 s are the cluster's start and idle time.
    assert amount(cost, "emr", "instances") == pytest.approx(1500 / 3600 * 0.192)
    assert amount(cost, "emr", "EMR charge") == pytest.approx(1500 / 3600 * 0.048)
    assert amount(cost, "emr", "disks") == pytest.approx(1500 / 3600 / 730 * 94 * 0.08)
    assert amount(cost, "emr", "instances", part="work") == pytest.approx(4 * 3 * 40 / 3600 * 0.192)
    assert amount(cost, "emr", "instances", stage=None) == pytest.approx(900 / 3600 * 0.192)
    assert total(cost, "emr").complete


def test_spot_has_no_price_but_its_emr_charge_has() -> None:
    cost = run_cost(billed({"spot_seconds": {"m5.xlarge": 1000}}), book(), runtime=model())
    assert amount(cost, "emr", "instances") == pytest.approx(500 / 3600 * 0.192)
    assert amount(cost, "emr", "EMR charge") == pytest.approx(1500 / 3600 * 0.048)
    assert not total(cost, "emr").complete
    assert str(total(cost, "emr")).startswith("at least ")


def test_storage_and_requests() -> None:
    record = billed()
    cost = run_cost(record, book(), runtime=model())
    written = sum(stage.bytes_out or 0 for stage in record.sides["emr"].stages)
    assert amount(cost, "emr", "what it wrote, for a month") == pytest.approx(written / 2**30 * 0.023)
    assert amount(cost, "emr", "requests that write") == pytest.approx(100 * 0.000005)
    assert all(each.estimate for each in cost.lines if each.name.startswith("requests"))


def test_a_laptops_seconds_are_never_billed_seconds() -> None:
    data = sample_data()
    data["settings"] = VOLUMES
    data["sides"]["emr"]["stages"][0]["instances"] = [{"type": "m5.xlarge", "count": 3}]
    record = Record.model_validate(data)
    cost = run_cost(record, book(), runtime=model())
    hours = [each for each in cost.lines if each.name in ("instances", "EMR charge", "storage", "disks")]
    assert all(each.estimate for each in hours)
    # 60 s + 10 s, and 4e-6 s x 200,000 events / 4 vCPUs.
    assert amount(cost, "sagemaker", "instances", stage="prepare") == pytest.approx(70.2 / 3600 * 0.23)
    # Without its primary node: 10 s + 4e-6 s x 200,000 events / 8 vCPUs, of three nodes.
    assert amount(cost, "emr", "instances", stage="prepare") == pytest.approx(3 * 10.1 / 3600 * 0.192)
    # So small a run tells what is fixed; its work is as shipped.
    own = run_cost(record, book())
    work = 9.394e-6 * 200_000 / 4
    assert amount(own, "sagemaker", "instances", stage="prepare", part="work") == pytest.approx(work / 3600 * 0.23)


def test_what_was_not_recorded_is_not_known() -> None:
    """Without billed seconds, and on instances whose size nobody knows."""
    cost = run_cost(sample("aws"), book(), runtime=model())
    assert str(total(cost, "sagemaker", "work", "train")) == "not known"
    assert not total(cost, "emr").complete
    assert str(total(cost, "emr", "start-up and idle")) == "not known"
    data = sample_data()
    for stage in data["sides"]["sagemaker"]["stages"]:
        stage["instances"] = [{"type": "ml.m9.xlarge", "count": 1}]
    unknown = run_cost(Record.model_validate(data), book(), runtime=model())
    assert str(total(unknown, "sagemaker", "work", "train")) == "not known"


def test_a_failed_run_costs_what_ran() -> None:
    cost = run_cost(failed_sample(), book(), runtime=model())
    assert {each.stage for each in cost.lines if each.side == "emr"} == {None, "prepare", "train"}
    assert cost.total("emr", "work", "evaluate") is None
    assert total(cost, "sagemaker", "work", "evaluate").usd > 0
    bare = run_cost(bare_sample(), book())
    assert (bare.lines, bare.total("emr")) == ((), None)
    rows = run_table("x", cost).rows
    assert [row[2] for row in rows if row[0].startswith(("evaluate", "score"))] == ["not run", "not run"]


def test_the_start_of_a_run_in_an_account_is_apart_with_its_own_seconds_too() -> None:
    cost = run_cost(billed(), book(), runtime=fit_runtime([billed()], book(), model()))
    # Of 100 s billed, 60 s are a job's start, and work is as in the base: 4e-6 s x 200,000 events / 12 vCPUs.
    fixed = 100 - 4e-6 * 200_000 / 12
    assert amount(cost, "sagemaker", "instances", part="start-up and idle") == pytest.approx(
        4 * 3 * fixed / 3600 * 0.23
    )
    assert amount(cost, "sagemaker", "instances") == pytest.approx(4 * 3 * 100 / 3600 * 0.23)


def test_a_stage_on_unknown_instances_is_not_free() -> None:
    data = sample_data()
    data["sides"]["sagemaker"]["stages"][0]["instances"] = []
    cost = run_cost(Record.model_validate(data), book(), runtime=model())
    assert str(total(cost, "sagemaker", "work", "prepare")) == "not known"


def test_a_region_without_prices() -> None:
    with pytest.raises(UserError, match=r"^no prices for region nowhere; allowed: us-east-1$"):
        run_cost(sample(), book(), "nowhere")
