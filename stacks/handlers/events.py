"""The events of the CDK's provider framework, and the answers to them, as all kinds of resources here share them.

Field names and rules: aws-cdk-lib/custom-resources, provider-framework (``types.d.ts``, 2.275.0).
"""

from collections.abc import Sequence
from typing import Any

from clients import client

Event = dict[str, Any]
"""CloudFormation's request; for ``is_complete`` with what ``on_event`` answered merged into it."""

Answer = dict[str, Any]

CALL_SECONDS = 600
"""After this time a call stops and leaves the rest to the next one: the functions may run for 14 minutes."""

# Enough to see what a deletion waits for.
_NAMED = 10


def deletes(event: Event) -> bool:
    """True if the resource goes away."""
    return bool(event["RequestType"] == "Delete")


def is_stack_deletion(event: Event) -> bool:
    """True if the resource goes away because its whole stack does.

    CloudFormation also sends a Delete when an update takes a resource out of the template, or rolls back one that put
    it in. The stack then lives on, and so must what it works with: data, clusters, models.
    Calls cloudformation: DescribeStacks (on the stack).
    """
    return deletes(event) and _stack_status(event) in ("DELETE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS")


def is_update_rollback(event: Event) -> bool:
    """True if the resource goes back to what it was before an update of the stack that failed.

    One that fails here, too, leaves a stack that takes no update (UPDATE_ROLLBACK_FAILED).
    Calls cloudformation: DescribeStacks (on the stack).
    """
    return event["RequestType"] == "Update" and _stack_status(event) == "UPDATE_ROLLBACK_IN_PROGRESS"


def _stack_status(event: Event) -> str:
    (stack,) = client("cloudformation").describe_stacks(StackName=event["StackId"])["Stacks"]
    return str(stack["StackStatus"])


def named(event: Event) -> Answer:
    """The answer with nothing but the physical id, which stays the same for as long as the resource lives.

    A changed id would make CloudFormation send a Delete for the old one after the Update. On Delete the id must be the
    event's, even where CloudFormation made it up because a Create had not been answered yet.
    """
    if event["RequestType"] == "Create":
        kind = event["ResourceType"].removeprefix("Custom::")
        return {"PhysicalResourceId": f"{kind}-{event['LogicalResourceId']}"}
    return {"PhysicalResourceId": event["PhysicalResourceId"]}


def complete(left: Sequence[str] = ()) -> Answer:
    """``{"IsComplete": True}`` if nothing is left, else ``{"IsComplete": False, "Left": ...}``.

    The framework logs ``Left``, at most ten names, and so says what a deletion waits for.
    """
    return {"IsComplete": False, "Left": list(left[:_NAMED])} if left else {"IsComplete": True}
