"""The services of a laptop run: which executor carries out which call of a state machine."""

import json
import threading
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import Any

from assembly.template import Assembly
from local.build import CodeBuild
from local.jobs import JobFailed, RequestRefused, SetupError
from local.progress import Progress
from local.s3 import LocalS3
from local.sagemaker.service import STARTS_TRAINING, SageMaker
from local.side import ServiceSide
from local.states import Call, Execution, StateMachines, TaskFailed
from record.account import DeployedSide
from record.schema import Serve
from sides import side_named


class Services:
    """The services of one laptop run."""

    def __init__(self, assembly: Assembly, s3: LocalS3, logs: Path, work: Path, progress: Progress) -> None:
        self.assembly = assembly
        self.s3 = s3
        self.logs = logs
        self.work = work
        self.progress = progress
        self.machines: StateMachines
        """The engine that walks the machines; set before anything is answered."""
        self.failures: dict[tuple[str, str], JobFailed | RequestRefused] = {}
        self.executions: dict[str, Execution] = {}
        """The sides' executions, once they have ended."""
        self.definitions = assembly.state_machines()
        payload = self._definition("comparison")["States"]["record"]["Parameters"]["Payload"]
        self.sides = {name: DeployedSide(**side) for name, side in json.loads(payload["deployed"]).items()}
        """The sides of this app, in the order of the record."""
        self.raw: str = payload["dataset"]["raw"]
        """Where the raw tables lie."""
        self._services = {name: self._service(name, side) for name, side in self.sides.items()}
        self._side_ended = {name: threading.Event() for name in self.sides}
        # What the stacks below the sides call: code is published, and a Processing job generates the data.
        codebuild = CodeBuild(assembly, s3, logs, work)
        self._shared = {
            **SageMaker(s3, logs / "data", work).actions,
            "codebuild:startBuild.sync": codebuild.start_build,
            "lambda:invoke": _recorded_here,
        }

    def _service(self, name: str, side: DeployedSide) -> ServiceSide:
        """Who answers a side's calls: the ServiceSide of the folder that its service has here."""
        module = import_module(f"local.{side.service.replace('-', '_')}.side")
        stack = side.state_machine.rsplit(":", 1)[1]
        made: ServiceSide = module.ServiceSide(
            self.assembly, stack, self.definitions[side.state_machine], self.s3, self.logs / name, self.work
        )
        return made

    def _definition(self, name: str) -> dict[str, Any]:
        return next(definition for arn, definition in self.definitions.items() if machine_name(arn) == name)

    def answer(self, call: Call) -> dict[str, Any]:
        """Carry out what a Task state asks for."""
        if call.action == "states:startExecution.sync:2":
            return self._start_execution(call)
        name = machine_name(call.machine)
        actions = self._services[name].actions if name in self._services else self._shared
        if call.action not in actions:
            raise TaskFailed("States.Runtime", f"{call.state}: the laptop run has no answer to {call.action}")
        try:
            with self.progress.step(name, call.state) if _is_job(call.action) else ExitStack():
                return actions[call.action](call.request)
        except RequestRefused as refused:
            self.failures[call.machine, call.state] = refused
            raise TaskFailed(_refusal(call.action), str(refused)) from refused
        except JobFailed as failed:
            self.failures[call.machine, call.state] = failed
            if call.action == STARTS_TRAINING and failed.answer:  # what describes the job says how it ended
                return {"TrainingJobArn": failed.answer["TrainingJobArn"]}
            raise TaskFailed("States.TaskFailed", failed.reason) from failed
        except OSError as error:  # of this machine, a full disk for one: the engine would lose it in a thread
            what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
            broken = JobFailed(call.state, what, self.logs / f"{call.state}.log")
            self.failures[call.machine, call.state] = broken
            raise TaskFailed("States.TaskFailed", what) from error

    def _start_execution(self, call: Call) -> dict[str, Any]:
        """One side after the other, in their order, so that none disturbs another's times."""
        machine = call.request["StateMachineArn"]
        side = machine_name(machine)
        names = list(self.sides)
        for earlier in names[: names.index(side)]:
            self._side_ended[earlier].wait()
        try:
            run_input = call.request["Input"]
            execution = self.machines.execute(machine, call.request["Name"], run_input)
            self.executions[side] = execution
        finally:
            self._side_ended[side].set()
        if execution.status != "SUCCEEDED":
            raise TaskFailed("States.TaskFailed", execution.cause or execution.status)
        return {"ExecutionArn": execution.arn, "Status": execution.status, "Output": execution.output}

    def prepare_account(self) -> None:
        """What a deployment runs before the pipelines: code is published, data generated, a cluster started."""
        for logical_id, machine, run_input in self.assembly.executions():
            if machine_name(machine) in self.sides:
                continue
            execution = self.machines.execute(machine, logical_id, {"run_id": "deploy-local", **run_input})
            if execution.status != "SUCCEEDED":
                failure = next((failure for (of, _), failure in self.failures.items() if of == machine), None)
                tail = "\n".join(failure.tail()) if isinstance(failure, JobFailed) else ""
                raise SetupError(f"{machine_name(machine)}: {execution.cause or execution.status}\n{tail}".rstrip())
            self.assembly.attributes[logical_id] = execution.output
        for service in self._services.values():
            service.deploy(self.progress)

    def serves(self, side: str) -> bool:
        """True for a side with an endpoint."""
        return self._services[side].serves

    def serve(self, side: str, run: Path) -> Serve | None:
        """Try a side's endpoint, of which ``run`` is the run prefix; None if it has none."""
        return self._services[side].serve(run, self.executions[side].output)

    def compare(self, run_id: str) -> Execution:
        """All pipelines, as the comparison's state machine starts them. Raises SetupError if one did not start."""
        machine = next(arn for arn in self.definitions if machine_name(arn) == "comparison")
        execution = self.machines.execute(machine, run_id, {"run_id": run_id, "raw": self.raw})
        if len(self.executions) < len(self.sides):
            raise SetupError(f"comparison: {execution.cause or execution.status}")
        return execution

    def failure(self, machine: str, state: str) -> JobFailed | RequestRefused | None:
        """Why a state of a machine failed, None when it did not."""
        return next((f for (of, at), f in self.failures.items() if machine_name(of) == machine and at == state), None)

    @property
    def bad_input(self) -> bool:
        """Whether jobs failed, and each of them because of what it was given (exit code 2)."""
        failures = list(self.failures.values())
        return bool(failures) and all(isinstance(f, JobFailed) and f.exit_code == 2 for f in failures)

    @property
    def bucket(self) -> str:
        """The data bucket's name."""
        (bucket,) = (
            self.assembly.resolve(stack, {"Ref": logical_id})
            for stack, logical_id in self.assembly.resources("AWS::S3::Bucket")
            if logical_id.startswith("Bucket")
        )
        return str(bucket)


def _recorded_here(request: dict[str, Any]) -> dict[str, Any]:
    """The function that records a run in an account is not called.

    The same collector (`record.collector`) makes the record from the files here, once the comparison ended and the
    endpoint was tried (`local.result`).
    """
    return {"StatusCode": 200, "Payload": {"record": f"runs/{request['Payload']['run_id']}/comparison.json"}}


_REFUSALS = {
    "aws-sdk:emr:": "Emr.InvalidRequestException",
    "aws-sdk:emrserverless:": "EmrServerless.ValidationException",
    "emr-serverless:": "EMRServerless.ValidationException",
}
"""What Step Functions calls the refusal of a request, by how the call's name begins."""


def _refusal(action: str) -> str:
    return next((name for start, name in _REFUSALS.items() if action.startswith(start)), "ValidationException")


def machine_name(arn: str) -> str:
    """What a state machine is: a side's name or one word, the end of its own name, which begins with the project's."""
    return side_named(arn) or arn.rsplit("-", 1)[1]


def _is_job(action: str) -> bool:
    """Whether a call is work that takes a while, and is worth a line."""
    return action.endswith(".sync") or action == STARTS_TRAINING
