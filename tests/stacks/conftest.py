"""The app synthesised once in each configuration, for every test of the stacks."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App

from app import build
from assembly.template import Assembly, app_context
from sides import SIDES
from stacks.network.stack import DELETE_DATA

# Every setting differs from its default, but for those that exclude one of these (see OTHERS).
CHANGED = {
    "project": "other",
    "owner": "team@example.com",
    "time_to_live_hours": 48,
    "permissions_boundary": "team-boundary",
    "stage_minutes": 20,
    "dataset.location": "s3://somebody-elses-bucket/shop/",
    "dataset.events": 1_000_000,
    "dataset.seed": 11,
    "dataset.instance_type": "ml.c5.2xlarge",
    "dataset.instance_count": 2,
    "dataset.volume_gb": 100,
    "data.deletable": True,
    DELETE_DATA: True,
    "alerts.email": "team@example.com",
    "alerts.monthly_budget_usd": 500,
    "network.cidr": "172.16.0.0/20",
    "network.nat": True,
    "network.session_manager": True,
    "sagemaker.prepare.instance_type": "ml.m5.4xlarge",
    "sagemaker.prepare.volume_gb": 200,
    "sagemaker.train.instance_type": "ml.r5d.xlarge",
    "sagemaker.train.instance_count": 3,
    "sagemaker.train.volume_gb": 60,
    "sagemaker.evaluate.instance_type": "ml.m5.2xlarge",
    "sagemaker.evaluate.volume_gb": 40,
    "sagemaker.score.instance_type": "ml.c5.xlarge",
    "sagemaker.score.instance_count": 2,
    "sagemaker.endpoint.instance_type": "ml.m5d.large",
    "sagemaker.endpoint.minimum": 2,
    "sagemaker.endpoint.maximum": 6,
    "sagemaker.endpoint.invocations_per_instance": 500,
    "sagemaker.endpoint.scale_in_seconds": 600,
    "sagemaker.endpoint.scale_out_seconds": 120,
    "sagemaker.endpoint.latency_ms": 250,
    "sagemaker.endpoint.capture_percent": 10,
    "emr.release": "emr-7.13.0",
    "emr.provisioning": "fleets",
    "emr.certificates": "pem",
    "emr.primary.instance_type": "m5.2xlarge",
    "emr.primary.volume_gb": 80,
    "emr.primary.alternatives": "m5a.2xlarge",
    "emr.core.instance_type": "r5.2xlarge",
    "emr.core.volume_gb": 128,
    "emr.core.alternatives": "r5a.2xlarge",
    "emr.task.instance_type": "c5.2xlarge",
    "emr.task.volume_gb": 32,
    "emr.task.alternatives": "c5a.2xlarge,c6i.2xlarge",
    "emr.task.count": 2,
    "emr.task.spot": True,
    "emr.task.spot_minutes": 15,
    "emr.minimum": 2,
    "emr.maximum": 8,
    "emr.idle_minutes": 30,
    "hyperparameters.num_round": 200,
    "hyperparameters.max_depth": 6,
    "hyperparameters.eta": 0.2,
    "hyperparameters.min_child_weight": 2.5,
    "hyperparameters.subsample": 0.9,
    "hyperparameters.colsample_bytree": 0.8,
    "hyperparameters.lambda": 2.0,
    "hyperparameters.alpha": 0.5,
    "hyperparameters.seed": 3,
}
CONFIGURATIONS: dict[str, dict[str, Any]] = {"default": {}, "changed": CHANGED}

# Settings that exclude some of those above.
OTHERS: dict[str, dict[str, Any]] = {
    "serverless and transient": {
        "sagemaker.endpoint.mode": "serverless",
        "sagemaker.endpoint.memory_mb": 4096,
        "sagemaker.endpoint.concurrency": 20,
        "emr.mode": "transient",
        "emr.task.count": 1,
        "time_to_live_hours": 0,
        "alerts.monthly_budget_usd": 0,
    },
    "own network": {
        "network.vpc_id": "vpc-0123456789abcdef0",
        "network.subnet_ids": "subnet-0123456789abcdef0,subnet-0123456789abcdef1",
        "sagemaker.endpoint.minimum": 2,
        "sagemaker.endpoint.maximum": 2,
    },
}

# Settings of sides that are not there by default.
OTHERS["emr serverless"] = {
    "sides": "sagemaker,emr,emr-serverless",
    "sagemaker.endpoint.maximum": 1,
    "stage_minutes": 10,
    "emr_serverless.executors": 3,
    "emr_serverless.vcpus": 8,
    "emr_serverless.memory_gb": 60,
    "emr_serverless.disk_gb": 120,
    "emr_serverless.maximum_vcpus": 64,
    "emr_serverless.maximum_memory_gb": 480,
    "emr_serverless.idle_minutes": 30,
}

OTHERS["sagemaker spark"] = {
    "sides": "sagemaker,emr,sagemaker-spark",
    "sagemaker.endpoint.maximum": 1,
    "stage_minutes": 30,
    "sagemaker_spark.prepare.instance_type": "ml.r5d.2xlarge",
    "sagemaker_spark.prepare.instance_count": 3,
    "sagemaker_spark.prepare.volume_gb": 80,
    "sagemaker_spark.train.instance_type": "ml.c5.2xlarge",
    "sagemaker_spark.train.instance_count": 4,
    "sagemaker_spark.train.volume_gb": 40,
    "sagemaker_spark.evaluate.instance_type": "ml.c5.xlarge",
    "sagemaker_spark.evaluate.instance_count": 1,
    "sagemaker_spark.evaluate.volume_gb": 50,
    "sagemaker_spark.score.instance_type": "ml.c5.xlarge",
    "sagemaker_spark.score.instance_count": 3,
}

# A side may be deployed alone.
ONE_SIDE: dict[str, dict[str, Any]] = {f"{side} alone": {"sides": side} for side in SIDES}

# What decides over permissions, each alone, where no other configuration has it so.
PERMISSIONS: dict[str, dict[str, Any]] = {
    "capture": {"sagemaker.endpoint.capture_percent": 10},
    "session manager": {"network.session_manager": True},
    "deletable": {"data.deletable": True, DELETE_DATA: "true"},
}
ALL = CONFIGURATIONS | OTHERS | ONE_SIDE | PERMISSIONS


def slow_others(names: Iterable[str]) -> list[Any]:
    """Configurations as parameters of a fixture: `make check` has the default and the changed one, and no other."""
    return [name if name in CONFIGURATIONS else pytest.param(name, marks=pytest.mark.slow) for name in names]


@dataclass(frozen=True)
class Synthesised:
    """One configuration's cloud assembly."""

    name: str
    assembly: Assembly

    def templates(self) -> dict[str, dict[str, Any]]:
        """Template by what the stack is: network, data, a side's name, comparison."""
        project = next(name for name in self.assembly.templates if name.endswith("-network")).removesuffix("network")
        return {stack.removeprefix(project): template for stack, template in self.assembly.templates.items()}

    @property
    def sides(self) -> list[str]:
        """The sides that are deployed."""
        return [stack for stack in self.templates() if stack in SIDES]


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Synthesised]:
    """Synthesise a configuration by its name, once: a fixture with parameters is made anew in each file."""
    return cache(lambda name: synthesise(name, ALL[name], tmp_path_factory.mktemp("cdk")))


@pytest.fixture(scope="session", params=list(CONFIGURATIONS))
def synthesised(request: pytest.FixtureRequest, once: Callable[[str], Synthesised]) -> Synthesised:
    """The app, once in the default configuration and once with everything changed."""
    return once(request.param)


@pytest.fixture(scope="session", params=slow_others(OTHERS))
def other(request: pytest.FixtureRequest, once: Callable[[str], Synthesised]) -> Synthesised:
    """The app in the configurations that exclude settings of the first two."""
    return once(request.param)


@pytest.fixture(scope="session", params=slow_others(ONE_SIDE))
def one_side(request: pytest.FixtureRequest, once: Callable[[str], Synthesised]) -> Synthesised:
    """The app with one side alone."""
    return once(request.param)


def synthesise(name: str, settings: dict[str, Any], folder: Path) -> Synthesised:
    """The app with these settings, in this process; without the CDK's validator, which takes longer than all the rest.

    It checks the templates where app.py itself runs, and cfn-lint checks them in every configuration.
    """
    app = App(context=app_context(settings), outdir=str(folder), builtin_cloud_formation_validation=False)
    build(app)
    app.synth()
    return Synthesised(name, Assembly(folder))
