"""When a resource may clean up: with its stack, and never in an update."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import boto3
import pytest

from tests.stacks.handlers.support import Wire, event, run, stack

CLEANING: dict[str, dict[str, Any]] = {
    "EmrLeftovers": {"ClusterName": "shop-emr", "SecurityGroupIds": []},
    "Objects": {"BucketName": "shop-data"},
    "SageMakerLeftovers": {
        "Project": "shop",
        "Endpoints": [],
        "SecurityGroupIds": [],
        "LogGroups": ["/aws/sagemaker/Endpoints/shop"],
    },
}


@pytest.fixture(autouse=True)
def account(handlers: ModuleType) -> None:
    """Something that each kind would remove."""
    boto3.client("s3").create_bucket(Bucket="shop-data")
    boto3.client("s3").put_object(Bucket="shop-data", Key="precious", Body=b"data")
    boto3.client("emr").run_job_flow(
        Name="shop-emr",
        Instances={"KeepJobFlowAliveWhenNoSteps": True, "InstanceCount": 1, "MasterInstanceType": "m5.xlarge"},
    )
    boto3.client("logs").create_log_group(logGroupName="/aws/sagemaker/Endpoints/shop")


def left() -> tuple[int, int, int]:
    return (
        boto3.client("s3").list_objects_v2(Bucket="shop-data")["KeyCount"],
        len(boto3.client("emr").list_clusters(ClusterStates=["STARTING", "RUNNING", "WAITING"])["Clusters"]),
        len(boto3.client("logs").describe_log_groups()["logGroups"]),
    )


@pytest.mark.parametrize("kind", CLEANING)
@pytest.mark.parametrize(
    "status",
    [
        "UPDATE_IN_PROGRESS",
        "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
        "UPDATE_ROLLBACK_IN_PROGRESS",
        "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
    ],
)
def test_an_update_that_takes_the_resource_away_or_rolls_back_removes_nothing(
    kind: str, status: str, handlers: ModuleType, wire: Callable[[str], Wire]
) -> None:
    wire("cloudformation").answer("DescribeStacks", stack(status), times=9)
    before = left()
    assert run(handlers, event(kind, "Delete", CLEANING[kind])) == 1
    assert left() == before


@pytest.mark.parametrize("kind", CLEANING)
@pytest.mark.parametrize("status", ["DELETE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS"])
def test_the_end_of_the_stack_does(kind: str, status: str, handlers: ModuleType, wire: Callable[[str], Wire]) -> None:
    wire("cloudformation").answer("DescribeStacks", stack(status), times=9)
    before = left()
    run(handlers, event(kind, "Delete", CLEANING[kind]))
    assert left() != before
