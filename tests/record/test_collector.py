"""Filling a side of the record from a history and files."""

import io
import json
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from record import emr, sagemaker
from record.collector import (
    DescribedSide,
    Folder,
    agreement_of,
    attainable,
    collect_side,
    digest,
    message_of,
    stage_requests,
)
from record.schema import STAGES, Instances, Side, StageName

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


def collected(events: list[dict[str, Any]], folder: Path, refused: str = "") -> Side:
    """A side called after its folder."""
    side = DescribedSide(title="Ours", service="sagemaker", engine="Spark")
    return collect_side(events, Folder(folder), side, instances=instances, log=log, refused=refused)


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
    # Ending the run's cluster takes a while, too.
    side = collected(history.add("ExecutionSucceeded", 30).events, tmp_path)
    assert (side.title, side.service, side.engine, side.status) == ("Ours", "sagemaker", "Spark", "succeeded")
    assert (side.started, side.seconds) == (START, 1 + 2 + 3 + 4 + 30)
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
    side = collected(history.events, tmp_path)
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
    side = collected(history.add("ExecutionSucceeded").events, tmp_path)
    assert side.stages[0].status == "succeeded"
    assert side.stages[0].seconds == 9


@pytest.mark.parametrize("form", ["milliseconds", "seconds", "text"])
@pytest.mark.parametrize(("end", "details"), [("TaskSucceeded", "output"), ("TaskFailed", "cause")])
def test_a_step_ends_when_it_says_so(form: str, end: str, details: str, tmp_path: Path) -> None:
    """Step Functions notices it up to minutes later."""
    ended = START + timedelta(seconds=42)
    written: dict[str, object] = {
        "milliseconds": round(ended.timestamp() * 1000),
        "seconds": ended.timestamp(),
        "text": ended.isoformat(),
    }
    step = {"Step": {"Id": "s-1", "Status": {"State": "COMPLETED", "Timeline": {"EndDateTime": written[form]}}}}
    history = History().add("ExecutionStarted").add("TaskStateEntered", stateEnteredEventDetails={"name": "train"})
    history.add("TaskScheduled", taskScheduledEventDetails={"parameters": '{"for": "train"}'})
    task = f"{end[0].lower()}{end[1:]}EventDetails"
    history.add(end, 300, **{task: {details: json.dumps(step)}})
    history.add("TaskStateExited", stateExitedEventDetails={"name": "train"})
    side = collected(history.add("ExecutionSucceeded").events, tmp_path)
    assert side.stages[1].seconds == 42


@pytest.mark.parametrize("answer", ["", "no JSON", "[]", '{"Step": 1}', '{"Step": {"Status": {"Timeline": {}}}}',
    '{"Step": {"Status": {"Timeline": {"EndDateTime": "soon"}}}}',
    '{"Step": {"Status": {"Timeline": {"EndDateTime": 1e300}}}}',
    '{"Step": {"Status": {"Timeline": {"EndDateTime": true}}}}',
    '{"Step": {"Status": {"Timeline": {"EndDateTime": 4000000000000}}}}'])  # fmt: skip
def test_without_a_steps_own_time_a_stage_ends_when_it_was_noticed(answer: str, tmp_path: Path) -> None:
    """Also where the step's time is later than that."""
    history = History().add("ExecutionStarted").add("TaskStateEntered", stateEnteredEventDetails={"name": "train"})
    history.add("TaskScheduled", taskScheduledEventDetails={"parameters": '{"for": "train"}'})
    history.add("TaskSucceeded", 300, taskSucceededEventDetails={"output": answer})
    side = collected(history.add("ExecutionSucceeded").events, tmp_path)
    assert side.stages[1].seconds == 300


def watched(*answers: dict[str, Any], create: str = "TaskSucceeded") -> History:
    """A training job that is created and then looked at, once a minute."""
    history = History().add("ExecutionStarted").add("TaskStateEntered", stateEnteredEventDetails={"name": "train"})
    job = {"TrainingJobName": "job", "for": "train"}
    history.add(
        "TaskScheduled", taskScheduledEventDetails={"resource": "createTrainingJob", "parameters": json.dumps(job)}
    )
    arn = {"resource": "createTrainingJob", "output": '{"TrainingJobArn": "arn"}'}
    history.add(create, 1, **({"taskSucceededEventDetails": arn} if create == "TaskSucceeded" else {}))
    for answer in answers:
        asked = {"resource": "describeTrainingJob", "parameters": '{"TrainingJobName": "job"}'}
        history.add("TaskStateEntered", stateEnteredEventDetails={"name": "look at train"})
        history.add("TaskScheduled", taskScheduledEventDetails=asked)
        said = {"resource": "describeTrainingJob", "output": json.dumps(answer)}
        history.add("TaskSucceeded", 60, taskSucceededEventDetails=said)
        history.add("TaskStateExited", stateExitedEventDetails={"name": "look at train"})
    return history


@pytest.mark.parametrize("create", ["TaskSucceeded", "TaskFailed"])
def test_a_watched_job_lasts_from_its_creation_to_its_own_end(create: str, tmp_path: Path) -> None:
    """Also where an earlier try created it."""
    ended = (START + timedelta(seconds=90)).isoformat()
    history = watched(
        {"TrainingJobStatus": "InProgress"}, {"TrainingJobStatus": "Completed", "TrainingEndTime": ended}, create=create
    )
    side = collected(history.add("ExecutionSucceeded").events, tmp_path)
    assert (side.stages[1].status, side.stages[1].started, side.stages[1].seconds) == ("succeeded", START, 90)
    assert side.stages[1].instances == (Instances(type="ml.train", count=1),)
    assert stage_requests(history.events)["train"] == {"TrainingJobName": "job", "for": "train"}


@pytest.mark.parametrize("answers", [[], [{"TrainingJobStatus": "InProgress"}], [{"TrainingJobStatus": "Failed"}]])
def test_a_watched_job_that_did_not_complete_is_no_success(answers: list[dict[str, Any]], tmp_path: Path) -> None:
    history = watched(*answers).add("ExecutionFailed", executionFailedEventDetails={"cause": "no rows"})
    side = collected(history.events, tmp_path)
    assert (side.stages[1].status, side.stages[1].seconds) == ("failed", 1 + 60 * len(answers))
    assert side.error is not None
    assert (side.error.stage, side.error.message) == ("train", "no rows")


def test_interrupted_execution_is_not_a_success(tmp_path: Path) -> None:
    side = collected(History().add("ExecutionStarted").events, tmp_path)
    assert side.status == "failed"
    assert {stage.status for stage in side.stages} == {"skipped"}


def finished(folder: Path) -> Side:
    """A side whose stages all ended well, with what lies in the folder."""
    history = History().add("ExecutionStarted")
    for stage in STAGES:
        history.stage(stage, 1)
    return collected(history.add("ExecutionSucceeded").events, folder)


def test_execution_that_was_continued_from_its_failure_ended_as_it_did_last(tmp_path: Path) -> None:
    history = History().add("ExecutionStarted").stage("prepare", 1, end="TaskFailed")
    history.add("ExecutionFailed", executionFailedEventDetails={"cause": "no rows"}).add("ExecutionRedriven")
    for stage in STAGES:
        history.stage(stage, 1)
    side = collected(history.add("ExecutionSucceeded").events, tmp_path)
    assert (side.status, side.error) == ("succeeded", None)


@pytest.mark.parametrize(
    ("end", "details", "message"),
    [
        ("ExecutionAborted", {"executionAbortedEventDetails": {"cause": "The stack goes"}}, "The stack goes"),
        ("ExecutionAborted", {}, "the execution was stopped"),
        ("ExecutionTimedOut", {"executionTimedOutEventDetails": {}}, "the execution ran out of time"),
        ("ExecutionFailed", {"executionFailedEventDetails": {"error": "TrainFailed", "cause": ""}}, "TrainFailed"),
    ],
)
def test_every_bad_end_has_a_message(end: str, details: dict[str, Any], message: str, tmp_path: Path) -> None:
    history = History().add("ExecutionStarted").add("TaskStateEntered", stateEnteredEventDetails={"name": "prepare"})
    history.add("TaskScheduled", taskScheduledEventDetails={"parameters": '{"for": "prepare"}'}).add(end, **details)
    side = collected(history.events, tmp_path)
    assert side.error is not None
    assert (side.status, side.error.stage, side.error.message) == ("failed", "prepare", message)


@pytest.mark.parametrize(
    ("refused", "message"), [("", "did not start"), ("No such machine", "did not start: No such machine")]
)
def test_execution_that_never_was_takes_nothing_from_the_folder(refused: str, message: str, tmp_path: Path) -> None:
    write(tmp_path, "features/stats.json", {"rejected": {"logs": {"malformed": 2}}})
    side = collected([], tmp_path, refused)
    assert side.error is not None
    assert (side.error.stage, side.error.message, side.rejected) == (None, message, None)
    assert {stage.status for stage in side.stages} == {"skipped"}


NOT_AN_EVALUATION = ["", '{"metrics": {"test"', '{"metrics": {"test": {"auc": 7}}}', "[]"]


@pytest.mark.parametrize("text", NOT_AN_EVALUATION)
def test_damaged_evaluation_is_not_measured(text: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path, "evaluation/evaluation.json", text)
    side = finished(tmp_path)
    assert (side.status, side.metrics, side.validation) == ("succeeded", None, None)
    assert "evaluation/evaluation.json: cannot be read" in caplog.text
    assert attainable(Folder(tmp_path)) is None


@pytest.mark.parametrize("text", ["", '{"rows_in": 3', '{"rows_in": -1}', '{"rows_in": "many"}', "3"])
def test_damaged_counts_are_not_measured(text: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(tmp_path, "features/stats.json", text)
    (prepare, *_), rejected = finished(tmp_path).stages, finished(tmp_path).rejected
    assert (prepare.status, prepare.rows_in, prepare.bytes_out, rejected) == ("succeeded", None, len(text), None)
    assert "features/stats.json: cannot be read" in caplog.text


def archive(*files: tuple[str, str]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        for name, text in files:
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return content.getvalue()


@pytest.mark.parametrize("name", ["stats.json", "./stats.json"])
def test_counts_of_a_model_are_in_its_archive(name: str, tmp_path: Path) -> None:
    write(tmp_path, "model/job/output/model.tar.gz", "")
    content = archive(("xgboost-model.json", "{}"), (name, '{"rows_in": 7, "rows_out": 0}'))
    (tmp_path / "model/job/output/model.tar.gz").write_bytes(content)
    train = finished(tmp_path).stages[1]
    assert (train.rows_in, train.rows_out, train.bytes_out) == (7, 0, len(content))


DAMAGED = {
    "empty": b"",
    "text": b"not an archive",
    "no counts": archive(("xgboost-model.json", "{}")),
    "wrong counts": archive(("stats.json", '{"rows_in": "many"}')),
    "cut off": archive(("xgboost-model.json", "{}" * 100_000), ("stats.json", '{"rows_in": 7}'))[:100],
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_damaged_archive_is_not_measured(damage: str, tmp_path: Path) -> None:
    content = DAMAGED[damage]
    write(tmp_path, "model/job/output/model.tar.gz", "")
    (tmp_path / "model/job/output/model.tar.gz").write_bytes(content)
    train = finished(tmp_path).stages[1]
    assert (train.status, train.rows_in, train.bytes_out) == ("succeeded", None, len(content))


STEP = {"Id": "s-1", "Name": "side-by-side-1-train", "ActionOnFailure": "CONTINUE"}
CAUSES = {
    "text": ("no rows to train", "no rows to train"),
    "number": ("3", "3"),
    "list": ('["no rows"]', '["no rows"]'),
    "processing": (
        {"ProcessingJobStatus": "Failed", "ExitMessage": "no rows", "FailureReason": "AlgorithmError: See job logs"},
        "no rows",
    ),
    "processing without a message": (
        {"ProcessingJobStatus": "Failed", "ExitMessage": "", "FailureReason": "ClientError: no such image"},
        "ClientError: no such image",
    ),
    "training": (
        {"TrainingJobStatus": "Failed", "FailureReason": "AlgorithmError: no rows"},
        "AlgorithmError: no rows",
    ),
    "step": (
        {
            "Step": {
                **STEP,
                "Status": {"State": "FAILED", "FailureDetails": {"Reason": "Unknown", "Message": "no rows"}},
            }
        },
        "no rows",
    ),
    "step without its wrapper": (
        {**STEP, "Status": {"State": "FAILED", "FailureDetails": {"Reason": "Out of memory", "LogFile": "s3://b/l"}}},
        "Out of memory",
    ),
    "cluster": (
        {"State": "TERMINATED_WITH_ERRORS", "StateChangeReason": {"Code": "BOOTSTRAP_FAILURE", "Message": "no wheels"}},
        "no wheels",
    ),
    "execution": ({"Status": "FAILED", "Error": "TrainFailed", "Cause": "no rows"}, "no rows"),
    "execution of a job": (
        {"Status": "FAILED", "Cause": json.dumps({"FailureReason": "AlgorithmError: no rows"})},
        "AlgorithmError: no rows",
    ),
    "nothing known": ({"Status": "ABORTED"}, '{"Status": "ABORTED"}'),
    "other types": ({"FailureReason": 3, "Status": {"FailureDetails": None}}, None),
}


@pytest.mark.parametrize("shape", CAUSES)
def test_message_of_a_cause(shape: str) -> None:
    given, message = CAUSES[shape]
    cause = given if isinstance(given, str) else json.dumps(given)
    assert message_of(cause) == (cause if message is None else message)


def test_cause_that_was_cut_off_still_says_what_it_says() -> None:
    cause = json.dumps({"TrainingJobName": "job", "FailureReason": "AlgorithmError: no rows", "Tail": "x" * 100})
    assert message_of(cause[:-50]) == "AlgorithmError: no rows"
    assert message_of(cause[: cause.index("rows")]) == "AlgorithmError: no "


def test_instances_of_requests() -> None:
    machine = {"InstanceType": "ml.m5.xlarge", "InstanceCount": 2}
    found = (Instances(type="ml.m5.xlarge", count=2),)
    assert sagemaker.instances({}, {"ProcessingResources": {"ClusterConfig": machine}}) == found
    assert sagemaker.instances({}, {"ResourceConfig": machine}) == found
    assert sagemaker.instances({}, {"TransformResources": machine}) == found
    assert sagemaker.instances({}, {}) == ()


def created(request: dict[str, Any]) -> dict[str, Any]:
    """A state machine that starts this cluster."""
    return {"States": {"start": {"Resource": "arn:aws:states:::aws-sdk:emr:runJobFlow", "Parameters": request}}}


def test_instances_of_clusters() -> None:
    groups = [{"InstanceType": "m5.xlarge", "InstanceCount": 1}, {"InstanceType": "m5.xlarge", "InstanceCount": "3"}]
    assert emr.instances(created({"Instances": {"InstanceGroups": groups}}), {}) == (
        Instances(type="m5.xlarge", count=4),
    )
    fleets = [
        {"InstanceTypeConfigs": [{"InstanceType": "m5.xlarge"}], "TargetOnDemandCapacity": 1},
        {
            "InstanceTypeConfigs": [{"InstanceType": "c5.xlarge"}, {"InstanceType": "c5a.xlarge"}],
            "TargetSpotCapacity": 2,
        },
    ]
    assert emr.instances(created({"Instances": {"InstanceFleets": fleets}}), {}) == (
        Instances(type="m5.xlarge", count=1),
        Instances(type="c5.xlarge", count=2),
    )


def test_digest_knows_no_order_but_every_value() -> None:
    assert digest({"a": 1, "b": {"c": 2, "d": 3}}) == digest({"b": {"d": 3, "c": 2}, "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})


METRICS = {"rows": 8, "positives": 2, "auc": 0.75, "average_precision": 0.5, "log_loss": 0.5, "brier": 0.25}


def evaluated(folder: Path, auc: float, rejected: int) -> Side:
    """A side whose evaluation and counts are there."""
    evaluation = {"metrics": {"test": METRICS | {"auc": auc}}, "attainable": METRICS}
    write(folder, "evaluation/evaluation.json", evaluation)
    write(folder, "features/stats.json", {"rows_in": 10, "rejected": {"logs": {"malformed": rejected}}})
    return finished(folder)


def test_each_other_side_is_compared_with_the_first_where_both_were_measured(tmp_path: Path) -> None:
    one, other = evaluated(tmp_path / "one", 0.75, 2), evaluated(tmp_path / "other", 0.5, 3)
    (tmp_path / "none").mkdir()
    pairs = agreement_of({"a": one, "b": other, "c": one, "d": finished(tmp_path / "none")})
    assert [(pair.first, pair.second) for pair in pairs] == [("a", "b"), ("a", "c"), ("a", "d")]
    assert [pair.auc_difference for pair in pairs] == [0.25, 0.0, None]
    assert [pair.rejected_equal for pair in pairs] == [False, True, None]
    assert agreement_of({"a": one}) == ()


def test_what_lies_where_a_failed_stage_would_write_is_not_of_this_run(tmp_path: Path) -> None:
    evaluated(tmp_path, 0.75, 2)
    for failing, stage in (("prepare", 0), ("evaluate", 2)):
        history = History().add("ExecutionStarted").stage(failing, 1, end="TaskFailed").add("ExecutionFailed")
        side = collected(history.events, tmp_path)
        assert (side.stages[stage].status, side.stages[stage].rows_in) == ("failed", None)
        assert (side.metrics, side.validation, side.rejected) == (None, None, None)


def test_stage_that_wrote_nothing_has_no_number_of_rows(tmp_path: Path) -> None:
    score = finished(tmp_path).stages[3]
    assert (score.rows_in, score.rows_out, score.bytes_out) == (None, None, 0)


def test_what_is_attainable_is_in_the_evaluation(tmp_path: Path) -> None:
    side = evaluated(tmp_path, 0.5, 0)
    assert side.stages[2].bytes_out == (tmp_path / "evaluation/evaluation.json").stat().st_size
    limit = attainable(Folder(tmp_path))
    assert limit is not None
    assert limit.auc == 0.75
    (tmp_path / "evaluation/evaluation.json").unlink()
    assert attainable(Folder(tmp_path)) is None


def test_request_of_each_state() -> None:
    history = History().add("ExecutionStarted").stage("prepare", 1).stage("train", 2)
    requests = stage_requests(history.events)
    assert {name: request["for"] for name, request in requests.items()} == {"prepare": "prepare", "train": "train"}
