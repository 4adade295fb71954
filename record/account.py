"""The record of a run in an account, from Step Functions, S3, SageMaker and EMR.

Calls s3: ListBucket (of the runs' bucket and the raw data's), GetObject (below a side's run prefix); states:
GetExecutionHistory, DescribeStateMachineForExecution (of the sides' executions); sagemaker: DescribeProcessingJob,
DescribeTrainingJob, DescribeTransformJob (of the run's jobs); elasticmapreduce: ListSteps, ListInstances (of the
cluster that the run used).
"""

import json
import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any

from botocore.exceptions import ClientError

from record.clients import client
from record.collector import (
    agreement_of,
    attainable,
    cluster_instances,
    collect_side,
    created_cluster,
    described,
    digest,
    requested_instances,
    stage_requests,
)
from record.errors import UserError
from record.schema import (
    SIDES,
    Cluster,
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

# How SageMaker says when a job ran: start and end, or what it bills (API_DescribeProcessingJob,
# API_DescribeTrainingJob, API_DescribeTransformJob; botocore 1.44.5).
_JOBS: dict[str, Callable[[str], Mapping[str, Any]]] = {
    "ProcessingJobName": lambda name: client("sagemaker").describe_processing_job(ProcessingJobName=name),
    "TrainingJobName": lambda name: client("sagemaker").describe_training_job(TrainingJobName=name),
    "TransformJobName": lambda name: client("sagemaker").describe_transform_job(TransformJobName=name),
}

_REFUSED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Run:
    """A run of the comparison's state machine in an account.

    ``runs`` is where all runs lie (``s3://.../runs``), ``machines`` has the ARN of each side's machine, ``execution``
    is the comparison's own. ``refused`` says of a side that did not end well why, in the comparison's words; it counts
    for a side that could not be started. ``dataset`` is what was
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


def collect(run: Run, *, strict: bool = False) -> Record:
    """Everything that is known of a run whose sides have ended, well or not.

    What SageMaker and EMR say of their jobs is not measured where they do not know them any longer, or refuse to say;
    ``strict`` raises their refusal (botocore's ClientError), as that of Step Functions and S3 always is.

    UserError if the sides' executions of this name are all another comparison's, or if one that ended well is no longer
    there.
    """
    arns = {side: execution_arn(run.machines[side], run.run_id) for side in SIDES}
    found = {side: execution_history(arn) for side, arn in arns.items()}
    histories = {side: history for side, history in found.items() if history and _is_ours(run, history)}
    if any(found.values()) and not histories:
        raise UserError(f"run id {run.run_id} is already used: its record stays as it is")
    gone = [side for side in SIDES if not found[side] and side not in run.refused]
    if gone:
        raise UserError(f"run {run.run_id}: the execution of side {gone[0]} is no longer there: {arns[gone[0]]}")
    definitions = {side: executed_definition(arns[side]) for side in histories}
    sides = {side: _side(run, side, histories.get(side, []), definitions.get(side, {}), strict) for side in SIDES}
    evaluated = [S3Storage(f"{run.location}/{side}") for side in SIDES if sides[side].metrics is not None]
    truth = next((truth for storage in evaluated if (truth := attainable(storage))), None)
    return Record(
        schema_version=2,
        run_id=run.run_id,
        where="aws",
        region=run.machines["sagemaker"].split(":")[3],
        dataset=_dataset(run),
        sides=Sides(**sides),
        limits=Limits.of(truth),
        agreement=agreement_of(sides),
        versions=_versions(definitions),
        settings=dict(run.settings),
        definitions={side: digest(definition) for side, definition in definitions.items()},
    )


def execution_arn(machine: str, name: str) -> str:
    """The ARN of a machine's execution of this name."""
    return f"{machine.replace(':stateMachine:', ':execution:')}:{name}"


def _is_ours(run: Run, history: list[dict[str, Any]]) -> bool:
    """Whether this comparison started an execution, and not another one of the same run id."""
    return started_by(history) == run.execution


def started_by(history: list[dict[str, Any]]) -> str | None:
    """The ARN of the comparison's execution that started a side's; None if none did."""
    started = json.loads(history[0]["executionStartedEventDetails"]["input"])
    found = started.get(STARTED_BY)
    return None if found is None else str(found)


def executed_definition(execution: str) -> dict[str, Any]:
    """The definition that an execution was started with, whatever the machine's is now."""
    answer = client("stepfunctions").describe_state_machine_for_execution(executionArn=execution)
    return dict(json.loads(answer["definition"]))


def _side(run: Run, side: SideName, history: list[dict[str, Any]], definition: Mapping[str, Any], strict: bool) -> Side:
    """One side, from its execution's history and its files, and from what the service says of its jobs."""
    cluster = created_cluster(definition) if side == "emr" and definition else {}
    requests = stage_requests(history)

    def instances(request: Mapping[str, Any]) -> tuple[Instances, ...]:
        return requested_instances(request) if side == "sagemaker" else cluster_instances(cluster)

    def log(stage: StageName) -> str | None:
        request = requests[stage]
        return _job_log(request) if side == "sagemaker" else _step_log(history, cluster, request)

    storage = S3Storage(f"{run.location}/{side}")
    collected = collect_side(history, storage, instances, log, run.refused.get(side, ""))
    started = {stage.name: requests[stage.name] for stage in collected.stages if requests.get(stage.name)}
    used = None
    if side == "sagemaker":
        billable = {stage: _job_seconds(request, strict) for stage, request in started.items()}
    else:
        billable = _step_seconds(started, strict)
        used = _cluster(history, strict)
    stages = [stage.model_copy(update={"billable_seconds": billable.get(stage.name)}) for stage in collected.stages]
    return collected.model_copy(update={"stages": tuple(stages), "cluster": used})


@contextmanager
def not_measured(what: str, strict: bool) -> Iterator[None]:
    """What a service does not say of its jobs costs what it would have said, and not the record.

    ``strict``: that it refuses to say is raised, as ClientError.
    """
    try:
        yield
    except ClientError as error:
        if strict and error.response["Error"]["Code"] in _REFUSED:
            raise
        _log.warning("%s: not measured: %s", what, error)


def _job_seconds(request: Mapping[str, Any], strict: bool) -> float | None:
    """The seconds that SageMaker bills for a job, for each of its instances; None if it does not say."""
    field = next(field for field in _JOBS if field in request)
    with not_measured(request[field], strict):
        answer = _JOBS[field](request[field])
        if "BillableTimeInSeconds" in answer:  # training
            return float(answer["BillableTimeInSeconds"])
        kind = field.removesuffix("JobName")
        return _seconds(answer.get(f"{kind}StartTime"), answer.get(f"{kind}EndTime"))
    return None


def _step_seconds(started: Mapping[StageName, Mapping[str, Any]], strict: bool) -> dict[StageName, float | None]:
    """How long the steps of these stages ran, start to end; a step that was sent again counts each time."""
    clusters = {request["ClusterId"] for request in started.values()}
    ran: dict[str, list[float | None]] = defaultdict(list)
    for cluster in clusters:
        with not_measured(f"the steps of {cluster}", strict):
            for page in client("emr").get_paginator("list_steps").paginate(ClusterId=cluster):
                for step in page["Steps"]:
                    timeline = step["Status"]["Timeline"]
                    ran[step["Name"]].append(_seconds(timeline.get("StartDateTime"), timeline.get("EndDateTime")))
    return {stage: _sum(ran[request["Step"]["Name"]]) for stage, request in started.items()}


def _cluster(history: list[dict[str, Any]], strict: bool) -> Cluster | None:
    """The cluster of a run and what of its instances the run occupied; None if the run had none.

    An instance is paid for from the request to its end (aws.amazon.com/emr/faqs, as quoted 2026-11-22).
    """
    id_, own = _cluster_id(history)
    if id_ is None:
        return None
    first, last = history[0]["timestamp"], history[-1]["timestamp"]
    seconds: dict[str, float] = defaultdict(float)
    spot: dict[str, float] = defaultdict(float)
    with not_measured(f"the instances of {id_}", strict):
        for page in client("emr").get_paginator("list_instances").paginate(ClusterId=id_):
            for instance in page["Instances"]:
                timeline = instance["Status"]["Timeline"]
                begun, ended = timeline.get("CreationDateTime"), timeline.get("EndDateTime")
                if own:
                    lived = _seconds(begun, ended)
                else:
                    lived = _seconds(max(begun, first), min(ended or last, last)) if begun else None
                if lived is None:
                    # A cluster of the run's own goes with the run, and takes some minutes; its hours are known then.
                    _log.warning("%s has not ended: its instances' hours are not measured yet", id_)
                    return Cluster(id=id_, own=own)
                if lived:
                    seconds[instance["InstanceType"]] += lived
                    if instance["Market"] == "SPOT":
                        spot[instance["InstanceType"]] += lived
        return Cluster(id=id_, own=own, instance_seconds=dict(seconds), spot_seconds=dict(spot))
    return Cluster(id=id_, own=own)


def _cluster_id(history: list[dict[str, Any]]) -> tuple[str | None, bool]:
    """The id of the cluster that a run worked on, and whether the run started it."""
    for event in reversed(history):
        details = event.get("taskSucceededEventDetails", {})
        if details.get("resource") == "runJobFlow":
            return json.loads(details["output"])["JobFlowId"], True
    requests = stage_requests(history).values()
    return next((request["ClusterId"] for request in requests if "ClusterId" in request), None), False


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    """From start to end, None if one of them is not known; nothing if the end comes first."""
    return None if start is None or end is None else max((end - start).total_seconds(), 0.0)


def _sum(values: list[float | None]) -> float | None:
    """The sum, None if there are none or one of them is not known."""
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None


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
