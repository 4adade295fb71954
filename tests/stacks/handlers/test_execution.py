"""The custom resource's handlers, on moto's Step Functions engine."""

import importlib
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import pytest
from moto import mock_aws

HANDLERS = Path(__file__).resolve().parents[3] / "stacks" / "handlers"
ROLE = "arn:aws:iam::123456789012:role/any"
MACHINES = {
    "succeeds": {"Type": "Pass", "Parameters": {"model": "s3://b/model.tar.gz", "run_id.$": "$.run_id"}, "End": True},
    "fails": {"Type": "Fail", "Error": "TrainFailed", "Cause": "no rows"},
    "waits": {"Type": "Wait", "Seconds": 60, "End": True},
}


@pytest.fixture
def handler(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The handlers as Lambda imports them."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.syspath_prepend(str(HANDLERS))
    with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
        sys.modules.pop("execution", None)
        yield importlib.import_module("execution")
    sys.modules.pop("execution", None)


def machine(name: str) -> str:
    definition = json.dumps({"StartAt": "only", "States": {"only": MACHINES[name]}})
    client = boto3.client("stepfunctions", region_name="us-east-1")
    return str(client.create_state_machine(name=name, definition=definition, roleArn=ROLE)["stateMachineArn"])


def event(kind: str, arn: str, **more: Any) -> dict[str, Any]:
    properties = {"StateMachineArn": arn, "Revision": "1", "Input": {"raw": "s3://b/raw/"}}
    return {"RequestType": kind, "RequestId": "1B4E28BA-2FA1-11D2-883F", "ResourceProperties": properties, **more}


def wait(handler: ModuleType, asked: dict[str, Any]) -> dict[str, Any]:
    for _ in range(100):
        answer: dict[str, Any] = handler.is_complete(asked, None)
        if answer["IsComplete"]:
            return answer
        time.sleep(0.05)
    raise AssertionError("the execution does not end")


def ended(arn: str) -> str:
    """The status of an execution that ends soon: moto stops one in a thread of its own."""
    client = boto3.client("stepfunctions", region_name="us-east-1")
    for _ in range(100):
        status = str(client.describe_execution(executionArn=arn)["status"])
        if status != "RUNNING":
            return status
        time.sleep(0.05)
    return "RUNNING"


@pytest.mark.parametrize("kind", ["Create", "Update"])
def test_output_becomes_attributes(handler: ModuleType, kind: str) -> None:
    asked = event(kind, machine("succeeds"))
    started = handler.on_event(asked, None)
    answer = wait(handler, asked | started)
    assert answer["Data"] == {"model": "s3://b/model.tar.gz", "run_id": "deploy-1b4e28ba2fa1"}


def test_failure_names_the_stage_and_the_cause(handler: ModuleType) -> None:
    asked = event("Create", machine("fails"))
    started = handler.on_event(asked, None)
    with pytest.raises(RuntimeError, match="FAILED: TrainFailed: no rows"):
        wait(handler, asked | started)


def test_repeated_request_finds_the_running_execution(handler: ModuleType) -> None:
    asked = event("Create", machine("waits"))
    assert handler.on_event(asked, None) == handler.on_event(asked, None)


def test_running_is_not_complete(handler: ModuleType) -> None:
    asked = event("Create", machine("waits"))
    assert handler.is_complete(asked | handler.on_event(asked, None), None) == {"IsComplete": False}


def test_delete_stops_the_execution(handler: ModuleType) -> None:
    arn = machine("waits")
    started = handler.on_event(event("Create", arn), None)
    deleted = event("Delete", arn, **started)
    assert handler.on_event(deleted, None) == started
    assert handler.is_complete(deleted, None) == {"IsComplete": True}
    assert ended(started["PhysicalResourceId"]) == "ABORTED"


def test_delete_while_create_still_waits_stops_whatever_runs(handler: ModuleType) -> None:
    """CloudFormation then names the resource by an id of its own."""
    arn = machine("waits")
    started = handler.on_event(event("Create", arn), None)
    handler.on_event(event("Delete", arn, PhysicalResourceId="stack-FirstRun-1ABC"), None)
    assert ended(started["PhysicalResourceId"]) == "ABORTED"


def test_delete_of_what_was_never_started_or_is_gone_is_fine(handler: ModuleType) -> None:
    arn = machine("waits")
    handler.on_event(event("Delete", arn, PhysicalResourceId="stack-FirstRun-1ABC"), None)
    gone = arn.replace(":stateMachine:", ":execution:") + ":never"
    handler.on_event(event("Delete", arn, PhysicalResourceId=gone), None)


def test_delete_after_the_end_changes_nothing(handler: ModuleType) -> None:
    arn = machine("succeeds")
    asked = event("Create", arn)
    started = handler.on_event(asked, None)
    wait(handler, asked | started)
    handler.on_event(event("Delete", arn, **started), None)
    assert ended(started["PhysicalResourceId"]) == "SUCCEEDED"
