"""``Custom::SageMakerLeftovers``: what pipeline runs made in SageMaker, and what SageMaker made for them.

Properties: ``Project``, ``Endpoints``, ``SecurityGroupIds``, ``LogGroups``, and where they are not empty ``Suffix`` and
``Others``. Names of ours begin with ``<Project>-``, but so do those of a project called ``<Project>-two``: the tag
``project`` decides. They end with ``Suffix``, and with none of ``Others``: those are other sides' of the project. The
work is done in ``is_complete``, which finds what is left each time anew: first jobs, then models, endpoints that
CloudFormation deletes, the network interfaces of all, the jobs' log streams, the endpoints' log groups.
Calls sagemaker: ListProcessingJobs, ListTrainingJobs, ListTransformJobs, ListModels (have no resource-level
permissions), ListTags, StopProcessingJob, StopTrainingJob, StopTransformJob, DeleteModel (on jobs and models),
DescribeEndpoint (on the endpoints).
Calls logs: DescribeLogStreams, DeleteLogStream (on the jobs' groups), DeleteLogGroup (on the groups of ours), and what
``interfaces`` calls.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import interfaces
from clients import client, suppress_client_errors
from events import CALL_SECONDS, Answer, Event, complete, is_stack_deletion, named

# What SageMaker says of jobs that ended or are gone when we stop them. The models name ResourceNotFound, the service
# answers ValidationException (github.com/aws/aws-sdk/issues/165; texts as Kubeflow's SageMaker components know them).
_OVER = (
    "ResourceNotFound",
    "ValidationException: The request was rejected because the",
    "ValidationException: Could not find",
    "ValidationException: Requested resource not found",
)

MODEL_END = "-model"  # as stacks/shared/sagemaker/kinds.py has it, before the side's own

# Another call is at work on the same group or stream: the next look tells.
_LOGS_BUSY = "OperationAbortedException"


@dataclass(frozen=True)
class _Kind:
    """A kind of job: SageMaker's name for it (``TrainingJob``), its name in an ARN, how it is listed and stopped."""

    name: str
    resource: str
    pages: Callable[..., Iterable[dict[str, Any]]]
    stop: Callable[[str], object]

    @property
    def log_group(self) -> str:
        """The group that SageMaker writes the logs of all jobs of this kind to, those of other projects too."""
        return f"/aws/sagemaker/{self.name}s"


JOB_KINDS = (
    _Kind(
        "ProcessingJob",
        "processing-job",
        lambda **asked: client("sagemaker").get_paginator("list_processing_jobs").paginate(**asked),
        lambda job: client("sagemaker").stop_processing_job(ProcessingJobName=job),
    ),
    _Kind(
        "TrainingJob",
        "training-job",
        lambda **asked: client("sagemaker").get_paginator("list_training_jobs").paginate(**asked),
        lambda job: client("sagemaker").stop_training_job(TrainingJobName=job),
    ),
    _Kind(
        "TransformJob",
        "transform-job",
        lambda **asked: client("sagemaker").get_paginator("list_transform_jobs").paginate(**asked),
        lambda job: client("sagemaker").stop_transform_job(TransformJobName=job),
    ),
)


class _Ours:
    """Which jobs and models are a project's own; each is asked about once a call."""

    def __init__(self, properties: Mapping[str, Any], stack_id: str) -> None:
        """``stack_id`` is an ARN: partition, region and account of the stack are those of its jobs."""
        self._project = properties["Project"]
        self.prefix = f"{self._project}-"
        self.suffix = properties.get("Suffix", "")
        self._others = tuple(properties.get("Others", ()))
        _, partition, _, region, account, _ = stack_id.split(":", 5)
        self._arn = f"arn:{partition}:sagemaker:{region}:{account}"
        self._tag = cache(_project_tag)

    def __call__(self, resource: str, name: str) -> bool:
        """True if a job or model is ours: ``resource`` as in its ARN, for instance ``training-job``."""
        named = name.startswith(self.prefix) and name.endswith(self.suffix) and not name.endswith(self._others)
        return named and self._tag(f"{self._arn}:{resource}/{name}") == self._project


on_event = named


def is_complete(event: Event) -> Answer:
    """Stop and remove what is ours when the stack goes; complete once a call finds nothing of it."""
    if not is_stack_deletion(event):
        return complete()
    properties = event["ResourceProperties"]
    ours = _Ours(properties, event["StackId"])
    deadline = time.monotonic() + CALL_SECONDS
    return complete(
        _jobs(ours)
        or _models(ours)
        or _endpoints(properties["Endpoints"])
        or interfaces.remove(properties["SecurityGroupIds"])
        or _log_streams(ours, deadline)
        or _log_groups(properties["LogGroups"])
    )


def _project_tag(arn: str) -> str | None:
    """A job's or model's tag ``project``; None if it has none, or is gone."""
    # Its text for a resource that is gone is not documented.
    with suppress_client_errors("ResourceNotFound", "ValidationException"):
        for page in client("sagemaker").get_paginator("list_tags").paginate(ResourceArn=arn):
            for tag in page["Tags"]:
                if tag["Key"] == "project":
                    return str(tag["Value"])
    return None


def _jobs(ours: _Ours) -> list[str]:
    """Stop our jobs; the names of those that have not ended yet."""
    active = set()
    for kind in JOB_KINDS:
        # In this order a job that somebody else stops between the two looks is seen all the same.
        for status in ("InProgress", "Stopping"):
            pages = kind.pages(NameContains=ours.prefix, StatusEquals=status)
            listed = [job[f"{kind.name}Name"] for page in pages for job in page[f"{kind.name}Summaries"]]
            for job in listed:
                if ours(kind.resource, job):
                    active.add(job)
                    if status == "InProgress":
                        with suppress_client_errors(*_OVER):
                            kind.stop(job)
    return sorted(active)


def _models(ours: _Ours) -> list[str]:
    """Delete the models that runs made; the names of those found. The endpoint's own is CloudFormation's."""
    pages = client("sagemaker").get_paginator("list_models").paginate(NameContains=ours.prefix)
    listed = [model["ModelName"] for page in pages for model in page["Models"]]
    found = [model for model in listed if model.endswith(f"{MODEL_END}{ours.suffix}") and ours("model", model)]
    for model in found:
        with suppress_client_errors(*_OVER):
            client("sagemaker").delete_model(ModelName=model)
    return found


def _endpoints(names: Sequence[str]) -> list[str]:
    """Those of the stack's endpoints that are not gone yet; their deletion goes on after CloudFormation's call."""
    found: list[str] = []
    for name in names:
        with suppress_client_errors(*_OVER):
            client("sagemaker").describe_endpoint(EndpointName=name)
            found.append(name)
    return found


def _log_streams(ours: _Ours, deadline: float) -> list[str]:
    """Delete our jobs' log streams; the names of those found.

    Streams are called ``<job>/<container>``. The groups, one for each kind of job, are the whole account's, with
    whatever retention, subscriptions and filters somebody gave them: they stay, even when they are empty.
    """
    found: list[str] = []
    for kind in JOB_KINDS:
        with suppress_client_errors("ResourceNotFoundException"):
            for stream in list(_streams(kind.log_group, logStreamNamePrefix=ours.prefix)):
                if not ours(kind.resource, stream.split("/")[0]):
                    continue
                found.append(stream)
                if time.monotonic() >= deadline:
                    return found
                with suppress_client_errors("ResourceNotFoundException", _LOGS_BUSY):
                    client("logs").delete_log_stream(logGroupName=kind.log_group, logStreamName=stream)
    return found


def _streams(group: str, **asked: str) -> Iterator[str]:
    """The names of a group's log streams."""
    pages = client("logs").get_paginator("describe_log_streams").paginate(logGroupName=group, **asked)
    return (stream["logStreamName"] for page in pages for stream in page["logStreams"])


def _log_groups(groups: Sequence[str]) -> list[str]:
    """Delete log groups; the names of those found.

    The last lines of an endpoint arrive after its deletion and make its group again
    (github.com/apache/airflow/pull/29581), so the next call looks once more.
    """
    found = []
    for group in groups:
        with suppress_client_errors("ResourceNotFoundException"):
            with suppress_client_errors(_LOGS_BUSY):
                client("logs").delete_log_group(logGroupName=group)
            found.append(group)
    return found
