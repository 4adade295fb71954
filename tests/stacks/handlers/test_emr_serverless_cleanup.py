"""``Custom::StoppedApplication``, on moto's EMR Serverless and EC2."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import boto3
import pytest
from moto.emrserverless.models import emrserverless_backends

from tests.stacks.handlers.network import Network, interfaces, network, set_status
from tests.stacks.handlers.support import ACCOUNT, REGION, Wire, event, run, stack, state_machine

NAME = "shop-emr-serverless"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/job"


def application(name: str = NAME, state: str = "STARTED") -> str:
    made = boto3.client("emr-serverless").create_application(
        name=name, releaseLabel="emr-7.14.0", type="SPARK", clientToken=f"{name}-{state}"
    )
    set_state(made["applicationId"], state)
    return str(made["applicationId"])


def set_state(identifier: str, state: str) -> None:
    backend().applications[identifier].state = state


def state(identifier: str) -> str:
    return str(boto3.client("emr-serverless").get_application(applicationId=identifier)["application"]["state"])


def job_run(identifier: str, state: str = "RUNNING") -> str:
    started = boto3.client("emr-serverless").start_job_run(
        applicationId=identifier,
        clientToken=f"token-{len(backend().job_runs.get(identifier, []))}",
        executionRoleArn=ROLE,
        jobDriver={"sparkSubmit": {"entryPoint": "s3://bucket/prepare.py"}},
    )
    set_run(identifier, started["jobRunId"], state)
    return str(started["jobRunId"])


def set_run(identifier: str, run_id: str, state: str) -> None:
    (found,) = (each for each in backend().job_runs[identifier] if each.id == run_id)
    found.state = state


def run_state(identifier: str, run_id: str) -> str:
    described = boto3.client("emr-serverless").get_job_run(applicationId=identifier, jobRunId=run_id)
    return str(described["jobRun"]["state"])


def backend() -> Any:
    return emrserverless_backends[ACCOUNT][REGION]


@pytest.fixture
def place(handlers: ModuleType) -> Network:
    return network()


def delete(groups: list[str] | None = None) -> dict[str, Any]:
    told = {} if groups is None else {"SecurityGroupIds": groups}
    return event("StoppedApplication", "Delete", {"ApplicationName": NAME, **told})


def update(**more: str) -> dict[str, Any]:
    told = {"ApplicationName": NAME, "Definition": "2", "SecurityGroupIds": [], **more}
    return event("StoppedApplication", "Update", told)


def left(handlers: ModuleType, asked: dict[str, Any]) -> list[str]:
    return list(handlers.is_complete(asked, None).get("Left", []))


def test_nothing_there(handlers: ModuleType) -> None:
    assert run(handlers, delete(["sg-0000000000000001"])) == 1
    assert run(handlers, update()) == 1


def test_creation_leaves_an_application_alone(handlers: ModuleType) -> None:
    identifier = application()
    run(handlers, event("StoppedApplication", "Create", {"ApplicationName": NAME}))
    assert state(identifier) == "STARTED"


@pytest.mark.parametrize("asked", [delete(), update()], ids=["Delete", "Update"])
def test_a_started_application_is_stopped(handlers: ModuleType, asked: dict[str, Any]) -> None:
    identifier = application()
    run(handlers, asked)
    assert state(identifier) == "STOPPED"


def test_only_applications_of_exactly_this_name(handlers: ModuleType) -> None:
    others = [
        application(name) for name in ("shop-two-emr-serverless", "shop-emr-serverless-two", "Shop-emr-serverless")
    ]
    run(handlers, delete())
    assert [state(identifier) for identifier in others] == ["STARTED"] * 3


@pytest.mark.parametrize("before", ["CREATED", "STOPPED", "TERMINATED"])
def test_what_can_be_deleted_is_left_alone(handlers: ModuleType, wire: Callable[[str], Wire], before: str) -> None:
    application(state=before)
    requests = wire("emr-serverless")
    run(handlers, delete())
    assert requests.requests == ["ListApplications"]


@pytest.mark.parametrize("status", ["UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS"])
def test_a_rollback_waits_for_no_pipeline(handlers: ModuleType, wire: Callable[[str], Wire], status: str) -> None:
    """The update before it waited in vain and changed nothing; a rollback that fails leaves a stack without updates."""
    identifier = application()
    machine = state_machine(NAME, executions=1)
    wire("cloudformation").answer("DescribeStacks", stack(status), times=9)
    assert len(left(handlers, update(StateMachineArn=machine))) == (1 if status == "UPDATE_IN_PROGRESS" else 0)
    assert state(identifier) == "STARTED"


@pytest.mark.parametrize("on_its_way", ["CREATING", "STOPPING"])
def test_an_application_on_its_way_is_waited_for(handlers: ModuleType, on_its_way: str) -> None:
    identifier = application(state=on_its_way)
    assert left(handlers, delete()) == [f"{identifier} ({on_its_way})"]
    set_state(identifier, "STOPPED")
    assert run(handlers, delete()) == 1


def test_job_runs_are_cancelled_before_the_application_is_stopped(handlers: ModuleType) -> None:
    identifier = application()
    going, ended = job_run(identifier), job_run(identifier, "SUCCESS")
    assert left(handlers, delete()) == [f"{identifier} (STARTED)", f"{going} (RUNNING)"]
    assert run_state(identifier, going) in ("CANCELLING", "CANCELLED")
    assert run_state(identifier, ended) == "SUCCESS"
    assert state(identifier) == "STARTED"
    run(handlers, delete())
    assert state(identifier) == "STOPPED"


def test_a_change_of_the_application_waits_for_the_end_of_a_run(handlers: ModuleType) -> None:
    identifier = application()
    going = job_run(identifier)
    assert left(handlers, update()) == [f"{identifier} (STARTED)", f"{going} (RUNNING)"]
    assert run_state(identifier, going) == "RUNNING"
    set_run(identifier, going, "SUCCESS")
    run(handlers, update())
    assert state(identifier) == "STOPPED"


def test_a_change_of_the_application_waits_between_two_stages_of_a_pipeline(handlers: ModuleType) -> None:
    identifier = application()
    pipeline = state_machine("shop-emr-serverless", executions=1)
    asked = update(StateMachineArn=pipeline)
    execution = f"{pipeline.replace(':stateMachine:', ':execution:')}:run-0"
    assert left(handlers, asked) == [execution]
    assert state(identifier) == "STARTED"
    boto3.client("stepfunctions").stop_execution(executionArn=execution)
    run(handlers, asked)
    assert state(identifier) == "STOPPED"


def test_a_change_before_there_is_a_pipeline(handlers: ModuleType) -> None:
    identifier = application()
    run(handlers, update(StateMachineArn=f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:none"))
    assert state(identifier) == "STOPPED"


def test_one_that_begins_to_stop_meanwhile_is_no_failure(handlers: ModuleType, wire: Callable[[str], Wire]) -> None:
    identifier = application()
    wire("emr-serverless").fail("StopApplication", "ConflictException", "Application is in state STOPPING")
    assert left(handlers, delete()) == [f"{identifier} (STARTED)"]
    run(handlers, delete())
    assert state(identifier) == "STOPPED"


def test_a_job_run_that_ends_meanwhile_is_no_failure(handlers: ModuleType, wire: Callable[[str], Wire]) -> None:
    identifier = application()
    going = job_run(identifier)
    wire("emr-serverless").fail("CancelJobRun", "ValidationException", "Job run is not active")
    assert f"{going} (RUNNING)" in left(handlers, delete())


def test_interfaces_go_once_the_application_is_stopped(handlers: ModuleType, place: Network) -> None:
    group = place.group("workers")
    identifier = application(state="STOPPING")
    worker = place.interface(group, "in-use")
    assert left(handlers, delete([group])) == [f"{identifier} (STOPPING)"]
    set_state(identifier, "STOPPED")
    assert left(handlers, delete([group])) == [f"{worker} (in-use)"]
    set_status(worker, "available")
    run(handlers, delete([group]))
    assert interfaces() == []


def test_a_stack_that_lives_on_keeps_its_application(handlers: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    identifier = application()
    cloudformation = Wire("cloudformation", monkeypatch)
    cloudformation.answer("DescribeStacks", stack("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS"), times=2)
    assert run(handlers, delete()) == 1
    assert state(identifier) == "STARTED"


def test_throttling_is_no_failure(handlers: ModuleType, wire: Callable[[str], Wire], pauses: list[float]) -> None:
    identifier = application()
    job_run(identifier)
    calls = ("ListApplications", "ListJobRuns", "CancelJobRun", "StopApplication")
    requests = wire("emr-serverless")
    for call in calls:
        requests.fail(call, "ThrottlingException", "Rate exceeded", status=429)
    run(handlers, delete())
    assert state(identifier) == "STOPPED"
    assert len(pauses) == len(calls)
