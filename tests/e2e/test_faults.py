"""Each stage of each side under each fault, on the synthesised definitions; the jobs themselves are left out."""

import re
from types import SimpleNamespace
from typing import Any

import pytest
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import WaitFunction

from assembly.template import Assembly
from local.services import machine_name
from local.states import Answer, Call, Execution, TaskFailed, engine
from record.schema import STAGES
from sides import DEFAULT as SIDES
from sides import SIDES as ALL_SIDES
from tests.stacks.conftest import synthesise

pytestmark = pytest.mark.full

JOBS = [(side, stage) for side in SIDES for stage in STAGES]
THROTTLED = {"sagemaker": "SageMaker.AmazonSageMakerException", "emr": "EMR.AmazonElasticMapReduceException"}
SDK_THROTTLED = "Emr.EmrException"
# The jobs that are created and then looked at: how their calls are throttled.
WATCHED = {(side, "train"): "SageMaker.SageMakerException" for side in ("sagemaker", "sagemaker-spark")}
TRIES = 5

# What a call asks of a service that costs money until somebody stops it.
STARTS = re.compile(r"create(Processing|Training|Transform)Job|addStep|runJobFlow|startJobRun")


@pytest.fixture(scope="module", params=["persistent", "transient"])
def assembly(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    return synthesise("faults", {"emr.mode": request.param}, tmp_path_factory.mktemp("cdk.out")).assembly


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that the engine would have waited, between tries and in Wait states."""
    seconds: list[float] = []
    monkeypatch.setattr(retrier_decl, "time", SimpleNamespace(sleep=seconds.append))
    monkeypatch.setattr(WaitFunction, "_wait_interval", lambda _self, env, wait_seconds: seconds.append(wait_seconds))
    return seconds


# How a watched job ends that an integration would fail with this error.
_ENDS = {
    "States.TaskFailed": {"TrainingJobStatus": "Failed", "FailureReason": "out of luck"},
    "States.Timeout": {"TrainingJobStatus": "InProgress", "SecondaryStatus": "out of luck"},
}


class Account:
    """Answers every call at once; the job of one stage fails as told, so many times."""

    def __init__(self, failing: tuple[str, str] = ("", ""), error: str = "", times: int = 0) -> None:
        self.failing = failing
        self.error = error
        self.times = times
        self.calls: list[tuple[str, str, str, dict[str, Any]]] = []
        self.cluster_states = ["WAITING"]
        """What describeCluster says, in turn; the last for ever."""
        self.steps: list[dict[str, str]] = []
        """The steps that EMR still lists."""
        self.training = [{"TrainingJobStatus": "Completed"}]
        """What describeTrainingJob says, in turn; the last for ever."""
        if failing in WATCHED and error in _ENDS and times:
            self.training, self.times = [_ENDS[error]], 0

    def __call__(self, call: Call) -> dict[str, Any]:
        if call.action.startswith("states:"):
            execution = self.machines.execute(
                call.request["StateMachineArn"], call.request["Name"], call.request["Input"]
            )
            if execution.status != "SUCCEEDED":
                raise TaskFailed("States.TaskFailed", f"{execution.error}: {execution.cause}")
            return {"ExecutionArn": execution.arn}
        side = machine_name(call.machine)
        self.calls.append((side, call.state, call.action, call.request))
        if (side, call.state) == self.failing and self.times:
            self.times -= 1
            if self.error == "States.Timeout" and "Step" in call.request:
                self.steps.append({"Id": "s-OURS", "Name": call.request["Step"]["Name"]})
            raise TaskFailed(self.error, "out of luck")
        match call.action:
            case "aws-sdk:emr:describeCluster":
                state = self.cluster_states.pop(0) if len(self.cluster_states) > 1 else self.cluster_states[0]
                if state == "unknown":
                    raise TaskFailed(
                        "Emr.InvalidRequestException", "Cluster id 'j-1' is not valid. (Service: Emr, ...)"
                    )
                return {"Cluster": {"Status": {"State": state, "StateChangeReason": {"Message": "as told"}}}}
            case "aws-sdk:sagemaker:createTrainingJob":
                return {"TrainingJobArn": "arn"}
            case "aws-sdk:sagemaker:describeTrainingJob":
                described = self.training.pop(0) if len(self.training) > 1 else self.training[0]
                # A job that has not ended has no model yet.
                model = {"S3ModelArtifacts": "s3://b/model.tar.gz"}
                return described | ({"ModelArtifacts": model} if described["TrainingJobStatus"] == "Completed" else {})
            case "aws-sdk:emr:runJobFlow":
                return {"JobFlowId": "j-OWN", "ClusterArn": "arn:aws:elasticmapreduce:us-east-1:1:cluster/j-OWN"}
            case "aws-sdk:emr:listSteps":
                return {"Steps": self.steps}
            case "lambda:invoke":
                return {"StatusCode": 200, "Payload": {"record": "s3://b/runs/faults/comparison.json"}}
        return {"ModelArn": "arn"}

    def compare(self, assembly: Assembly, answer: Answer | None = None) -> Execution:
        """Run the comparison; ``answer`` comes before the account's own answers."""
        definitions = assembly.state_machines()
        with engine(answer or self, definitions) as self.machines:
            arn = next(arn for arn in definitions if machine_name(arn) == "comparison")
            return self.machines.execute(arn, "faults", {"run_id": "faults", "raw": "s3://b/raw/"})

    def states(self, side: str) -> list[str]:
        return [state for of, state, _, _ in self.calls if of == side]

    def requests(self, action: str) -> list[dict[str, Any]]:
        return [request for _, _, called, request in self.calls if called.startswith(action)]


def check_failed(account: Account, execution: Execution, side: str, stage: str) -> None:
    """The side ended in the state that names the stage, started nothing more, and the other side went on."""
    assert (execution.status, execution.error) == ("FAILED", "SideFailed")
    assert re.search(rf"{stage.capitalize()}Failed: .*out of luck", execution.cause)
    after = [call for call in account.calls if call[0] == side]
    last = max(number for number, call in enumerate(after) if call[1] == stage)
    assert not [call for call in after[last + 1 :] if STARTS.search(call[2])]
    (other,) = {call[0] for call in account.calls} & set(ALL_SIDES) - {side}
    assert [state for state in account.states(other) if state in STAGES] == list(STAGES)


@pytest.mark.parametrize(("side", "stage"), JOBS)
def test_job_that_fails_is_not_tried_again(side: str, stage: str, assembly: Assembly, waited: list[float]) -> None:
    account = Account((side, stage), "States.TaskFailed", times=1)
    check_failed(account, account.compare(assembly), side, stage)
    assert account.states(side).count(stage) == 1
    assert waited == []


@pytest.mark.parametrize(("side", "stage"), JOBS)
def test_job_that_runs_out_of_time_is_stopped(side: str, stage: str, assembly: Assembly, waited: list[float]) -> None:
    account = Account((side, stage), "States.Timeout", times=1)
    account.steps = [{"Id": "s-THEIRS", "Name": "side-by-side-another-run-train"}]
    check_failed(account, account.compare(assembly), side, stage)
    assert waited == ([30] * 100 if (side, stage) in WATCHED else [])
    if side == "sagemaker":
        (name,) = [value for request in account.requests("aws-sdk:sagemaker:stop") for value in request.values()]
        assert name == f"side-by-side-faults-{stage}"
    elif account.requests("aws-sdk:emr:runJobFlow"):
        assert account.requests("aws-sdk:emr:terminateJobFlows") == [{"JobFlowIds": ["j-OWN"]}]
    else:
        (cancelled,) = account.requests("aws-sdk:emr:cancelSteps")
        assert cancelled["StepIds"] == ["s-OURS"]


@pytest.mark.parametrize(("side", "stage"), JOBS)
def test_throttled_call_is_tried_again_with_patience(
    side: str, stage: str, assembly: Assembly, waited: list[float]
) -> None:
    account = Account((side, stage), WATCHED.get((side, stage), THROTTLED[side]), times=2)
    execution = account.compare(assembly)
    assert execution.status == "SUCCEEDED", execution.cause
    assert account.states(side).count(stage) == 3
    assert waited == [5, 10]


@pytest.mark.parametrize(("side", "stage"), JOBS)
def test_call_that_is_always_throttled_ends_its_side(
    side: str, stage: str, assembly: Assembly, waited: list[float]
) -> None:
    account = Account((side, stage), WATCHED.get((side, stage), THROTTLED[side]), times=TRIES)
    check_failed(account, account.compare(assembly), side, stage)
    assert account.states(side).count(stage) == TRIES
    assert waited == [5, 10, 20, 40]


def test_repeated_call_asks_for_the_same_job(assembly: Assembly, waited: list[float]) -> None:
    """A second call for a job that was made after all is refused; it never makes a second job."""
    account = Account(("sagemaker", "prepare"), THROTTLED["sagemaker"], times=1)
    account.compare(assembly)
    first, second, evaluate = account.requests("sagemaker:createProcessingJob")
    assert first == second != evaluate


class TestWatchedJob:
    """The training job, which is created and then looked at."""

    def test_it_is_looked_at_until_it_has_ended(self, assembly: Assembly, waited: list[float]) -> None:
        account = Account()
        account.training = [*[{"TrainingJobStatus": "InProgress"}] * 3, {"TrainingJobStatus": "Completed"}]
        assert account.compare(assembly).status == "SUCCEEDED"
        assert waited == [30] * 3
        (model,) = account.requests("sagemaker:createModel")
        assert model["PrimaryContainer"]["ModelDataUrl"] == "s3://b/model.tar.gz"

    def test_one_that_an_earlier_try_created_is_looked_at(self, assembly: Assembly, waited: list[float]) -> None:
        """The answer to the first try was lost; the second finds the job's name taken."""
        account, errors = Account(), ["SageMaker.SageMakerException", "SageMaker.ResourceInUseException"]

        def fails(call: Call) -> dict[str, Any]:
            if call.state == "train" and errors and machine_name(call.machine) == "sagemaker":
                account.calls.append(("sagemaker", call.state, call.action, call.request))
                raise TaskFailed(errors.pop(0), "Job name must be unique within an AWS account and region")
            return account(call)

        assert account.compare(assembly, fails).status == "SUCCEEDED"
        first, second = account.requests("aws-sdk:sagemaker:createTrainingJob")
        assert first == second
        looks = {request["TrainingJobName"] for request in account.requests("aws-sdk:sagemaker:describeTrainingJob")}
        assert looks == {first["TrainingJobName"]}

    @pytest.mark.parametrize("status", ["Failed", "Stopped"])
    def test_one_that_ends_badly_fails_the_stage_with_its_own_words(
        self, status: str, assembly: Assembly, waited: list[float]
    ) -> None:
        account = Account()
        account.training = [
            {"TrainingJobStatus": "Stopping"},
            {"TrainingJobStatus": status, "FailureReason": "no rows"},
        ]
        execution = account.compare(assembly)
        assert "TrainFailed: {" in execution.cause
        assert "no rows" in execution.cause
        assert "evaluate" not in account.states("sagemaker")

    def test_a_throttled_look_is_tried_again(self, assembly: Assembly, waited: list[float]) -> None:
        account = Account(("sagemaker", "look at train"), "SageMaker.SageMakerException", times=2)
        assert account.compare(assembly).status == "SUCCEEDED"
        assert waited == [5, 10]

    def test_one_that_cannot_be_looked_at_is_stopped(self, assembly: Assembly, waited: list[float]) -> None:
        account = Account(("sagemaker", "look at train"), "SageMaker.SageMakerException", times=TRIES)
        assert "TrainFailed: out of luck" in account.compare(assembly).cause
        assert account.requests("aws-sdk:sagemaker:stopTrainingJob")


def test_model_made_for_a_failed_transform_is_deleted(assembly: Assembly) -> None:
    account = Account(("sagemaker", "score"), "States.TaskFailed", times=1)
    account.compare(assembly)
    assert "delete model of a failure" in account.states("sagemaker")


def test_both_sides_fail_and_both_are_named(assembly: Assembly) -> None:
    account = Account()

    def fails(call: Call) -> dict[str, Any]:
        if call.state == "prepare":
            raise TaskFailed("States.TaskFailed", f"{machine_name(call.machine)} is out of luck")
        return Account.__call__(account, call)

    execution = account.compare(assembly, fails)
    assert "sagemaker is out of luck" in execution.cause
    assert "emr is out of luck" in execution.cause


class TestRecord:
    """The state that records a run."""

    @pytest.mark.parametrize("failing", [[], ["sagemaker"], ["emr"], ["sagemaker", "emr"]])
    def test_run_is_recorded_whatever_failed(self, failing: list[str], assembly: Assembly) -> None:
        account, execution = self.compare(assembly, failing)
        (request,) = account.requests("lambda:invoke")
        ended = request["Payload"]["sides"]
        assert {side: ended[side]["status"] for side in SIDES} == {
            side: "failed" if side in failing else "succeeded" for side in SIDES
        }
        assert all("out of luck" in ended[side]["cause"] for side in failing)
        assert account.calls[-1][1] == "record", "a side went on after its record"
        assert execution.status == ("FAILED" if failing else "SUCCEEDED")

    @pytest.mark.parametrize("failing", [[], ["emr"], ["sagemaker", "emr"]])
    def test_lost_record_does_not_change_the_outcome(self, failing: list[str], assembly: Assembly) -> None:
        account, execution = self.compare(assembly, failing, lost=True)
        assert account.states("comparison") == ["record"]
        assert execution.status == ("FAILED" if failing else "SUCCEEDED")
        assert execution.error == ("SideFailed" if failing else "")
        for side in failing:
            assert f"{side} is out of luck" in execution.cause

    def test_throttled_function_is_called_again(self, assembly: Assembly, waited: list[float]) -> None:
        account = Account(("comparison", "record"), "Lambda.TooManyRequestsException", times=2)
        execution = account.compare(assembly)
        assert execution.output["record"] == {"location": "s3://b/runs/faults/comparison.json"}
        assert waited == [5, 10]

    def compare(self, assembly: Assembly, failing: list[str], lost: bool = False) -> tuple[Account, Execution]:
        account = Account(("comparison", "record") if lost else ("", ""), "KeyError", times=1)

        def answer(call: Call) -> dict[str, Any]:
            side = machine_name(call.machine)
            if call.state == "train" and side in failing:
                raise TaskFailed("States.TaskFailed", f"{side} is out of luck")
            return account(call)

        return account, account.compare(assembly, answer)


class TestCluster:
    """What a run does about its cluster."""

    def test_own_cluster_is_ended_after_the_run(self, assembly: Assembly) -> None:
        account = Account()
        account.cluster_states = ["WAITING"]
        assert account.compare(assembly).status == "SUCCEEDED"
        own = account.requests("aws-sdk:emr:runJobFlow")
        assert len(account.requests("aws-sdk:emr:terminateJobFlows")) == len(own)
        assert {request["ClusterId"] for request in account.requests("elasticmapreduce:addStep")} == {
            "j-OWN" if own else next(iter(account.requests("aws-sdk:emr:describeCluster")))["ClusterId"]
        }

    @pytest.mark.parametrize("gone", ["TERMINATED", "TERMINATING", "TERMINATED_WITH_ERRORS", "unknown"])
    def test_lost_cluster_is_replaced_once(self, gone: str, assembly: Assembly, waited: list[float]) -> None:
        account = Account()
        account.cluster_states = [gone, "STARTING", "BOOTSTRAPPING", "WAITING"]
        execution = account.compare(assembly)
        if "persistent cluster" in str(assembly.state_machines()):
            assert execution.status == "SUCCEEDED", execution.cause
            assert waited == [30, 30]
            assert {request["ClusterId"] for request in account.requests("elasticmapreduce:addStep")} == {"j-OWN"}
        else:
            # The run's own cluster was lost: it is not replaced, and nothing runs on it.
            assert "SessionFailed" in execution.cause
            assert account.requests("elasticmapreduce:addStep") == []
        assert len(account.requests("aws-sdk:emr:runJobFlow")) == 1
        assert account.requests("aws-sdk:emr:terminateJobFlows") == [{"JobFlowIds": ["j-OWN"]}]

    @pytest.mark.parametrize(
        ("error", "cause"),
        [
            (SDK_THROTTLED, "User is not authorized to perform: elasticmapreduce:DescribeCluster"),
            ("Emr.InvalidRequestException", "something else is wrong"),
            ("States.Runtime", "anything"),
        ],
    )
    def test_a_look_that_fails_starts_no_other_cluster(
        self, error: str, cause: str, assembly: Assembly, waited: list[float]
    ) -> None:
        account = Account()

        def fails(call: Call) -> dict[str, Any]:
            if call.action == "aws-sdk:emr:describeCluster":
                raise TaskFailed(error, cause)
            return account(call)

        execution = account.compare(assembly, fails)
        assert f"SessionFailed: {cause}" in execution.cause
        own = [] if "persistent cluster" in str(assembly.state_machines()) else ["j-OWN"]
        assert len(account.requests("aws-sdk:emr:runJobFlow")) == len(own)
        ended = account.requests("aws-sdk:emr:terminateJobFlows")
        assert [cluster for request in ended for cluster in request["JobFlowIds"]] == own
        assert account.requests("elasticmapreduce:addStep") == []

    @pytest.mark.parametrize("error", [SDK_THROTTLED, "Emr.InternalServerException"])
    def test_a_look_is_tried_again(self, error: str, assembly: Assembly, waited: list[float]) -> None:
        account = Account(("emr", "look at the cluster"), error, times=2)
        assert account.compare(assembly).status == "SUCCEEDED"
        assert waited == [5, 10]

    def test_a_cluster_that_never_starts_is_given_up(self, assembly: Assembly, waited: list[float]) -> None:
        account = Account()
        account.cluster_states = ["STARTING"]
        execution = account.compare(assembly)
        assert "SessionFailed: not ready after 30 minutes" in execution.cause
        assert waited == [30] * 60
        own = account.requests("aws-sdk:emr:runJobFlow")
        assert len(account.requests("aws-sdk:emr:terminateJobFlows")) == len(own)

    def test_cluster_that_cannot_be_had_ends_the_side_only(self, assembly: Assembly, waited: list[float]) -> None:
        account = Account(("emr", "start a cluster"), SDK_THROTTLED, times=TRIES)
        account.cluster_states = ["TERMINATED"]
        execution = account.compare(assembly)
        assert "SessionFailed: out of luck" in execution.cause
        assert account.requests("elasticmapreduce:addStep") == []
        assert [state for state in account.states("sagemaker") if state in STAGES] == list(STAGES)

    def test_busy_cluster_takes_more_steps(self, assembly: Assembly) -> None:
        account = Account()
        account.cluster_states = ["RUNNING"]
        assert account.compare(assembly).status == "SUCCEEDED"


def test_lost_spot_node_loses_no_data_and_no_driver(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What the definition decides: only task nodes are Spot, with on-demand capacity when there is none in time."""
    settings = {"emr.provisioning": "fleets", "emr.task.count": "2", "emr.task.spot": "true"}
    assembly = synthesise("spot", settings, tmp_path_factory.mktemp("cdk.out")).assembly
    states = next(m["States"] for arn, m in assembly.state_machines().items() if machine_name(arn) == "emr")
    cluster = states["start a cluster"]["Parameters"]
    fleets = {fleet["InstanceFleetType"]: fleet for fleet in cluster["Instances"]["InstanceFleets"]}
    assert [kind for kind, fleet in fleets.items() if fleet.get("TargetSpotCapacity")] == ["TASK"]
    assert fleets["TASK"]["LaunchSpecifications"]["SpotSpecification"]["TimeoutAction"] == "SWITCH_TO_ON_DEMAND"
    limits = cluster["ManagedScalingPolicy"]["ComputeLimits"]
    assert limits["MaximumCoreCapacityUnits"] == fleets["CORE"]["TargetOnDemandCapacity"]
    # All that is added beyond the core nodes is Spot.
    assert limits["MaximumOnDemandCapacityUnits"] == limits["MaximumCoreCapacityUnits"] < limits["MaximumCapacityUnits"]
    yarn = next(item for item in cluster["Configurations"] if item["Classification"] == "yarn-site")
    assert yarn["Properties"]["yarn.node-labels.am.default-node-label-expression"] == "CORE"
    # The driver runs in the step itself, on the primary node.
    assert "--deploy-mode=client" in states["prepare"]["Parameters"]["Step"]["HadoopJarStep"]["Args.$"]
