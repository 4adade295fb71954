"""State machines on the laptop: moto's Step Functions engine walks the states, local executors answer the calls.

moto evaluates paths, intrinsic functions, retries, catches and parallel branches as Step Functions does, and keeps
the same execution history. What it cannot do, calls of SageMaker, EMR, CodeBuild and of other executions that are
waited for (``.sync``), is answered here by a function per call. moto offers no hook for that, so its factory of
service calls is replaced while machines run (moto 5.2.5). JSONata, for which moto has a parser but no evaluator, is
evaluated by jsonata-python, a port of the reference implementation.
"""

import json
import logging
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar
from unittest.mock import patch

import boto3
from jsonata import Jsonata
from moto import mock_aws
from moto.stepfunctions.parser.api import HistoryEventType, TaskFailedEventDetails
from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import CustomErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.error_name import ErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEvent, FailureEventException
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import StatesErrorNameType
from moto.stepfunctions.parser.asl.component.state.exec.state_task import state_task_factory
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.resource import ResourceCondition
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_unsupported import (
    StateTaskServiceUnsupported,
)
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.jsonata import jsonata
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.asl.parse.preprocessor import Preprocessor

from assembly.template import ACCOUNT, REGION

_LONGEST_PAUSE = 0.25
"""Seconds between two looks at an execution; each takes the processor from the stages for some milliseconds."""

_ROLE = f"arn:aws:iam::{ACCOUNT}:role/local"


class TaskFailed(Exception):
    """A call failed the way the service fails it: ``error`` is Step Functions' name for it, e.g. States.TaskFailed."""

    def __init__(self, error: str, cause: str) -> None:
        super().__init__(f"{error}: {cause}")
        self.error = error
        self.cause = cause


@dataclass(frozen=True)
class Call:
    """One call that a Task state makes: ``action`` as in ``sagemaker:createProcessingJob.sync``."""

    action: str
    machine: str
    state: str
    request: dict[str, Any]


Answer = Callable[[Call], dict[str, Any]]
"""Carries a call out and returns the service's answer; raises TaskFailed."""


@dataclass(frozen=True)
class Execution:
    """An execution that ended, with the history that Step Functions would give for it."""

    arn: str
    machine: str
    status: str
    output: dict[str, Any]
    error: str
    cause: str


class StateMachines:
    """The machines of an app, by ARN, on one engine."""

    def __init__(self, definitions: Mapping[str, dict[str, Any]]) -> None:
        self._client = boto3.client("stepfunctions", region_name=REGION)
        self._interrupted = threading.Event()
        self._broken = ""
        self._waiting = threading.Condition()
        self._waits = 0
        for arn, definition in definitions.items():
            self._client.create_state_machine(
                name=arn.rsplit(":", 1)[1], definition=json.dumps(definition), roleArn=_ROLE
            )

    def execute(self, machine: str, name: str, run: Mapping[str, Any]) -> Execution:
        """Start a machine and wait until it ends; polls, so that Ctrl-C reaches the caller at once."""
        with self._waiting:
            self._waits += 1
        try:
            started = self._client.start_execution(stateMachineArn=machine, name=name, input=json.dumps(run))
            arn, pause = started["executionArn"], 0.01
            while not self._interrupted.is_set() and not self._broken:
                execution = self._client.describe_execution(executionArn=arn)
                if execution["status"] != "RUNNING":
                    return Execution(
                        arn,
                        machine,
                        execution["status"],
                        json.loads(execution.get("output") or "{}"),
                        execution.get("error", ""),
                        execution.get("cause", ""),
                    )
                time.sleep(pause)
                pause = min(1.5 * pause, _LONGEST_PAUSE)
        finally:
            with self._waiting:
                self._waits -= 1
                self._waiting.notify_all()
        if self._broken:
            return Execution(arn, machine, "FAILED", {}, "States.Runtime", self._broken)
        raise TaskFailed("States.Runtime", "interrupted")

    def thread_ended(self, ended: threading.ExceptHookArgs) -> None:
        """A thread ended by an exception; if it is the engine's, whoever waits for it would wait for ever."""
        frames = traceback.walk_tb(ended.exc_traceback)
        if any(frame.f_globals.get("__name__", "").startswith("moto.stepfunctions") for frame, _ in frames):
            self._broken = f"the engine failed: {ended.exc_type.__name__}: {ended.exc_value}"
        else:
            threading.__excepthook__(ended)

    def interrupt(self) -> None:
        """Let nobody wait any longer, so that no call is made once the engine is gone."""
        self._interrupted.set()
        with self._waiting:
            self._waiting.wait_for(lambda: self._waits == 0, timeout=10)

    def history(self, arn: str) -> list[dict[str, Any]]:
        """Every event of an execution, oldest first, as GetExecutionHistory gives them."""
        pages = self._client.get_paginator("get_execution_history").paginate(executionArn=arn)
        return [event for page in pages for event in page["events"]]


class LocalCall(StateTaskServiceUnsupported):  # type: ignore[misc]  # moto is not typed
    """A Task state whose call is answered by the engine that runs."""

    answer: ClassVar[Answer]

    def __init__(self) -> None:
        super().__init__()
        # With the task token, since moto's waiting for an answer is built on one.
        self._supported_integration_patterns = {
            ResourceCondition.Sync,
            ResourceCondition.Sync2,
            ResourceCondition.WaitForTaskToken,
        }

    def _validate_service_integration_is_supported(self) -> None:
        """Every call is; the engine's answer refuses what it does not know."""

    def _eval_service_task(
        self, env: Any, resource_runtime_part: Any, normalised_parameters: dict[str, Any], state_credentials: Any
    ) -> None:
        context = env.states.context_object.context_object_data
        condition = f".{self.resource.condition}" if self.resource.condition else ""
        action = f"{self.resource.service_name}:{self._api()}{self.resource.api_action}{condition}"
        call = Call(action, context["StateMachine"]["Id"], context["State"]["Name"], normalised_parameters)
        try:
            env.stack.append(LocalCall.answer(call))
        except TaskFailed as failure:
            details = TaskFailedEventDetails(
                error=failure.error,
                cause=failure.cause,
                resource=self._get_sfn_resource(),
                resourceType=self._get_sfn_resource_type(),
            )
            raise FailureEventException(
                FailureEvent(
                    env=env,
                    error_name=_error_name(failure.error),
                    event_type=HistoryEventType.TaskFailed,
                    event_details=EventDetails(taskFailedEventDetails=details),
                )
            ) from failure

    def _api(self) -> str:
        return f"{self.resource.api_name}:" if self.resource.service_name == "aws-sdk" else ""

    def _build_sync_resolver(self, env: Any, *_arguments: Any, **_named: Any) -> Callable[[], Any]:
        answered = env.stack.pop()
        return lambda: answered or {"answered": True}

    _build_sync2_resolver = _build_sync_resolver


_parse = cache(AmazonStateLanguageParser.parse)
"""What moto reads out of a definition, half a second for each: it reads it thrice before the first execution."""


@contextmanager
def engine(answer: Answer, definitions: Mapping[str, dict[str, Any]]) -> Iterator[StateMachines]:
    """moto's engine with the machines in it; calls go to ``answer``."""

    # moto logs every failed state with its whole syntax tree; failures are reported from the history instead.
    logging.getLogger("moto").setLevel(logging.CRITICAL)
    with (
        mock_aws(config={"stepfunctions": {"execute_state_machine": True}}),
        patch.object(LocalCall, "answer", staticmethod(answer), create=True),
        patch.object(state_task_factory, "state_task_service_for", lambda service_name: LocalCall()),
        patch.object(AmazonStateLanguageParser, "parse", _parse),
        patch.object(jsonata, "_eval_jsonata", _jsonata),
        patch.object(Preprocessor, "__init__", _own_scopes),
    ):
        machines = StateMachines(definitions)
        with patch.object(threading, "excepthook", machines.thread_ended):
            try:
                yield machines
            finally:
                machines.interrupt()


def _own_scopes(preprocessor: Any) -> None:
    """Give a reader of definitions its own list of open scopes: moto 5.2.5 has one list for all that read at once.

    Machines that start together then take each other's query language, and who meets a wrong one never ends.
    """
    preprocessor._query_language_per_scope = []


def _jsonata(expression: str) -> Any:
    return Jsonata(expression).evaluate(None)


def _error_name(error: str) -> ErrorName:
    """moto's class for an error's name: Step Functions' own names have one apart."""
    own = next((each for each in StatesErrorNameType if each.to_name() == error), None)
    return CustomErrorName(error) if own is None else StatesErrorName(typ=own)
