"""The synthesised templates, resolved to local values: where the laptop run takes every definition from."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from record.errors import UserError
from record.files import read_json

REPOSITORY = Path(__file__).resolve().parents[1]

ACCOUNT = "123456789012"  # moto's
REGION = "us-east-1"
_PSEUDO_PARAMETERS = {
    "AWS::AccountId": ACCOUNT,
    "AWS::NoValue": None,
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::URLSuffix": "amazonaws.com",
}
# Resources that AWS names by an id of its own.
_IDS = {
    "AWS::EC2::SecurityGroup": "sg-",
    "AWS::EC2::Subnet": "subnet-",
    "AWS::EC2::VPC": "vpc-",
    "AWS::EMR::Cluster": "j-",
    "AWS::EMRServerless::Application": "00",
}


def app_context(overrides: Mapping[str, object]) -> dict[str, object]:
    """The context that the CDK CLI would hand to the app: cdk.json's, with ``-c`` overrides.

    Raises UserError when that file, in which settings may be kept, cannot be read.
    """
    file = REPOSITORY / "cdk.json"
    content = read_json(file)
    context = content.get("context", {}) if isinstance(content, dict) else None
    if not isinstance(context, dict):
        raise UserError(f"{file}: expected an object, and in it `context`, an object of settings")
    # The CLI asks for construct paths in the templates.
    return {**context, "aws:cdk:enable-path-metadata": True, **overrides}


def app_environment() -> dict[str, str]:
    """The environment of whatever synthesises the app here: it writes nothing outside of this folder."""
    # aws-cdk-lib keeps fingerprints of assets below the home folder (core/lib/fs/fingerprint-disk-cache.js, 2.275.0),
    # and tries for ever to make that where nobody can.
    return {**os.environ, "HOME": str(REPOSITORY / ".cache" / "home")}


def synthesise(folder: Path, context: Mapping[str, object]) -> "Assembly":
    """Run the app as the CDK CLI would, and read what it wrote into the folder.

    Raises UserError with the app's message, for instance about an impossible setting.
    """
    environment = {**app_environment(), "CDK_OUTDIR": str(folder), "CDK_CONTEXT_JSON": json.dumps(context)}
    app = subprocess.run(
        [sys.executable, "app.py"], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )
    if app.returncode != 0:
        lines = app.stderr.strip().splitlines() or [f"app.py ended with {app.returncode}"]
        message = next((line for line in lines if line.startswith("error: ")), lines[-1])
        raise UserError(message.removeprefix("error: "))
    return Assembly(folder)


def _read(file: Path) -> dict[str, Any]:
    content = read_json(file)
    if not isinstance(content, dict):
        raise UserError(f"{file}: is {_kind(content)}; expected a JSON object")
    return content


def _stacks(manifest: Path) -> dict[str, str]:
    """The stacks of a cloud assembly, and their templates' file names."""
    try:
        stacks = {
            name: str(artifact["properties"]["templateFile"])
            for name, artifact in _read(manifest)["artifacts"].items()
            if artifact["type"] == "aws:cloudformation:stack"
        }
    except (AttributeError, KeyError, TypeError) as error:
        raise UserError(f"{manifest}: is no manifest of a cloud assembly: {error}") from error
    for name, file in stacks.items():
        # The manifest may be anybody's: no file of this machine is read in its name.
        if Path(file).name != file:
            raise UserError(f"{manifest}: {name}: templateFile {file!r}: expected the name of a file beside it")
    return stacks


def _template(file: Path) -> dict[str, Any]:
    content = _read(file)
    resources = content.get("Resources")
    if not isinstance(resources, dict):
        raise UserError(f"{file}: Resources: is {_kind(resources)}; expected an object of resources")
    for name, resource in resources.items():
        if not isinstance(resource, dict) or not isinstance(resource.get("Type"), str):
            raise UserError(f"{file}: Resources.{name}: has no Type; expected a text such as AWS::S3::Bucket")
    return content


def _kind(value: object) -> str:
    """What a JSON value is, for a message."""
    return "missing" if value is None else "an empty list" if value == [] else f"a {type(value).__name__}"


class Assembly:
    """A cloud assembly (cdk.out): its templates, and its file assets.

    Names of resources that CloudFormation would make up are made up from the construct path, so the same template
    always gives the same local names. Attributes of custom resources are what ran locally (``attributes``).

    Raises UserError, which names the file, when one is missing, cut off or no manifest or template.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.templates: dict[str, dict[str, Any]] = {
            name: _template(folder / file) for name, file in _stacks(folder / "manifest.json").items()
        }
        self.attributes: dict[str, Mapping[str, str]] = {}
        self._exports = {
            json.dumps(output["Export"]["Name"]): (stack, output["Value"])
            for stack, template in self.templates.items()
            for output in template.get("Outputs", {}).values()
            if "Export" in output
        }

    def copy_templates(self, folder: Path) -> None:
        """Copy the manifest and the templates, but no asset, into a new folder, which then is an Assembly too."""
        folder.mkdir(parents=True)
        for file in [self.folder / "manifest.json", *self.folder.glob("*.template.json")]:
            shutil.copy(file, folder)

    def resources(self, resource_type: str) -> list[tuple[str, str]]:
        """Stack and logical id of every resource of a type."""
        return [
            (stack, logical_id)
            for stack, template in self.templates.items()
            for logical_id, resource in template.get("Resources", {}).items()
            if resource["Type"] == resource_type
        ]

    def only(self, resource_type: str) -> dict[str, Any]:
        """The properties of the only resource of a type, resolved."""
        found = self.resources(resource_type)
        if len(found) != 1:
            raise UserError(f"the templates hold {len(found)} resources {resource_type}, one is needed")
        return self.properties(*found[0])

    def properties(self, stack: str, logical_id: str) -> dict[str, Any]:
        """The properties of a resource, resolved. Raises UserError, which names it, when it is damaged."""
        properties = self.templates[stack]["Resources"][logical_id].get("Properties", {})
        try:
            resolved = self.resolve(stack, properties)
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise UserError(f"{stack}: {logical_id}: is damaged: {error!r}") from error
        if not isinstance(resolved, dict):
            raise UserError(f"{stack}: {logical_id}: Properties: is {_kind(properties)}; expected an object")
        return resolved

    def state_machines(self) -> dict[str, dict[str, Any]]:
        """Our state machines' definitions by ARN; not the nameless ones that the CDK adds to wait for a Lambda."""
        machines = {}
        for stack, logical_id in self.resources("AWS::StepFunctions::StateMachine"):
            properties = self.properties(stack, logical_id)
            if "StateMachineName" in properties:
                machines[self._arn(stack, logical_id)] = json.loads(properties["DefinitionString"])
        return machines

    def executions(self) -> list[tuple[str, str, dict[str, str]]]:
        """Every ``Custom::Execution``, in deployment order: logical id, the machine's ARN, the input."""
        found = []
        for stack, logical_id in self.resources("Custom::Execution"):
            properties = self.properties(stack, logical_id)
            found.append((logical_id, properties["StateMachineArn"], properties["Input"]))
        return found

    def asset(self, location: str) -> Path:
        """The folder of a file asset, by the location in the asset bucket that a template names."""
        digest = re.search(r"([0-9a-f]{64})\.zip$", location)
        folder = self.folder / f"asset.{digest[1]}" if digest else None
        if folder is None or not folder.is_dir():
            raise UserError(f"{location} is not a folder asset of {self.folder}")
        return folder

    def resolve(self, stack: str, value: Any) -> Any:
        """A value of a template with its intrinsic functions computed."""
        if isinstance(value, list):
            return [self.resolve(stack, item) for item in value]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((function, argument),) = value.items()
            if function == "Ref" or function.startswith("Fn::"):
                return self._intrinsic(stack, function, argument)
        resolved = {key: self.resolve(stack, item) for key, item in value.items()}
        return {key: item for key, item in resolved.items() if item is not None}

    def _intrinsic(self, stack: str, function: str, argument: Any) -> Any:
        match function:
            case "Ref":
                return self._ref(stack, argument)
            case "Fn::GetAtt":
                return self._attribute(stack, *(argument if isinstance(argument, list) else argument.split(".", 1)))
            case "Fn::ImportValue":
                return self.resolve(*self._exports[json.dumps(argument)])
            case "Fn::Join":
                separator, items = argument
                return separator.join(str(item) for item in self.resolve(stack, items))
            case "Fn::Sub":
                template, names = argument if isinstance(argument, list) else (argument, {})
                local = {name: self.resolve(stack, item) for name, item in names.items()}
                return re.sub(r"\$\{([^!}]+)\}", lambda m: str(local.get(m[1]) or self._ref(stack, m[1])), template)
            case "Fn::Select":
                index, items = argument
                return self.resolve(stack, items)[int(index)]
            case "Fn::Split":
                separator, text = argument
                return self.resolve(stack, text).split(separator)
            case "Fn::GetAZs":
                return [f"{REGION}{zone}" for zone in "ab"]
            case "Fn::FindInMap":
                name, *keys = self.resolve(stack, argument)
                found = self.templates[stack]["Mappings"][name]
                for key in keys:
                    found = found[key]
                return found
        raise UserError(f"{stack}: {function} is not known to the laptop run")

    def _ref(self, stack: str, name: str) -> Any:
        if name in _PSEUDO_PARAMETERS:
            return _PSEUDO_PARAMETERS[name]
        if name == "AWS::StackName":
            return stack
        parameters = self.templates[stack].get("Parameters", {})
        if name in parameters:
            return parameters[name]["Default"]
        return (
            self._arn(stack, name)
            if self._type(stack, name).startswith("AWS::StepFunctions")
            else self._name(stack, name)
        )

    def _attribute(self, stack: str, logical_id: str, attribute: str) -> str:
        if self._type(stack, logical_id) == "Custom::Execution":
            try:
                return self.attributes[logical_id][attribute]
            except KeyError:
                raise UserError(f"{stack}: {logical_id} has not run, its {attribute} is not known") from None
        if attribute == "Arn":
            return self._arn(stack, logical_id)
        return self._name(stack, logical_id)

    def _type(self, stack: str, logical_id: str) -> str:
        try:
            return str(self.templates[stack]["Resources"][logical_id]["Type"])
        except KeyError:
            raise UserError(f"{stack}: no resource {logical_id}") from None

    def _name(self, stack: str, logical_id: str) -> str:
        """The name that a resource gives itself, or one made from its construct path."""
        resource = self.templates[stack]["Resources"][logical_id]
        service = resource["Type"].split("::")[-1]
        given = resource.get("Properties", {}).get(f"{service}Name")
        if isinstance(given, str):
            return given
        if resource["Type"] in _IDS:
            return f"{_IDS[resource['Type']]}{hashlib.sha256(f'{stack} {logical_id}'.encode()).hexdigest()[:17]}"
        path = resource.get("Metadata", {}).get("aws:cdk:path", f"{stack}/{logical_id}").removesuffix("/Resource")
        return re.sub(r"[^a-z0-9]+", "-", path.lower()).strip("-")[:63].strip("-")

    def _arn(self, stack: str, logical_id: str) -> str:
        _, service, kind = self._type(stack, logical_id).split("::")
        if service == "S3":
            return f"arn:aws:s3:::{self._name(stack, logical_id)}"
        service, region = {"StepFunctions": ("states", REGION), "IAM": ("iam", "")}.get(
            service, (service.lower(), REGION)
        )
        resource = f"{kind[0].lower()}{kind[1:]}"
        separator = ":" if service in ("states", "lambda") else "/"
        return f"arn:aws:{service}:{region}:{ACCOUNT}:{resource}{separator}{self._name(stack, logical_id)}"
