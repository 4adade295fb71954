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
    "elasticmapreduce:addStep.sync": ("emr", "AddJobFlowSteps"),
    "states:startExecution.sync:2": ("stepfunctions", "StartExecution"),
}


def definitions(synthesised: Synthesised) -> dict[str, dict[str, Any]]:
    return {machine_name(arn): machine for arn, machine in synthesised.assembly.state_machines().items()}


def all_states(machine: dict[str, Any]) -> dict[str, dict[str, Any]]:
    states = dict(machine["States"])
    for state in machine["States"].values():
        for branch in state.get("Branches", []):
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


def test_both_sides_have_the_same_stages_in_the_same_order(synthesised: Synthesised) -> None:
    for side in SIDES:
        machine = definitions(synthesised)[side]
        reached, name = [], machine["StartAt"]
        while name is not None:
            reached.append(name)
            name = machine["States"][name].get("Next")
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
            following = states[caught["Next"]]
            while following["Type"] != "Fail":
                following = states[following["Next"]]
            assert following["Error"] == f"{stage.capitalize()}Failed"


def test_every_request_is_valid_for_its_api(synthesised: Synthesised) -> None:
    checked = 0
    for machine in definitions(synthesised).values():
        for state in all_states(machine).values():
            if state["Type"] != "Task":
                continue
            action = state["Resource"].partition(":states:::")[2]
            service, operation = OPERATIONS[action]
            request = evaluated(state["Parameters"])
            if service == "emr":
                request = {"JobFlowId": request.pop("ClusterId"), "Steps": [request.pop("Step")], **request}
            elif service == "stepfunctions":
                request["input"] = json.dumps(request.pop("Input"))
                request["stateMachineArn"] = request.pop("StateMachineArn")
            elif service == "codebuild":
                request = _lower_first(request)
            check_request(service, operation, request)
            checked += 1
    assert checked >= len(SIDES) * len(STAGES)


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
    longest = f"{'p' * 20}-{'r' * 26}-{stage}-10"
    assert len(longest) <= 63
