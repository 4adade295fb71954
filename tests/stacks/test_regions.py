"""Where it can be deployed: every region in which each resource type and image of the templates exists."""

import re
from collections.abc import Callable
from pathlib import Path

import boto3
import pytest
from cfnlint.helpers import REGIONS
from cfnlint.schema import ResourceNotFoundError
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from stacks.shared.sagemaker.images import XGBOOST_ACCOUNTS
from tests.stacks.conftest import CONFIGURATIONS, OTHERS, Synthesised

DEPLOY = Path(__file__).resolve().parents[2] / "docs" / "deploy.md"
BUDGET = "AWS::Budgets::Budget"

# Where EMR has auto-termination, without which a forgotten cluster runs for ever: AWS's list of 2023 (awsdocs,
# amazon-emr-management-guide, emr-auto-termination-policy.md), and what could be read of today's (the same page, whose
# stored copy is cut off in the middle of the list; 2026-11-27). Managed scaling is in these and more
# (emr-managed-scaling.md, likewise). No schema knows this.
AUTO_TERMINATION = {
    *("ap-northeast-1", "ap-northeast-2", "ap-south-1", "ap-southeast-1", "ap-southeast-2", "ca-central-1"),
    *("eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3", "sa-east-1"),
    *("us-east-1", "us-east-2", "us-west-1", "us-west-2"),
    *("af-south-1", "ap-east-1", "ap-northeast-3", "ap-south-2", "eu-south-2"),
}


@pytest.fixture(scope="module")
def types(once: Callable[[str], Synthesised]) -> set[str]:
    """Every resource type that any configuration has."""
    return {
        resource["Type"]
        for name in (*CONFIGURATIONS, *OTHERS)
        for template in once(name).templates().values()
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


@pytest.mark.slow
def test_documented_regions_are_those_that_have_everything(types: set[str]) -> None:
    commercial = set(boto3.session.Session().get_available_regions("ec2", partition_name="aws"))
    missing = {
        region: lacking(region, types) for region in REGIONS if region in XGBOOST_ACCOUNTS and region in commercial
    }
    assert len(missing) > 25
    can = {region: kinds for region, kinds in missing.items() if region in AUTO_TERMINATION}
    assert documented("everything") == {region for region, kinds in can.items() if not kinds}
    assert documented("without a budget") == {region for region, kinds in can.items() if kinds == {BUDGET}}
    others = {region for region, kinds in missing.items() if kinds <= {BUDGET}} - AUTO_TERMINATION
    assert documented("not confirmed: idle termination on EMR") == others
    assert "me-south-1" in others


def test_a_missing_type_shows() -> None:
    assert lacking("eu-north-1", {BUDGET, "AWS::S3::Bucket"}) == {BUDGET}
