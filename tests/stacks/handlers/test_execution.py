"""``Custom::Execution``, on moto's Step Functions engine."""

import json
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

import boto3
import pytest
from moto.stepfunctions.exceptions import ExecutionDoesNotExist
from moto.stepfunctions.responses import StepFunctionResponse

from tests.stacks.handlers import support

ROLE = "arn:aws:iam::123456789012:role/any"
MACHINES: dict[str, dict[str, Any]] = {
    "succeeds": {"Type": "Pass", "Parameters": {"model": "s3://b/model.tar.gz", "run_id.$": "$.run_id"}, "End": True},
    "fails": {"Type": "Fail", "Error": "TrainFailed", "Cause": "no rows"},
    "waits": {"Type": "Wait", "Seconds": 60, "End": True},
}


@pytest.fixture
def moto_config() -> dict[str, Any]:
    return {"stepfunctions": {"execute_state_machine": True}}


def machine(name: str) -> str:
    definition = json.dumps({"StartAt": "only", "States": {"only": MACHINES[name]}})
    client = boto3.client("stepfunctions", region_name="us-east-1")
    return str(client.create_state_machine(name=name, definition=definition, roleArn=ROLE)["stateMachineArn"])


def event(kind: str, arn: str, **more: Any) -> dict[str, Any]:
    properties = {"StateMachineArn": arn, "Revision": "INITIAL", "Input": {"raw": "s3://b/raw/"}}
    return support.event("Execution", kind, properties, **more)


def wait(handlers: ModuleType, asked: dict[str, Any]) -> dict[str, Any]:
    for _ in range(1200):
        answer: dict[str, Any] = handlers.is_complete(asked, None)
        if answer["IsComplete"]:
            return answer
        time.sleep(0.05)
    raise AssertionError("the execution does not end")


def ended(arn: str) -> str:
    """The status of an execution that ends soon: moto stops one in a thread of its own."""
    client = boto3.client("stepfunctions", region_name="us-east-1")
    for _ in range(1200):
        status = str(client.describe_execution(executionArn=arn)["status"])
        if status != "RUNNING":
            return status
        time.sleep(0.05)
    return "RUNNING"


@pytest.mark.parametrize("kind", ["Create", "Update"])
def test_output_becomes_attributes(handlers: ModuleType, kind: str) -> None:
    asked = event(kind, machine("succeeds"))
    started = handlers.on_event(asked, None)
    answer = wait(handlers, asked | started)
    assert answer["Data"] == {"model": "s3://b/model.tar.gz", "run_id": "deploy-1b4e28ba2fa1"}


def test_failure_names_the_stage_and_the_cause(handlers: ModuleType) -> None:
    asked = event("Create", machine("fails"))
    started = handlers.on_event(asked, None)
    with pytest.raises(RuntimeError, match="FAILED: TrainFailed: no rows"):
        wait(handlers, asked | started)


def test_repeated_request_finds_the_running_execution(handlers: ModuleType) -> None:
    asked = event("Create", machine("waits"))
    assert handlers.on_event(asked, None) == handlers.on_event(asked, None)


def test_running_is_not_complete(handlers: ModuleType) -> None:
    asked = event("Create", machine("waits"))
    assert handlers.is_complete(asked | handlers.on_event(asked, None), None) == {"IsComplete": False}


def test_delete_stops_the_execution(handlers: ModuleType) -> None:
    arn = machine("waits")
    started = handlers.on_event(event("Create", arn), None)
    deleted = event("Delete", arn, **started)
    assert handlers.on_event(deleted, None) == started
    assert handlers.is_complete(deleted, None) == {"IsComplete": True}
    assert ended(started["PhysicalResourceId"]) == "ABORTED"


def test_delete_while_create_still_waits_stops_whatever_runs(handlers: ModuleType) -> None:
    """CloudFormation then names the resource by an id of its own."""
    arn = machine("waits")
    started = handlers.on_event(event("Create", arn), None)
    handlers.on_event(event("Delete", arn, PhysicalResourceId="stack-FirstRun-1ABC"), None)
    assert ended(started["PhysicalResourceId"]) == "ABORTED"


def test_delete_of_what_was_never_started_or_is_gone_is_fine(handlers: ModuleType) -> None:
    arn = machine("waits")
    handlers.on_event(event("Delete", arn, PhysicalResourceId="stack-FirstRun-1ABC"), None)
    gone = arn.replace(":stateMachine:", ":execution:") + ":never"
    handlers.on_event(event("Delete", arn, PhysicalResourceId=gone), None)


def test_delete_after_the_end_changes_nothing(handlers: ModuleType) -> None:
    arn = machine("succeeds")
    asked = event("Create", arn)
    started = handlers.on_event(asked, None)
    wait(handlers, asked | started)
    handlers.on_event(event("Delete", arn, **started), None)
    assert ended(started["PhysicalResourceId"]) == "SUCCEEDED"


def test_delete_when_the_machine_itself_is_gone_is_fine(handlers: ModuleType) -> None:
    gone = machine("waits") + "-never"
    deleted = event("Delete", gone, PhysicalResourceId="stack-FirstRun-1ABC")
    assert support.run(handlers, deleted) == 1


def updated(name: str, state: dict[str, Any]) -> None:
    """The machine with another definition, as CloudFormation changes it."""
    arn = f"arn:aws:states:us-east-1:123456789012:stateMachine:{name}"
    definition = json.dumps({"StartAt": "only", "States": {"only": state}})
    boto3.client("stepfunctions", region_name="us-east-1").update_state_machine(
        stateMachineArn=arn, definition=definition
    )


def revision(arn: str) -> str:
    """As CloudFormation's attribute StateMachineRevisionId has it."""
    described = boto3.client("stepfunctions", region_name="us-east-1").describe_state_machine(stateMachineArn=arn)
    return str(described.get("revisionId", "INITIAL"))


def update(handlers: ModuleType, arn: str, request: str, run: dict[str, str], **more: Any) -> str:
    properties = {"StateMachineArn": arn, "Revision": revision(arn), "Input": run} | more
    asked = support.event("Execution", "Update", properties, RequestId=request, PhysicalResourceId="any")
    started = handlers.on_event(asked, None)
    wait(handlers, asked | started)
    return str(started["PhysicalResourceId"])


@pytest.fixture
def definitions_of_then(monkeypatch: pytest.MonkeyPatch) -> None:
    support.keep_definitions(monkeypatch)


@pytest.mark.usefixtures("definitions_of_then")
def test_a_rollback_takes_the_execution_of_then(handlers: ModuleType) -> None:
    """Update to another definition and back: the first execution's output counts again, and nothing runs."""
    arn, run = machine("succeeds"), {"raw": "s3://b/raw/"}
    first = update(handlers, arn, "1111", run)
    updated("succeeds", {**MACHINES["succeeds"], "Comment": "changed"})
    second = update(handlers, arn, "2222", run)
    assert second != first
    updated("succeeds", MACHINES["succeeds"])
    assert update(handlers, arn, "3333", run) == first


def test_other_input_is_run_and_the_same_is_not(handlers: ModuleType) -> None:
    arn = machine("succeeds")
    first = update(handlers, arn, "1111", {"raw": "s3://b/one/"})
    assert update(handlers, arn, "2222", {"raw": "s3://b/two/"}) != first
    assert update(handlers, arn, "3333", {"raw": "s3://b/one/"}) == first


def test_what_failed_or_was_started_by_others_is_not_taken(handlers: ModuleType) -> None:
    arn, client = machine("succeeds"), boto3.client("stepfunctions", region_name="us-east-1")
    theirs = client.start_execution(stateMachineArn=arn, name="mine", input='{"run_id": "mine", "raw": "s3://b/raw/"}')
    assert ended(theirs["executionArn"]) == "SUCCEEDED"
    assert update(handlers, arn, "1111", {"raw": "s3://b/raw/"}) != theirs["executionArn"]
    failing = machine("fails")
    asked = event("Create", failing)
    failed = handlers.on_event(asked, None)["PhysicalResourceId"]
    assert ended(failed) == "FAILED"
    again = {**event("Update", failing, RequestId="2222"), "PhysicalResourceId": failed}
    again["ResourceProperties"]["Revision"] = revision(failing)
    assert handlers.on_event(again, None)["PhysicalResourceId"] != failed


def test_nothing_is_taken_while_the_machine_is_not_seen_as_it_is_now(
    handlers: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DescribeStateMachine may show the definition of before for a while after a change."""
    monkeypatch.setattr("execution._PAUSE_SECONDS", 0)
    arn, run = machine("succeeds"), {"raw": "s3://b/raw/"}
    first = update(handlers, arn, "1111", run)
    assert update(handlers, arn, "2222", run, Revision="another") != first


def first_looks(monkeypatch: pytest.MonkeyPatch, times: int, change: Callable[[Any], None]) -> None:
    """The first answers to which definition an execution has are changed so; nobody pauses."""
    late = iter(range(times))
    describe = StepFunctionResponse.describe_state_machine_for_execution

    def described(self: Any) -> Any:
        answer = describe(self)
        if next(late, None) is not None:
            change(answer)
        return answer

    monkeypatch.setattr(StepFunctionResponse, "describe_state_machine_for_execution", described)
    monkeypatch.setattr("execution._PAUSE_SECONDS", 0)


def of_before(answer: Any) -> None:
    answer.result["revisionId"] = "before"


def not_seen(answer: Any) -> None:
    raise ExecutionDoesNotExist("not seen yet")


@pytest.mark.parametrize("times", [1, 3, 9])
def test_a_start_with_the_definition_of_before_is_stopped_and_made_again(
    handlers: ModuleType, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """As it may be for seconds after an update; the last start runs in any case."""
    first_looks(monkeypatch, times, of_before)
    arn = machine("waits")
    asked = event("Update", arn, PhysicalResourceId="any")
    started = handlers.on_event(asked, None)["PhysicalResourceId"]
    stopped = min(times, 3)
    assert started.endswith(f"deploy-1b4e28ba2fa1-{stopped}")
    names = ["deploy-1b4e28ba2fa1", *(f"deploy-1b4e28ba2fa1-{number}" for number in range(1, stopped))]
    assert [ended(f"{started.rsplit(':', 1)[0]}:{name}") for name in names] == ["ABORTED"] * stopped
    described_again = handlers.on_event(asked, None)["PhysicalResourceId"]
    assert described_again == started, "the same event once more finds the execution that runs"


@pytest.mark.parametrize("times", [2, 9])
def test_an_execution_that_is_not_seen_yet_is_the_one(
    handlers: ModuleType, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    """What was started may be unknown for a moment; no second one is started beside it."""
    first_looks(monkeypatch, times, not_seen)
    arn = machine("waits")
    started = handlers.on_event(event("Create", arn), None)["PhysicalResourceId"]
    running = boto3.client("stepfunctions", region_name="us-east-1").list_executions(stateMachineArn=arn)["executions"]
    assert [(each["executionArn"], each["status"]) for each in running] == [(started, "RUNNING")]
