"""Which service each side has.

A new side is a file such as `sagemaker` and a line in `SERVICES`.
"""

from comparison.cost import emr, sagemaker
from comparison.cost.billing import Service
from record.schema import SideName

SERVICES: dict[SideName, Service] = {"sagemaker": sagemaker.SERVICE, "emr": emr.SERVICE}


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
