"""``Custom::StopExecutions``, on moto's Step Functions; its executions run until they are stopped."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import boto3

from tests.stacks.handlers.support import ACCOUNT, REGION, Wire, event, run, state_machine


def statuses(arn: str) -> list[str]:
    pages = boto3.client("stepfunctions").get_paginator("list_executions").paginate(stateMachineArn=arn)
    return [execution["status"] for page in pages for execution in page["executions"]]


def delete(*machines: str, **more: Any) -> dict[str, Any]:
    return event("StopExecutions", "Delete", {"StateMachineArns": list(machines)}, **more)


def test_every_running_execution_is_stopped(handlers: ModuleType, wire: Callable[[str], Wire]) -> None:
    """More than a page of them, of two machines, and none of a third."""
    first, second, other = (
        state_machine("shop-data", 103),
        state_machine("shop-emr", 1),
        state_machine("shop-two-emr", 1),
    )
    requests = wire("stepfunctions")
    handlers.is_complete(delete(first, second), None)
    assert requests.requests[:3] == ["ListExecutions"] * 3
    assert run(handlers, delete(first, second)) == 1
    assert statuses(first) == ["ABORTED"] * 103
    assert statuses(second) == ["ABORTED"]
    assert statuses(other) == ["RUNNING"]


def test_complete_only_once_none_runs(handlers: ModuleType) -> None:
    arn = state_machine("shop-data", 1)
    found = f"arn:aws:states:{REGION}:{ACCOUNT}:execution:shop-data:run-0"
    assert handlers.is_complete(delete(arn), None) == {"IsComplete": False, "Left": [found]}
    assert handlers.is_complete(delete(arn), None) == {"IsComplete": True}
    assert handlers.is_complete(delete(arn), None) == {"IsComplete": True}


def test_what_ended_is_left_as_it_is(handlers: ModuleType, wire: Callable[[str], Wire]) -> None:
    arn = state_machine("shop-data", 1)
    boto3.client("stepfunctions").stop_execution(executionArn=arn.replace(":stateMachine:", ":execution:") + ":run-0")
    requests = wire("stepfunctions")
    assert run(handlers, delete(arn)) == 1
    assert requests.requests == ["ListExecutions"]


def test_a_machine_that_never_was_is_fine(handlers: ModuleType) -> None:
    """By an id of CloudFormation's own: the resource was never created either."""
    arn = state_machine("shop-data", 1)
    assert run(handlers, delete(arn + "-never", arn, PhysicalResourceId="shop-StopRuns-1ABC")) == 2
    assert statuses(arn) == ["ABORTED"]


def test_an_execution_that_is_gone_meanwhile_is_fine(handlers: ModuleType, wire: Callable[[str], Wire]) -> None:
    arn = state_machine("shop-data", 1)
    wire("stepfunctions").fail("StopExecution", "ExecutionDoesNotExist")
    assert run(handlers, delete(arn)) == 3


def test_throttling_is_no_failure(handlers: ModuleType, wire: Callable[[str], Wire], pauses: list[float]) -> None:
    arn = state_machine("shop-data", 1)
    requests = wire("stepfunctions")
    requests.fail("ListExecutions", "ThrottlingException")
    requests.fail("StopExecution", "ThrottlingException")
    run(handlers, delete(arn))
    assert statuses(arn) == ["ABORTED"]
    assert len(pauses) == 2
