"""Instance types: what is known of them, and which storage volumes take a key."""

import json
from typing import Any

import botocore.loaders
import pytest

from stacks.instances import families, family, family_name, has_local_disks, read_from_moto
from tests.stacks.conftest import synthesise

SHAPES = ("TrainingInstanceType", "ProcessingInstanceType", "TransformInstanceType", "ProductionVariantInstanceType")


def test_the_data_are_those_that_moto_keeps_now() -> None:
    """With a newer moto: make instances, and review the diff."""
    assert families() == read_from_moto()


def test_all_that_sagemaker_offers_is_known_but_for_retired_and_other_accelerators() -> None:
    shapes = botocore.loaders.Loader().load_service_model("sagemaker", "service-2")["shapes"]
    offered = {kind for shape in SHAPES for kind in shapes[shape]["enum"]}
    unknown = {family_name(kind) for kind in offered if family(kind) is None}
    assert unknown == {"dl1", "p2", "p3", "p6e-gb200"}


@pytest.mark.parametrize(
    "kind", ["ml.g4dn.xlarge", "ml.r5d.large", "ml.c5d.large", "ml.trn2.48xlarge", "ml.g7.2xlarge"]
)
def test_types_with_disks_of_their_own(kind: str) -> None:
    assert has_local_disks(kind)


@pytest.mark.parametrize("kind", ["ml.m5.xlarge", "ml.c7i-flex.large", "ml.inf1.xlarge", "ml.t3.medium"])
def test_types_without(kind: str) -> None:
    assert not has_local_disks(kind)


def test_a_type_that_is_not_known_may_have_disks() -> None:
    """A job without a key for its volume runs; one with a key that its type refuses does not."""
    assert has_local_disks("ml.z99.xlarge")


@pytest.mark.slow
def test_keys_for_volumes_are_left_out_just_where_the_type_has_disks(tmp_path: Any) -> None:
    types = {"prepare": "ml.r5d.xlarge", "train": "ml.r5d.2xlarge", "evaluate": "ml.m5.xlarge", "score": "ml.c5.xlarge"}
    settings = {f"sagemaker.{stage}.instance_type": kind for stage, kind in types.items()}
    app = synthesise("disks", {**settings, "sagemaker.endpoint.instance_type": "ml.c5d.large"}, tmp_path)
    (machine,) = (m for arn, m in app.assembly.state_machines().items() if arn.endswith("-sagemaker"))
    for stage, kind in types.items():
        request = json.dumps(machine["States"][stage]["Parameters"])
        assert f'"{kind}"' in request
        assert ("VolumeKmsKeyId" in request) == (".r5d." not in kind)
    resources = app.templates()["sagemaker"]["Resources"].values()
    (config,) = (each["Properties"] for each in resources if each["Type"] == "AWS::SageMaker::EndpointConfig")
    assert "KmsKeyId" not in config
