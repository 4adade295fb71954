"""What EMR Serverless tells of a run, by hand-made histories and answers."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from record import emr_serverless
from record.collector import message_of
from record.schema import Instances, Utilization
from record.services import Billed

APPLICATION = "00f1a2b3c4d5e6f7"
LOGS = "s3://bucket/logs/emr-serverless/"


def request(driver: str = "4", executors: str = "2", disk: str = "20G") -> dict[str, Any]:
    properties = {
        "spark.driver.cores": driver,
        "spark.driver.memory": "14592m",
        "spark.driver.memoryOverhead": "1792m",
        "spark.executor.cores": "4",
        "spark.executor.memory": "4g",
        "spark.executor.memoryOverhead": "12288m",
        "spark.executor.instances": executors,
        "spark.emr-serverless.executor.disk": disk,
    }
    text = "--py-files s3://b/w.zip " + " ".join(f"--conf {name}={value}" for name, value in properties.items())
    return {
        "ApplicationId": APPLICATION,
        "JobDriver": {"SparkSubmit": {"SparkSubmitParameters": text}},
        "ConfigurationOverrides": {"MonitoringConfiguration": {"S3MonitoringConfiguration": {"LogUri": LOGS}}},
    }


def entered(state: str) -> dict[str, Any]:
    return {"type": "TaskStateEntered", "stateEnteredEventDetails": {"name": state}}


def submitted(run: str) -> dict[str, Any]:
    output = json.dumps({"ApplicationId": APPLICATION, "JobRunId": run})
    return {"type": "TaskSubmitted", "taskSubmittedEventDetails": {"output": output}}


def succeeded(run: str) -> dict[str, Any]:
    output = json.dumps({"JobRunId": run, "State": "SUCCESS"})
    return {"type": "TaskSucceeded", "taskSucceededEventDetails": {"output": output}}


def failed(cause: str) -> dict[str, Any]:
    return {"type": "TaskFailed", "taskFailedEventDetails": {"cause": cause}}


HISTORY = [entered("prepare"), submitted("00a"), succeeded("00a"), entered("train"), submitted("00b"), submitted("00c")]


def test_workers_are_a_driver_and_executors() -> None:
    """14,592 + 1,792 MiB and 4 + 12 GiB are 16 GB both."""
    assert emr_serverless.instances({}, request()) == (Instances(type="4 vCPU, 16 GB", count=3),)
    assert emr_serverless.instances({}, request(driver="8")) == (
        Instances(type="8 vCPU, 16 GB", count=1),
        Instances(type="4 vCPU, 16 GB", count=2),
    )


def test_sizes_that_are_the_services_own_are_not_known() -> None:
    assert emr_serverless.instances({}, {}) == ()
    submit = {"SparkSubmitParameters": "--conf spark.executor.memory=4g"}
    assert emr_serverless.instances({}, {"JobDriver": {"SparkSubmit": submit}}) == ()


def test_disk_is_the_largest_and_twenty_by_itself() -> None:
    assert emr_serverless.disk_gb(request(disk="120G")) == 120
    assert emr_serverless.disk_gb({}) == 20


def test_log_is_the_last_job_runs_driver() -> None:
    runs = f"{LOGS}applications/{APPLICATION}/jobs/"
    assert emr_serverless.log(HISTORY, {}, request()) == f"{runs}00c/SPARK_DRIVER/"
    assert emr_serverless.log([], {}, request()) == runs
    assert emr_serverless.log(HISTORY, {}, {}) is None


def test_a_failed_run_is_found_in_its_cause_and_says_why() -> None:
    cause = json.dumps({"JobRunId": "00d", "State": "FAILED", "StateDetails": "Job failed, ExitCode: 1. no rows"})
    history = [entered("prepare"), failed(cause)]
    assert str(emr_serverless.log(history, {}, request())).endswith("/jobs/00d/SPARK_DRIVER/")
    assert message_of(cause) == "Job failed, ExitCode: 1. no rows"
    # One that never began is a plain text.
    assert str(emr_serverless.log([entered("prepare"), failed("refused")], {}, request())).endswith("/jobs/")


@pytest.fixture
def service(stubbed: Callable[[str], Stubber]) -> Stubber:
    return stubbed("emr-serverless")


def answer(run: str, seconds: int | None = None, **hours: float) -> dict[str, Any]:
    needed = {
        "applicationId": APPLICATION,
        "jobRunId": run,
        "arn": f"arn:aws:emr-serverless:us-east-1:123456789012:/applications/{APPLICATION}/jobruns/{run}",
        "createdBy": "arn:aws:iam::123456789012:role/machine",
        "createdAt": 0,
        "updatedAt": 0,
        "executionRole": "arn:aws:iam::123456789012:role/job",
        "state": "SUCCESS",
        "stateDetails": "ended",
        "releaseLabel": "emr-7.14.0",
        "jobDriver": {"sparkSubmit": {"entryPoint": "s3://b/prepare.py"}},
    }
    duration = {} if seconds is None else {"totalExecutionDurationSeconds": seconds}
    return {"jobRun": {**needed, **duration, **({"billedResourceUtilization": hours} if hours else {})}}


def asked(run: str) -> dict[str, str]:
    return {"applicationId": APPLICATION, "jobRunId": run}


def test_billed_are_all_job_runs_of_a_stage_together(service: Stubber) -> None:
    service.add_response(
        "get_job_run", answer("00a", 90, vCPUHour=0.2, memoryGBHour=0.8, storageGBHour=0), asked("00a")
    )
    service.add_response("get_job_run", answer("00b", 60, vCPUHour=0.1, memoryGBHour=0.4), asked("00b"))
    service.add_response("get_job_run", answer("00c", 30, vCPUHour=0.3, memoryGBHour=1.2), asked("00c"))
    found = emr_serverless.billed(HISTORY, {"prepare": request(), "train": request()}, strict=True)
    assert found["prepare"] == Billed(90, Utilization(vcpu_hours=0.2, memory_gb_hours=0.8, storage_gb_hours=0))
    assert found["train"].seconds == 90
    assert found["train"].utilization is not None
    assert found["train"].utilization.vcpu_hours == pytest.approx(0.4)
    assert found["train"].utilization.memory_gb_hours == pytest.approx(1.6)


def test_what_is_not_billed_yet_is_not_measured(service: Stubber) -> None:
    """The service tells it some minutes later; of two runs both must be known."""
    service.add_response("get_job_run", answer("00b", 60), asked("00b"))
    service.add_response("get_job_run", answer("00c", 30, vCPUHour=0.3), asked("00c"))
    assert emr_serverless.billed(HISTORY, {"train": request()}, strict=False) == {"train": Billed(90, None)}


@pytest.mark.parametrize(
    ("code", "strict", "raised"),
    [
        ("AccessDeniedException", True, True),
        ("AccessDeniedException", False, False),
        ("ResourceNotFoundException", True, False),
    ],
)
def test_what_the_service_does_not_say_is_not_measured(code: str, strict: bool, raised: bool, service: Stubber) -> None:
    service.add_client_error("get_job_run", code)
    started: Any = {"prepare": request()}
    if raised:
        with pytest.raises(ClientError):
            emr_serverless.billed(HISTORY, started, strict=strict)
    else:
        assert emr_serverless.billed(HISTORY, started, strict=strict) == {"prepare": Billed(None, None)}


def test_a_stage_without_a_job_run_has_nothing_billed(service: Stubber) -> None:
    assert emr_serverless.billed([], {"prepare": request()}, strict=True) == {"prepare": Billed(None, None)}
