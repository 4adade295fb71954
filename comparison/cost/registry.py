"""How each service is billed.

A new service is a file such as `sagemaker` and a line in `SERVICES`, by its name in the registry of sides.
"""

from comparison.cost import emr, emr_serverless, sagemaker
from comparison.cost.billing import Service
from sides import SIDES, side_named

SERVICES: dict[str, Service] = {
    "sagemaker": sagemaker.SERVICE,
    "emr": emr.SERVICE,
    "emr-serverless": emr_serverless.SERVICE,
}


def services_of(tasks: list[str]) -> list[str]:
    """The services to which all of these tasks of a state machine belong, by their ARNs."""
    names = {task_service(task) for task in tasks}
    return [name for name, service in SERVICES.items() if names <= service.tasks]


def side_of(stack: str, services: list[str]) -> str | None:
    """The side whose stack this is, of one of these services: the end of its name. None if it is no side's."""
    side = side_named(stack)
    return side if side is not None and SIDES[side].service in services else None


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
