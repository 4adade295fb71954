"""Where it can be deployed: every region in which each resource type and image of the templates exists."""

import re
from pathlib import Path

import boto3
import pytest
from cfnlint.helpers import REGIONS
from cfnlint.schema import ResourceNotFoundError
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from stacks.images import XGBOOST_ACCOUNTS
from tests.stacks.conftest import CONFIGURATIONS, OTHERS, synthesise

DEPLOY = Path(__file__).resolve().parents[2] / "docs" / "deploy.md"
BUDGET = "AWS::Budgets::Budget"


@pytest.fixture(scope="module")
def types(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Every resource type that any configuration has."""
    return {
        resource["Type"]
        for name, settings in {**CONFIGURATIONS, **OTHERS}.items()
        for template in synthesise(name, settings, tmp_path_factory.mktemp("regions")).templates().values()
        for resource in template["Resources"].values()
        if not resource["Type"].startswith("Custom::")
    }


def lacking(region: str, types: set[str]) -> set[str]:
    """The resource types that CloudFormation does not have in a region, by its own schemas (in cfn-lint)."""
    missing = set()
    for kind in types:
        try:
            PROVIDER_SCHEMA_MANAGER.get_resource_schema(region, kind)
        except ResourceNotFoundError:
            missing.add(kind)
    return missing


def documented(heading: str) -> set[str]:
    """The regions that docs/deploy.md lists behind a heading of its table."""
    (row,) = re.findall(rf"^\| {heading} \| (.*) \|$", DEPLOY.read_text(), re.MULTILINE)
    return set(re.findall(r"`([a-z0-9-]+)`", row))


def test_documented_regions_are_those_that_have_everything(types: set[str]) -> None:
    commercial = set(boto3.session.Session().get_available_regions("ec2", partition_name="aws"))
    missing = {
        region: lacking(region, types) for region in REGIONS if region in XGBOOST_ACCOUNTS and region in commercial
    }
    assert len(missing) > 25
    assert documented("everything") == {region for region, kinds in missing.items() if not kinds}
    assert documented("without a budget") == {region for region, kinds in missing.items() if kinds == {BUDGET}}


def test_a_missing_type_shows() -> None:
    assert lacking("eu-north-1", {BUDGET, "AWS::S3::Bucket"}) == {BUDGET}
