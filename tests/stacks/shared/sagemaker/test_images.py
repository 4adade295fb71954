"""The images are those that AWS's own package names. Its import takes seconds: no test waits for it but these."""

from importlib import import_module
from types import ModuleType

import pytest

from stacks.shared.sagemaker.images import SPARK_ACCOUNTS, SPARK_IMAGE, XGBOOST_ACCOUNTS, XGBOOST_IMAGE
from tests.stacks.conftest import Synthesised


@pytest.fixture(scope="module")
def image_uris() -> ModuleType:
    return import_module("sagemaker.core.image_uris")


@pytest.mark.slow
def test_every_region_that_the_sagemaker_package_knows_is_mapped(image_uris: ModuleType) -> None:
    known = image_uris.config_for_framework("xgboost")["training"]["versions"]["3.2-0"]["registries"]
    assert known == XGBOOST_ACCOUNTS


@pytest.mark.slow
@pytest.mark.parametrize("region", sorted(XGBOOST_ACCOUNTS))
def test_image_is_the_one_that_the_sagemaker_package_names(region: str, image_uris: ModuleType) -> None:
    uri = image_uris.retrieve("xgboost", region, version="3.2-0")
    account, _, rest = uri.partition(".dkr.ecr.")
    assert account == XGBOOST_ACCOUNTS[region]
    assert rest.split("/", 1)[0].startswith(f"{region}.")
    assert rest.split("/", 1)[1] == XGBOOST_IMAGE


@pytest.mark.slow
def test_the_spark_image_is_the_one_that_the_sagemaker_package_names(image_uris: ModuleType) -> None:
    """It knows no tags of py312's releases, but where the image is."""
    known = image_uris.config_for_framework("spark")["processing"]["versions"]["3.5"]
    assert known["registries"] == SPARK_ACCOUNTS
    repository, tag = SPARK_IMAGE.split(":")
    assert repository == known["repository"]
    assert tag.split("-")[2] in known["py_versions"]


def test_templates_name_the_image_through_the_mapping(synthesised: Synthesised) -> None:
    model = synthesised.assembly.templates[next(s for s in synthesised.assembly.templates if s.endswith("sagemaker"))]
    container = next(r for r in model["Resources"].values() if r["Type"] == "AWS::SageMaker::Model")["Properties"][
        "PrimaryContainer"
    ]
    assert "Fn::FindInMap" in str(container["Image"])
