"""What EMR Serverless tells of a run: the workers, logs and billed hours of its job runs.

Calls emr-serverless: GetJobRun (of the run's job runs).
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from record.clients import client
from record.collector import described
from record.schema import Cluster, Instances, StageName, Utilization
from record.services import Billed, not_measured, sum_of

WORKER = re.compile(r"(\d+) vCPU, (\d+) GB")
"""What a record calls the size of a worker, in place of an instance type; the memory is with Spark's overhead."""

_MIB_A_GB = 1024


def instances(_definition: Mapping[str, Any], request: Mapping[str, Any]) -> tuple[Instances, ...]:
    """The workers that a job run asks for, the driver first; one size once."""
    properties = _properties(request)
    counts: dict[str, int] = {}
    for kind, count in (("driver", "1"), ("executor", properties.get("spark.executor.instances"))):
        heap, beside = (properties.get(f"spark.{kind}.{name}") for name in ("memory", "memoryOverhead"))
        if count is None or heap is None or beside is None:
            return ()  # the service's own sizes, which it may change
        memory = -(-(_mib(heap) + _mib(beside)) // _MIB_A_GB)
        size = f"{properties[f'spark.{kind}.cores']} vCPU, {memory} GB"
        counts[size] = counts.get(size, 0) + int(count)
    return tuple(Instances(type=size, count=count) for size, count in counts.items())


def disk_gb(request: Mapping[str, Any]) -> int:
    """The storage of each of a job run's workers; the service's own is 20 GB (as quoted 2026-11-28)."""
    sizes = {_properties(request).get(f"spark.emr-serverless.{kind}.disk", "20G") for kind in ("driver", "executor")}
    return max(int(size.rstrip("gG")) for size in sizes)


def _properties(request: Mapping[str, Any]) -> dict[str, str]:
    """Spark's properties in a request."""
    driver = request.get("JobDriver", {}).get("SparkSubmit", {})
    return dict(re.findall(r"--conf[= ](\S+?)=(\S+)", driver.get("SparkSubmitParameters", "")))


def _mib(text: str) -> int:
    return int(text[:-1]) * {"m": 1, "g": _MIB_A_GB}[text[-1]]


def log(history: list[dict[str, Any]], _definition: Mapping[str, Any], request: Mapping[str, Any]) -> str | None:
    """Where the driver of the last job run logs (EMR-Serverless-UserGuide/logging.html, as quoted 2026-11-28)."""
    overrides = request.get("ConfigurationOverrides", {}).get("MonitoringConfiguration", {})
    where = overrides.get("S3MonitoringConfiguration", {}).get("LogUri")
    if where is None:
        return None
    below = f"{where}applications/{request['ApplicationId']}/jobs/"
    found = [run for runs in _job_runs(history).values() for run in runs]
    return f"{below}{found[-1]}/SPARK_DRIVER/" if found else below


def billed(
    history: list[dict[str, Any]], started: Mapping[StageName, Mapping[str, Any]], *, strict: bool
) -> dict[StageName, Billed]:
    """The duration of the stages' job runs, and what is billed for them; one that was started again counts each time.

    The service knows what it bills some minutes after a run's end (as quoted 2026-11-28): a record that is collected
    before that has none.
    """
    runs = _job_runs(history)
    found = {}
    for stage, request in started.items():
        answers = []
        with not_measured(f"the job runs of {stage}", strict):
            for run in runs[stage]:
                answer = client("emr-serverless").get_job_run(applicationId=request["ApplicationId"], jobRunId=run)
                answers.append(answer["jobRun"])
        whole = len(answers) == len(runs[stage])
        seconds = [answer.get("totalExecutionDurationSeconds") for answer in answers]
        found[stage] = Billed(sum_of(seconds) if whole else None, _utilization(answers) if whole else None)
    return found


def _utilization(runs: list[dict[str, Any]]) -> Utilization | None:
    """What is billed for job runs together, None if there are none, or it is not known of one of them."""
    each = [run.get("billedResourceUtilization") for run in runs]
    known = [part for part in each if part]
    if not known or len(known) < len(each):
        return None
    return Utilization(
        vcpu_hours=sum(part.get("vCPUHour", 0.0) for part in known),
        memory_gb_hours=sum(part.get("memoryGBHour", 0.0) for part in known),
        storage_gb_hours=sum(part.get("storageGBHour", 0.0) for part in known),
    )


def _job_runs(history: list[dict[str, Any]]) -> Mapping[str, list[str]]:
    """The ids of the job runs that each state started, by its name, as the answers name them."""
    runs: dict[str, list[str]] = defaultdict(list)
    state = ""
    for event in history:
        state = event.get("stateEnteredEventDetails", {}).get("name", state)
        for details, field in (
            ("taskSubmittedEventDetails", "output"),
            ("taskSucceededEventDetails", "output"),
            ("taskFailedEventDetails", "cause"),
        ):
            run = described(event.get(details, {}).get(field) or "").get("JobRunId")
            if isinstance(run, str) and run not in runs[state]:
                runs[state].append(run)
    return runs


def cluster(_history: list[dict[str, Any]], *, strict: bool) -> Cluster | None:
    """None: a job run's workers are its own."""


def versions(_definition: Mapping[str, Any]) -> dict[str, str]:
    """None: the application's release is among the settings, as EMR's."""
    return {}
