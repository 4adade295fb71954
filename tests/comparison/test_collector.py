"""Filling a side of the record from a history and files."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from comparison.collector import Folder, attainable, collect_side
from comparison.record import Instances, StageName

START = datetime(2026, 11, 22, 16, 0, tzinfo=UTC)


class History:
    """An execution history, written the way GetExecutionHistory gives it."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.now = START

    def add(self, kind: str, seconds: float = 0, **details: Any) -> "History":
        self.now += timedelta(seconds=seconds)
        self.events.append({"type": kind, "timestamp": self.now, **details})
        return self

    def stage(self, name: str, seconds: float, end: str = "TaskSucceeded") -> "History":
        self.add("TaskStateEntered", stateEnteredEventDetails={"name": name})
        self.add("TaskScheduled", taskScheduledEventDetails={"parameters": json.dumps({"for": name})})
        self.add(end, seconds)
        if end == "TaskSucceeded":
            self.add("TaskStateExited", stateExitedEventDetails={"name": name})
        return self


def instances(request: Any) -> tuple[Instances, ...]:
    return (Instances(type=f"ml.{request['for']}", count=1),)


def log(stage: StageName) -> str:
    return f"logs/{stage}.log"


def write(folder: Path, name: str, content: Any) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(content if isinstance(content, str) else json.dumps(content))


def test_finished_side(tmp_path: Path) -> None:
    stats = {"rows_in": 10, "rows_out": 8, "rejected": {"logs": {"malformed": 2}}, "rows": {"score": 2}}
    write(tmp_path, "features/stats.json", stats)
    write(tmp_path, "predictions/part-0.csv.out", "1,0.5\n2,0.25\n")
    history = History().add("ExecutionStarted")
    for number, stage in enumerate(("prepare", "train", "evaluate", "score"), start=1):
        history.stage(stage, number)
    side = collect_side(history.add("ExecutionSucceeded").events, Folder(tmp_path), instances, log)
    assert side.status == "succeeded"
    assert [stage.seconds for stage in side.stages] == [1, 2, 3, 4]
    assert side.stages[0].started == START
    assert (side.stages[0].rows_in, side.stages[0].rows_out) == (10, 8)
    assert (side.stages[3].rows_in, side.stages[3].rows_out) == (2, 2)
    assert side.stages[1].instances == (Instances(type="ml.train", count=1),)
    assert side.rejected == {"logs": {"malformed": 2}}
    assert side.metrics is None
    assert attainable(Folder(tmp_path)) is None


def test_failed_stage_is_named_with_its_cause_and_log_and_the_rest_is_skipped(tmp_path: Path) -> None:
    history = History().add("ExecutionStarted").stage("prepare", 1).stage("train", 2, end="TaskFailed")
    history.add("ExecutionFailed", executionFailedEventDetails={"error": "TrainFailed", "cause": "no rows"})
    side = collect_side(history.events, Folder(tmp_path), instances, log)
    assert side.error is not None
    assert (side.error.stage, side.error.message, side.error.log) == ("train", "no rows", "logs/train.log")
    assert [stage.status for stage in side.stages] == ["succeeded", "failed", "skipped", "skipped"]
    assert side.stages[1].seconds == 2


def test_retried_stage_counts_from_its_first_try(tmp_path: Path) -> None:
    history = History().add("ExecutionStarted").add("TaskStateEntered", stateEnteredEventDetails={"name": "prepare"})
    history.add("TaskScheduled", taskScheduledEventDetails={"parameters": '{"for": "prepare"}'}).add("TaskFailed", 1)
    history.add("TaskScheduled", 5, taskScheduledEventDetails={"parameters": '{"for": "prepare"}'}).add(
        "TaskSucceeded", 3
    )
    side = collect_side(history.add("ExecutionSucceeded").events, Folder(tmp_path), instances, log)
    assert side.stages[0].status == "succeeded"
    assert side.stages[0].seconds == 9


def test_interrupted_execution_is_not_a_success(tmp_path: Path) -> None:
    side = collect_side(History().add("ExecutionStarted").events, Folder(tmp_path), instances, log)
    assert side.status == "failed"
    assert {stage.status for stage in side.stages} == {"skipped"}
