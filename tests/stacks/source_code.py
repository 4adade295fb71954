"""The calls of AWS that code makes, read from it: functions' Python by its syntax tree, shell scripts by their lines.

"SAR" is the Service Authorization Reference; all sources were read on 2026-11-22.
"""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
from botocore import xform_name

from tests.stacks.reference import below, resource_kinds

WORKLOADS = Path(__file__).resolve().parents[2] / "workloads"


class CodeError(ValueError):
    """A function's code calls AWS in a way that is not read here; the message names the place."""


# Operations whose IAM actions have other names (SAR, operations of Amazon S3). DeleteObjects always needs
# s3:DeleteObject, and s3:DeleteObjectVersion where versions are named (API_DeleteObjects, permissions).
_OTHER_ACTIONS = {
    ("s3", "DeleteObjects"): ("s3:DeleteObject", "s3:DeleteObjectVersion"),
    ("s3", "ListMultipartUploads"): ("s3:ListBucketMultipartUploads",),
    ("s3", "ListObjectVersions"): ("s3:ListBucketVersions",),
    ("s3", "ListObjectsV2"): ("s3:ListBucket",),
}


@cache
def _session() -> Any:
    """One session: it keeps the services' models, which take long to load."""
    return botocore.session.get_session()


@cache
def operation_actions(service: str, operation: str) -> tuple[str, ...]:
    """The IAM actions of an operation, by botocore's name of the service. CodeError if there is no such operation."""
    model = _session().get_service_model(service)
    if operation not in model.operation_names:
        raise CodeError(f"{service} has no operation {operation}")
    actions = _OTHER_ACTIONS.get((service, operation), (f"{model.signing_name}:{operation}",))
    for action in actions:
        resource_kinds(action)  # there is such an action
    return actions


@cache
def _method_operation(service: str, method: str, first_argument: str) -> str:
    """The operation behind a client's method, paginator or waiter. CodeError if there is none."""
    wanted = first_argument if method in ("get_paginator", "get_waiter") else method
    if method == "get_waiter":
        waiters = _session().get_waiter_model(service)
        operations = {xform_name(name): waiters.get_waiter(name).operation for name in waiters.waiter_names}
    else:
        operations = {xform_name(name): name for name in _session().get_service_model(service).operation_names}
    if wanted not in operations:
        raise CodeError(f"{service}: {method}({first_argument}) is not known")
    return str(operations[wanted])


@dataclass(frozen=True)
class Module:
    """A module of a function's code: its top-level statements by the names that they define, and its imports.

    What defines no name is under the empty one. Imports lead to a module beside it, and to a name there or to nothing.
    """

    definitions: dict[str, list[ast.stmt]]
    imports: dict[str, tuple[str, str]]


@cache
def read_module(folder: Path, name: str) -> Module:
    """Read a module."""
    module = Module({}, {})
    for statement in ast.parse((folder / f"{name}.py").read_text(), f"{name}.py").body:
        names: list[str] = []
        match statement:
            case ast.Import(names=imported):
                module.imports.update({each.asname or each.name: (each.name, "") for each in imported})
            case ast.ImportFrom(module=str(source), names=imported):
                module.imports.update({each.asname or each.name: (source, each.name) for each in imported})
            case ast.FunctionDef(name=str(defined)) | ast.ClassDef(name=str(defined)):
                names = [defined]
            case ast.Assign(targets=targets):
                names = [each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)]
            case ast.AnnAssign(target=ast.Name(id=str(defined))):
                names = [defined]
        for defined in names or [""]:
            module.definitions.setdefault(defined, []).append(statement)
    return module


@cache
def module_actions(folder: Path, module: str, entries: tuple[str, ...]) -> frozenset[str]:
    """The IAM actions of all calls that functions of a module make, in other functions and modules beside it too.

    Whatever is mentioned counts as used; ``clients`` makes the clients, its own code names no service.
    """
    todo = [(module, ""), *[(module, entry) for entry in entries]]
    seen: set[tuple[str, str]] = set()
    actions: set[str] = set()
    while todo:
        place = todo.pop()
        name, defined = place
        if place in seen or name == "clients" or not (folder / f"{name}.py").is_file():
            continue
        seen.add(place)
        read = read_module(folder, name)
        todo.append((name, ""))
        for statement in read.definitions.get(defined, []):
            actions |= client_actions(statement, f"{name}.py")
            todo += _mentioned(statement, name, read)
    return frozenset(actions)


def _mentioned(statement: ast.stmt, name: str, module: Module) -> Iterator[tuple[str, str]]:
    """The definitions that a statement mentions: modules and names there."""
    for node in ast.walk(statement):
        match node:
            case ast.Attribute(value=ast.Name(id=owner), attr=attribute) if owner in module.imports:
                yield module.imports[owner][0], attribute
            case ast.Name(id=used) if used in module.imports:
                yield module.imports[used]
            case ast.Name(id=used) if used in module.definitions:
                yield name, used


def client_actions(code: ast.AST, where: str) -> set[str]:
    """The IAM actions of the calls ``client("<service>").<method>(...)``. CodeError about any other use of a client."""
    methods = {id(node.value): node for node in ast.walk(code) if isinstance(node, ast.Attribute)}
    calls = {id(node.func): node for node in ast.walk(code) if isinstance(node, ast.Call)}
    actions: set[str] = set()
    for node in ast.walk(code):
        match node:
            case ast.Call(func=ast.Name(id="client"), args=[ast.Constant(value=str(service))]):
                method = methods.get(id(node))
                call = calls.get(id(method))
                if method is None or call is None:
                    raise CodeError(f"{where}:{node.lineno}: the client's method is not called in place")
                given = call.args[0] if call.args else None
                text = given.value if isinstance(given, ast.Constant) and isinstance(given.value, str) else ""
                actions |= set(operation_actions(service, _method_operation(service, method.attr, text)))
            case ast.Call(func=ast.Name(id="client")) | ast.Name(id="boto3"):
                raise CodeError(f"{where}:{node.lineno}: a client that is not read here")
    return actions


@cache
def resource_modules(folder: Path) -> dict[str, str]:
    """The module of each kind of custom resource, as the dictionary ``KINDS`` of the entry points has it."""
    tree = ast.parse((folder / "resources.py").read_text())
    (kinds,) = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == "KINDS"
    ]
    assert isinstance(kinds, ast.Dict)
    return {
        key.value: value.id
        for key, value in zip(kinds.keys, kinds.values, strict=True)
        if isinstance(key, ast.Constant) and isinstance(key.value, str) and isinstance(value, ast.Name)
    }


# Scripts.


def s3_copies(script: str, arguments: Sequence[str]) -> list[tuple[str, str]]:
    """Source and destination of every ``aws s3 cp`` of a shell script that is called with these arguments.

    CodeError about any other call of the AWS CLI.
    """
    values = {str(number): value for number, value in enumerate(arguments, 1)}
    copies = []
    for line in script.splitlines():
        code = line.split("#")[0]
        if assigned := re.fullmatch(r"\s*(\w+)=\"?\$(\d)\"?\s*", code):
            values[assigned[1]] = values[assigned[2]]
        if not re.search(r"\baws\s", code):
            continue
        found = re.fullmatch(r"\s*aws s3 cp((?: --[\w-]+)*) (\S+) (\S+)\s*", code)
        if found is None:
            raise CodeError(f"not read: {line.strip()}")
        places = [_expanded(found[number], values) for number in (2, 3)]
        if "--recursive" in found[1]:
            places = [below(place) for place in places]
        copies.append((places[0], places[1]))
    return copies


def _expanded(word: str, values: Mapping[str, str]) -> str:
    """A word of a shell script; what is not known is a place on the machine itself."""
    return re.sub(r"\$\{?(\w+)\}?", lambda name: values.get(name[1], "local"), word.strip('"'))


def published_options(stage: str) -> set[str]:
    """The options of a stage's program on Spark that say where it writes: ``hadoop.publish`` is how it does."""
    tree = ast.parse((WORKLOADS / "spark" / f"{stage}.py").read_text())
    options = set()
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="hadoop"), attr="publish"), args=[_, ast.Name(id=name)]):
                options.add(name)
    return options
