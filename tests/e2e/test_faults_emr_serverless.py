"""Each stage of EMR Serverless under each fault, on the synthesised definitions; the jobs themselves are left out."""

from typing import Any

import pytest

from assembly.template import Assembly
from local.states import Call, TaskFailed
from record.schema import STAGES
from tests.e2e.test_faults import TRIES, Account, check_failed, waited
from tests.stacks.conftest import synthesise

__all__ = ["waited"]

pytestmark = pytest.mark.full

SIDE = "emr-serverless"
THROTTLED = "EMRServerless.ThrottlingException"
START, LIST, CANCEL = (
    "emr-serverless:startJobRun.sync",
    "aws-sdk:emrserverless:listJobRuns",
    "aws-sdk:emrserverless:cancelJobRun",
)


@pytest.fixture(scope="module")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    settings = {"sides": f"sagemaker,{SIDE}"}
    return synthesise("faults", settings, tmp_path_factory.mktemp("cdk.out")).assembly


class JobRuns(Account):
    """An account whose application holds the job runs that did not end, and one of somebody else."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.active = [{"Id": "00other", "Name": "side-by-side-other-prepare", "State": "RUNNING"}]

    def __call__(self, call: Call) -> dict[str, Any]:
        answer = super().__call__(call)
        return {"JobRuns": self.active} if call.action == LIST else answer

    def goes_on(self, stage: str) -> None:
        """A job run of this stage that its state does not wait for any longer."""
        self.active.append({"Id": "00ours", "Name": f"side-by-side-faults-{stage}", "State": "RUNNING"})


def test_a_run_that_goes_well_cancels_nothing(assembly: Assembly) -> None:
    account = JobRuns()
    assert account.compare(assembly).status == "SUCCEEDED"
    assert [state for state in account.states(SIDE) if state in STAGES] == list(STAGES)
    assert account.requests("aws-sdk:emrserverless:") == []


@pytest.mark.parametrize("stage", STAGES)
def test_job_that_fails_is_not_tried_again(stage: str, assembly: Assembly, waited: list[float]) -> None:
    account = JobRuns((SIDE, stage), "States.TaskFailed", times=1)
    check_failed(account, account.compare(assembly), SIDE, stage)
    assert account.states(SIDE).count(stage) == 1
    assert account.requests(CANCEL) == []
    assert waited == []


@pytest.mark.parametrize("stage", STAGES)
def test_throttled_call_is_made_again_and_starts_no_second_job_run(
    stage: str,
    assembly: Assembly,
    waited: list[float],
) -> None:
    account = JobRuns((SIDE, stage), THROTTLED, times=2)
    assert account.compare(assembly).status == "SUCCEEDED"
    assert waited == [5, 10]
    tokens = [request["ClientToken"] for request in account.requests(START)]
    assert tokens.count(f"side-by-side-faults-{stage}") == 3
    assert len(set(tokens)) == len(STAGES)


def test_call_that_is_always_throttled_ends_the_side(assembly: Assembly, waited: list[float]) -> None:
    account = JobRuns((SIDE, "train"), THROTTLED, times=TRIES)
    check_failed(account, account.compare(assembly), SIDE, "train")
    assert waited == [5, 10, 20, 40]


@pytest.mark.parametrize("stage", STAGES)
def test_job_run_that_is_too_slow_is_cancelled_and_no_other(stage: str, assembly: Assembly) -> None:
    account = JobRuns((SIDE, stage), "States.Timeout", times=1)
    account.goes_on(stage)
    check_failed(account, account.compare(assembly), SIDE, stage)
    assert [request["JobRunId"] for request in account.requests(CANCEL)] == ["00ours"]
    (listed,) = account.requests(LIST)
    assert set(listed["States"]) == {"SUBMITTED", "QUEUED", "PENDING", "SCHEDULED", "RUNNING"}


@pytest.mark.parametrize("refused", [LIST, CANCEL])
def test_clean_up_that_fails_keeps_the_first_cause(refused: str, assembly: Assembly) -> None:
    account = JobRuns((SIDE, "score"), "States.Timeout", times=1)
    account.goes_on("score")

    def answer(call: Call) -> dict[str, Any]:
        if call.action == refused:
            raise TaskFailed("EmrServerless.ValidationException", "not now")
        return account(call)

    check_failed(account, account.compare(assembly, answer), SIDE, "score")
