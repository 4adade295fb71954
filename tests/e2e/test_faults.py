"""Each stage of each side made to fail once, on the synthesised definitions, with the jobs themselves left out."""

from typing import Any

import pytest

from comparison.record import SIDES, STAGES
from local.services import machine_name
from local.states import Call, TaskFailed, engine
from local.template import Assembly, app_context, synthesise

JOBS = [(side, stage) for side in SIDES for stage in STAGES]


@pytest.fixture(scope="module")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    return synthesise(tmp_path_factory.mktemp("cdk.out"), app_context({}))


class Account:
    """Answers every call at once; one job fails as told, so many times."""

    def __init__(self, failing: tuple[str, str], error: str, times: int) -> None:
        self.failing = failing
        self.error = error
        self.times = times
        self.calls: list[tuple[str, str]] = []
        self.names: list[str] = []

    def __call__(self, call: Call) -> dict[str, Any]:
        if call.action.startswith("states:"):
            execution = self.machines.execute(
                call.request["StateMachineArn"], f"run-{len(self.calls)}", call.request["Input"]
            )
            if execution.status != "SUCCEEDED":
                raise TaskFailed("States.TaskFailed", f"{execution.error}: {execution.cause}")
            return {"ExecutionArn": execution.arn}
        at = (machine_name(call.machine), call.state)
        self.calls.append(at)
        self.names += [str(value) for key, value in call.request.items() if key.endswith("JobName")]
        if at == self.failing and self.times:
            self.times -= 1
            raise TaskFailed(self.error, "out of luck")
        return {"ModelArtifacts": {"S3ModelArtifacts": "s3://b/model.tar.gz"}, "ModelArn": "arn"}

    def compare(self, assembly: Assembly) -> Any:
        definitions = assembly.state_machines()
        with engine(self, definitions) as self.machines:
            arn = next(arn for arn in definitions if machine_name(arn) == "comparison")
            return self.machines.execute(arn, "faults", {"run_id": "faults", "raw": "s3://b/raw/"})


@pytest.mark.parametrize(("side", "stage"), JOBS)
def test_failed_job_ends_its_side_names_the_stage_and_leaves_the_other(
    side: str, stage: str, assembly: Assembly
) -> None:
    account = Account((side, stage), "States.TaskFailed", times=1)
    execution = account.compare(assembly)
    assert execution.status == "FAILED"
    assert execution.error == "SideFailed"
    assert f"{stage.capitalize()}Failed: out of luck" in execution.cause
    later = STAGES[STAGES.index(stage) + 1 :]
    assert not [call for call in account.calls if call[0] == side and call[1] in later]
    other = next(each for each in SIDES if each != side)
    assert [state for of, state in account.calls if of == other and state in STAGES] == list(STAGES)
    # A failed job is not tried again.
    assert account.calls.count((side, stage)) == 1


def test_model_made_for_a_failed_transform_is_deleted(assembly: Assembly) -> None:
    account = Account(("sagemaker", "score"), "States.TaskFailed", times=1)
    account.compare(assembly)
    assert ("sagemaker", "delete model of a failure") in account.calls


@pytest.mark.parametrize(
    ("side", "error"),
    [("sagemaker", "SageMaker.AmazonSageMakerException"), ("emr", "EMR.AmazonElasticMapReduceException")],
)
def test_throttled_call_is_tried_again_under_another_name(side: str, error: str, assembly: Assembly) -> None:
    account = Account((side, "prepare"), error, times=1)
    execution = account.compare(assembly)
    assert execution.status == "SUCCEEDED", execution.cause
    assert account.calls.count((side, "prepare")) == 2
    assert len(account.names) == len(set(account.names))
