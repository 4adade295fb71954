"""The app synthesised once in each configuration, for every test of the stacks."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App

from app import build
from local.template import Assembly

REPOSITORY = Path(__file__).resolve().parents[2]

# Every setting differs from its default.
CHANGED = {
    "project": "other",
    "owner": "team@example.com",
    "stage_minutes": 20,
    "dataset.location": "s3://somebody-elses-bucket/shop/",
    "dataset.events": 1_000_000,
    "dataset.seed": 11,
    "dataset.instance_type": "ml.c5.2xlarge",
    "dataset.instance_count": 2,
    "dataset.volume_gb": 100,
    "network.cidr": "172.16.0.0/20",
    "sagemaker.prepare.instance_type": "ml.m5.4xlarge",
    "sagemaker.prepare.volume_gb": 200,
    "sagemaker.train.instance_type": "ml.g4dn.xlarge",
    "sagemaker.train.volume_gb": 60,
    "sagemaker.evaluate.instance_type": "ml.m5.2xlarge",
    "sagemaker.evaluate.volume_gb": 40,
    "sagemaker.score.instance_type": "ml.c5.xlarge",
    "sagemaker.score.instance_count": 2,
    "sagemaker.endpoint.instance_type": "ml.m5d.large",
    "sagemaker.endpoint.minimum": 2,
    "sagemaker.endpoint.maximum": 6,
    "sagemaker.endpoint.invocations_per_instance": 500,
    "emr.release": "emr-7.13.0",
    "emr.primary.instance_type": "m5.2xlarge",
    "emr.primary.volume_gb": 80,
    "emr.core.instance_type": "r5.2xlarge",
    "emr.core.volume_gb": 128,
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


@dataclass(frozen=True)
class Synthesised:
    """One configuration's cloud assembly."""

    name: str
    assembly: Assembly

    def templates(self) -> dict[str, dict[str, Any]]:
        """Template by what the stack is: network, data, sagemaker, emr, comparison."""
        return {stack.rsplit("-", 1)[1]: template for stack, template in self.assembly.templates.items()}


@pytest.fixture(scope="session", params=list(CONFIGURATIONS))
def synthesised(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Synthesised:
    """The app, once in the default configuration and once with everything changed."""
    folder = tmp_path_factory.mktemp(f"cdk-{request.param}")
    context = json.loads((REPOSITORY / "cdk.json").read_text())["context"] | {
        "aws:cdk:enable-path-metadata": True,
        **CONFIGURATIONS[request.param],
    }
    app = App(context=context, outdir=str(folder))
    build(app)
    app.synth()
    return Synthesised(request.param, Assembly(folder))
