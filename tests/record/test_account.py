"""Recording a run in an account: the deployed definitions on moto's Step Functions, the files in moto's S3."""

import io
import json
import tarfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from assembly.template import ACCOUNT, REGION, Assembly, app_context, synthesise
from local.services import machine_name
from local.states import Call, Execution, StateMachines, TaskFailed, engine
from record.account import S3Storage, execution_history
from record.clients import client
from record.collector import digest
from record.handler import handler
from record.schema import STAGES, Record, SideName, StageName
from sides import DEFAULT
from stacks.settings import Settings
from tests.stacks.handlers.support import Failure, Wire

RUN = "20261122-160000"
STATS = {"rows_in": 1000, "rows_out": 900, "rejected": {"logs": {"malformed": 3}}, "rows": {"train": 897, "score": 3}}
METRICS = {"rows": 10, "positives": 4, "average_precision": 0.5, "log_loss": 0.6, "brier": 0.2}
AUC = {"sagemaker": 0.75, "emr": 0.625}

SECONDS = {"prepare": 100, "train": 200, "evaluate": 300, "score": 400}
"""How long each stage's job or step ran, as the services say it."""
BEGAN = datetime(2026, 11, 22, 16, tzinfo=UTC).timestamp()

# What Step Functions gives as the cause of a Processing job that failed, shortened.
PROCESSING_FAILED = json.dumps(
    {
        "ProcessingJobName": f"side-by-side-{RUN}-prepare",
        "ProcessingJobStatus": "Failed",
        "ExitMessage": "error: table orders has no rows",
        "FailureReason": "AlgorithmError: See job logs for more information",
        "CreationTime": 1795449600000,
    }
)
STEP_LOG = "s3://side-by-side-data-bucket/logs/emr/j-1/steps/s-1/stderr.gz"
STEP_FAILED = json.dumps(
    {
        "Step": {
            "Id": "s-1",
            "Status": {
                "State": "FAILED",
                "FailureDetails": {"Reason": "Unknown Error.", "Message": "no rows to train", "LogFile": STEP_LOG},
            },
        }
    }
)


def evaluation(side: str) -> dict[str, Any]:
    metrics = {**METRICS, "auc": AUC[side]}
    return {"metrics": {"test": metrics, "validation": metrics}, "attainable": {**METRICS, "auc": 0.875}}


def archive(**files: str) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name.replace("_json", ".json"))
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return content.getvalue()


FILES: dict[tuple[str, str], dict[str, bytes]] = {
    ("sagemaker", "prepare"): {"features/stats.json": json.dumps(STATS).encode(), "features/score/0.parquet": b"rows"},
    ("sagemaker", "train"): {
        "model/job/output/model.tar.gz": archive(model="a model", stats_json='{"rows_in": 897, "rows_out": 0}')
    },
    ("sagemaker", "evaluate"): {"evaluation/evaluation.json": json.dumps(evaluation("sagemaker")).encode()},
    ("sagemaker", "score"): {"predictions/0.csv.out": b"1,0.5\n2,0.25\n", "predictions/1.csv.out": b"3,0.5\n"},
    ("emr", "prepare"): {
        "features/stats.json": json.dumps(STATS).encode(),
        "features/_SUCCESS": b"",
        "features/score/0.parquet": b"rows",
    },
    ("emr", "train"): {"model/stats.json": b'{"rows_in": 897, "rows_out": 0}'},
    ("emr", "evaluate"): {"evaluation/evaluation.json": json.dumps(evaluation("emr")).encode()},
    ("emr", "score"): {"predictions/stats.json": b'{"rows_in": 3, "rows_out": 3}'},
}
"""What each stage writes."""


class Account:
    """Carries out the machines' calls: a job writes its files or fails, the function is the deployed one's handler."""

    def __init__(self, assembly: Assembly, monkeypatch: pytest.MonkeyPatch) -> None:
        self.assembly = assembly
        self.definitions = assembly.state_machines()
        self.failing: dict[tuple[str, str], str] = {}
        """The cause that the job of a side and stage fails with."""
        self.gone: set[str] = set()
        """Sides whose machine is no longer there."""
        self.jobs: dict[str, dict[str, Any]] = {}
        """What SageMaker says of a job, by its name."""
        self.steps: list[dict[str, Any]] = []
        self.instances: list[dict[str, Any]] = []
        self.lost: set[str] = set()
        """Clusters that have ended."""
        self.sagemaker, self.emr = Wire("sagemaker", monkeypatch), Wire("emr", monkeypatch)
        self.sagemaker.service, self.emr.service = self._describe_job, self._list
        self.files = dict(FILES)
        self.refusals: list[Exception] = []
        """What the function raised."""
        self.before: Callable[[Call], None] = lambda call: None
        """Sees every call before it is carried out."""
        self.machines: StateMachines
        (function,) = [
            properties
            for stack, name in assembly.resources("AWS::Lambda::Function")
            if (properties := assembly.properties(stack, name))["Handler"] == "record.handler.handler"
        ]
        for name, value in function["Environment"]["Variables"].items():
            monkeypatch.setenv(name, value)
        self.bucket = function["Environment"]["Variables"]["RUNS"].split("/")[2]
        self.raw = next(run["raw"] for _, machine, run in assembly.executions() if machine_name(machine) == "sagemaker")

    def run(self, run_id: str = RUN, execution: str | None = None) -> Execution:
        """The comparison, as it is started in an account; the name of its execution is its own affair."""
        machine = next(arn for arn in self.definitions if machine_name(arn) == "comparison")
        return self.machines.execute(machine, execution or run_id, {"run_id": run_id, "raw": self.raw})

    def record(self, run_id: str = RUN) -> Record:
        return Record.model_validate_json(self.content(run_id), strict=True)

    def content(self, run_id: str = RUN) -> bytes:
        key = f"runs/{run_id}/comparison.json"
        content: bytes = boto3.client("s3").get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return content

    def put(self, key: str, content: bytes) -> None:
        boto3.client("s3").put_object(Bucket=self.bucket, Key=key, Body=content)

    def __call__(self, call: Call) -> dict[str, Any]:
        self.before(call)
        match call.action:
            case "states:startExecution.sync:2":
                return self._side(call)
            case "lambda:invoke":
                return self._function(call)
            case "aws-sdk:emr:describeCluster":
                state = "TERMINATED" if call.request["ClusterId"] in self.lost else "WAITING"
                return {"Cluster": {"Status": {"State": state}}}
            case "aws-sdk:emr:runJobFlow":
                return {"JobFlowId": "j-own"}
            case "aws-sdk:emr:listSteps":
                return {"Steps": []}
            case "aws-sdk:sagemaker:describeTrainingJob":
                if ("sagemaker", "train") in self.failing:
                    return dict(json.loads(self.failing["sagemaker", "train"]))
                model = {"S3ModelArtifacts": "s3://b/model.tar.gz"}
                return {"TrainingJobStatus": "Completed", "ModelArtifacts": model}
        creates_training = call.action == "aws-sdk:sagemaker:createTrainingJob"
        if call.action.endswith(".sync") or creates_training:
            self._note_job(call)
        side = machine_name(call.machine)
        if (side, call.state) in self.failing and not creates_training:
            raise TaskFailed("States.TaskFailed", self.failing[side, call.state])
        run_id = RUN if RUN in json.dumps(call.request) else "other"
        for name, content in self.files.get((side, call.state), {}).items():
            self.put(f"runs/{run_id}/{side}/{name}", content)
        return {"ModelArtifacts": {"S3ModelArtifacts": "s3://b/model.tar.gz"}, "ModelArn": "arn"}

    def _note_job(self, call: Call) -> None:
        """What the services will say of a job that ran: SageMaker bills a training for less than its time."""
        seconds = SECONDS[call.state]
        times = {"Start": BEGAN, "End": BEGAN + seconds}
        if "Step" in call.request:
            timeline = {f"{name}DateTime": value for name, value in times.items()}
            status = {"State": "COMPLETED", "Timeline": timeline}
            self.steps.insert(0, {"Id": "s-1", "Name": call.request["Step"]["Name"], "Status": status})
        for kind in ("Processing", "Training", "Transform"):
            if f"{kind}JobName" in call.request:
                said: dict[str, Any] = {f"{kind}{name}Time": value for name, value in times.items()}
                billed = {"BillableTimeInSeconds": seconds - 10} if kind == "Training" else {}
                self.jobs[call.request[f"{kind}JobName"]] = said | billed

    def _describe_job(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        (name,) = request.values()
        if name not in self.jobs:
            raise Failure("ValidationException", f"{operation}: Could not find requested job with name: {name}")
        return self.jobs[name]

    def _list(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Three a page."""
        start = int(request.get("Marker", "0"))
        listed = {"ListSteps": self.steps, "ListInstances": self.instances}[operation]
        more = {"Marker": str(start + 3)} if start + 3 < len(listed) else {}
        return {operation.removeprefix("List"): listed[start : start + 3], **more}

    def _side(self, call: Call) -> dict[str, Any]:
        machine = call.request["StateMachineArn"]
        if machine_name(machine) in self.gone:
            error = "StepFunctions.StateMachineDoesNotExistException"
            raise TaskFailed(error, f"State Machine Does Not Exist: '{machine}' (Service: AWSStepFunctions)")
        try:
            execution = self.machines.execute(machine, call.request["Name"], call.request["Input"])
        except ClientError as error:
            code = error.response["Error"]["Code"]
            raise TaskFailed(f"StepFunctions.{code}Exception", error.response["Error"]["Message"]) from error
        if execution.status != "SUCCEEDED":
            described = {"ExecutionArn": execution.arn, "Status": "FAILED", "Cause": execution.cause}
            raise TaskFailed("States.TaskFailed", json.dumps(described))
        return {"ExecutionArn": execution.arn}

    def _function(self, call: Call) -> dict[str, Any]:
        try:
            return {"StatusCode": 200, "Payload": handler(call.request["Payload"], None)}
        except Exception as error:
            self.refusals.append(error)
            raise TaskFailed(type(error).__name__, str(error)) from error


@pytest.fixture(scope="module")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    return synthesise(tmp_path_factory.mktemp("cdk.out"), app_context({}))


@pytest.fixture
def account(assembly: Assembly, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    client.cache_clear()
    opened = Account(assembly, monkeypatch)
    with engine(opened, opened.definitions) as opened.machines:
        boto3.client("s3").create_bucket(Bucket=opened.bucket)
        raw = opened.raw.removeprefix(f"s3://{opened.bucket}/")
        opened.put(f"{raw}logs/day=1/part-0.gz", b"12345")
        opened.put(f"{raw}orders/part-0.parquet", b"123")
        opened.put(f"{raw}truth/part-0.parquet", b"neither side reads this")
        yield opened
    client.cache_clear()


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long botocore would have waited before each retry, in seconds; it does not wait."""
    taken: list[float] = []
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=taken.append))
    return taken


def test_both_sides_succeed(account: Account) -> None:
    execution = account.run()
    assert execution.status == "SUCCEEDED", execution.cause
    assert execution.output["record"] == {"location": f"s3://{account.bucket}/runs/{RUN}/comparison.json"}
    record = account.record()
    assert (record.run_id, record.where, record.machine) == (RUN, "aws", None)
    for name, side in record.sides.items():
        assert (side.status, side.error) == ("succeeded", None)
        assert [(stage.name, stage.status) for stage in side.stages] == [(stage, "succeeded") for stage in STAGES]
        assert all(stage.seconds is not None and stage.instances and stage.bytes_out for stage in side.stages)
        assert [(stage.rows_in, stage.rows_out) for stage in side.stages if stage.name != "evaluate"] == [
            (1000, 900),
            (897, 0),
            (3, 3),
        ]
        assert side.rejected == STATS["rejected"]
        assert side.metrics is not None
        assert side.validation is not None
        assert side.metrics.auc == AUC[name]
    assert record.limits.auc == 0.875
    (agreement,) = record.agreement
    assert (agreement.auc_difference, agreement.rejected_equal) == (0.125, True)
    # What needs the data to be read is not measured.
    assert agreement.features_equal is None
    assert agreement.predictions_max_difference is None


def test_what_was_deployed_is_in_the_record(account: Account) -> None:
    account.run()
    record = account.record()
    settings = Settings.from_context(app_context({}))
    assert record.settings == json.loads(json.dumps(settings.flat()))
    assert record.definitions == {
        side: digest(definition)
        for arn, definition in account.definitions.items()
        for side in DEFAULT
        if machine_name(arn) == side
    }
    assert record.versions == {"sagemaker-xgboost": "3.2-0", "emr": "emr-7.14.0"}
    stages = {name: [each.instances for each in side.stages] for name, side in record.sides.items()}
    assert {instances.type for each in stages["sagemaker"] for instances in each} == {"ml.m5.xlarge"}
    assert [(instances.type, instances.count) for instances in stages["emr"][0]] == [("m5.xlarge", 2)]
    dataset = record.dataset
    assert (dataset.name, dataset.events, dataset.rows) == ("webshop", settings.dataset.events, {})
    assert dataset.bytes == len(b"12345" + b"123")


def test_seconds_that_the_services_bill_for(account: Account) -> None:
    account.run()
    sides = account.record().sides.items()
    billed = {name: {each.name: each.billable_seconds for each in side.stages} for name, side in sides}
    assert billed == {"sagemaker": SECONDS | {"train": 190}, "emr": SECONDS}


def test_jobs_that_the_services_no_longer_know_are_not_measured(account: Account) -> None:
    def forget(call: Call) -> None:
        if call.action == "lambda:invoke":
            account.jobs.clear()
            account.steps.clear()
            account.emr.fail("ListInstances", "InvalidRequestException", "Cluster id 'j-1' is not valid.")

    account.before = forget
    assert account.run().status == "SUCCEEDED", account.refusals
    record = account.record()
    assert {each.billable_seconds for _, side in record.sides.items() for each in side.stages} == {None}
    assert record.sides["emr"].cluster is not None
    assert record.sides["emr"].cluster.instance_seconds == {}


def instance(kind: str, market: str, begun: float, ended: float | None) -> dict[str, Any]:
    timeline = {"CreationDateTime": begun} | ({} if ended is None else {"EndDateTime": ended})
    return {"InstanceType": kind, "Market": market, "Status": {"State": "RUNNING", "Timeline": timeline}}


def test_hours_of_a_shared_cluster_are_those_within_the_run(account: Account) -> None:
    account.instances = [
        instance("m5.xlarge", "ON_DEMAND", 0, None),
        instance("m5.xlarge", "ON_DEMAND", 0, 4e9),
        instance("m5.2xlarge", "SPOT", 0, None),
        instance("m5.xlarge", "ON_DEMAND", 0, 1e9),  # ended before
        instance("m5.4xlarge", "ON_DEMAND", 4e9, None),  # begins after
    ]
    account.run()
    emr = next(arn for arn in account.definitions if machine_name(arn) == "emr")
    history = execution_history(f"{emr.replace('stateMachine', 'execution')}:{RUN}")
    seconds = (history[-1]["timestamp"] - history[0]["timestamp"]).total_seconds()
    used = account.record().sides["emr"].cluster
    assert used is not None
    (cluster,) = [account.assembly.resolve(*_ref(each)) for each in account.assembly.resources("AWS::EMR::Cluster")]
    assert (used.id, used.own) == (cluster, False)
    assert seconds > 0
    assert used.instance_seconds == pytest.approx({"m5.xlarge": 2 * seconds, "m5.2xlarge": seconds})
    assert used.spot_seconds == pytest.approx({"m5.2xlarge": seconds})


def test_hours_of_a_run_s_own_cluster_are_its_instances_whole_lives(account: Account) -> None:
    (account.lost,) = [
        {account.assembly.resolve(*_ref(each))} for each in account.assembly.resources("AWS::EMR::Cluster")
    ]
    account.instances = [
        instance("m5.xlarge", "ON_DEMAND", BEGAN, BEGAN + 1000),
        instance("m5.xlarge", "SPOT", BEGAN, BEGAN + 600),
    ]
    account.run()
    used = account.record().sides["emr"].cluster
    assert used is not None
    assert used.model_dump() == {
        "id": "j-own",
        "own": True,
        "instance_seconds": {"m5.xlarge": 1600},
        "spot_seconds": {"m5.xlarge": 600},
    }


def test_own_cluster_that_still_ends_has_no_hours_yet(account: Account) -> None:
    (account.lost,) = [
        {account.assembly.resolve(*_ref(each))} for each in account.assembly.resources("AWS::EMR::Cluster")
    ]
    account.instances = [
        instance("m5.xlarge", "ON_DEMAND", BEGAN, BEGAN + 1000),
        instance("m5.xlarge", "ON_DEMAND", BEGAN, None),
    ]
    account.run()
    used = account.record().sides["emr"].cluster
    assert used is not None
    assert (used.own, used.instance_seconds) == (True, {})


def test_other_raw_data_has_no_number_of_events(account: Account) -> None:
    account.raw = f"s3://{account.bucket}/raw/another/"
    account.put("raw/another/logs/part-0.gz", b"1234567")
    account.run()
    dataset = account.record().dataset
    assert (dataset.name, dataset.events, dataset.bytes) == ("webshop", None, 7)


def test_raw_data_that_cannot_be_listed_has_no_size(account: Account) -> None:
    account.raw = "s3://somebody-elses/raw/"
    assert account.run().status == "SUCCEEDED"
    assert account.record().dataset.bytes is None


CASES: list[tuple[SideName, StageName, str, str, str]] = [
    (
        "sagemaker",
        "prepare",
        PROCESSING_FAILED,
        "error: table orders has no rows",
        f"/aws/sagemaker/ProcessingJobs side-by-side-{RUN}-prepare/",
    ),
    (
        "sagemaker",
        "train",
        json.dumps({"TrainingJobStatus": "Failed", "FailureReason": "AlgorithmError: , exit code: 1"}),
        "AlgorithmError: , exit code: 1",
        f"/aws/sagemaker/TrainingJobs side-by-side-{RUN}-train/",
    ),
    (
        "sagemaker",
        "score",
        json.dumps({"TransformJobStatus": "Failed", "FailureReason": "ClientError: See job logs"}),
        "ClientError: See job logs",
        f"/aws/sagemaker/TransformJobs side-by-side-{RUN}-score/",
    ),
    ("emr", "train", STEP_FAILED, "no rows to train", STEP_LOG),
    ("emr", "evaluate", "out of luck", "out of luck", "s3://side-by-side-data-bucket/logs/emr/{cluster}/steps/"),
]


@pytest.mark.parametrize(
    ("side", "stage", "cause", "message", "log"), CASES, ids=[f"{side}-{stage}" for side, stage, *_ in CASES]
)
def test_failed_side_is_recorded_with_its_message_and_log_and_the_other_side_as_well(
    side: SideName, stage: StageName, cause: str, message: str, log: str, account: Account
) -> None:
    account.failing[side, stage] = cause
    execution = account.run()
    assert (execution.status, execution.error) == ("FAILED", "SideFailed")
    sides = dict(account.record().sides.items())
    failed = sides.pop(side)
    assert failed.error is not None
    assert (failed.status, failed.error.stage, failed.error.message) == ("failed", stage, message)
    (cluster,) = [account.assembly.resolve(*_ref(each)) for each in account.assembly.resources("AWS::EMR::Cluster")]
    assert failed.error.log == log.format(cluster=cluster)
    number = STAGES.index(stage)
    after = ["skipped"] * (len(STAGES) - number - 1)
    assert [each.status for each in failed.stages] == ["succeeded"] * number + ["failed", *after]
    assert [other.status for other in sides.values()] == ["succeeded"]


def _ref(resource: tuple[str, str]) -> tuple[str, dict[str, str]]:
    stack, logical_id = resource
    return stack, {"Ref": logical_id}


def test_what_a_failed_stage_left_is_not_recorded(account: Account) -> None:
    """An earlier try may have left files there."""
    for name, content in {**FILES["emr", "prepare"], **FILES["emr", "evaluate"]}.items():
        account.put(f"runs/{RUN}/emr/{name}", content)
    account.failing["emr", "prepare"] = STEP_FAILED
    account.run()
    record = account.record()
    assert (record.sides["emr"].rejected, record.sides["emr"].metrics) == (None, None)
    assert all(stage.rows_in is None and stage.bytes_out is None for stage in record.sides["emr"].stages)
    assert record.agreement is not None
    assert (record.agreement[0].auc_difference, record.agreement[0].rejected_equal) == (None, None)
    assert record.limits.auc == 0.875, "the other side's evaluation has it as well"


def test_side_that_never_started_says_why(account: Account) -> None:
    account.gone = {"emr"}
    assert account.run().status == "FAILED"
    record = account.record()
    emr = record.sides["emr"]
    assert (emr.status, {stage.status for stage in emr.stages}) == ("failed", {"skipped"})
    assert emr.error is not None
    assert emr.error.message.startswith("did not start: State Machine Does Not Exist: 'arn:")
    assert record.sides["sagemaker"].status == "succeeded"
    assert set(record.definitions) == {"sagemaker"}
    assert set(record.versions) == {"sagemaker-xgboost"}


def test_both_sides_are_gone(account: Account) -> None:
    account.gone = {*DEFAULT}
    assert account.run().status == "FAILED"
    record = account.record()
    assert [side.status for _, side in record.sides.items()] == ["failed", "failed"]
    assert record.definitions == {}


def test_second_call_writes_the_same_again(account: Account) -> None:
    account.failing["emr", "train"] = STEP_FAILED
    payloads = []

    def keep(call: Call) -> None:
        if call.action == "lambda:invoke":
            payloads.append(call.request["Payload"])

    account.before = keep
    account.run()
    first = account.content()
    account.put(f"runs/{RUN}/comparison.json", b"half a rec")
    (payload,) = payloads
    assert handler(payload, None) == {"record": f"s3://{account.bucket}/runs/{RUN}/comparison.json"}
    assert account.content() == first


def test_used_run_id_leaves_the_record_as_it_is(account: Account) -> None:
    account.run()
    first = account.content()
    again = account.run(execution="again")
    assert (again.status, again.error) == ("FAILED", "SideFailed")
    assert [str(refusal) for refusal in account.refusals] == [
        f"run id {RUN} is already used: its record stays as it is"
    ]
    assert account.content() == first


def test_side_that_somebody_else_ran_under_this_id_did_not_start(account: Account) -> None:
    machine = next(arn for arn in account.definitions if machine_name(arn) == "sagemaker")
    assert account.machines.execute(machine, RUN, {"run_id": RUN, "raw": account.raw}).status == "SUCCEEDED"
    account.run()
    record = account.record()
    assert record.sides["sagemaker"].error is not None
    assert record.sides["sagemaker"].error.message.startswith("did not start: ")
    assert record.sides["sagemaker"].metrics is None
    assert record.sides["emr"].status == "succeeded"


@pytest.mark.parametrize(
    ("side", "stage", "name"),
    [("emr", "prepare", "features/stats.json"), ("sagemaker", "train", "model/job/output/model.tar.gz")],
)
@pytest.mark.parametrize("damage", ["missing", "cut off"])
def test_counts_that_are_missing_or_cut_off_are_not_measured(
    damage: str, side: SideName, stage: StageName, name: str, account: Account
) -> None:
    content = FILES[side, stage][name]
    left = {"other": b"rows"} if damage == "missing" else {name: content[: len(content) // 2]}
    account.files[side, stage] = left
    assert account.run().status == "SUCCEEDED", account.refusals
    recorded = dict(account.record().sides.items())[side]
    counted = recorded.stage(stage)
    assert counted is not None
    assert (counted.status, counted.rows_in, counted.rows_out) == ("succeeded", None, None)
    if stage == "prepare":
        assert recorded.rejected is None


def test_more_predictions_than_can_be_read_are_not_counted(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("record.collector._COUNTED_BYTES", 10)
    account.run()
    score = account.record().sides["sagemaker"].stage("score")
    assert score is not None
    assert (score.rows_in, score.rows_out, score.bytes_out) == (3, None, 19)


def test_throttled_calls_are_made_again(account: Account, monkeypatch: pytest.MonkeyPatch, pauses: list[float]) -> None:
    wire = Wire("stepfunctions", monkeypatch)

    def throttle(call: Call) -> None:
        if call.action == "lambda:invoke":
            wire.fail("GetExecutionHistory", "ThrottlingException", times=9)
            wire.fail("DescribeStateMachineForExecution", "ThrottlingException", times=2)

    account.before = throttle
    assert account.run().status == "SUCCEEDED", account.refusals
    assert [side.status for _, side in account.record().sides.items()] == ["succeeded", "succeeded"]
    assert len(pauses) == 11


def test_history_of_many_pages_is_whole_and_in_order(account: Account) -> None:
    arn = f"arn:aws:states:{REGION}:{ACCOUNT}:execution:side-by-side-emr:{RUN}"
    pages = [[event(number) for number in range(start, start + 3)] for start in (1, 4, 7)]
    with Stubber(client("stepfunctions")) as stub:
        for number, events in enumerate(pages):
            asked = {"executionArn": arn, "maxResults": 1000} | ({"nextToken": str(number)} if number else {})
            more = {"nextToken": str(number + 1)} if number < 2 else {}
            stub.add_response("get_execution_history", {"events": events, **more}, asked)
        assert [each["id"] for each in execution_history(arn)] == list(range(1, 10))
        stub.assert_no_pending_responses()


def event(number: int) -> dict[str, Any]:
    return {"timestamp": "2026-11-22T16:00:00Z", "type": "PassStateEntered", "id": number}


def test_execution_that_never_was_has_no_history(account: Account) -> None:
    assert execution_history(f"arn:aws:states:{REGION}:{ACCOUNT}:execution:side-by-side-emr:never") == []


def test_refused_history_is_no_empty_one(account: Account) -> None:
    with Stubber(client("stepfunctions")) as stub:
        stub.add_client_error("get_execution_history", "AccessDeniedException")
        with pytest.raises(ClientError, match="AccessDeniedException"):
            execution_history(f"arn:aws:states:{REGION}:{ACCOUNT}:execution:side-by-side-emr:{RUN}")


class TestS3Storage:
    """The collector's view of a run prefix in S3."""

    def test_lists_all_pages_below_a_folder_and_nothing_beside_it(
        self, account: Account, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "3")
        for number in range(10):
            account.put(f"runs/{RUN}/emr/features/part-{number}", b"12")
        account.put(f"runs/{RUN}/emr/features-of-another", b"1")
        files = S3Storage(f"s3://{account.bucket}/runs/{RUN}/emr").files("features")
        assert files == [(f"features/part-{number}", 2) for number in range(10)]
        assert client("s3").list_objects_v2(Bucket=account.bucket)["IsTruncated"], "one page is not enough to tell"

    @pytest.mark.parametrize("location", ["s3://{}/shop/", "s3://{}/shop", "s3://{}"])
    def test_reads_what_it_lists(self, location: str, account: Account) -> None:
        place = location.format(account.bucket)
        account.put(f"{place.removeprefix(f's3://{account.bucket}').strip('/')}/logs/a".lstrip("/"), b"line")
        storage = S3Storage(place)
        ((name, size),) = storage.files("logs")
        assert (name, size) == ("logs/a", 4)
        with storage.open(name) as file:
            assert file.read() == b"line"

    def test_file_that_is_not_there_is_named(self, account: Account) -> None:
        with pytest.raises(FileNotFoundError, match=f"s3://{account.bucket}/runs/stats.json"):
            S3Storage(f"s3://{account.bucket}/runs").open("stats.json")

    def test_file_that_may_not_be_read_is_not_missing(self, account: Account) -> None:
        with Stubber(client("s3")) as stub:
            stub.add_client_error("get_object", "AccessDenied")
            with pytest.raises(ClientError, match="AccessDenied"):
                S3Storage(f"s3://{account.bucket}/runs").open("stats.json")
