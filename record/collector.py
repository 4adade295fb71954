"""Fills a run record from what a run leaves behind: execution histories, and the files below its run prefix.

It asks Step Functions and S3 only through ``history`` and ``Storage``, so a laptop run and a run in an account are
collected by the same code.
"""

import hashlib
import json
import logging
import tarfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Protocol, TypeVar

from pydantic import BaseModel, NonNegativeInt
from pydantic_core import from_json

from record.schema import STAGES, Agreement, Instances, Metrics, Side, SideError, SideName, Stage, StageName

OUTPUTS: dict[StageName, str] = {
    "prepare": "features",
    "train": "model",
    "evaluate": "evaluation",
    "score": "predictions",
}
"""What each stage writes, below the side's run prefix."""

# Predictions beyond this are not counted: reading them in a function takes some ten seconds a gigabyte.
_COUNTED_BYTES = 1 << 30

# No time in seconds is so late, and none in milliseconds so early.
_MILLISECONDS = 1e11

# How an execution ends other than well, what the history calls the details of that, and what people call it.
_ENDS = {
    "ExecutionFailed": ("executionFailedEventDetails", "the execution failed"),
    "ExecutionTimedOut": ("executionTimedOutEventDetails", "the execution ran out of time"),
    "ExecutionAborted": ("executionAbortedEventDetails", "the execution was stopped"),
}

_log = logging.getLogger(__name__)


class Storage(Protocol):
    """The files below one side's run prefix."""

    def files(self, below: str) -> Iterable[tuple[str, int]]:
        """Name below the prefix and size in bytes of every file below a folder of it."""

    def open(self, name: str) -> IO[bytes]:
        """A file's content, as a stream. FileNotFoundError if there is no such file."""


@dataclass(frozen=True)
class DescribedSide:
    """What a side is; the fields are `record.schema.Side`'s."""

    title: str
    service: str
    engine: str


class Folder:
    """A run prefix on a disk."""

    def __init__(self, root: Path) -> None:
        """Read below ``root``; a folder that is not there holds nothing."""
        self.root = root

    def files(self, below: str) -> list[tuple[str, int]]:
        """Name and size of every file, sorted by name; not the hidden ones, which only Hadoop on a disk writes."""
        paths = sorted(
            path for path in (self.root / below).rglob("*") if path.is_file() and not path.name.startswith(".")
        )
        return [(path.relative_to(self.root).as_posix(), path.stat().st_size) for path in paths]

    def open(self, name: str) -> IO[bytes]:
        """A file's content, as a stream."""
        return (self.root / name).open("rb")


def collect_side(
    history: list[dict[str, Any]],
    storage: Storage,
    side: DescribedSide,
    *,
    instances: Callable[[Mapping[str, Any]], tuple[Instances, ...]],
    log: Callable[[StageName], str | None],
    refused: str = "",
) -> Side:
    """One side of the record.

    ``history`` is the side's execution history, oldest event first; none if it was never started, and then ``refused``
    says why, where that is known. ``instances`` reads from a stage's request what instances it asks for; ``log`` says
    where a stage's log is.
    """
    spans = _spans(history)
    stages = tuple(_stage(name, spans.get(name), storage, instances) for name in STAGES)
    message = _failure(history, refused)
    failed = next((stage.name for stage in stages if stage.status == "failed"), None)
    done = {stage.name for stage in stages if stage.status == "succeeded"}
    # What lies at the place of a stage that did not end well is not of this run.
    evaluation = _evaluation(storage) if "evaluate" in done else _Evaluation()
    return Side(
        title=side.title,
        service=side.service,
        engine=side.engine,
        status="failed" if message else "succeeded",
        error=SideError(stage=failed, message=message, log=log(failed) if failed else None) if message else None,
        started=history[0]["timestamp"] if history else None,
        seconds=(end["timestamp"] - history[0]["timestamp"]).total_seconds() if (end := _end(history)) else None,
        stages=stages,
        rejected=_counts(storage, "features/stats.json").rejected if "prepare" in done else None,
        metrics=evaluation.metrics.get("test"),
        validation=evaluation.metrics.get("validation"),
    )


def attainable(storage: Storage) -> Metrics | None:
    """The metrics of the true probabilities on the test split, None where the dataset has no truth."""
    return _evaluation(storage).attainable


def agreement_of(sides: Mapping[SideName, Side]) -> tuple[Agreement, ...]:
    """What can be compared without reading data, of each other side with the first; the rest is not measured."""
    (first, one), *others = sides.items()
    return tuple(
        Agreement(
            first=first,
            second=second,
            auc_difference=abs(one.metrics.auc - other.metrics.auc) if one.metrics and other.metrics else None,
            rejected_equal=one.rejected == other.rejected
            if one.rejected is not None and other.rejected is not None
            else None,
        )
        for second, other in others
    )


def stage_requests(history: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The request that each state sent last, by the state's name."""
    return {name: span.request for name, span in _spans(history).items()}


def digest(definition: Mapping[str, Any]) -> str:
    """SHA-256 of a state machine's definition, independent of the order of its keys."""
    return hashlib.sha256(json.dumps(definition, sort_keys=True).encode()).hexdigest()


def described(cause: str) -> dict[str, Any]:
    """What a failed call's cause describes, if it is the answer of a service's Describe call; empty if it is a text.

    Step Functions gives such an answer as the cause of a job, a step or an execution that was waited for and failed.
    """
    try:
        answer = from_json(cause, allow_partial="trailing-strings")  # a long cause is cut off
    except ValueError:
        return {}
    if not isinstance(answer, dict):
        return {}
    return answer["Step"] if isinstance(answer.get("Step"), dict) else answer


def message_of(cause: str) -> str:
    """What went wrong, for people: the cause itself, or the message within the answer that it holds.

    The job's own last words come before what the service says about them. Fields: API_DescribeProcessingJob,
    API_DescribeTrainingJob, API_DescribeTransformJob, API_StepStatus and API_ClusterStatus of EMR,
    API_DescribeExecution.
    """
    answer = described(cause)
    status = answer.get("Status")
    # A cluster's cause is its status alone.
    status = status if isinstance(status, dict) else answer
    failure, change = _part(status, "FailureDetails"), _part(status, "StateChangeReason")
    said = [
        answer.get("ExitMessage"),
        answer.get("FailureReason"),
        failure.get("Message"),
        failure.get("Reason"),
        change.get("Message"),
        answer.get("StateDetails"),
    ]
    message = next((text for text in said if isinstance(text, str) and text), None)
    if message is None and isinstance(answer.get("Cause"), str):
        message = message_of(answer["Cause"])
    return message or cause


def _part(answer: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = answer.get(name)
    return part if isinstance(part, dict) else {}


def _failure(history: list[dict[str, Any]], refused: str) -> str:
    """Why an execution did not end well; empty if it did."""
    if not history:
        return f"did not start: {message_of(refused)}" if refused else "did not start"
    last = _end(history)
    if last is None:
        return "the execution did not end"
    if last["type"] == "ExecutionSucceeded":
        return ""
    field, what = _ENDS[last["type"]]
    details = last.get(field, {})
    return message_of(details.get("cause", "")) or details.get("error") or what


def _end(history: list[dict[str, Any]]) -> dict[str, Any] | None:
    """How an execution ended. The last end counts: a failed one may have been continued from where it failed."""
    return next((event for event in reversed(history) if event["type"] in {*_ENDS, "ExecutionSucceeded"}), None)


class _Span:
    """When a state was entered and left, and the request that it sent."""

    def __init__(self, entered: datetime) -> None:
        self.entered = entered
        self.left: datetime | None = None
        self.succeeded = False
        self.request: dict[str, Any] = {}

    def end(self, noticed: datetime, answer: str | None) -> None:
        """The state's task has ended: a job when it says so, since it is looked at every half to five minutes only."""
        ended = _job_end(answer)
        self.left = noticed if ended is None else min(noticed, max(self.entered, ended))


def _spans(history: list[dict[str, Any]]) -> dict[str, _Span]:
    """The stages' states by name, from first entry to last exit."""
    spans: dict[str, _Span] = {}
    current: _Span | None = None
    for event in history:
        entered = event.get("stateEnteredEventDetails", {}).get("name")
        left = event.get("stateExitedEventDetails", {}).get("name")
        if entered is not None:
            if current is not None and current.left is None:
                current.left = event["timestamp"]
            current = spans.setdefault(entered, _Span(event["timestamp"]))
        elif event["type"] == "TaskScheduled" and current is not None:
            details = event["taskScheduledEventDetails"]
            request = json.loads(details["parameters"])
            watched = _watched(details.get("resource"), request, spans.values())
            if watched is None:
                current.request = request
            else:
                current = watched
        elif event["type"] == "TaskSucceeded" and current is not None:
            details = event.get("taskSucceededEventDetails", {})
            answer = details.get("output")
            status = described(answer or "").get("TrainingJobStatus", "Completed")
            current.succeeded = status == "Completed" and details.get("resource") != _STARTS_TRAINING
            current.end(event["timestamp"], answer)
        elif event["type"] in ("TaskFailed", "TaskTimedOut") and current is not None:
            current.end(event["timestamp"], event.get("taskFailedEventDetails", {}).get("cause"))
        elif left is not None and left in spans and spans[left].left is None:
            spans[left].left = event["timestamp"]
    return spans


# A training job is only started by its creation, and looked at from then on, as the AWS SDK's integration calls it. The
# optimised one, in templates of earlier commits, waits for its end: createTrainingJob.sync.
_STARTS_TRAINING, _DESCRIBES_TRAINING = "createTrainingJob", "describeTrainingJob"


def _watched(resource: str | None, request: Mapping[str, Any], spans: Iterable[_Span]) -> _Span | None:
    """The state that created the training job that another one looks at."""
    if resource != _DESCRIBES_TRAINING:
        return None
    name = request["TrainingJobName"]
    return next((span for span in spans if span.request.get("TrainingJobName") == name), None)


def _job_end(answer: str | None) -> datetime | None:
    """When a job ended, as it says itself: an EMR step (API_StepTimeline), or a job of SageMaker or EMR Serverless."""
    job = described(answer or "")
    ended = _part(_part(job, "Status"), "Timeline").get("EndDateTime", job.get("TrainingEndTime", job.get("EndedAt")))
    try:
        if isinstance(ended, str):
            moment = datetime.fromisoformat(ended)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        if isinstance(ended, int | float) and not isinstance(ended, bool):
            # In milliseconds as Step Functions gives times, in seconds as the service itself does.
            return datetime.fromtimestamp(ended / 1000 if ended > _MILLISECONDS else ended, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return None


def _stage(
    name: StageName,
    span: _Span | None,
    storage: Storage,
    instances: Callable[[Mapping[str, Any]], tuple[Instances, ...]],
) -> Stage:
    if span is None:
        return Stage(name=name, status="skipped")
    counts = _stage_counts(name, storage) if span.succeeded else _Counts()
    return Stage(
        name=name,
        status="succeeded" if span.succeeded else "failed",
        started=span.entered,
        seconds=(span.left - span.entered).total_seconds() if span.left else None,
        instances=instances(span.request),
        rows_in=counts.rows_in,
        rows_out=counts.rows_out,
        bytes_out=sum(size for _, size in storage.files(OUTPUTS[name])) if span.succeeded else None,
    )


class _Counts(BaseModel):
    """What of a stage's stats.json is recorded; a stage that keeps none has none."""

    rows_in: NonNegativeInt | None = None
    rows_out: NonNegativeInt | None = None
    rows: dict[str, NonNegativeInt] = {}
    rejected: dict[str, dict[str, NonNegativeInt]] | None = None


class _Evaluation(BaseModel):
    """What of evaluation.json is recorded."""

    metrics: dict[str, Metrics] = {}
    attainable: Metrics | None = None


_Content = TypeVar("_Content", _Counts, _Evaluation)


def _stage_counts(name: StageName, storage: Storage) -> _Counts:
    """A stage's own counts; Batch Transform keeps none, its rows are counted."""
    below = OUTPUTS[name]
    files = dict(storage.files(below))
    if f"{below}/stats.json" in files:
        return _counts(storage, f"{below}/stats.json")
    archive = next((file for file in files if file.endswith("/model.tar.gz")), None)
    if archive is not None:
        return _read(_Counts, archive, lambda: _from_archive(storage, archive, "stats.json"))
    written = {file: size for file, size in files.items() if file.endswith(".out")}
    if not written:
        return _Counts()
    few = sum(written.values()) <= _COUNTED_BYTES
    return _Counts(
        rows_in=_counts(storage, "features/stats.json").rows.get("score"),
        rows_out=sum(_lines(storage, file) for file in written) if few else None,
    )


def _counts(storage: Storage, name: str) -> _Counts:
    return _read(_Counts, name, lambda: _content(storage, name))


def _evaluation(storage: Storage) -> _Evaluation:
    name = "evaluation/evaluation.json"
    return _read(_Evaluation, name, lambda: _content(storage, name))


def _read(kind: type[_Content], name: str, content: Callable[[], bytes]) -> _Content:
    """A file as it is, or as if it said nothing where it is missing or damaged: one file does not cost the record."""
    try:
        return kind.model_validate_json(content())
    except FileNotFoundError:
        return kind()
    except (ValueError, EOFError, OSError, tarfile.TarError, zlib.error) as error:
        _log.warning("%s: cannot be read, and is left out: %s", name, error)
        return kind()


def _content(storage: Storage, name: str) -> bytes:
    with storage.open(name) as file:
        return file.read()


def _from_archive(storage: Storage, archive: str, name: str) -> bytes:
    with storage.open(archive) as stream, tarfile.open(fileobj=stream, mode="r|gz") as tar:
        for member in tar:
            file = tar.extractfile(member) if member.name.removeprefix("./") == name else None
            if file is not None:
                return file.read()
    raise FileNotFoundError(f"{archive} holds no {name}")


def _lines(storage: Storage, name: str) -> int:
    with storage.open(name) as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
