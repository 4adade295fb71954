"""The state machines: the same shape on both sides, and every request one that the service's API accepts."""

import itertools
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from local.jobs import api_spelling, check_request
from local.services import machine_name
from local.states import Call, engine
from stacks.shared.layout import RUN_ID, STAGES
from tests.stacks.conftest import Synthesised

OPERATIONS = {
    "codebuild:startBuild.sync": ("codebuild", "StartBuild"),
    "sagemaker:createProcessingJob.sync": ("sagemaker", "CreateProcessingJob"),
    "aws-sdk:sagemaker:createTrainingJob": ("sagemaker", "CreateTrainingJob"),
    "aws-sdk:sagemaker:describeTrainingJob": ("sagemaker", "DescribeTrainingJob"),
    "sagemaker:createTransformJob.sync": ("sagemaker", "CreateTransformJob"),
    "sagemaker:createModel": ("sagemaker", "CreateModel"),
    "aws-sdk:sagemaker:deleteModel": ("sagemaker", "DeleteModel"),
    "aws-sdk:sagemaker:stopProcessingJob": ("sagemaker", "StopProcessingJob"),
    "aws-sdk:sagemaker:stopTrainingJob": ("sagemaker", "StopTrainingJob"),
    "aws-sdk:sagemaker:stopTransformJob": ("sagemaker", "StopTransformJob"),
    "aws-sdk:emr:describeCluster": ("emr", "DescribeCluster"),
    "aws-sdk:emr:listSteps": ("emr", "ListSteps"),
    "aws-sdk:emr:cancelSteps": ("emr", "CancelSteps"),
    "aws-sdk:emr:runJobFlow": ("emr", "RunJobFlow"),
    "aws-sdk:emr:terminateJobFlows": ("emr", "TerminateJobFlows"),
    "aws-sdk:emrserverless:listJobRuns": ("emr-serverless", "ListJobRuns"),
    "aws-sdk:emrserverless:cancelJobRun": ("emr-serverless", "CancelJobRun"),
    "emr-serverless:startJobRun.sync": ("emr-serverless", "StartJobRun"),
    "lambda:invoke": ("lambda", "Invoke"),
    "elasticmapreduce:addStep.sync": ("emr", "AddJobFlowSteps"),
    "states:startExecution.sync:2": ("stepfunctions", "StartExecution"),
}


def definitions(synthesised: Synthesised) -> dict[str, dict[str, Any]]:
    return {machine_name(arn): machine for arn, machine in synthesised.assembly.state_machines().items()}


def all_states(machine: dict[str, Any]) -> dict[str, dict[str, Any]]:
    states = dict(machine["States"])
    for state in machine["States"].values():
        for branch in (*state.get("Branches", []), *([state["ItemProcessor"]] if "ItemProcessor" in state else [])):
            states |= all_states(branch)
    return states


def evaluated(value: Any, name: str = "") -> Any:
    """A request as it is sent, with a text of a plausible length where the state computes one."""
    if isinstance(value, dict):
        return dict(_field(key, item) for key, item in value.items())
    return [evaluated(item) for item in value] if isinstance(value, list) else value


def _field(key: str, value: Any) -> tuple[str, Any]:
    if not key.endswith(".$"):
        return key, evaluated(value)
    name = key[:-2]
    if name in ("Args", "EntryPointArguments"):
        return name, ["spark-submit"]
    if str(value).startswith("States.Array("):
        return name, ["j-1"]
    if name == "JobRunId":
        return name, "00f1a2b3c4d5e6f7"
    if name.startswith(("S3", "ModelData")):
        return name, "s3://bucket/prefix/"
    return name, "other-20261122-160300-step-1"


def happy_path(states: dict[str, dict[str, Any]], name: str) -> list[str]:
    """The states from this one to the end of an execution in which nothing fails and every cluster is found ready."""
    path: list[str] = []
    while True:
        path.append(name)
        state = states[name]
        if state["Type"] == "Choice":
            # The check of the run id has one way on, the others' way on is the default.
            passed = state["Choices"][0]["Next"] if name == "is the run id well-formed" else state["Default"]
            following = CHOSEN.get(name) or passed
        elif "Next" in state:
            following = state["Next"]
        else:
            return path
        assert following not in path, "the path goes in a circle"
        name = following


def each_side(*apps: Synthesised) -> Iterator[tuple[Synthesised, str]]:
    yield from ((app, side) for app in apps for side in app.sides)


CHOSEN = {"is the cluster ready": "cluster is ready", "has train ended": "train has ended"}


def test_both_sides_have_the_same_stages_in_the_same_order(synthesised: Synthesised, other: Synthesised) -> None:
    for app, side in each_side(synthesised, other):
        machine = definitions(app)[side]
        reached = happy_path(machine["States"], machine["StartAt"])
        assert [state for state in reached if state in STAGES] == list(STAGES)
        assert reached[-1] == "done"


def test_every_stage_has_a_limit_retries_and_a_state_that_names_its_failure(
    synthesised: Synthesised, other: Synthesised
) -> None:
    for app, side in each_side(synthesised, other):
        states = definitions(app)[side]["States"]
        for stage in STAGES:
            assert states[stage]["TimeoutSeconds"] > 0
            assert states[stage]["Retry"][0]["MaxAttempts"] > 0
            assert "States.TaskFailed" not in states[stage]["Retry"][0]["ErrorEquals"]
            caught = states[stage]["Catch"][-1]
            assert caught["ErrorEquals"] == ["States.ALL"]
            following = happy_path(states, caught["Next"])
            named = states[following[following.index(f"{stage} failed")]]["Parameters"]
            assert named == {"stage": stage, "error": f"{stage.capitalize()}Failed", "cause.$": "$.error.Cause"}
            # Whatever failed, the session is closed and nothing else is started.
            assert not set(following) & set(STAGES)
            assert "did a stage fail" in following


def test_the_end_of_a_failed_run_says_what_failed(synthesised: Synthesised, other: Synthesised) -> None:
    for app, side in each_side(synthesised, other):
        states = definitions(app)[side]["States"]
        (rule,) = states["did a stage fail"]["Choices"]
        assert (rule["Variable"], rule["IsPresent"]) == ("$.failed", True)
        end = states[rule["Next"]]
        assert (end["Type"], end["ErrorPath"], end["CausePath"]) == ("Fail", "$.failed.error", "$.failed.cause")


# What a run id becomes: a part of job names of up to 63 characters, an execution's name, a folder in S3.
REFUSED = [
    "",
    "../other",
    "a/b",
    "a b",
    "a_b",
    "a.b",
    "Upper",
    "-a",
    "a-",
    "a\n",
    "a\u2028",
    "ü",
    "\u0663",  # a digit, of another script
    "latest",
    "a" * 27,
    None,
    5,
    ["a"],
    {"a": "b"},
    "$.raw",
    "{}",
    "*",
]
ALLOWED = ["a", "1", "a" * 26, "2026-11-27", "latest-2", "deploy-1b4e28ba2fa1"]


@pytest.fixture(scope="module")
def first_states(once: Callable[[str], Synthesised]) -> Iterator[Callable[[Any], set[str]]]:
    """What the first state of every machine of ours makes of an input, on the laptop's engine: the errors, or none."""

    def answer(call: Call) -> dict[str, Any]:
        raise AssertionError(f"{call.action} is called")

    machines = definitions(once("default"))
    assert {"publish", "generate", "sagemaker", "emr", "comparison"} <= set(machines)
    # Of each its first state, and an end where the next one begins.
    for machine in machines.values():
        first = machine["States"][machine["StartAt"]]
        (rule,) = first["Choices"]
        ends = {rule["Next"]: {"Type": "Pass", "End": True}, first["Default"]: machine["States"][first["Default"]]}
        machine["States"] = {machine["StartAt"]: first, **ends}
    arns = {name: f"arn:aws:states:us-east-1:123456789012:stateMachine:{name}" for name in machines}
    with engine(answer, {arn: machines[name] for name, arn in arns.items()}) as running:
        names = itertools.count()
        yield lambda run: {running.execute(arn, f"run-{next(names)}", run).error for arn in arns.values()}


@pytest.mark.slow
@pytest.mark.parametrize("run_id", REFUSED, ids=ascii)
def test_a_run_id_that_is_not_well_formed_ends_every_machine_in_its_first_state(
    run_id: Any, first_states: Callable[[Any], set[str]]
) -> None:
    assert not (isinstance(run_id, str) and RUN_ID.match(run_id))
    assert first_states({"run_id": run_id, "raw": "s3://b/"}) == {"RunIdRefused"}


def test_no_run_id_at_all_ends_every_machine_in_its_first_state(first_states: Callable[[Any], set[str]]) -> None:
    assert first_states({"raw": "s3://b/"}) == {"RunIdRefused"}
    assert first_states([{"run_id": "a", "raw": "s3://b/"}]) == {"RunIdRefused"}


@pytest.mark.parametrize("run_id", ALLOWED)
def test_a_well_formed_run_id_passes(run_id: str, first_states: Callable[[Any], set[str]]) -> None:
    assert RUN_ID.match(run_id)
    assert first_states({"run_id": run_id, "raw": "s3://b/"}) == {""}


def test_every_request_is_valid_for_its_api(synthesised: Synthesised) -> None:
    check_requests(synthesised)


def test_every_request_is_valid_for_its_api_in_other_configurations(other: Synthesised) -> None:
    check_requests(other)


def test_every_request_is_valid_for_its_api_with_one_side_alone(one_side: Synthesised) -> None:
    assert len(one_side.sides) == 1
    check_requests(one_side)


def check_requests(synthesised: Synthesised) -> None:
    checked = 0
    for machine in definitions(synthesised).values():
        for state in all_states(machine).values():
            if state["Type"] != "Task":
                continue
            action = state["Resource"].partition(":states:::")[2]
            service, operation = OPERATIONS[action]
            request = evaluated(state["Parameters"])
            if action == "elasticmapreduce:addStep.sync":
                request = {"JobFlowId": request.pop("ClusterId"), "Steps": [request.pop("Step")], **request}
            elif service == "stepfunctions":
                request["input"] = json.dumps(request.pop("Input"))
                request["stateMachineArn"] = request.pop("StateMachineArn")
                request["name"] = request.pop("Name")
            elif service == "lambda":
                request["Payload"] = json.dumps(request["Payload"])
            elif service in ("codebuild", "emr-serverless"):
                request = api_spelling(service, operation, request)
            check_request(service, operation, request)
            checked += 1
    assert checked >= len(synthesised.sides) * len(STAGES)


def test_hyper_parameters_are_the_same_on_both_sides(synthesised: Synthesised) -> None:
    machines = definitions(synthesised)
    sagemaker = machines["sagemaker"]["States"]["train"]["Parameters"]["HyperParameters"]
    emr = machines["emr"]["States"]["train"]["Parameters"]["Step"]["HadoopJarStep"]["Args.$"]
    shared = {k: v for k, v in sagemaker.items() if not k.startswith("sagemaker_") and k != "dataset"}
    assert len(shared) == 9
    for name, value in shared.items():
        assert f"'--{name}={value}'" in emr


def test_a_side_reads_and_writes_below_its_own_run_prefix_only(synthesised: Synthesised, other: Synthesised) -> None:
    for app, side in each_side(synthesised, other):
        text = json.dumps(definitions(app)[side])
        assert set(re.findall(r"/runs/\{\}/([\w-]+)/", text)) == {side}


@pytest.mark.parametrize("stage", STAGES)
def test_job_names_stay_within_the_limit_for_the_longest_run_id(stage: str) -> None:
    longest = f"{'p' * 20}-{'r' * 26}-{stage}"
    assert len(longest) <= 63
