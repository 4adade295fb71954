"""What all kinds of custom resources have in common: dispatch, physical ids, clients."""

import importlib
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.stacks.handlers.conftest import MODULES
from tests.stacks.handlers.support import HANDLERS, Wire, event

PROPERTIES: dict[str, dict[str, Any]] = {
    "EmrLeftovers": {"ClusterName": "shop-emr", "SecurityGroupIds": ["sg-1", "sg-2", "sg-3"]},
    "Objects": {"BucketName": "shop-data"},
    "S3PrefixList": {"Name": "com.amazonaws.us-east-1.s3"},
    "SageMakerLeftovers": {"Project": "shop", "SecurityGroupIds": ["sg-1"], "LogGroups": ["/aws/sagemaker/x"]},
    "StoppedApplication": {"ApplicationName": "shop-emr-serverless", "SecurityGroupIds": ["sg-1"]},
    "StopExecutions": {"StateMachineArns": ["arn:aws:states:us-east-1:123456789012:stateMachine:shop"]},
    "TimeToLive": {"Hours": "12"},
}


def test_every_module_with_handlers_is_a_kind(handlers: ModuleType) -> None:
    kinds = {module.__name__ for module in handlers.KINDS.values()}
    others = set(MODULES) - kinds - {"resources"}
    assert not [name for name in others if hasattr(importlib.import_module(name), "on_event")]
    assert set(handlers.KINDS) == {f"Custom::{kind}" for kind in [*PROPERTIES, "Execution"]}


@pytest.mark.parametrize("function", ["on_event", "is_complete"])
def test_an_unknown_type_is_named(handlers: ModuleType, function: str) -> None:
    with pytest.raises(ValueError, match=r"Custom::Nonsense is none of the types here: Custom::EmrLeftovers, "):
        getattr(handlers, function)(event("Nonsense", "Delete", {}), None)


def test_importing_needs_no_region_and_makes_no_client(handlers: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Making a client needs a region."""
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    for module in MODULES:
        sys.modules.pop(module, None)
    for module in MODULES:
        importlib.import_module(module)


# One looks something up, another stops an application before it is changed (test_emr_serverless_cleanup.py).
WORKING = {("Create", "S3PrefixList"), ("Update", "S3PrefixList"), ("Update", "StoppedApplication")}


@pytest.mark.parametrize(
    ("request_type", "kind"),
    sorted({(request, kind) for request in ("Create", "Update") for kind in PROPERTIES} - WORKING),
)
def test_create_and_update_touch_nothing(handlers: ModuleType, request_type: str, kind: str) -> None:
    """No client is even made, so nothing can have been stopped or deleted."""
    asked = event(kind, request_type, PROPERTIES[kind])
    asked |= handlers.on_event(asked, None)
    assert handlers.is_complete(asked, None) == {"IsComplete": True}
    assert sys.modules["clients"].client.cache_info().currsize == 0


@pytest.mark.parametrize("kind", PROPERTIES)
@pytest.mark.parametrize("known", ["{kind}-Resource", "an-id-of-an-earlier-version"])
def test_the_physical_id_stays_the_same(handlers: ModuleType, kind: str, known: str) -> None:
    """A new one would make CloudFormation send a Delete for the old one after an Update."""
    known = known.format(kind=kind)
    assert handlers.on_event(event(kind, "Create", PROPERTIES[kind]), None)["PhysicalResourceId"] == f"{kind}-Resource"
    changed = event(kind, "Update", PROPERTIES[kind], PhysicalResourceId=known)
    assert handlers.on_event(changed, None)["PhysicalResourceId"] == known


@pytest.mark.parametrize("kind", PROPERTIES)
def test_delete_by_an_id_that_cloudformation_made_up(handlers: ModuleType, kind: str) -> None:
    """The framework fails a Delete that is answered with another id."""
    made_up = event(kind, "Delete", PROPERTIES[kind], PhysicalResourceId="shop-sagemaker-Leftovers-1ABCDEFG")
    assert handlers.on_event(made_up, None) == {"PhysicalResourceId": "shop-sagemaker-Leftovers-1ABCDEFG"}


def test_a_long_list_of_what_is_left_is_cut(handlers: ModuleType) -> None:
    answer = sys.modules["events"].complete([f"eni-{number}" for number in range(5000)])
    assert answer == {"IsComplete": False, "Left": [f"eni-{number}" for number in range(10)]}


def test_ten_throttled_calls_in_a_row_are_no_error(
    wire: Callable[[str], Wire], handlers: ModuleType, pauses: list[float]
) -> None:
    requests = wire("emr")
    requests.fail("ListClusters", "ThrottlingException", times=10)
    assert sys.modules["clients"].client("emr").list_clusters()["Clusters"] == []
    assert len(pauses) == 10
    # The standard mode's longest pause; in the older one it grows to minutes.
    assert max(pauses) <= 20


def test_more_throttled_calls_than_that_are_an_error(
    wire: Callable[[str], Wire], handlers: ModuleType, pauses: list[float]
) -> None:
    requests = wire("emr")
    requests.fail("ListClusters", "ThrottlingException", times=11)
    with pytest.raises(ClientError, match="ThrottlingException"):
        sys.modules["clients"].client("emr").list_clusters()
    assert requests.requests == ["ListClusters"] * 11


@pytest.mark.parametrize(
    ("tolerated", "raised"),
    [
        (("NoSuchBucket",), False),
        (("NoSuchBucket: The specified bucket",), False),
        (("NoSuchUpload", "NoSuchBucket"), False),
        (("NoSuchUpload",), True),
        (("NoSuchBucket: Another text",), True),
    ],
)
def test_only_named_errors_are_tolerated(handlers: ModuleType, tolerated: tuple[str, ...], raised: bool) -> None:
    reached = []
    try:
        with sys.modules["clients"].suppress_client_errors(*tolerated):
            boto3.client("s3").list_objects_v2(Bucket="nobody-has-this-bucket")
            reached.append("the end of the block")
    except ClientError:
        reached.append("the error")
    assert reached == (["the error"] if raised else [])


def test_only_the_folder_of_the_handlers_is_needed() -> None:
    """Lambda gets this folder only: a module of the repository beside it could not be imported there."""
    allowed = set(MODULES) | set(sys.stdlib_module_names) | {"boto3", "botocore"}
    imported = {
        line.split()[1].split(".")[0]
        for path in HANDLERS.glob("*.py")
        for line in path.read_text().splitlines()
        if line.startswith(("import ", "from "))
    }
    assert imported <= allowed
    assert {"boto3", "clients", "events"} <= imported
