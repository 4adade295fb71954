"""The sides: which pipelines there are. One line a side; everything else of it is in the folders of its name.

It imports nothing, and everything may import it, except what ships to the services.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Side:
    """A pipeline on a service, with an engine.

    ``name`` is in the names of its stack, its state machine, its folders and its prefix in S3. ``service`` is a key of
    `SERVICES`. ``colours`` are those of its lines, on light and on dark ground.
    """

    name: str
    title: str
    service: str
    engine: str
    colours: tuple[str, str]

    @property
    def folder(self) -> str:
        """The name as a package's."""
        return self.name.replace("-", "_")


SERVICES = {"sagemaker": "Amazon SageMaker", "emr": "Amazon EMR", "emr-serverless": "Amazon EMR Serverless"}

SIDES = {
    side.name: side
    for side in (
        Side("sagemaker", "SageMaker", "sagemaker", "single node", ("#0b7a75", "#4cc9bf")),
        Side("emr", "EMR", "emr", "Spark", ("#6d3fc0", "#b79cf2")),
        Side("sagemaker-spark", "SageMaker Spark", "sagemaker", "Spark", ("#2f6db5", "#7fb4f0")),
        Side("emr-serverless", "EMR Serverless", "emr-serverless", "Spark", ("#b3541e", "#f0a35e")),
    )
}

DEFAULT = ("sagemaker", "emr")


def side_named(name: str) -> str | None:
    """The side at the end of a name that begins with the project's, of a stack or a state machine; None if none is.

    The longest: `x-emr-serverless` is no `serverless`, should there be one.
    """
    return max((side for side in SIDES if name.endswith(f"-{side}")), key=len, default=None)
