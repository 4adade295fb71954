"""Acknowledged findings of the security rules: each on one resource, with the reason why the rule does not apply.

The rules themselves (cdk-nag's packs AwsSolutions and NIST 800-53 R5) run in the tests, over every stack; a test keeps
the list of what is acknowledged here.
"""

import re
from typing import Any

import jsii
from aws_cdk import Acknowledgment, Aspects, IAspect, Stack, Validations
from aws_cdk import aws_iam as iam
from constructs import IConstruct


def acknowledge(construct: IConstruct | None, rule: str, reason: str) -> None:
    """Keep a rule's finding on this construct, and on nothing else, out of the report."""
    if construct is None:
        raise ValueError(f"{rule}: there is no resource to acknowledge it on")
    Validations.of(construct).acknowledge(Acknowledgment(id=rule, reason=reason))


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
        for rule in sorted(found):
            acknowledge(node, rule, self._reason)
        acknowledge(
            node,
            "NIST.800.53.R5-IAMNoInlinePolicy",
            "It belongs to one role and goes with it; a managed policy could be given to others.",
        )


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
