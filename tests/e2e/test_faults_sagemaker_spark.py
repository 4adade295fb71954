"""Each stage of Spark on SageMaker under each fault, on the synthesised definitions; the jobs are left out."""

import pytest

from assembly.template import Assembly
from record.schema import STAGES
from tests.e2e.test_faults import TRIES, WATCHED, Account, check_failed, waited
from tests.stacks.conftest import synthesise

__all__ = ["waited"]

pytestmark = pytest.mark.full

SIDE = "sagemaker-spark"
INTEGRATION, SDK = "SageMaker.AmazonSageMakerException", WATCHED[SIDE, "train"]
QUOTA = "SageMaker.ResourceLimitExceededException"


@pytest.fixture(scope="module")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    return synthesise("faults", {"sides": f"emr,{SIDE}"}, tmp_path_factory.mktemp("cdk.out")).assembly


def throttled(stage: str) -> str:
    return SDK if stage == "train" else INTEGRATION


def test_jobs_have_names_of_their_own_beside_those_of_the_other_side(assembly: Assembly) -> None:
    account = Account()
    assert account.compare(assembly).status == "SUCCEEDED"
    names = [
        value
        for call in account.requests("")
        for key, value in call.items()
        if key in ("ProcessingJobName", "TrainingJobName", "TransformJobName", "ModelName")
    ]
    assert set(names) == {f"side-by-side-faults-{what}-spark" for what in (*STAGES, "model")}
    assert account.requests("aws-sdk:sagemaker:stop") == []


@pytest.mark.parametrize("stage", STAGES)
def test_job_that_fails_is_not_tried_again(stage: str, assembly: Assembly, waited: list[float]) -> None:
    account = Account((SIDE, stage), "States.TaskFailed", times=1)
    check_failed(account, account.compare(assembly), SIDE, stage)
    assert account.states(SIDE).count(stage) == 1
    assert waited == []
    assert ("delete model of a failure" in account.states(SIDE)) == (stage == "score")


@pytest.mark.parametrize("stage", STAGES)
def test_job_that_runs_out_of_time_is_stopped(stage: str, assembly: Assembly, waited: list[float]) -> None:
    account = Account((SIDE, stage), "States.Timeout", times=1)
    check_failed(account, account.compare(assembly), SIDE, stage)
    stopped = [value for request in account.requests("aws-sdk:sagemaker:stop") for value in request.values()]
    assert stopped == [f"side-by-side-faults-{stage}-spark"]


@pytest.mark.parametrize("quota", [False, True])
@pytest.mark.parametrize("stage", STAGES)
def test_throttled_call_or_one_beyond_a_quota_is_tried_again_with_patience(
    stage: str, quota: bool, assembly: Assembly, waited: list[float]
) -> None:
    account = Account((SIDE, stage), QUOTA if quota else throttled(stage), times=2)
    execution = account.compare(assembly)
    assert execution.status == "SUCCEEDED", execution.cause
    assert account.states(SIDE).count(stage) == 3
    assert waited == [5, 10]


@pytest.mark.parametrize("stage", STAGES)
def test_call_that_is_always_throttled_ends_the_side(stage: str, assembly: Assembly, waited: list[float]) -> None:
    account = Account((SIDE, stage), throttled(stage), times=TRIES)
    check_failed(account, account.compare(assembly), SIDE, stage)
    assert account.states(SIDE).count(stage) == TRIES
    assert waited == [5, 10, 20, 40]
