"""The handlers of ``Custom::Execution``: start a state machine, wait for it, stop it when the resource goes.

Called by the CDK's provider framework: ``on_event`` once an event, ``is_complete`` again and again until it says so.
An execution is named after CloudFormation's request, so a repeated call finds the execution that it started before.
"""

import json
from typing import Any

import boto3

states = boto3.client("stepfunctions")


def on_event(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Start an execution on Create and Update; stop what runs on Delete."""
    properties = event["ResourceProperties"]
    if event["RequestType"] == "Delete":
        _stop(properties["StateMachineArn"], event.get("PhysicalResourceId", ""))
        return {"PhysicalResourceId": event.get("PhysicalResourceId", "")}
    run_id = f"deploy-{event['RequestId'].replace('-', '')[:12].lower()}"
    run = {"run_id": run_id, **properties["Input"]}
    # The same name and input again is answered with the execution that already runs (API_StartExecution, idempotency).
    started = states.start_execution(stateMachineArn=properties["StateMachineArn"], name=run_id, input=json.dumps(run))
    return {"PhysicalResourceId": started["executionArn"]}


def is_complete(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Whether the execution ended; its output becomes the resource's attributes, its failure the deployment's."""
    if event["RequestType"] == "Delete":
        return {"IsComplete": True}
    execution = states.describe_execution(executionArn=event["PhysicalResourceId"])
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
    if ":execution:" in physical_id:
        arns = [physical_id]
    else:
        pages = states.get_paginator("list_executions").paginate(stateMachineArn=machine, statusFilter="RUNNING")
        arns = [execution["executionArn"] for page in pages for execution in page["executions"]]
    for arn in arns:
        try:
            if states.describe_execution(executionArn=arn)["status"] == "RUNNING":
                states.stop_execution(executionArn=arn, cause="The CloudFormation resource was deleted")
        except states.exceptions.ExecutionDoesNotExist:
            continue
