"""What EMR Serverless costs, by hand."""

from collections.abc import Callable
from typing import Any, Literal

import pytest

from assembly.template import Assembly
from comparison.cost.prices import PRICES, PriceBook
from comparison.cost.run import run_cost
from comparison.cost.runtime import RuntimeModel, fit_runtime
from comparison.cost.table import run_table
from comparison.cost.template import estimate
from comparison.cost.usage import Usage
from record.errors import UserError
from record.schema import Record
from tests.comparison.cost.conftest import amount, book, line, model
from tests.record.sample import sample_data
from tests.stacks.conftest import ONE_SIDE, OTHERS, synthesise

SIDE = "emr-serverless"
DAYS = 730 / 24


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[dict[str, Any]], Assembly]:
    return lambda settings: synthesise("cost", settings, tmp_path_factory.mktemp("cost")).assembly


@pytest.fixture(scope="module")
def alone(made: Callable[[dict[str, Any]], Assembly]) -> Assembly:
    return made(ONE_SIDE[f"{SIDE} alone"])


def test_workers_are_billed_by_what_they_have_for_as_long_as_a_job_run(alone: Assembly) -> None:
    usage = Usage(runs_per_day=1, events_per_run=100_000_000)
    # 15 s + 10 s + 4e-6 s x 100,000,000 events / 4 vCPUs of the one executor = 125 s; the driver has as many.
    item, amounts = line(alone, SIDE, "prepare: vCPUs", usage)
    assert amounts["run"] == pytest.approx(2 * 4 * 125 / 3600 * 0.05)
    assert amounts["month"] == pytest.approx(DAYS * 2 * 4 * 125 / 3600 * 0.05)
    assert amounts["idle"] == 0
    assert item.detail == "2 x 4 vCPU, 16 GB"
    _, amounts = line(alone, SIDE, "prepare: memory", usage)
    assert amounts["run"] == pytest.approx(2 * 16 * 125 / 3600 * 0.005)


def test_a_worker_is_billed_for_a_minute_at_least(alone: Assembly) -> None:
    # 15 s + 10 s + 4e-6 x 10 M / 4 = 35 s; a minute is billed.
    _, amounts = line(alone, SIDE, "score: vCPUs", Usage(events_per_run=10_000_000))
    assert amounts["run"] == pytest.approx(2 * 4 * 60 / 3600 * 0.05)


def test_storage_beyond_what_is_free_is_billed(made: Callable[[dict[str, Any]], Assembly], alone: Assembly) -> None:
    larger = made(OTHERS["emr serverless"])
    # Three executors of 8 vCPUs: 25 s + 4e-6 x 240 M / 24 = 65 s; of 120 GB each 20 are free, on four workers.
    _, amounts = line(larger, SIDE, "train: storage", Usage(events_per_run=240_000_000))
    assert amounts["run"] == pytest.approx(4 * 100 * 65 / 3600 * 0.0001)
    names = {each.name for each in estimate(alone, Usage(), book(), model()).lines}
    assert "train: storage" not in names


def test_application_itself_costs_nothing(alone: Assembly) -> None:
    found = estimate(alone, Usage(), book(), model())
    (why,) = [each.why for each in found.not_priced if each.type == "AWS::EMRServerless::Application"]
    assert why.startswith("free of charge")
    assert any("prepare (EMR Serverless) times out after 50 minutes" in each for each in found.assumptions)


def test_every_price_is_in_the_shipped_book_with_source_and_date() -> None:
    shipped = PriceBook.load(PRICES)
    for region in ("us-east-1", "eu-west-1"):
        for what, usd in (("vcpu", 0.052624), ("memory", 0.0057785)):
            price = shipped.price(f"emr-serverless/{what}", region)
            assert price is not None
            assert price.usd == usd
            assert price.source
    storage = [shipped.price("emr-serverless/storage", region) for region in ("us-east-1", "eu-west-1")]
    assert [each and each.usd for each in storage] == [0.000111, 0.000122]


def test_shipped_runtime_is_that_of_emrs_programs_and_says_so() -> None:
    shipped = RuntimeModel.load().of(SIDE)
    assert (
        shipped.stages["train"].core_seconds_per_event
        == RuntimeModel.load().of("emr").stages["train"].core_seconds_per_event
    )
    assert all(
        each.origin.startswith("as of EMR's steps, which are the same programs") for each in shipped.stages.values()
    )
    assert "not billed" in shipped.startup_origin


# A run.


def ran(where: Literal["local", "aws"], **stage: Any) -> Record:
    data = sample_data(where)
    side = data["sides"].pop("emr")
    side |= {"title": "EMR Serverless", "service": SIDE, "cluster": None}
    for each in side["stages"]:
        each |= {"instances": [{"type": "4 vCPU, 16 GB", "count": 3}], "billable_seconds": None, **stage}
    data |= {"sides": {SIDE: side}, "agreement": [], "definitions": {}, "settings": {"emr_serverless.disk_gb": 30}}
    data["dataset"]["events"] = 100_000_000
    return Record.model_validate(data)


def test_a_run_in_an_account_costs_what_was_billed() -> None:
    used = {"vcpu_hours": 0.5, "memory_gb_hours": 2.0, "storage_gb_hours": 1.0}
    cost = run_cost(ran("aws", billable_seconds=100, utilization=used), book(), runtime=model())
    assert amount(cost, "vCPUs", stage="train") == pytest.approx(0.5 * 0.05)
    assert amount(cost, "memory", stage="train") == pytest.approx(2 * 0.005)
    assert amount(cost, "storage", stage="train") == pytest.approx(0.0001)
    # Of 100 s are 15 until the executors were there and 10 the engine's start.
    assert amount(cost, "vCPUs", stage="train", part="work") == pytest.approx(0.75 * 0.5 * 0.05)
    assert cost.total(SIDE, "work", "train") is not None
    assert ", an estimate" not in run_table("a", cost).title


def test_what_was_not_told_yet_is_not_known() -> None:
    cost = run_cost(ran("aws", billable_seconds=100), book(), runtime=model())
    found = cost.total(SIDE)
    assert found is not None
    assert not found.complete


def test_a_laptops_run_is_an_estimate_of_its_workers() -> None:
    cost = run_cost(ran("local"), book(), runtime=model())
    # One driver and two executors of 4 vCPUs: 25 s, and 4e-6 x 100 M / 8 = 50 s that grow; 30 GB of disk, 20 free.
    assert amount(cost, "vCPUs", stage="score") == pytest.approx(3 * 4 * 75 / 3600 * 0.05)
    assert amount(cost, "vCPUs", stage="score", part="work") == pytest.approx(3 * 4 * 50 / 3600 * 0.05)
    assert amount(cost, "memory", stage="score") == pytest.approx(3 * 16 * 75 / 3600 * 0.005)
    assert amount(cost, "storage", stage="score") == pytest.approx(3 * 10 * 75 / 3600 * 0.0001)
    assert all(each.estimate for each in cost.lines if each.name == "vCPUs")
    assert ", an estimate" in run_table("a", cost).title


def test_a_laptops_short_run_takes_a_minute() -> None:
    data = ran("local").model_dump()
    data["dataset"]["events"] = 8_000
    cost = run_cost(Record.model_validate(data), book(), runtime=model())
    assert amount(cost, "vCPUs", stage="score") == pytest.approx(3 * 4 * 60 / 3600 * 0.05)


def test_seconds_of_an_account_are_of_the_executors_without_the_driver() -> None:
    """Two of three workers compute: at 100 M events and 8 vCPUs, 90 s are 10 s and 80 s that grow."""
    fitted = fit_runtime([ran("aws", billable_seconds=90)], book(), model())
    work = fitted.of(SIDE).stages["train"]
    assert work.core_seconds_per_event == pytest.approx((90 - work.fixed_seconds) * 8 / 100e6)


def test_a_pipeline_that_names_no_sizes_is_refused(made: Callable[[dict[str, Any]], Assembly]) -> None:
    assembly = made({"sides": SIDE})
    for template in assembly.templates.values():
        for resource in template["Resources"].values():
            if resource["Type"] == "AWS::StepFunctions::StateMachine" and "StateMachineName" in resource["Properties"]:
                parts = resource["Properties"]["DefinitionString"]["Fn::Join"][1]
                parts[:] = [
                    part.replace("spark.executor.instances", "spark.x") if isinstance(part, str) else part
                    for part in parts
                ]
    with pytest.raises(UserError, match="its parameters name no sizes of workers"):
        estimate(assembly, Usage(), book(), model())
