"""Who bills what: a line for each side's service, and by the type of a resource its function.

A new side is a file such as `sagemaker` and a line in `SERVICES`.
"""

from comparison.cost import emr, sagemaker, shared
from comparison.cost.billing import Bill, Service
from record.schema import SideName

SERVICES: dict[SideName, Service] = {"sagemaker": sagemaker.SERVICE, "emr": emr.SERVICE}

RESOURCES: dict[str, Bill | str] = {
    **shared.RESOURCES,
    **{kind: bill for service in SERVICES.values() for kind, bill in service.resources.items()},
}
"""By CloudFormation type: what bills it, or why it has no price of its own."""

_CUSTOM = "Custom::"


def bill_of(resource_type: str) -> Bill | str | None:
    """How resources of a type are billed, or why they are not; None: nothing here knows the type."""
    if resource_type.startswith(_CUSTOM):
        return RESOURCES.get(resource_type, RESOURCES[f"{_CUSTOM}*"])
    return RESOURCES.get(resource_type)


def sides_of(tasks: list[str]) -> list[SideName]:
    """The sides to whose services all of these tasks of a state machine belong, by their ARNs."""
    names = {task_service(task) for task in tasks}
    return [side for side, service in SERVICES.items() if names <= service.tasks]


def task_service(arn: str) -> str:
    """The service that a task calls: ``emr`` of ``arn:aws:states:::aws-sdk:emr:runJobFlow``, ``lambda`` of a function.

    Raises:
        ValueError: the text is no ARN.
    """
    parts = arn.split(":")
    if parts[0] != "arn" or len(parts) < 6:
        raise ValueError(f"Resource {arn!r}: must be an ARN")
    if parts[2] != "states":
        return parts[2]
    return parts[6] if parts[5] == "aws-sdk" and len(parts) > 6 else parts[5]
