"""Acknowledged findings of the security rules: each on one resource, with the reason why the rule does not apply.

The rules themselves are cdk-nag's packs AwsSolutions and NIST 800-53 R5. They run over every stack in the tests, where
a test keeps the list of what is acknowledged here, and after a run of the comparison over the stacks of its settings:

    python -m stacks.rules CONTEXT REPORT    # the app's context as JSON, and the file that gets the report
"""

import json
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jsii
from aws_cdk import Acknowledgment, App, Aspects, CfnElement, IAspect, Stack, Validations
from aws_cdk import aws_iam as iam
from constructs import IConstruct


def acknowledge(construct: IConstruct | None, reasons: Mapping[str, str]) -> None:
    """Keep rules' findings on this construct, and on nothing else, out of the report: the reason by rule."""
    if construct is None:
        raise ValueError(f"{', '.join(reasons)}: there is no resource to acknowledge it on")
    # All in one: every call of the CDK crosses to another process and back.
    rules = [Acknowledgment(id=rule, reason=reason) for rule, reason in reasons.items()]
    Validations.of(construct).acknowledge(*rules)


def acknowledge_wildcards(owner: IConstruct, reason: str) -> None:
    """The resources with a wildcard in the policy of a role: ``reason`` says why each of them cannot be named.

    A test derives the calls that each role's jobs make and compares; the rule knows patterns only. The policies are
    read when all statements are there, at the end of the synthesis.
    """
    Aspects.of(owner).add(_Wildcards(reason))


@jsii.implements(IAspect)
class _Wildcards:
    def __init__(self, reason: str) -> None:
        self._reason = reason

    def visit(self, node: IConstruct) -> None:
        if not isinstance(node, iam.CfnPolicy):
            return
        document = Stack.of(node).resolve(node.policy_document)
        found = {
            f"AwsSolutions-IAM5[Resource::{name}]"
            for statement in document["Statement"]
            if statement["Effect"] == "Allow"
            for name in map(_flat, _listed(statement["Resource"]))
            if "*" in name
        }
        inline = "It belongs to one role and goes with it; a managed policy could be given to others."
        acknowledge(node, dict.fromkeys(sorted(found), self._reason) | {"NIST.800.53.R5-IAMNoInlinePolicy": inline})


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _flat(reference: Any) -> str:
    """A resource as cdk-nag names it in a finding: intrinsic functions as text."""
    if isinstance(reference, str):
        return re.sub(r"\$\{([^}]*)\}", r"<\1>", reference)
    ((function, argument),) = reference.items()
    match function:
        case "Fn::Join":
            return str(argument[0]).join(map(_flat, argument[1]))
        case "Fn::GetAtt":
            return f"<{argument[0]}.{argument[1]}>"
        case "Ref":
            return f"<{argument}>"
    return _flat(argument)


def check(build: Callable[[App], object], context: Mapping[str, object], folder: Path) -> dict[str, Any]:
    """Run both packs over the app that ``build`` makes, synthesised into ``folder``.

    Returns ``version`` (of cdk-nag), ``packs`` (their names; how many rules each holds it does not tell), ``findings``
    (``rule`` and ``resource``, a construct path) and ``acknowledged`` (the same, with the ``reason``). Raises
    RuntimeError when the synthesis fails for anything else.
    """
    # Here, since a synthesis alone needs no rules, and loading them takes time.
    from cdk_nag import AwsSolutionsChecks, NIST80053R5Checks

    app = App(context=dict(context), outdir=str(folder), builtin_cloud_formation_validation=False)
    build(app)
    packs = (AwsSolutionsChecks(app), NIST80053R5Checks(app))
    Validations.of(app).add_plugins(*packs)
    try:
        app.synth()
    except RuntimeError as error:
        # With findings the synthesis ends in an error, but not before it wrote the report.
        if "ValidationFailed" not in str(error):
            raise
    report = folder / "validation-report.json"
    plugins = json.loads(report.read_text())["pluginReports"] if report.exists() else []
    return {
        "version": version("cdk-nag"),
        "packs": [pack.read_pack_name for pack in packs],
        "findings": [
            {"rule": violation["ruleName"], "resource": construct["constructPath"]}
            for plugin in plugins
            if plugin["pluginName"] != "Construct Annotations"
            for violation in plugin["violations"]
            for construct in violation["violatingConstructs"]
        ],
        "acknowledged": list(_acknowledged(app, tuple(f"{pack.read_pack_name}-" for pack in packs))),
    }


def _acknowledged(app: App, packs: tuple[str, ...]) -> Iterator[dict[str, str]]:
    for construct in app.node.find_all():
        for entry in construct.node.metadata:
            if entry.type != Validations.ACKNOWLEDGED_RULES_METADATA_KEY:
                continue
            for key, reason in entry.data.items():
                rule = key.removeprefix("Annotation::")
                if rule.startswith(packs):
                    if not isinstance(construct, CfnElement):
                        raise RuntimeError(f"{construct.node.path}: {rule} is acknowledged on more than a resource")
                    yield {"rule": rule, "resource": construct.node.path, "reason": reason}


def main(context: str, report: str) -> None:
    """Check the app with a context, and write the report."""
    from app import build

    with tempfile.TemporaryDirectory() as folder:
        found = check(build, json.loads(context), Path(folder))
    Path(report).write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
