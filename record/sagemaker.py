"""What SageMaker tells of a run: the instances, logs and billed seconds of its jobs.

Calls sagemaker: DescribeProcessingJob, DescribeTrainingJob, DescribeTransformJob (of the run's jobs).
"""

from collections.abc import Callable, Mapping
from typing import Any

from record.clients import client
from record.schema import Cluster, Instances, StageName
from record.services import Billed, not_measured, seconds_between

# Where the jobs' logs are (sagemaker/latest/dg/logging-cloudwatch.html); a job's streams begin with its name.
_LOG_GROUPS = {
    "ProcessingJobName": "/aws/sagemaker/ProcessingJobs",
    "TrainingJobName": "/aws/sagemaker/TrainingJobs",
    "TransformJobName": "/aws/sagemaker/TransformJobs",
}

# How SageMaker says when a job ran: start and end, or what it bills (API_DescribeProcessingJob,
# API_DescribeTrainingJob, API_DescribeTransformJob; botocore 1.44.5).
_JOBS: dict[str, Callable[[str], Mapping[str, Any]]] = {
    "ProcessingJobName": lambda name: client("sagemaker").describe_processing_job(ProcessingJobName=name),
    "TrainingJobName": lambda name: client("sagemaker").describe_training_job(TrainingJobName=name),
    "TransformJobName": lambda name: client("sagemaker").describe_transform_job(TransformJobName=name),
}


def instances(_definition: Mapping[str, Any], request: Mapping[str, Any]) -> tuple[Instances, ...]:
    """The instances that a job asks for."""
    resources = (
        request.get("ProcessingResources", {}).get("ClusterConfig")
        or request.get("ResourceConfig")
        or request.get("TransformResources")
    )
    return (Instances(type=resources["InstanceType"], count=resources["InstanceCount"]),) if resources else ()


def log(_history: list[dict[str, Any]], _definition: Mapping[str, Any], request: Mapping[str, Any]) -> str | None:
    """The log group and stream of a job."""
    return next((f"{group} {request[name]}/" for name, group in _LOG_GROUPS.items() if name in request), None)


def billed(
    _history: list[dict[str, Any]], started: Mapping[StageName, Mapping[str, Any]], *, strict: bool
) -> dict[StageName, Billed]:
    """The seconds of each stage's job, for each of its instances."""
    return {stage: Billed(_job_seconds(request, strict)) for stage, request in started.items()}


def _job_seconds(request: Mapping[str, Any], strict: bool) -> float | None:
    """The seconds that SageMaker bills for a job, for each of its instances; None if it does not say."""
    field = next(field for field in _JOBS if field in request)
    with not_measured(request[field], strict):
        answer = _JOBS[field](request[field])
        if "BillableTimeInSeconds" in answer:  # training
            return float(answer["BillableTimeInSeconds"])
        kind = field.removesuffix("JobName")
        return seconds_between(answer.get(f"{kind}StartTime"), answer.get(f"{kind}EndTime"))
    return None


def cluster(_history: list[dict[str, Any]], *, strict: bool) -> Cluster | None:
    """None: a job's instances are its own."""


def versions(definition: Mapping[str, Any]) -> dict[str, str]:
    """The image that trains."""
    train = definition["States"]["train"]["Parameters"]
    image, _, version = train["AlgorithmSpecification"]["TrainingImage"].rpartition("/")[2].partition(":")
    return {image: version}
