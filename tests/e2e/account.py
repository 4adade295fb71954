"""An AWS account that the real CDK CLI deploys to: moto's server, and what moto's CloudFormation leaves out.

moto answers the CLI and makes the resources that it knows; it ignores the others and says that they were created. Added
here is what CloudFormation does and moto 5.2.5 does not:

- Custom resources wait for their provider: Create, Update and Delete go to our own handlers, as the CLI uploaded them.
  (moto sends Create only, takes the answer when the rest of the stack is made, and no other answer than SUCCESS.)
- What a resource needs is made before it and deleted after it, and a custom resource is updated when what it refers to
  changed. A stack whose custom resource fails is rolled back.
- Executions of state machines end. No job runs here; the machines themselves are run elsewhere.
- Route tables and VPC endpoints are deleted with their stack.
"""

import graphlib
import importlib
import io
import json
import logging
import os
import re
import subprocess
import sys
import traceback
import uuid
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar
from unittest.mock import MagicMock

import boto3
import pytest

from assembly.template import ACCOUNT, REGION, REPOSITORY

# moto's CloudFormation imports its API Gateway, and that a validator which nothing here needs: six packages fewer.
for _name in ("", ".validation", ".validation.exceptions"):
    sys.modules.setdefault(f"openapi_spec_validator{_name}", MagicMock())

from moto.awslambda import models as lambda_models  # noqa: E402
from moto.cloudformation import models as cloudformation  # noqa: E402
from moto.cloudformation import parsing  # noqa: E402
from moto.cloudformation.custom_model import CustomModel  # noqa: E402
from moto.cloudformation.exceptions import AlreadyExistsException, ValidationError  # noqa: E402
from moto.ec2.models import ec2_backends  # noqa: E402
from moto.ec2.models.route_tables import RouteTable  # noqa: E402
from moto.ec2.models.security_groups import SecurityGroupRule  # noqa: E402
from moto.ec2.models.vpcs import VPCEndPoint  # noqa: E402
from moto.kms import models as kms  # noqa: E402
from moto.moto_api._internal import moto_api_backend  # noqa: E402
from moto.s3.models import s3_backends  # noqa: E402
from moto.server import ThreadedMotoServer  # noqa: E402
from moto.stepfunctions import models as stepfunctions  # noqa: E402

from tests.stacks.handlers.support import keep_definitions, revision  # noqa: E402

# What the provider framework calls a resource whose Create failed before it had an id; its Delete reaches no handler.
_CREATE_FAILED = "AWSCDK::CustomResourceProviderFramework::CREATE_FAILED"

# What Lambda's Python holds beside the standard library
# (docs.aws.amazon.com/lambda/latest/dg/lambda-python.html, read 2026-11-22).
_ON_LAMBDA = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3")

# One process for the functions of an asset: Lambda's flat sys.path, the functions' own environment, warm for later
# calls. What a handler prints is no answer.
_RUNTIME = """
import importlib, json, sys
answers, sys.stdout = sys.stdout, sys.stderr
for line in sys.stdin:
    handler, event = json.loads(line)
    module, _, function = handler.rpartition(".")
    try:
        answer = json.dumps({"result": getattr(importlib.import_module(module), function)(event, None)})
    except Exception as error:
        answer = json.dumps({"error": str(error)})
    print(answer, file=answers, flush=True)
"""


class HandlerFailed(Exception):
    """A handler raised; the message is what the provider framework gives CloudFormation as the reason."""

    physical_id: str | None = None
    """The id of the resource, if the handler that makes it had answered."""


@dataclass(frozen=True, order=True)
class Request:
    """A request that a custom resource's handler answered well."""

    kind: str
    """Create, Update or Delete."""
    stack: str
    logical_id: str
    resource_type: str


class Functions:
    """The account's Python functions, run from the code that the CLI uploaded for them."""

    def __init__(self, endpoint: str, folder: Path) -> None:
        self.endpoint = endpoint
        self.folder = folder
        self._processes: dict[str, subprocess.Popen[str]] = {}
        self._packages = folder / "packages"
        self._packages.mkdir(parents=True)
        for name in _ON_LAMBDA:
            module = Path(str(importlib.import_module(name).__file__))
            at = module.parent if module.name == "__init__.py" else module
            (self._packages / at.name).symlink_to(at)

    def invoke(self, arn: str, event: Mapping[str, Any]) -> dict[str, Any]:
        """Call a function as Lambda would; raises HandlerFailed with what the handler raised."""
        function = lambda_models.get_backend(ACCOUNT, REGION).get_function(arn)
        variables = function.environment_vars
        process = self._process(function.code_digest, function.code_bytes, variables)
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps([function.handler, event]) + "\n")
        process.stdin.flush()
        answer = json.loads(process.stdout.readline())
        if "error" in answer:
            raise HandlerFailed(answer["error"])
        return answer["result"] or {}

    def stop(self) -> None:
        """End every process."""
        for process in self._processes.values():
            process.kill()
            process.communicate()

    def _process(self, digest: str, code: bytes, variables: Mapping[str, str]) -> subprocess.Popen[str]:
        name = f"{digest}-{hash(frozenset(variables.items())):x}"
        if name not in self._processes:
            folder = self.folder / name
            zipfile.ZipFile(io.BytesIO(code)).extractall(folder)
            with (self.folder / f"{name}.log").open("w") as log:
                self._processes[name] = subprocess.Popen(
                    [sys.executable, "-S", "-c", _RUNTIME],  # -S: not what else is installed here
                    cwd=folder,
                    env={**environment(self.endpoint), **variables, "PYTHONPATH": str(self._packages)},
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                )
        return self._processes[name]


class Providers:
    """The CDK's provider framework, as its custom-resources/lib/provider-framework/runtime/framework.js does it."""

    def __init__(self, functions: Functions) -> None:
        self.functions = functions
        self.requests: list[Request] = []

    def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Have a request handled; the physical id and the attributes."""
        variables = lambda_models.get_backend(ACCOUNT, REGION).get_function(request["ServiceToken"]).environment_vars
        if "USER_ON_EVENT_FUNCTION_ARN" in variables:
            answer = self._ours(request, variables)
        else:
            # The CDK's own functions (Node, with the SDK that is on Lambda only) are the CDK's to test.
            assert request["ResourceType"] in _OF_THE_CDK, f"{request['ResourceType']}: no provider framework"
            answer = {"PhysicalResourceId": request.get("PhysicalResourceId", request["LogicalResourceId"])}
        stack = request["StackId"].split("/")[1]
        self.requests.append(
            Request(request["RequestType"], stack, request["LogicalResourceId"], request["ResourceType"])
        )
        return answer

    def take(self) -> list[Request]:
        """The requests since this was asked last."""
        taken, self.requests = self.requests, []
        return taken

    def _ours(self, request: Mapping[str, Any], variables: Mapping[str, str]) -> dict[str, Any]:
        result = self.functions.invoke(variables["USER_ON_EVENT_FUNCTION_ARN"], request)
        # Create without an id of its own is called after the request.
        default = request["RequestId"] if request["RequestType"] == "Create" else request["PhysicalResourceId"]
        event = {**request, **result, "PhysicalResourceId": result.get("PhysicalResourceId") or default}
        if request["RequestType"] == "Delete" and event["PhysicalResourceId"] != default:
            raise HandlerFailed(f"DELETE: cannot change the physical resource ID from {default}")
        if "USER_IS_COMPLETE_FUNCTION_ARN" not in variables:
            return event
        try:
            return self._completed(event, variables["USER_IS_COMPLETE_FUNCTION_ARN"])
        except HandlerFailed as failure:
            failure.physical_id = event["PhysicalResourceId"]
            raise

    def _completed(self, event: dict[str, Any], is_complete: str) -> dict[str, Any]:
        for _ in range(100):
            answer = self.functions.invoke(is_complete, event)
            if answer["IsComplete"]:
                return {**event, "Data": {**event.get("Data", {}), **answer.get("Data", {})}}
            if answer.get("Data"):
                raise HandlerFailed('"Data" is not allowed if "IsComplete" is "False"')
        raise HandlerFailed("Operation timed out")


_OF_THE_CDK = {"Custom::VpcRestrictDefaultSG"}


class CustomResource(CustomModel):  # type: ignore[misc]  # moto is not typed
    """A custom resource that is there when its provider says so, with the attributes that it answered."""

    providers: ClassVar[Providers]

    def __init__(self, event: Mapping[str, Any]) -> None:
        super().__init__(REGION, "", event["LogicalResourceId"], "")
        self.event = event
        self.resource_name = _CREATE_FAILED

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str, **names: Any
    ) -> "CustomResource":
        """Create the resource; raises ResourceFailed."""
        properties = cloudformation_json["Properties"]
        resource = cls(
            {
                "ServiceToken": properties["ServiceToken"],
                "ResponseURL": "",
                "StackId": names["StackId"],
                "LogicalResourceId": names["LogicalId"],
                "ResourceType": names["ResourceType"],
                "ResourceProperties": _texts(properties),
            }
        )
        resource._send("Create")
        return resource

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: "CustomResource",
        new_resource_name: str,
        cloudformation_json: dict[str, Any],
        account_id: str,
        region_name: str,
    ) -> "CustomResource":
        """Update the resource if a property changed; another physical id replaces it, and the old one is deleted."""
        old = original_resource.event["ResourceProperties"]
        properties = _texts(cloudformation_json["Properties"])
        if properties == old:
            return original_resource
        event = {**original_resource.event, "ServiceToken": properties["ServiceToken"]}
        resource = cls({**event, "ResourceProperties": properties})
        resource.resource_name = original_resource.resource_name
        resource._send("Update", OldResourceProperties=old)
        if resource.resource_name != original_resource.resource_name:
            original_resource._send("Delete")
        return resource

    def delete(self, account_id: str, region_name: str) -> None:
        """Delete the resource; raises ResourceFailed."""
        if self.resource_name != _CREATE_FAILED:
            self._send("Delete")

    def _send(self, kind: str, **more: Any) -> None:
        event = {**self.event, **more, "RequestType": kind, "RequestId": str(uuid.uuid4())}
        if kind != "Create":
            event["PhysicalResourceId"] = self.resource_name
        try:
            answer = self.providers.answer(event)
        except HandlerFailed as failure:
            self.resource_name = failure.physical_id or self.resource_name
            raise ResourceFailed(self, str(failure)) from failure
        self.resource_name = answer["PhysicalResourceId"]
        self.set_data(answer.get("Data", {}))


class Ignored(CustomModel):  # type: ignore[misc]  # moto is not typed
    """A resource of a type that moto does not know: only a name, so that others can refer to it."""

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: dict[str, Any], account_id: str, region_name: str, **names: Any
    ) -> "Ignored":
        """Make the name."""
        resource = cls(region_name, "", names["LogicalId"], resource_name)
        resource.set_data({})
        return resource

    @classmethod
    def update_from_cloudformation_json(cls, original_resource: "Ignored", **_: Any) -> "Ignored":
        """Keep the name."""
        return original_resource

    def get_cfn_attribute(self, attribute_name: str) -> str:
        """An attribute that looks like one: an ARN, or else the name."""
        service = self.cf_resource_type.split("::")[1].lower()
        arn = f"arn:aws:{service}:{REGION}:{ACCOUNT}:{self.resource_name}"
        return arn if attribute_name.endswith("Arn") else self.resource_name

    def delete(self, account_id: str, region_name: str) -> None:
        """There is nothing to delete."""


class ResourceFailed(Exception):
    """A custom resource's provider answered FAILED."""

    def __init__(self, resource: CustomResource, reason: str) -> None:
        super().__init__(reason)
        self.resource = resource


def _texts(value: Any) -> Any:
    """Properties as CloudFormation hands them to a custom resource: every scalar is a text."""
    if isinstance(value, dict):
        return {key: _texts(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_texts(item) for item in value]
    return json.dumps(value) if isinstance(value, bool | int | float) else value


def needs(resource: Any) -> set[str]:
    """The logical ids that a resource of a template refers to."""
    if isinstance(resource, list):
        return set().union(*map(needs, resource))
    if not isinstance(resource, dict):
        return set()
    found: set[str] = set()
    for key, value in resource.items():
        match key:
            case "Ref":
                found.add(value)
            case "DependsOn":
                found.update([value] if isinstance(value, str) else value)
            case "Fn::GetAtt":
                found.add(value[0] if isinstance(value, list) else value.split(".")[0])
            case "Fn::Sub":
                found.update(re.findall(r"\$\{(\w+)", value if isinstance(value, str) else value[0]))
        found |= needs(value)
    return found


def in_order(resources: Mapping[str, Any]) -> list[str]:
    """The logical ids of a template's resources, each after what it needs."""
    graph = {logical_id: needs(resource) & resources.keys() for logical_id, resource in resources.items()}
    return list(graphlib.TopologicalSorter(graph).static_order())


def environment(endpoint: str) -> dict[str, str]:
    """The environment of everything that calls the account: no key, profile or endpoint of a real one."""
    kept = ("PATH", "HOME", "LANG", "TMPDIR")
    return {name: os.environ[name] for name in kept if name in os.environ} | {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_SESSION_TOKEN": "testing",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        # Nothing listens there: the account is the only thing that can be reached.
        "HTTPS_PROXY": "http://127.0.0.1:9",
    }


@dataclass
class Account:
    """The account, and the CDK CLI that is signed in to it."""

    endpoint: str
    folder: Path
    providers: Providers
    failing: dict[str, str] = field(default_factory=dict)
    """State machines whose executions fail, by the end of their names, with the cause."""
    written: set[str] = field(default_factory=set)
    """S3 locations that a finished execution was given: what lies below them would be there."""
    _clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        """A boto3 client of the account."""
        if service not in self._clients:
            self._clients[service] = boto3.Session().client(service)
        return self._clients[service]

    def cdk(self, command: str, *arguments: str, cwd: Path = REPOSITORY) -> "subprocess.CompletedProcess[str]":
        """Run the CDK CLI as a user would; its output is in one text."""
        scripts = Path(sys.executable).parent
        return subprocess.run(
            [scripts / "cdk", command, *arguments, "--no-notices", "--no-color"],
            cwd=cwd,
            env={
                **environment(self.endpoint),
                "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
                "CDK_HOME": str(self.folder / "cdk"),
                "CDK_DISABLE_CLI_TELEMETRY": "true",
                "CDK_DISABLE_VERSION_CHECK": "true",
                "CI": "true",  # everything goes to standard output, and nothing is asked
                "PYTHONDONTWRITEBYTECODE": "1",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
            check=False,
        )

    def finish(self, execution: Any) -> None:
        """End an execution: its jobs would have written to the locations in its input, and trained a model."""
        run = json.loads(execution.execution_input)
        machine = execution.state_machine_arn.rpartition(":")[2]
        cause = next((cause for name, cause in self.failing.items() if machine.endswith(name)), None)
        execution.stop_date = execution.start_date
        if cause is not None:
            execution.status, execution.error, execution.cause = "FAILED", "States.TaskFailed", cause
            return
        locations = {value for value in run.values() if isinstance(value, str) and value.startswith("s3://")}
        self.written |= locations
        bucket = min(locations, default="s3://none").split("/")[2]
        model = f"s3://{bucket}/runs/{run['run_id']}/sagemaker/model/model.tar.gz"
        execution.status, execution.output = "SUCCEEDED", json.dumps({**run, "model": model})


@contextmanager
def account(folder: Path) -> Iterator[Account]:
    """Open an empty account; its files go to the folder."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    with ExitStack() as closing:
        # Each request is a line otherwise, and each type that moto does not know.
        for logger in (logging.getLogger("werkzeug"), logging.getLogger("moto")):
            closing.callback(logger.setLevel, logger.level)
            logger.setLevel(logging.ERROR)
        server.start()
        closing.callback(server.stop)
        # By this name, since moto reads path-style URLs of templates only then.
        endpoint = f"http://localhost:{server.get_host_and_port()[1]}"
        functions = Functions(endpoint, folder / "functions")
        closing.callback(functions.stop)
        opened = Account(endpoint, folder, Providers(functions))
        closing.callback(moto_api_backend.reset)
        moto_api_backend.reset()
        patch = closing.enter_context(pytest.MonkeyPatch.context())
        patch.delenv("AWS_PROFILE", raising=False)
        for name, value in environment(endpoint).items():
            patch.setenv(name, value)
        _complete(patch, opened)
        yield opened


def _complete(patch: pytest.MonkeyPatch, opened: Account) -> None:
    """Add to moto what it leaves out, until the account is closed."""
    CustomResource.providers = opened.providers
    patch.setattr(parsing, "CustomModel", CustomResource)
    known = parsing.resource_class_from_type
    patch.setattr(parsing, "resource_class_from_type", lambda resource_type: known(resource_type) or Ignored)
    _shorten_names(patch)
    _keep_order(patch)
    _keep_updated(patch)
    _report_failures(patch)
    _end_executions(patch, opened)
    _hold_written_code(patch, opened)
    _take_key_tags(patch)
    _take_protocols(patch)
    for model, delete in ((RouteTable, "delete_route_table"), (VPCEndPoint, "delete_vpc_endpoints")):
        _delete_with_stack(patch, model, delete)


def _shorten_names(patch: pytest.MonkeyPatch) -> None:
    generate = parsing.generate_resource_name

    def generate_short(resource_type: str, stack_name: str, logical_id: str) -> Any:
        # CloudFormation cuts the names that it makes up to what the service takes: 64 characters for most.
        name = generate(resource_type, stack_name, logical_id)
        return name if len(name) <= 64 else f"{stack_name[:24]}-{logical_id[:24]}-{name[-12:]}"

    patch.setattr(parsing, "generate_resource_name", generate_short)


def _keep_order(patch: pytest.MonkeyPatch) -> None:
    resource_map = parsing.ResourceMap
    delete_rest = resource_map.delete
    validate = cloudformation.CloudFormationBackend._validate_export_uniqueness

    def delete(self: Any) -> None:
        for logical_id in reversed(in_order(self._resource_json_map)):
            definition = self._resource_json_map[logical_id]
            if logical_id in self._parsed_resources and definition.get("DeletionPolicy") != "Retain":
                self._delete_resource(self._parsed_resources[logical_id], definition)
                del self._parsed_resources[logical_id]
        delete_rest(self)

    def create_then_validate(self: Any, stack: Any) -> None:
        # moto looks at the exports first, and what an export needs is made by that, whatever it depends on.
        stack.resource_map.create(stack.template_dict)
        validate(self, stack)

    patch.setattr(
        resource_map, "_ResourceMap__get_resources_in_dependency_order", lambda self: in_order(self._resource_json_map)
    )
    patch.setattr(resource_map, "delete", delete)
    patch.setattr(cloudformation.CloudFormationBackend, "_validate_export_uniqueness", create_then_validate)


def _keep_updated(patch: pytest.MonkeyPatch) -> None:
    diff = parsing.ResourceMap.build_resource_diff
    update = parsing.parse_and_update_resource

    def diff_in_order(self: Any, template: dict[str, Any], parameters: Any = None) -> Any:
        # moto compares templates only; a custom resource whose property is another's attribute changes with it.
        found = diff(self, template, parameters)
        resources = template["Resources"]
        changed = {*found["Add"], *found["Modify"]}
        for logical_id in in_order(resources):
            if needs(resources[logical_id]) & changed:
                changed.add(logical_id)
        custom = {name for name in changed if resources[name]["Type"].startswith("Custom::")} - {*found["Add"]}
        found["Modify"] = [name for name in in_order(resources) if name in custom or name in found["Modify"]]
        return found

    def update_or_keep(logical_id: str, resource: Any, resources: Any, **where: str) -> Any:
        # A type that moto cannot update would be forgotten, and so never be deleted.
        return update(logical_id, resource, resources, **where) or resources._parsed_resources.get(logical_id)

    patch.setattr(parsing.ResourceMap, "build_resource_diff", diff_in_order)
    patch.setattr(parsing, "parse_and_update_resource", update_or_keep)


def _report_failures(patch: pytest.MonkeyPatch) -> None:
    """A stack that fails says why in its events, and a failed creation is rolled back, as in CloudFormation."""
    backend = cloudformation.CloudFormationBackend
    create, update, delete = backend.create_stack, backend.update_stack, backend.delete_stack

    def create_stack(self: Any, name: str, *arguments: Any, **options: Any) -> Any:
        try:
            return create(self, name, *arguments, **options)
        except Exception as failure:
            stack = next((stack for stack in self.stacks.values() if stack.name == name), None)
            if stack is None or isinstance(failure, AlreadyExistsException):
                raise
            _add_failure(stack, "CREATE_FAILED", failure)
            stack.status = "ROLLBACK_IN_PROGRESS"
            _without_outputs(stack)
            if isinstance(failure, ResourceFailed):
                failure.resource.delete(self.account_id, self.region_name)
            stack.resource_map.delete()
            _withdraw_exports(self, stack)
            _forget(stack)
            return _ended(stack, "ROLLBACK_COMPLETE")

    def update_stack(self: Any, name: str, template: str, role_arn: Any, parameters: Any, tags: Any) -> Any:
        stack = self.get_stack(name)
        if not parameters and stack.has_template(template):  # moto looks only if there are parameters
            raise ValidationError(message="No updates are to be performed.")
        stack.status = "UPDATE_IN_PROGRESS"
        try:
            return update(self, name, template, role_arn, parameters, tags)
        except Exception as failure:
            _add_failure(stack, "UPDATE_FAILED", failure)
            return _ended(stack, "UPDATE_ROLLBACK_COMPLETE")

    def delete_stack(self: Any, name: str) -> None:
        stack = self.get_stack(name)
        # Our handlers ask whether the stack goes; moto no longer knows it then, and would make outputs again.
        stack.status = "DELETE_IN_PROGRESS"
        self.deleted_stacks[stack.stack_id] = stack
        _withdraw_exports(self, stack)
        _without_outputs(stack)
        try:
            delete(self, name)
        except Exception as failure:
            del self.deleted_stacks[stack.stack_id]
            self.stacks[stack.stack_id] = stack
            _add_failure(stack, "DELETE_FAILED", failure)
            _ended(stack, "DELETE_FAILED")
        else:
            _forget(stack)

    patch.setattr(backend, "create_stack", create_stack)
    patch.setattr(backend, "update_stack", update_stack)
    patch.setattr(backend, "delete_stack", delete_stack)


def _withdraw_exports(backend: Any, stack: Any) -> None:
    for export in [each for each in backend.exports.values() if each.exporting_stack_id == stack.stack_id]:
        del backend.exports[export.name]


def _without_outputs(stack: Any) -> None:
    stack.output_map = parsing.OutputMap(stack.resource_map, {}, stack.stack_id)


def _forget(stack: Any) -> None:
    """Asked for the resources or outputs of a stack that is gone, moto would make them again."""
    stack.resource_map._resource_json_map = {}
    _without_outputs(stack)


def _ended(stack: Any, status: str) -> Any:
    stack.status = status
    stack._add_stack_event(status)
    return stack


def _add_failure(stack: Any, status: str, failure: Exception) -> None:
    """An event that says which resource failed and why; what moto cannot do is told with the place in moto."""
    resource = failure.resource if isinstance(failure, ResourceFailed) else None
    stack.events.append(
        cloudformation.Event(
            stack_id=stack.stack_id,
            stack_name=stack.name,
            logical_resource_id=resource.logical_id if resource else stack.name,
            physical_resource_id=resource.physical_resource_id if resource else stack.stack_id,
            resource_type=resource.event["ResourceType"] if resource else "AWS::CloudFormation::Stack",
            resource_status=status,
            resource_status_reason=str(failure) if resource else "".join(traceback.format_exception(failure)[-4:]),
            resource_properties=None,
        )
    )


def _end_executions(patch: pytest.MonkeyPatch, opened: Account) -> None:
    describe = stepfunctions.StepFunctionBackend.describe_execution
    attribute = stepfunctions.StateMachine.get_cfn_attribute
    looked_at: set[str] = set()

    def describe_then_end(self: Any, arn: str) -> Any:
        # Runs when it is looked at for the first time, has ended the second time: so it must be waited for.
        execution = describe(self, arn)
        if arn in looked_at and execution.status == "RUNNING":
            opened.finish(execution)
        looked_at.add(arn)
        return execution

    def attribute_or_revision(self: Any, name: str) -> Any:
        if name == "StateMachineRevisionId":
            return revision(self.definition)
        return attribute(self, name)

    keep_definitions(patch)
    patch.setattr(stepfunctions.StepFunctionBackend, "describe_execution", describe_then_end)
    patch.setattr(stepfunctions.StateMachine, "get_cfn_attribute", attribute_or_revision)


def _hold_written_code(patch: pytest.MonkeyPatch, opened: Account) -> None:
    """An empty archive where a function wants code that a finished execution would have written."""
    take = lambda_models.LambdaFunction._set_function_code

    def take_or_write(self: Any, code: Mapping[str, Any], *arguments: Any, **options: Any) -> None:
        bucket, key = code.get("S3Bucket"), code.get("S3Key")
        if any(f"s3://{bucket}/{key}".startswith(location) for location in opened.written):
            archive = io.BytesIO()
            zipfile.ZipFile(archive, "w").close()
            s3_backends[self.account_id][self.partition].put_object(bucket, key, archive.getvalue())
        take(self, code, *arguments, **options)

    patch.setattr(lambda_models.LambdaFunction, "_set_function_code", take_or_write)


def _take_key_tags(patch: pytest.MonkeyPatch) -> None:
    create = kms.Key.create_from_cloudformation_json

    def create_with_tags(name: str, definition: dict[str, Any], account_id: str, region: str, **names: Any) -> Any:
        # CloudFormation's tags have Key and Value, KMS' own TagKey and TagValue; moto takes the former for the latter.
        properties = definition["Properties"]
        tags = [{"TagKey": tag["Key"], "TagValue": tag["Value"]} for tag in properties.get("Tags", [])]
        return create(name, {**definition, "Properties": {**properties, "Tags": tags}}, account_id, region, **names)

    patch.setattr(kms.Key, "create_from_cloudformation_json", create_with_tags)


def _take_protocols(patch: pytest.MonkeyPatch) -> None:
    create = SecurityGroupRule.__init__

    def create_without_ports(
        self: Any, backend: Any, protocol: str, group: str, start: Any, end: Any, *rest: Any, **options: Any
    ) -> None:
        # Only TCP, UDP and ICMP have ports; moto wants them of the others (IPsec's ESP) as well.
        start, end = ("-1" if port is None else port for port in (start, end))
        create(self, backend, protocol, group, start, end, *rest, **options)

    patch.setattr(SecurityGroupRule, "__init__", create_without_ports)


def _delete_with_stack(patch: pytest.MonkeyPatch, model: Any, method: str) -> None:
    def delete(self: Any, account_id: str, region_name: str) -> None:
        ids = self.physical_resource_id
        getattr(ec2_backends[account_id][region_name], method)([ids] if method.endswith("s") else ids)

    patch.setattr(model, "delete", delete, raising=False)
