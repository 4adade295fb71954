"""What `compare` asks an account beside the collector's function: the stacks, the comparisons that ran, logs, metrics.

With the caller's own credentials, which may do more than the function's role. Calls cloudformation:
ListStackResources, GetTemplate; states: ListExecutions, DescribeExecution, DescribeStateMachine, and what ``account``
calls; logs: DescribeLogStreams, GetLogEvents; s3: GetObject (a step's log); cloudwatch: GetMetricData.
"""

import gzip
import json
import logging
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

import sides as registry
from record.account import (
    DeployedSide,
    Run,
    S3Storage,
    executed_definition,
    execution_arn,
    execution_history,
    started_by,
)
from record.clients import client
from record.collector import digest
from record.errors import UserError
from record.schema import Record, Serve, Side, SideName, StageName, Traffic
from record.services import not_measured
from record.text import clean

TAIL_LINES = 20
_LONGEST_LINE = 500

# Where the jobs' metrics are, as far as their host's name is known before: `<job>/algo-1`
# (sagemaker/latest/dg/monitoring-cloudwatch.html, archived, 2026-11-22).
_JOB_METRICS: dict[StageName, str] = {
    "prepare": "/aws/sagemaker/ProcessingJobs",
    "train": "/aws/sagemaker/TrainingJobs",
    "evaluate": "/aws/sagemaker/ProcessingJobs",
}

_log = logging.getLogger(__name__)


_HINTS: dict[type[BotoCoreError], str] = {
    NoCredentialsError: " (log in as for the AWS CLI, or choose --profile)",
    NoRegionError: " (choose --region)",
}


@contextmanager
def one_line() -> Iterator[None]:
    """Turn what AWS or boto3 refuses into UserError."""
    try:
        yield
    except ClientError as error:
        details = error.response["Error"]
        message = " ".join(details.get("Message", "").split())
        raise UserError(f"{error.operation_name}: {details['Code']}: {message}") from error
    except BotoCoreError as error:
        # No credentials, no region, no such profile, no way to the service.
        hint = _HINTS.get(type(error), "")
        raise UserError(" ".join(str(error).split()) + hint) from error
    except ValueError as error:
        # botocore's only word on a region that is an empty text; every other ValueError is a fault of this program.
        if not str(error).startswith("Invalid endpoint"):
            raise
        raise UserError(f"{error}{_HINTS[NoRegionError]}") from error


def bucket(project: str) -> str:
    """The bucket of a deployed project."""
    return _only(f"{project}-data", "AWS::S3::Bucket", lambda logical, _: logical.startswith("Bucket"))


def find_run(project: str, run_id: str) -> Run:
    """A run of the deployed comparison, with what was deployed when it ran.

    Raises:
        UserError: there is no such stack or run, or it is still running.
        ClientError, BotoCoreError: AWS refuses.
    """
    machine = _only(
        f"{project}-comparison",
        "AWS::StepFunctions::StateMachine",
        lambda _, arn: arn.endswith(f":{project}-comparison"),
    )
    execution = _execution(machine, run_id)
    described = client("stepfunctions").describe_execution(executionArn=execution)
    if described["status"] == "RUNNING":
        since = f"{described['startDate'].astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
        raise UserError(f"run {run_id} is still running, since {since}: collect it when it has ended")
    definition = executed_definition(execution)
    try:
        payload = definition["States"]["record"]["Parameters"]["Payload"]
        dataset, settings = payload["dataset"], json.loads(payload["settings"])
        sides = {name: DeployedSide(**side) for name, side in json.loads(payload["deployed"]).items()}
    except KeyError as error:
        raise UserError(f"{execution}: its definition records no runs: {error} is missing") from error
    return Run(
        run_id=run_id,
        runs=f"s3://{bucket(project)}/runs",
        raw=json.loads(described["input"])["raw"],
        sides=sides,
        execution=execution,
        refused=_refused(execution_history(execution), sides),
        dataset=dataset,
        settings=settings,
    )


def with_details(record: Record, project: str, endpoint_hours: int | None) -> Record:
    """The record with what CloudWatch has of it: log tails, the jobs' metrics, the endpoint's requests."""
    sides = {name: _with_tail(side) for name, side in record.sides.items()}
    for name in (name for name, side in sides.items() if side.service == "sagemaker"):
        # As the stacks name jobs: one of another side on the service ends with what its name has beside the service's.
        own = name.removeprefix(sides[name].service)
        used = _utilisation(sides[name], f"{project}-{record.run_id}-{{stage}}{own}")
        stages = tuple(stage.model_copy(update=used.get(stage.name, {})) for stage in sides[name].stages)
        serve = sides[name].serve
        if endpoint_hours is not None and not own:  # the endpoint is the first side's
            serve = (serve or Serve(status="skipped")).model_copy(
                update={"traffic": _traffic(project, endpoint_hours, datetime.now(UTC))}
            )
        sides[name] = sides[name].model_copy(update={"stages": stages, "serve": serve})
    return record.model_copy(update={"sides": sides})


def write_templates(project: str, record: Record, folder: Path) -> bool:
    """Write the deployed templates as a cloud assembly, unless they are not those that the run was started with.

    They are not when a side's state machine has changed since, or when one of the stacks is gone.
    """
    for side, executed in record.definitions.items():
        machine = _only(
            f"{project}-{side}", "AWS::StepFunctions::StateMachine", _ends(f":{project}-{side}"), default=""
        )
        if not machine:
            return False
        now = client("stepfunctions").describe_state_machine(stateMachineArn=machine)["definition"]
        if digest(json.loads(now)) != executed:
            return False
    templates = {}
    for stack in (f"{project}-{name}" for name in ("network", "data", *record.sides, "comparison")):
        try:
            body = client("cloudformation").get_template(StackName=stack, TemplateStage="Original")["TemplateBody"]
        except ClientError as error:
            if _is_missing(error):
                return False
            raise
        templates[stack] = json.loads(body) if isinstance(body, str) else body
    folder.mkdir(parents=True)
    artifacts = {}
    for stack, template in templates.items():
        file = f"{stack}.template.json"
        (folder / file).write_text(json.dumps(template, indent=1) + "\n", encoding="utf-8")
        artifacts[stack] = {"type": "aws:cloudformation:stack", "properties": {"templateFile": file}}
    # What assembly.template.Assembly reads of a cloud assembly; the assets stay in the account.
    (folder / "manifest.json").write_text(json.dumps({"artifacts": artifacts}, indent=1) + "\n", encoding="utf-8")
    return True


def _ends(text: str) -> Callable[[str, str], bool]:
    return lambda _, physical: physical.endswith(text)


def _only(stack: str, kind: str, wanted: Callable[[str, str], bool], default: str | None = None) -> str:
    """The physical id of a stack's resource, by its kind and by what its logical and its physical id are."""
    pages = client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=stack)
    try:
        found = [
            each["PhysicalResourceId"]
            for page in pages
            for each in page["StackResourceSummaries"]
            if each["ResourceType"] == kind and wanted(each["LogicalResourceId"], each.get("PhysicalResourceId", ""))
        ]
    except ClientError as error:
        if not _is_missing(error):
            raise
        found = []
    if len(found) != 1:
        if default is not None:
            return default
        region = client("cloudformation").meta.region_name
        raise UserError(
            f"no stack {stack} with its {kind} in {region}: deploy it, or choose --project, --region or --profile"
        )
    return str(found[0])


def _is_missing(error: ClientError) -> bool:
    """Whether CloudFormation says that there is no such stack."""
    details = error.response["Error"]
    return details["Code"] == "ValidationError" and "does not exist" in details.get("Message", "")


def _execution(machine: str, run_id: str) -> str:
    """The comparison's execution that started the sides' executions of this name, or has the name itself."""
    for side in registry.SIDES:
        history = execution_history(execution_arn(f"{machine.removesuffix('-comparison')}-{side}", run_id))
        comparison = started_by(history) if history else None
        if comparison is not None:
            return comparison
    execution = execution_arn(machine, run_id)
    if execution_history(execution):
        return execution
    listed = client("stepfunctions").list_executions(stateMachineArn=machine, maxResults=5)["executions"]
    others = ", ".join(each["name"] for each in listed)
    raise UserError(f"no run {run_id!r} of {machine}" + (f"; its latest executions: {others}" if others else ""))


def _refused(history: Iterable[dict[str, Any]], names: Iterable[SideName]) -> dict[str, str]:
    """Why a side did not end well, as the comparison's function would be told it."""
    left = {
        event["stateExitedEventDetails"]["name"]: json.loads(event["stateExitedEventDetails"]["output"])
        for event in history
        if event["type"] == "PassStateExited"
    }
    return {
        side: left.get(f"{side} failed", {}).get("cause", "the comparison was stopped")
        for side in names
        if f"{side} ended" not in left
    }


def _with_tail(side: Side) -> Side:
    error = side.error
    if error is None or error.log is None:
        return side
    try:
        tail = _tail(error.log)
    except (ClientError, OSError, EOFError, zlib.error) as failure:
        _log.warning("%s: cannot be read: %s", error.log, failure)
        return side
    lines = tuple(clean(line)[:_LONGEST_LINE] for line in tail)
    return side.model_copy(update={"error": error.model_copy(update={"log_tail": lines})})


def _tail(log: str) -> Sequence[str]:
    """The last lines of a log: a file in S3 as EMR writes it, or the streams of a job (`account` says which)."""
    if log.startswith("s3://"):
        folder, _, name = log.rpartition("/")
        if not name.endswith(".gz"):
            return ()
        with S3Storage(folder).open(name) as file, gzip.open(file, "rt", encoding="utf-8", errors="replace") as lines:
            return [line.rstrip("\n") for line in deque(lines, maxlen=TAIL_LINES)]
    group, _, prefix = log.partition(" ")
    pages = (
        client("logs").get_paginator("describe_log_streams").paginate(logGroupName=group, logStreamNamePrefix=prefix)
    )
    streams = [stream for page in pages for stream in page["logStreams"]]
    if not streams:
        return ()
    # A job on many instances has a stream each: the one that spoke last.
    last = max(streams, key=lambda stream: stream.get("lastEventTimestamp", 0))["logStreamName"]
    answer = client("logs").get_log_events(
        logGroupName=group, logStreamName=last, limit=TAIL_LINES, startFromHead=False
    )
    return [event["message"].rstrip("\n") for event in answer["events"]]


def _utilisation(side: Side, jobs: str) -> dict[StageName, dict[str, float]]:
    """Means of CPUUtilization and MemoryUtilization of the jobs that CloudWatch has some of, by stage and field.

    ``jobs`` is their name, with ``{stage}`` in it.
    """
    ran = [stage for stage in side.stages if stage.name in _JOB_METRICS and stage.started]
    begun = [stage.started for stage in ran if stage.started]
    if not begun:
        return {}
    fields = {"cpu_percent": "CPUUtilization", "memory_percent": "MemoryUtilization"}
    queries = {
        f"{stage.name}_{field}": _query(
            _JOB_METRICS[stage.name], metric, {"Host": f"{jobs.format(stage=stage.name)}/algo-1"}, 60, "Average"
        )
        for stage in ran
        for field, metric in fields.items()
    }
    end = max(begun) + timedelta(seconds=max(stage.seconds or 0 for stage in ran))
    with not_measured("the jobs' metrics", strict=False):
        values = _metrics(queries, min(begun), end + timedelta(minutes=1))
        return {
            stage.name: {
                field: sum(found.values()) / len(found)
                for field in fields
                if (found := values[f"{stage.name}_{field}"])
            }
            for stage in ran
        }
    return {}


def _traffic(endpoint: str, hours: int, now: datetime) -> Traffic | None:
    """The endpoint's requests of the last whole hours; the endpoint has the project's name."""
    end = now.replace(minute=0, second=0, microsecond=0)
    start = end - timedelta(hours=hours)
    variant = {"EndpointName": endpoint, "VariantName": "main"}
    percentiles = ("p50", "p90", "p99")
    sums = ("Invocations", "Invocation4XXErrors", "Invocation5XXErrors")
    queries = {name.lower(): _query("AWS/SageMaker", name, variant, 3600, "Sum") for name in sums} | {
        name: _query("AWS/SageMaker", "ModelLatency", variant, 3600, name) for name in percentiles
    }
    values = _metrics(queries, start, end)
    counts, client_errors, server_errors = (values[name.lower()] for name in sums)
    busiest = max(counts, key=lambda time: counts[time], default=None)
    return Traffic(
        start=start,
        hours=hours,
        requests=round(sum(counts.values())),
        failures=round(sum(client_errors.values()) + sum(server_errors.values())),
        # ModelLatency is in microseconds.
        **{
            f"{name}_milliseconds": values[name][busiest] / 1000
            for name in percentiles
            if busiest is not None and busiest in values[name]
        },
    )


def _query(namespace: str, metric: str, dimensions: dict[str, str], period: int, statistic: str) -> dict[str, Any]:
    named = [{"Name": name, "Value": value} for name, value in dimensions.items()]
    return {
        "Metric": {"Namespace": namespace, "MetricName": metric, "Dimensions": named},
        "Period": period,
        "Stat": statistic,
    }


def _metrics(queries: dict[str, dict[str, Any]], start: datetime, end: datetime) -> dict[str, dict[datetime, float]]:
    """Values by time of each query; none where CloudWatch has none."""
    values: dict[str, dict[datetime, float]] = {name: {} for name in queries}
    asked = [{"Id": name, "MetricStat": query} for name, query in queries.items()]
    pages = (
        client("cloudwatch")
        .get_paginator("get_metric_data")
        .paginate(MetricDataQueries=asked, StartTime=start, EndTime=end)
    )
    for page in pages:
        for result in page["MetricDataResults"]:
            values[result["Id"]] |= dict(zip(result["Timestamps"], result["Values"], strict=True))
    return values
