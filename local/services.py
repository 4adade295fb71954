"""The services of a laptop run: which executor carries out which call of a state machine."""

import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from assembly.template import Assembly
from local.build import CodeBuild
from local.emr import Emr
from local.jobs import JobFailed, RequestRefused
from local.node import BootstrapFailed
from local.progress import Progress
from local.s3 import LocalS3
from local.sagemaker import SageMaker
from local.states import Call, Execution, StateMachines, TaskFailed
from record.collector import created_cluster
from sides import SIDES

_STARTS_TRAINING = "aws-sdk:sagemaker:createTrainingJob"


class SetupError(Exception):
    """A deployment's own work before the pipelines failed; the message ends with the log's tail."""


class Services:
    """The services of one laptop run."""

    def __init__(self, assembly: Assembly, s3: LocalS3, logs: Path, work: Path, progress: Progress) -> None:
        self.assembly = assembly
        self.s3 = s3
        self.logs = logs
        self.progress = progress
        self.machines: StateMachines
        """The engine that walks the machines; set before anything is answered."""
        self.sagemaker = SageMaker(s3, logs / "sagemaker", work)
        self.codebuild = CodeBuild(assembly, s3, logs, work)
        self.failures: dict[tuple[str, str], JobFailed | RequestRefused] = {}
        self.sides: dict[str, Execution] = {}
        self.definitions = assembly.state_machines()
        self.deployed = [machine_name(arn) for arn in self.definitions if machine_name(arn) in SIDES]
        """The sides that the templates hold, in their order there."""
        starts_cluster = [m for arn, m in self.definitions.items() if machine_name(arn) == "emr"]
        self.cluster: dict[str, Any] = (
            created_cluster(starts_cluster[0]) if starts_cluster else {"Configurations": [], "LogUri": ""}
        )
        persistent = [assembly.resolve(stack, {"Ref": name}) for stack, name in assembly.resources("AWS::EMR::Cluster")]
        self.emr = Emr(
            s3, logs / "emr", work, self.cluster["Configurations"], next(iter(persistent), None), self.cluster["LogUri"]
        )
        self._side_ended = {side: threading.Event() for side in self.deployed}
        self._actions = {
            "codebuild:startBuild.sync": self.codebuild.start_build,
            "sagemaker:createProcessingJob.sync": self.sagemaker.create_processing_job,
            _STARTS_TRAINING: self.sagemaker.create_training_job,
            "aws-sdk:sagemaker:describeTrainingJob": self.sagemaker.describe_training_job,
            "sagemaker:createModel": self.sagemaker.create_model,
            "sagemaker:createTransformJob.sync": self.sagemaker.create_transform_job,
            "aws-sdk:sagemaker:deleteModel": self.sagemaker.delete_model,
            "aws-sdk:emr:describeCluster": self.emr.describe_cluster,
            "aws-sdk:emr:listSteps": self.emr.list_steps,
            "elasticmapreduce:addStep.sync": self.emr.add_step,
            "aws-sdk:emr:runJobFlow": self.emr.run_job_flow,
            "aws-sdk:emr:terminateJobFlows": self.emr.terminate_job_flows,
            "aws-sdk:emr:cancelSteps": self.emr.cancel_steps,
            "lambda:invoke": _recorded_here,
            # A job ends before its answer: there is nothing to stop.
            "aws-sdk:sagemaker:stopProcessingJob": _nothing_runs,
            "aws-sdk:sagemaker:stopTrainingJob": _nothing_runs,
            "aws-sdk:sagemaker:stopTransformJob": _nothing_runs,
        }

    def answer(self, call: Call) -> dict[str, Any]:
        """Carry out what a Task state asks for."""
        if call.action == "states:startExecution.sync:2":
            return self._start_execution(call)
        if call.action not in self._actions:
            raise TaskFailed("States.Runtime", f"{call.state}: the laptop run has no answer to {call.action}")
        try:
            with self.progress.step(machine_name(call.machine), call.state) if _is_job(call.action) else ExitStack():
                return self._actions[call.action](call.request)
        except RequestRefused as refused:
            self.failures[call.machine, call.state] = refused
            error = "Emr.InvalidRequestException" if call.action.startswith("aws-sdk:emr:") else "ValidationException"
            raise TaskFailed(error, str(refused)) from refused
        except JobFailed as failed:
            self.failures[call.machine, call.state] = failed
            if call.action == _STARTS_TRAINING and failed.answer:  # what describes the job says how it ended
                return {"TrainingJobArn": failed.answer["TrainingJobArn"]}
            raise TaskFailed("States.TaskFailed", failed.reason) from failed
        except OSError as error:  # of this machine, a full disk for one: the engine would lose it in a thread
            what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
            broken = JobFailed(call.state, what, self.logs / f"{call.state}.log")
            self.failures[call.machine, call.state] = broken
            raise TaskFailed("States.TaskFailed", what) from error

    def _start_execution(self, call: Call) -> dict[str, Any]:
        """One side after the other, in the templates' order, so that neither disturbs the other's times."""
        machine = call.request["StateMachineArn"]
        side = machine_name(machine)
        for earlier in self.deployed[: self.deployed.index(side)]:
            self._side_ended[earlier].wait()
        try:
            run_input = call.request["Input"]
            execution = self.machines.execute(machine, call.request["Name"], run_input)
            self.sides[side] = execution
        finally:
            self._side_ended[side].set()
        if execution.status != "SUCCEEDED":
            raise TaskFailed("States.TaskFailed", execution.cause or execution.status)
        return {"ExecutionArn": execution.arn, "Status": execution.status, "Output": execution.output}

    def prepare_account(self) -> None:
        """Do what a deployment does before the pipelines: publish the code, generate the data, start a cluster."""
        for logical_id, machine, run_input in self.assembly.executions():
            if machine_name(machine) in SIDES:
                continue
            execution = self.machines.execute(machine, logical_id, {"run_id": "deploy-local", **run_input})
            if execution.status != "SUCCEEDED":
                failure = next((failure for (of, _), failure in self.failures.items() if of == machine), None)
                tail = "\n".join(failure.tail()) if isinstance(failure, JobFailed) else ""
                raise SetupError(f"{machine_name(machine)}: {execution.cause or execution.status}\n{tail}".rstrip())
            self.assembly.attributes[logical_id] = execution.output
        for stack, logical_id in self.assembly.resources("AWS::EMR::Cluster"):
            actions = self.assembly.properties(stack, logical_id)["BootstrapActions"]
            try:
                with self.progress.step("emr", "cluster"):
                    self.emr.bootstrap(self.assembly.resolve(stack, {"Ref": logical_id}), actions)
            except BootstrapFailed as failed:
                tail = "\n".join(failed.tail())
                raise SetupError(
                    f"{logical_id}: TERMINATED_WITH_ERRORS, BOOTSTRAP_FAILURE: {failed.reason}\n{tail}".rstrip()
                ) from None
            except RequestRefused as refused:  # the laptop has no such node
                raise SetupError(f"{logical_id}: {refused}") from None

    def compare(self, run_id: str) -> Execution:
        """Every side, as the comparison's state machine starts them. Raises SetupError if one did not start."""
        machine = next(arn for arn in self.definitions if machine_name(arn) == "comparison")
        execution = self.machines.execute(machine, run_id, {"run_id": run_id, "raw": self.raw})
        if len(self.sides) < len(self.deployed):
            raise SetupError(f"comparison: {execution.cause or execution.status}")
        return execution

    def failure(self, machine: str, state: str) -> JobFailed | RequestRefused | None:
        """Why a state of a machine failed, None when it did not."""
        return next((f for (of, at), f in self.failures.items() if machine_name(of) == machine and at == state), None)

    @property
    def bad_input(self) -> bool:
        """True if jobs failed, and each of them because of what it was given (exit code 2)."""
        failures = list(self.failures.values())
        return bool(failures) and all(isinstance(f, JobFailed) and f.exit_code == 2 for f in failures)

    @property
    def bucket(self) -> str:
        """The data bucket's name: the one that the code is published to."""
        (published,) = (run for _, machine, run in self.assembly.executions() if machine_name(machine) == "publish")
        return published["code"].split("/")[2]

    @property
    def first_run(self) -> str:
        """The logical id of the deployment's first run of the SageMaker pipeline."""
        return next(
            logical_id for logical_id, machine, _ in self.assembly.executions() if machine_name(machine) == "sagemaker"
        )

    @property
    def raw(self) -> str:
        """The prefix of the raw tables: the output of the data's stack."""
        (raw,) = (
            self.assembly.resolve(stack, template["Outputs"]["Raw"]["Value"])
            for stack, template in self.assembly.templates.items()
            if "Raw" in template.get("Outputs", {})
        )
        return str(raw)


def _nothing_runs(_request: dict[str, Any]) -> dict[str, Any]:
    return {}


def _recorded_here(request: dict[str, Any]) -> dict[str, Any]:
    """The function that records a run in an account is not called.

    The same collector (`record.collector`) makes the record from the files here, once the comparison ended and the
    endpoint was tried (`local.result`).
    """
    return {"StatusCode": 200, "Payload": {"record": f"runs/{request['Payload']['run_id']}/comparison.json"}}


def machine_name(arn: str) -> str:
    """A state machine's name without the project's, with which it begins: a side's, or for instance ``publish``."""
    return next((side for side in SIDES if arn.endswith(f"-{side}")), arn.rsplit("-", 1)[1])


def _is_job(action: str) -> bool:
    """Tell calls that take a while, and are worth a line."""
    return action.endswith(".sync") or action == _STARTS_TRAINING
