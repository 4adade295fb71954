"""The state machines: the same shape on both sides, and every request one that the service's API accepts."""

import json
import re
from typing import Any

import pytest

from local.jobs import check_request
from local.services import machine_name
from stacks.layout import SIDES, STAGES
from tests.stacks.conftest import Synthesised

OPERATIONS = {
    "codebuild:startBuild.sync": ("codebuild", "StartBuild"),
    "sagemaker:createProcessingJob.sync": ("sagemaker", "CreateProcessingJob"),
    "sagemaker:createTrainingJob.sync": ("sagemaker", "CreateTrainingJob"),
    "sagemaker:createTransformJob.sync": ("sagemaker", "CreateTransformJob"),
    "sagemaker:createModel": ("sagemaker", "CreateModel"),
    "aws-sdk:sagemaker:deleteModel": ("sagemaker", "DeleteModel"),
    "aws-sdk:sagemaker:stopProcessingJob": ("sagemaker", "StopProcessingJob"),
    "aws-sdk:sagemaker:stopTrainingJob": ("sagemaker", "StopTrainingJob"),
    "aws-sdk:sagemaker:stopTransformJob": ("sagemaker", "StopTransformJob"),
    "aws-sdk:emr:describeCluster": ("emr", "DescribeCluster"),
    "aws-sdk:emr:listSteps": ("emr", "ListSteps"),
    "elasticmapreduce:cancelStep": ("emr", "CancelSteps"),
    "elasticmapreduce:createCluster": ("emr", "RunJobFlow"),
    "elasticmapreduce:terminateCluster": ("emr", "TerminateJobFlows"),
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
    if name == "Args":
        return name, ["spark-submit"]
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
            following = CHOSEN.get(name) or state["Default"]
        elif "Next" in state:
            following = state["Next"]
        else:
            return path
        assert following not in path, "the path goes in a circle"
        name = following


CHOSEN = {"is the cluster ready": "cluster is ready"}


def test_both_sides_have_the_same_stages_in_the_same_order(synthesised: Synthesised) -> None:
    for side in SIDES:
        machine = definitions(synthesised)[side]
        reached = happy_path(machine["States"], machine["StartAt"])
        assert [state for state in reached if state in STAGES] == list(STAGES)
        assert reached[-1] == "done"


def test_every_stage_has_a_limit_retries_and_a_state_that_names_its_failure(synthesised: Synthesised) -> None:
    for side in SIDES:
        states = definitions(synthesised)[side]["States"]
        for stage in STAGES:
            assert states[stage]["TimeoutSeconds"] > 0
            assert states[stage]["Retry"][0]["MaxAttempts"] > 0
            assert "States.TaskFailed" not in states[stage]["Retry"][0]["ErrorEquals"]
            caught = states[stage]["Catch"][0]
            assert caught["ErrorEquals"] == ["States.ALL"]
            following = happy_path(states, caught["Next"])
            named = states[following[following.index(f"{stage} failed")]]["Parameters"]
            assert named == {"stage": stage, "error": f"{stage.capitalize()}Failed", "cause.$": "$.error.Cause"}
            # Whatever failed, the session is closed and nothing else is started.
            assert not set(following) & set(STAGES)
            assert "did a stage fail" in following


def test_the_end_of_a_failed_run_says_what_failed(synthesised: Synthesised) -> None:
    for side in SIDES:
        states = definitions(synthesised)[side]["States"]
        (rule,) = states["did a stage fail"]["Choices"]
        assert (rule["Variable"], rule["IsPresent"]) == ("$.failed", True)
        end = states[rule["Next"]]
        assert (end["Type"], end["ErrorPath"], end["CausePath"]) == ("Fail", "$.failed.error", "$.failed.cause")


def test_every_request_is_valid_for_its_api(synthesised: Synthesised) -> None:
    check_requests(synthesised)


def test_every_request_is_valid_for_its_api_in_other_configurations(other: Synthesised) -> None:
    check_requests(other)


def check_requests(synthesised: Synthesised) -> None:
    checked = 0
    for machine in definitions(synthesised).values():
        for state in all_states(machine).values():
            if state["Type"] != "Task":
                continue
            action = state["Resource"].partition(":states:::")[2]
            service, operation = OPERATIONS[action]
            request = evaluated(state["Parameters"])
            if action.startswith("elasticmapreduce:"):
                request = _renamed(action, request)
            elif service == "stepfunctions":
                request["input"] = json.dumps(request.pop("Input"))
                request["stateMachineArn"] = request.pop("StateMachineArn")
                request["name"] = request.pop("Name")
            elif service == "lambda":
                request["Payload"] = json.dumps(request["Payload"])
            elif service == "codebuild":
                request = _lower_first(request)
            check_request(service, operation, request)
            checked += 1
    assert checked >= len(SIDES) * len(STAGES)


# Step Functions' own names of EMR's fields (docs.aws.amazon.com/step-functions/latest/dg/connect-emr.html).
_RENAMED = {
    "addStep.sync": {"ClusterId": "JobFlowId", "Step": "Steps"},
    "cancelStep": {"StepId": "StepIds"},
    "terminateCluster": {"ClusterId": "JobFlowIds"},
}


def _renamed(action: str, request: dict[str, Any]) -> dict[str, Any]:
    names = _RENAMED.get(action.partition(":")[2], {})
    listed = ("Steps", "StepIds", "JobFlowIds")
    return {names.get(key, key): [value] if names.get(key) in listed else value for key, value in request.items()}


def _lower_first(value: Any) -> Any:
    if isinstance(value, dict):
        return {f"{key[0].lower()}{key[1:]}": _lower_first(item) for key, item in value.items()}
    return [_lower_first(item) for item in value] if isinstance(value, list) else value


def test_hyper_parameters_are_the_same_on_both_sides(synthesised: Synthesised) -> None:
    machines = definitions(synthesised)
    sagemaker = machines["sagemaker"]["States"]["train"]["Parameters"]["HyperParameters"]
    emr = machines["emr"]["States"]["train"]["Parameters"]["Step"]["HadoopJarStep"]["Args.$"]
    shared = {k: v for k, v in sagemaker.items() if not k.startswith("sagemaker_") and k != "dataset"}
    assert len(shared) == 9
    for name, value in shared.items():
        assert f"'--{name}={value}'" in emr


def test_a_side_reads_and_writes_below_its_own_run_prefix_only(synthesised: Synthesised) -> None:
    for side in SIDES:
        text = json.dumps(definitions(synthesised)[side])
        assert set(re.findall(r"/runs/\{\}/(\w+)/", text)) == {side}


@pytest.mark.parametrize("stage", STAGES)
def test_job_names_stay_within_the_limit_for_the_longest_run_id(stage: str) -> None:
    longest = f"{'p' * 20}-{'r' * 26}-{stage}"
    assert len(longest) <= 63
