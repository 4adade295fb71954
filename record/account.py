"""The record of a run in an account, from Step Functions, S3 and the sides' services.

Calls s3: ListBucket (of the runs' bucket and the raw data's), GetObject (below a side's run prefix); states:
GetExecutionHistory, DescribeStateMachineForExecution (of the sides' executions); and what the services' modules call.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any

from botocore.exceptions import ClientError

from record.clients import client
from record.collector import (
    DescribedSide,
    agreement_of,
    attainable,
    collect_side,
    digest,
    stage_requests,
)
from record.errors import UserError
from record.schema import Dataset, Limits, Record, Side, SideName
from record.services import service

STARTED_BY = "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID"
"""The field of a side's input that names the comparison's execution, as Step Functions itself shows it."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DeployedSide(DescribedSide):
    """A side in an account, with the ARN of its state machine."""

    state_machine: str


@dataclass(frozen=True)
class Run:
    """A run of the comparison's state machine in an account.

    ``runs`` is where all runs lie (``s3://.../runs``), ``sides`` are those of the comparison in their order,
    ``execution`` is the comparison's own. ``refused`` says of a side that did not end well why, in the comparison's
    words; it counts for a side that could not be started. ``dataset`` is what was deployed: its name and ``tables``
    (locations below the raw prefix), and of a generated one ``events`` and ``raw``, where it lies.
    """

    run_id: str
    runs: str
    raw: str
    sides: Mapping[SideName, DeployedSide]
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
    arns = {name: execution_arn(side.state_machine, run.run_id) for name, side in run.sides.items()}
    found = {side: execution_history(arn) for side, arn in arns.items()}
    histories = {side: history for side, history in found.items() if history and _is_ours(run, history)}
    if any(found.values()) and not histories:
        raise UserError(f"run id {run.run_id} is already used: its record stays as it is")
    gone = [side for side in arns if not found[side] and side not in run.refused]
    if gone:
        raise UserError(f"run {run.run_id}: the execution of side {gone[0]} is no longer there: {arns[gone[0]]}")
    definitions = {side: executed_definition(arns[side]) for side in histories}
    sides = {side: _side(run, side, histories.get(side, []), definitions.get(side, {}), strict) for side in arns}
    evaluated = [S3Storage(f"{run.location}/{side}") for side in arns if sides[side].metrics is not None]
    truth = next((truth for storage in evaluated if (truth := attainable(storage))), None)
    return Record(
        schema_version=3,
        run_id=run.run_id,
        where="aws",
        region=next(iter(arns.values())).split(":")[3],
        dataset=_dataset(run),
        sides=sides,
        limits=Limits.of(truth),
        agreement=agreement_of(sides),
        versions={
            what: version
            for side, definition in definitions.items()
            for what, version in service(run.sides[side].service).versions(definition).items()
        },
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


def _side(run: Run, name: SideName, history: list[dict[str, Any]], definition: Mapping[str, Any], strict: bool) -> Side:
    """One side, from its execution's history and its files, and from what the service says of its jobs."""
    deployed = run.sides[name]
    asked = service(deployed.service)
    requests = stage_requests(history)
    collected = collect_side(
        history,
        S3Storage(f"{run.location}/{name}"),
        deployed,
        instances=lambda request: asked.instances(definition, request),
        log=lambda stage: asked.log(history, definition, requests[stage]),
        refused=run.refused.get(name, ""),
    )
    started = {stage.name: requests[stage.name] for stage in collected.stages if requests.get(stage.name)}
    billed = asked.billed(history, started, strict=strict)
    stages = [
        stage.model_copy(update={"billable_seconds": each.seconds, "utilization": each.utilization})
        if (each := billed.get(stage.name))
        else stage
        for stage in collected.stages
    ]
    return collected.model_copy(
        update={"stages": tuple(stages), "cluster": asked.cluster(history, strict=strict) if history else None}
    )


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
