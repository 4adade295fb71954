"""``Custom::Execution``: start a state machine, wait for it, stop it when the resource goes.

Properties: ``StateMachineArn``, ``Input`` (added to the ``run_id``), ``Revision`` (starts it again when it changes).
An execution is named after CloudFormation's request, so a repeated call finds the execution that it started before.
Calls states: StartExecution, DescribeStateMachine (on the machine), DescribeExecution,
DescribeStateMachineForExecution, StopExecution (on its executions), and what ``executions`` calls.
"""

import json
import time
from typing import Any

import executions
from clients import client, suppress_client_errors
from events import Answer, Event, deletes

# What the executions that this starts are called by.
_OURS = "deploy-"
# CloudFormation's name for the revision of a machine that was never updated (StateMachineRevisionId).
_FIRST = "INITIAL"
_ATTEMPTS = 4
_PAUSE_SECONDS = 10


def on_event(event: Event) -> Answer:
    """Start an execution on Create, and on Update unless one did the same before; stop what runs on Delete."""
    properties = event["ResourceProperties"]
    if deletes(event):
        _stop(properties["StateMachineArn"], event["PhysicalResourceId"])
        return {"PhysicalResourceId": event["PhysicalResourceId"]}
    if event["RequestType"] == "Update":
        done = _done_before(properties)
        if done is not None:
            return {"PhysicalResourceId": done}
    return {"PhysicalResourceId": _start(properties, f"{_OURS}{event['RequestId'].replace('-', '')[:12].lower()}")}


def is_complete(event: Event) -> Answer:
    """Look whether the execution ended; its output becomes the resource's attributes, its failure the deployment's."""
    if deletes(event):
        return {"IsComplete": True}
    execution = client("stepfunctions").describe_execution(executionArn=event["PhysicalResourceId"])
    if execution["status"] == "RUNNING":
        return {"IsComplete": False}
    if execution["status"] != "SUCCEEDED":
        reason = f"{execution.get('error', execution['status'])}: {execution.get('cause', 'no cause given')}"
        raise RuntimeError(f"{event['PhysicalResourceId']} ended {execution['status']}: {reason[:1500]}")
    output = json.loads(execution["output"])
    return {"IsComplete": True, "Data": {name: value for name, value in output.items() if isinstance(value, str)}}


def _start(properties: dict[str, Any], run_id: str) -> str:
    """Start an execution of the revision that the event asks for; its ARN.

    For some seconds after a change a machine may be started with its definition of before (API_UpdateStateMachine;
    read 2026-11-27). Such an execution is stopped, and another one started. The last one is left to run in any case.
    """
    for attempt in range(_ATTEMPTS):
        name = f"{run_id}-{attempt}" if attempt else run_id
        run = {"run_id": name, **properties["Input"]}
        with suppress_client_errors("ExecutionAlreadyExists"):  # one that was stopped when this event came before
            # The same name and input again is answered with the execution that already runs (API_StartExecution).
            started = client("stepfunctions").start_execution(
                stateMachineArn=properties["StateMachineArn"], name=name, input=json.dumps(run)
            )
            arn = str(started["executionArn"])
            if attempt == _ATTEMPTS - 1 or _revision(arn) in (None, properties["Revision"]):
                return arn
            _stop_one(arn, "Started with the definition of before")
        time.sleep(_PAUSE_SECONDS)
    raise RuntimeError(f"{run_id}: an execution of this name, and of {_ATTEMPTS - 1} more, was there before")


def _revision(arn: str) -> str | None:
    """The revision that an execution was started with; None if it is not seen yet (eventual consistency)."""
    for _ in range(_ATTEMPTS):
        with suppress_client_errors("ExecutionDoesNotExist"):
            then = client("stepfunctions").describe_state_machine_for_execution(executionArn=arn)
            return str(then.get("revisionId", _FIRST))
        time.sleep(_PAUSE_SECONDS)
    return None


def _done_before(properties: dict[str, Any]) -> str | None:
    """The latest execution of ours that succeeded with this input and with the definition that the machine has now.

    When an update fails, CloudFormation updates the machine and this resource back to what they were: the execution of
    then has its output still. None as long as the machine is not seen in the revision that the event asks for, as it
    may be for seconds after a change (API_DescribeStateMachine, eventual consistency; read 2026-11-27).
    """
    state_machine = client("stepfunctions").describe_state_machine(stateMachineArn=properties["StateMachineArn"])
    if state_machine.get("revisionId", _FIRST) != properties["Revision"]:
        return None
    for arn in executions.found(properties["StateMachineArn"], "SUCCEEDED", _OURS):
        then = client("stepfunctions").describe_state_machine_for_execution(executionArn=arn)
        if then["definition"] == state_machine["definition"]:
            run = json.loads(client("stepfunctions").describe_execution(executionArn=arn)["input"])
            if {name: value for name, value in run.items() if name != "run_id"} == properties["Input"]:
                return arn
    return None


def _stop(state_machine: str, physical_id: str) -> None:
    """Stop the execution of this resource, or every running one when CloudFormation no longer knows which it was.

    CloudFormation deletes a resource whose Create still runs by an id of its own making, then nothing else says which
    execution was started.
    """
    for arn in [physical_id] if ":execution:" in physical_id else executions.found(state_machine, "RUNNING"):
        _stop_one(arn, "The CloudFormation resource was deleted")


def _stop_one(arn: str, cause: str) -> None:
    """Stop an execution, unless it is at its end; one that is not seen yet may run all the same."""
    status = "RUNNING"
    with suppress_client_errors("ExecutionDoesNotExist"):
        status = client("stepfunctions").describe_execution(executionArn=arn)["status"]
    if status == "RUNNING":
        with suppress_client_errors("ExecutionDoesNotExist"):
            client("stepfunctions").stop_execution(executionArn=arn, cause=cause)
