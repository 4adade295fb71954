"""The record of a run in an account, from Step Functions and S3.

Calls s3: ListBucket (of the runs' bucket and the raw data's), GetObject (below a side's run prefix); states:
GetExecutionHistory, DescribeStateMachineForExecution (of the sides' executions).
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any

from botocore.exceptions import ClientError

from comparison.clients import client
from comparison.collector import (
    attainable,
    cluster_instances,
    collect_side,
    created_cluster,
    described,
    digest,
    requested_instances,
    stage_requests,
)
from comparison.record import (
    SIDES,
    Agreement,
    Dataset,
    Instances,
    Limits,
    Record,
    Side,
    SideName,
    Sides,
    StageName,
)

STARTED_BY = "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID"
"""The field of a side's input that names the comparison's execution, as Step Functions itself shows it."""

# Where the jobs' logs are (sagemaker/latest/dg/logging-cloudwatch.html); a job's streams begin with its name.
_LOG_GROUPS = {
    "ProcessingJobName": "/aws/sagemaker/ProcessingJobs",
    "TrainingJobName": "/aws/sagemaker/TrainingJobs",
    "TransformJobName": "/aws/sagemaker/TransformJobs",
}

_log = logging.getLogger(__name__)


class RunIdUsedError(Exception):
    """Another comparison has run under this id; its record stays as it is."""


@dataclass(frozen=True)
class Run:
    """A run of the comparison's state machine in an account.

    ``runs`` is where all runs lie (``s3://.../runs``), ``machines`` has the ARN of each side's machine, ``execution``
    is the comparison's own. ``refused`` says of a side that could not be started why not. ``dataset`` is what was
    deployed: its name and ``tables`` (locations below the raw prefix), and of a generated one ``events`` and ``raw``,
    where it lies.
    """

    run_id: str
    runs: str
    raw: str
    machines: Mapping[SideName, str]
    execution: str
    refused: Mapping[str, str]
    dataset: Mapping[str, Any]
    settings: Mapping[str, Any]

    @property
    def location(self) -> str:
        """Where this run lies."""
        return f"{self.runs}/{self.run_id}"


class S3Storage:
    """What lies below a location in S3, ``s3://bucket/prefix``."""

    def __init__(self, location: str) -> None:
        """Read below ``location``; one that holds nothing is no error."""
        self.bucket, _, prefix = location.removeprefix("s3://").partition("/")
        self.prefix = f"{prefix.rstrip('/')}/" if prefix else ""

    def files(self, below: str) -> list[tuple[str, int]]:
        """Name below the location and size in bytes of every object below a folder of it."""
        prefix = f"{self.prefix}{below}/"
        pages = client("s3").get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return [
            (found["Key"].removeprefix(self.prefix), found["Size"])
            for page in pages
            for found in page.get("Contents", [])
        ]

    def open(self, name: str) -> IO[bytes]:
        """An object's content, as a stream. FileNotFoundError if there is no such object."""
        key = f"{self.prefix}{name}"
        try:
            body: IO[bytes] = client("s3").get_object(Bucket=self.bucket, Key=key)["Body"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchKey":
                raise FileNotFoundError(f"s3://{self.bucket}/{key}") from error
            raise
        return body


def execution_history(arn: str) -> list[dict[str, Any]]:
    """Every event of an execution, oldest first; none if there never was such an execution."""
    paginator = client("stepfunctions").get_paginator("get_execution_history")
    pages = paginator.paginate(executionArn=arn, PaginationConfig={"PageSize": 1000})
    try:
        return [event for page in pages for event in page["events"]]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ExecutionDoesNotExist":
            return []
        raise


def collect(run: Run) -> Record:
    """Everything that is known of a run whose sides have ended, well or not.

    RunIdUsedError if the sides' executions of this name are all another comparison's.
    """
    arns = {side: _execution_arn(run.machines[side], run.run_id) for side in SIDES}
    found = {side: execution_history(arn) for side, arn in arns.items()}
    histories = {side: history for side, history in found.items() if history and _is_ours(run, history)}
    if any(found.values()) and not histories:
        raise RunIdUsedError(f"run id {run.run_id} is already used: its record stays as it is")
    definitions = {side: _definition(arns[side]) for side in histories}
    sides = {side: _side(run, side, histories.get(side, []), definitions.get(side, {})) for side in SIDES}
    evaluated = [S3Storage(f"{run.location}/{side}") for side in SIDES if sides[side].metrics is not None]
    truth = next((truth for storage in evaluated if (truth := attainable(storage))), None)
    return Record(
        schema_version=2,
        run_id=run.run_id,
        where="aws",
        dataset=_dataset(run),
        sides=Sides(**sides),
        limits=Limits.of(truth),
        agreement=_agreement(sides),
        versions=_versions(definitions),
        settings=dict(run.settings),
        definitions={side: digest(definition) for side, definition in definitions.items()},
    )


def _execution_arn(machine: str, name: str) -> str:
    return f"{machine.replace(':stateMachine:', ':execution:')}:{name}"


def _is_ours(run: Run, history: list[dict[str, Any]]) -> bool:
    """Whether this comparison started an execution, and not another one of the same run id."""
    started = json.loads(history[0]["executionStartedEventDetails"]["input"])
    return bool(started.get(STARTED_BY) == run.execution)


def _definition(execution: str) -> dict[str, Any]:
    """The definition that an execution was started with, whatever the machine's is now."""
    answer = client("stepfunctions").describe_state_machine_for_execution(executionArn=execution)
    return dict(json.loads(answer["definition"]))


def _side(run: Run, side: SideName, history: list[dict[str, Any]], definition: Mapping[str, Any]) -> Side:
    """One side, from its execution's history and its files."""
    cluster = created_cluster(definition) if side == "emr" and definition else {}
    requests = stage_requests(history)

    def instances(request: Mapping[str, Any]) -> tuple[Instances, ...]:
        return requested_instances(request) if side == "sagemaker" else cluster_instances(cluster)

    def log(stage: StageName) -> str | None:
        request = requests[stage]
        return _job_log(request) if side == "sagemaker" else _step_log(history, cluster, request)

    storage = S3Storage(f"{run.location}/{side}")
    return collect_side(history, storage, instances, log, run.refused.get(side, ""))


def _job_log(request: Mapping[str, Any]) -> str | None:
    """The log group and stream of a SageMaker job."""
    return next((f"{group} {request[name]}/" for name, group in _LOG_GROUPS.items() if name in request), None)


def _step_log(history: list[dict[str, Any]], cluster: Mapping[str, Any], request: Mapping[str, Any]) -> str | None:
    """The log of an EMR step that failed: the file that EMR found the cause in, or where the cluster's steps log."""
    for event in reversed(history):
        status = described(event.get("taskFailedEventDetails", {}).get("cause", "")).get("Status")
        file = status.get("FailureDetails", {}).get("LogFile") if isinstance(status, dict) else None
        if file:
            return str(file)
    return f"{cluster['LogUri']}{request['ClusterId']}/steps/" if "ClusterId" in request else None


def _dataset(run: Run) -> Dataset:
    """The raw data; its rows are not counted, since that would read all of it."""
    raw = S3Storage(run.raw)
    try:
        size = sum(size for table in run.dataset["tables"] for _, size in raw.files(table.rstrip("/")))
    except ClientError as error:
        # Another place than the deployed one may be closed to the function.
        _log.warning("%s: cannot be listed: %s", run.raw, error)
        size = None
    events = run.dataset.get("events") if run.raw == run.dataset.get("raw") else None
    return Dataset(name=run.dataset["name"], events=events, bytes=size)


def _agreement(sides: Mapping[SideName, Side]) -> Agreement:
    """What can be compared without reading data: the rest is not measured."""
    auc = [side.metrics.auc for side in sides.values() if side.metrics is not None]
    rejected = [side.rejected for side in sides.values() if side.rejected is not None]
    return Agreement(
        auc_difference=abs(auc[0] - auc[1]) if len(auc) == len(SIDES) else None,
        rejected_equal=rejected[0] == rejected[1] if len(rejected) == len(SIDES) else None,
    )


def _versions(definitions: Mapping[SideName, Mapping[str, Any]]) -> dict[str, str]:
    """What the services ran: the release of EMR, the image of SageMaker."""
    versions = {}
    if "sagemaker" in definitions:
        train = definitions["sagemaker"]["States"]["train"]["Parameters"]
        image, _, version = train["AlgorithmSpecification"]["TrainingImage"].rpartition("/")[2].partition(":")
        versions[image] = version
    if "emr" in definitions:
        versions["emr"] = created_cluster(definitions["emr"])["ReleaseLabel"]
    return versions
