"""Events as the provider framework sends them, and a hand on the wire between the handlers' clients and moto."""

import hashlib
import json
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.awsrequest import AWSResponse
from moto.core.botocore_stubber import BotocoreStubber
from moto.stepfunctions.parser.backend.execution_worker import ExecutionWorker
from moto.stepfunctions.responses import StepFunctionResponse

HANDLERS = Path(__file__).resolve().parents[3] / "stacks" / "handlers"
REGION = "us-east-1"
ACCOUNT = "123456789012"
STACK = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/shop-sagemaker/1b4e28ba-2fa1-11d2-883f-0016d3cca427"

# What the framework waits for: an hour, asking every 15 seconds.
LONGEST = 240


def event(kind: str, request: str, properties: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """A request for a resource of ``Custom::<kind>`` called Resource, by the id that its Create answered."""
    known = {} if request == "Create" else {"PhysicalResourceId": f"{kind}-Resource"}
    return {
        "RequestType": request,
        "RequestId": "1B4E28BA-2FA1-11D2-883F",
        "ResourceType": f"Custom::{kind}",
        "LogicalResourceId": "Resource",
        "StackId": STACK,
        "ResourceProperties": {"ServiceToken": "arn:aws:lambda:any", **properties},
        **known,
        **more,
    }


def stack(status: str) -> str:
    """CloudFormation's answer to the question what a stack is doing."""
    described = f"<StackName>shop</StackName><CreationTime>2026-11-22T10:00:00Z</CreationTime><StackStatus>{status}"
    member = f"<Stacks><member>{described}</StackStatus></member></Stacks>"
    return f"<DescribeStacksResponse><DescribeStacksResult>{member}</DescribeStacksResult></DescribeStacksResponse>"


def state_machine(name: str, executions: int = 0) -> str:
    """The ARN of a machine in moto with so many executions, `run-0` and on, that go on until they are stopped."""
    states = boto3.client("stepfunctions")
    definition = json.dumps({"StartAt": "only", "States": {"only": {"Type": "Wait", "Seconds": 60, "End": True}}})
    role = f"arn:aws:iam::{ACCOUNT}:role/any"
    arn = str(states.create_state_machine(name=name, definition=definition, roleArn=role)["stateMachineArn"])
    for number in range(executions):
        states.start_execution(stateMachineArn=arn, name=f"run-{number}")
    return arn


def run(resources: ModuleType, asked: dict[str, Any]) -> int:
    """Deal with an event to its end as the framework does; how often it asked whether it is complete."""
    asked = asked | resources.on_event(asked, None)
    for calls in range(1, LONGEST + 1):
        answer = resources.is_complete(asked, None)
        if answer["IsComplete"]:
            return calls
        assert "Data" not in answer, "the framework refuses Data before the end"
    raise AssertionError(f"the last of {LONGEST} answers still was {answer}")


def start_at_once(patch: pytest.MonkeyPatch) -> None:
    """Let an execution that was started be one that can be stopped; moto's may not have begun by then (5.2.5)."""
    start = ExecutionWorker.start

    def begun(self: ExecutionWorker) -> None:
        start(self)
        deadline = time.monotonic() + 60
        while self.env is None and time.monotonic() < deadline:
            time.sleep(0.001)

    patch.setattr(ExecutionWorker, "start", begun)


def keep_definitions(patch: pytest.MonkeyPatch) -> None:
    """What moto lacks: a machine's revision, and that an execution keeps the one that it was started with."""
    then: dict[str, str] = {}
    start, describe = StepFunctionResponse.start_execution, StepFunctionResponse._describe_state_machine
    describe_then = StepFunctionResponse.describe_state_machine_for_execution

    def started(self: Any) -> Any:
        answer = start(self)
        machine = self.stepfunction_backend.describe_state_machine(self._get_param("stateMachineArn"))
        then.setdefault(answer.result["executionArn"], machine.definition)
        return answer

    def described(self: Any, arn: str) -> Any:
        answer = describe(self, arn)
        answer.result["revisionId"] = revision(answer.result["definition"])
        return answer

    def described_then(self: Any) -> Any:
        answer = describe_then(self)
        definition = then[self._get_param("executionArn")]
        answer.result.update({"definition": definition, "revisionId": revision(definition)})
        return answer

    patch.setattr(StepFunctionResponse, "start_execution", started)
    patch.setattr(StepFunctionResponse, "_describe_state_machine", described)
    patch.setattr(StepFunctionResponse, "describe_state_machine_for_execution", described_then)


def revision(definition: str) -> str:
    """The revision of a machine with this definition."""
    return hashlib.sha256(definition.encode()).hexdigest()


class Failure(Exception):
    """An error of a scripted service: its code and its message."""


class Wire:
    """Counts the HTTP requests to a service by operation, and answers those that it is told to instead of moto.

    It sits below botocore's checks, retries and parsers, which therefore all take part.
    """

    def __init__(self, service: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.requests: list[str] = []
        self.bodies: dict[str, list[Any]] = defaultdict(list)
        """What was sent, by operation: parsed if the service's protocol is JSON, as text otherwise."""
        self.service: Callable[[str, dict[str, Any]], dict[str, Any]] | None = None
        """Answers everything that is not planned; only for services whose protocol is JSON."""
        model = botocore.session.get_session().get_service_model(service)
        self._protocol = model.resolved_protocol
        self._event = f"before-send.{model.service_id.hyphenize()}."
        self._planned: dict[str, list[tuple[int, bytes]]] = defaultdict(list)
        # botocore emits before-send to moto and everybody else, so another listener could not keep moto from acting.
        moto = BotocoreStubber.__call__

        def answer(stubber: Any, event_name: str, request: Any, **more: Any) -> AWSResponse | None:
            ours = None
            if event_name.startswith(self._event):
                ours = self._send(event_name.removeprefix(self._event), request)
            return moto(stubber, event_name, request, **more) if ours is None else ours

        monkeypatch.setattr(BotocoreStubber, "__call__", answer)

    def fail(self, operation: str, code: str, message: str = "", times: int = 1, status: int = 400) -> None:
        """Answer the next requests of this operation with an error."""
        self.answer(operation, self._error(code, message), times, status)

    def answer(self, operation: str, body: str, times: int = 1, status: int = 200) -> None:
        """Answer the next requests of this operation with this body."""
        self._planned[operation] += [(status, body.encode())] * times

    def _send(self, operation: str, request: Any) -> AWSResponse | None:
        self.requests.append(operation)
        sent = request.body or b""
        if self._protocol == "json":
            self.bodies[operation].append(json.loads(sent))
        else:
            self.bodies[operation].append(sent.decode() if isinstance(sent, bytes) else sent)
        if self._planned[operation]:
            return _response(request.url, *self._planned[operation].pop(0))
        if self.service is None:
            return None
        try:
            return _response(request.url, 200, json.dumps(self.service(operation, json.loads(sent))).encode())
        except Failure as failure:
            return _response(request.url, 400, self._error(*failure.args).encode())

    def _error(self, code: str, message: str) -> str:
        if self._protocol in ("json", "rest-json"):
            return json.dumps({"__type": code, "message": message})
        error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
        return f"<Response><Errors>{error}</Errors></Response>" if self._protocol == "ec2" else error


class _Raw(BytesIO):
    def stream(self, **_: Any) -> Any:
        yield self.read()


def _response(url: str, status: int, body: bytes) -> AWSResponse:
    return AWSResponse(url, status, {}, _Raw(body))
