"""Acknowledged findings of the security rules: each on one resource, with the reason why the rule does not apply.

The rules themselves are cdk-nag's packs AwsSolutions and NIST 800-53 R5; `assembly.rules` runs them.
"""

import re
from collections.abc import Mapping
from typing import Any

import jsii
from aws_cdk import Acknowledgment, Aspects, IAspect, Stack, Validations
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
