"""``Custom::Execution``: start a state machine, wait for it, stop it when the resource goes.

Properties: ``StateMachineArn``, ``Input`` (added to the ``run_id``), ``Revision`` (starts it again when it changes).
An execution is named after CloudFormation's request, so a repeated call finds the execution that it started before.
Calls states: StartExecution (on the machine), DescribeExecution, StopExecution (on its executions), and what
``executions`` calls.
"""

import json

import executions
from clients import client, tolerating
from events import Answer, Event, deletes


def on_event(event: Event) -> Answer:
    """Start an execution on Create and Update; stop what runs on Delete."""
    properties = event["ResourceProperties"]
    if deletes(event):
        _stop(properties["StateMachineArn"], event["PhysicalResourceId"])
        return {"PhysicalResourceId": event["PhysicalResourceId"]}
    run_id = f"deploy-{event['RequestId'].replace('-', '')[:12].lower()}"
    run = {"run_id": run_id, **properties["Input"]}
    # The same name and input again is answered with the execution that already runs (API_StartExecution, idempotency).
    started = client("stepfunctions").start_execution(
        stateMachineArn=properties["StateMachineArn"], name=run_id, input=json.dumps(run)
    )
    return {"PhysicalResourceId": started["executionArn"]}


def is_complete(event: Event) -> Answer:
    """Whether the execution ended; its output becomes the resource's attributes, its failure the deployment's."""
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


def _stop(machine: str, physical_id: str) -> None:
    """Stop the execution of this resource, or every running one when CloudFormation no longer knows which it was.

    CloudFormation deletes a resource whose Create still runs by an id of its own making, then nothing else says which
    execution was started.
    """
    for arn in [physical_id] if ":execution:" in physical_id else executions.running(machine):
        with tolerating("ExecutionDoesNotExist"):
            if client("stepfunctions").describe_execution(executionArn=arn)["status"] == "RUNNING":
                client("stepfunctions").stop_execution(
                    executionArn=arn, cause="The CloudFormation resource was deleted"
                )
