"""Fills a run record from what a run leaves behind: execution histories, and the files below its run prefix.

It asks Step Functions and S3 only through ``history`` and ``Storage``, so a laptop run and a run in an account are
collected by the same code.
"""

import gzip
import io
import json
import tarfile
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from comparison.record import STAGES, Instances, Metrics, Side, SideError, Stage, StageName

OUTPUTS: dict[StageName, str] = {
    "prepare": "features",
    "train": "model",
    "evaluate": "evaluation",
    "score": "predictions",
}
"""What each stage writes, below the side's run prefix."""


class Storage(Protocol):
    """The files below one side's run prefix."""

    def files(self, below: str) -> Iterable[tuple[str, int]]:
        """Name below the prefix and size in bytes of every file below a folder of it."""

    def read(self, name: str) -> bytes:
        """A file's content."""


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

    def read(self, name: str) -> bytes:
        """A file's content."""
        return (self.root / name).read_bytes()


def collect_side(
    history: list[dict[str, Any]],
    storage: Storage,
    instances: Callable[[Mapping[str, Any]], tuple[Instances, ...]],
    log: Callable[[StageName], str | None],
) -> Side:
    """One side of the record.

    ``history`` is the side's execution history, oldest event first. ``instances`` reads from a stage's request what
    machines it asks for; ``log`` says where a stage's log is.
    """
    spans = _spans(history)
    failure = next((event for event in history if event["type"] == "ExecutionFailed"), None)
    stages = tuple(_stage(name, spans.get(name), storage, instances) for name in STAGES)
    error = None
    if failure is not None or not any(event["type"] == "ExecutionSucceeded" for event in history):
        failed = next((stage.name for stage in stages if stage.status == "failed"), None)
        details = (failure or {}).get("executionFailedEventDetails", {})
        message = details.get("cause") or details.get("error") or "the execution did not end well"
        error = SideError(stage=failed, message=message, log=log(failed) if failed else None)
    prepared = _json(storage, "features/stats.json")
    evaluation = _json(storage, "evaluation/evaluation.json")
    metrics = evaluation.get("metrics", {})
    return Side(
        status="failed" if error else "succeeded",
        error=error,
        stages=stages,
        rejected=prepared.get("rejected"),
        metrics=_metrics(metrics.get("test")),
        validation=_metrics(metrics.get("validation")),
    )


def attainable(storage: Storage) -> Metrics | None:
    """The metrics of the true probabilities on the test split, None where the dataset has no truth."""
    return _metrics(_json(storage, "evaluation/evaluation.json").get("attainable"))


class _Span:
    """When a state was entered and left, and the request that it sent."""

    def __init__(self, entered: datetime) -> None:
        self.entered = entered
        self.left: datetime | None = None
        self.succeeded = False
        self.request: dict[str, Any] = {}


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
            current.request = json.loads(event["taskScheduledEventDetails"]["parameters"])
        elif event["type"] == "TaskSucceeded" and current is not None:
            current.succeeded = True
            current.left = event["timestamp"]
        elif event["type"] in ("TaskFailed", "TaskTimedOut") and current is not None:
            current.left = event["timestamp"]
        elif left is not None and left in spans:
            spans[left].left = event["timestamp"]
    return spans


def _stage(
    name: StageName,
    span: _Span | None,
    storage: Storage,
    instances: Callable[[Mapping[str, Any]], tuple[Instances, ...]],
) -> Stage:
    if span is None:
        return Stage(name=name, status="skipped")
    stats = _stats(name, storage) if span.succeeded else {}
    return Stage(
        name=name,
        status="succeeded" if span.succeeded else "failed",
        started=span.entered,
        seconds=(span.left - span.entered).total_seconds() if span.left else None,
        instances=instances(span.request),
        rows_in=stats.get("rows_in"),
        rows_out=stats.get("rows_out"),
        bytes_out=sum(size for _, size in storage.files(OUTPUTS[name])) if span.succeeded else None,
    )


def _stats(name: StageName, storage: Storage) -> dict[str, Any]:
    """A stage's own counts; Batch Transform keeps none, its rows are counted."""
    below = OUTPUTS[name]
    files = [file for file, _ in storage.files(below)]
    for file in files:
        if file == f"{below}/stats.json":
            return _json(storage, file)
        if file.endswith("/model.tar.gz"):
            return _from_archive(storage.read(file), "stats.json")
    written = [file for file in files if file.endswith(".out")]
    if not written:
        return {}
    prepared = _json(storage, "features/stats.json")
    return {
        "rows_in": prepared.get("rows", {}).get("score"),
        "rows_out": sum(storage.read(file).count(b"\n") for file in written),
    }


def _from_archive(archive: bytes, name: str) -> dict[str, Any]:
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(archive))) as tar:
        member = next((member for member in tar if member.name.removeprefix("./") == name), None)
        file = tar.extractfile(member) if member else None
        return {} if file is None else dict(json.load(file))


def _json(storage: Storage, name: str) -> dict[str, Any]:
    try:
        return dict(json.loads(storage.read(name)))
    except FileNotFoundError:
        return {}


def _metrics(values: Mapping[str, Any] | None) -> Metrics | None:
    return None if values is None else Metrics.model_validate(values)
