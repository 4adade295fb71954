"""The app synthesised once in each configuration, and prices and a runtime model in round numbers."""

from datetime import date
from typing import Any

import pytest

from assembly.template import Assembly
from comparison.cost.lines import LineItem, drivers, idle_drivers, run_drivers
from comparison.cost.prices import KINDS, InstanceType, Price, PriceBook, kind_of
from comparison.cost.run import RunCost
from comparison.cost.runtime import RuntimeModel, SideRuntime, StageRuntime
from comparison.cost.template import estimate
from comparison.cost.usage import Usage
from record.schema import STAGES, SideName
from tests.stacks.conftest import CONFIGURATIONS, OTHERS, synthesise

REGION = "us-east-1"
ALL = {**CONFIGURATIONS, **OTHERS}


class Assemblies(dict[str, Assembly]):
    """The four configurations by name, each synthesised when it is first asked for."""

    def __init__(self, folders: pytest.TempPathFactory) -> None:
        super().__init__()
        self._folders = folders

    def __missing__(self, name: str) -> Assembly:
        self[name] = synthesise(name, ALL[name], self._folders.mktemp("cost")).assembly
        return self[name]


@pytest.fixture(scope="session")
def assemblies(tmp_path_factory: pytest.TempPathFactory) -> Assemblies:
    return Assemblies(tmp_path_factory)


@pytest.fixture
def default(assemblies: Assemblies) -> Assembly:
    return assemblies["default"]


def price(item: str, usd: float) -> Price:
    return Price(usd=usd, unit=KINDS[kind_of(item) or item], source="a test", date=date(2026, 1, 1))


def book(**changed: float | None) -> PriceBook:
    """The prices that the tests compute with; None takes one away. In keywords ``__`` is ``/`` and ``_`` is ``.``."""
    prices: dict[str, float | None] = {
        "ec2/m5.xlarge": 0.192,
        "emr/m5.xlarge": 0.048,
        "ebs/gp3": 0.08,
        "emr-serverless/vcpu": 0.05,
        "emr-serverless/memory": 0.005,
        "emr-serverless/storage": 0.0001,
        "sagemaker/processing/ml.m5.xlarge": 0.23,
        "sagemaker/training/ml.m5.xlarge": 0.23,
        "sagemaker/transform/ml.m5.xlarge": 0.23,
        "sagemaker/hosting/ml.m5.large": 0.115,
        "sagemaker/serverless/4096": 0.00008,
        "sagemaker/storage/processing": 0.1,
        "sagemaker/storage/training": 0.14,
        "sagemaker/data-in": 0.016,
        "sagemaker/data-out": 0.016,
        "s3/storage": 0.023,
        "s3/put": 0.000005,
        "s3/get": 0.0000004,
        "kms/key": 1,
        "endpoint/hour": 0.01,
        "states/transition": 0.000025,
        "cloudwatch/alarm": 0.1,
        "cloudwatch/dashboard": 3,
    }
    prices |= {name.replace("__", "/").replace("_", "."): value for name, value in changed.items()}
    sizes = {"m5.large": 2, "m5.xlarge": 4}
    return PriceBook(
        schema_version=1,
        currency="USD",
        instance_types={name: InstanceType(vcpus=vcpus, memory_gib=vcpus * 4) for name, vcpus in sizes.items()},
        regions={REGION: {item: price(item, usd) for item, usd in prices.items() if usd is not None}},
    )


def model(**changed: Any) -> RuntimeModel:
    """Every stage: 10 s, and 4 millionths of a second on one vCPU for each event."""
    stage = StageRuntime(fixed_seconds=10, core_seconds_per_event=4e-6, origin="a test")
    side = {
        "stages": dict.fromkeys(STAGES, stage),
        "startup_origin": "a test",
        "bytes_per_event": 10,
        "puts": 100,
        "gets": 1000,
    }
    sagemaker = SideRuntime.model_validate(
        {**side, "runs_on": "job", "startup_seconds": 60, **changed.get("sagemaker", {})}
    )
    emr = SideRuntime.model_validate({**side, "runs_on": "cluster", "startup_seconds": 300, **changed.get("emr", {})})
    serverless = SideRuntime.model_validate({**side, "runs_on": "job run", "startup_seconds": 15})
    return RuntimeModel(
        raw_bytes_per_event=30,
        data_origin="a test",
        measured_events=(1_000, 1_000_000),
        sides={"sagemaker": sagemaker, "sagemaker-spark": sagemaker, "emr": emr, "emr-serverless": serverless},
    )


def line(assembly: Assembly, side: SideName, name: str, usage: Usage) -> tuple[LineItem, dict[str, float]]:
    """A side's line item of this name, and its amount in US dollars of a run, of a month, and of one without runs."""
    found = estimate(assembly, usage, book(), model())
    (only,) = [each for each in found.lines if each.name == name and each.side == side]
    periods = {"run": run_drivers, "month": drivers, "idle": idle_drivers}
    return only, {name: only.amount(of(found.usage, found.parameters)) or 0.0 for name, of in periods.items()}


def amount(cost: RunCost, name: str, **where: Any) -> float:
    """The US dollars of a run's lines of this name, and with these values."""
    lines = [each for each in cost.lines if each.name == name]
    lines = [each for each in lines if all(getattr(each, key) == value for key, value in where.items())]
    return sum(each.amount or 0 for each in lines)
