"""The requests of the stages that are this side's own."""

from collections.abc import Mapping

from aws_cdk import aws_stepfunctions as sfn

from stacks.data.stack import DataStack
from stacks.sagemaker_spark.spark import properties
from stacks.settings import Settings
from stacks.shared.layout import wheels_prefix
from stacks.shared.pipeline import StageRun
from stacks.shared.sagemaker.images import spark_image
from stacks.shared.sagemaker.jobs import PROCESSING, SageMakerJobs
from stacks.shared.sagemaker.stages import LONGEST_ARGUMENT, SageMakerStages
from stacks.shared.spark import options

# Compiling all that is installed takes longer than installing it. pip reads 0 as "no compilation"; the image's own
# variable keeps Python from keeping what it compiles.
_COMPILED_AT_USE = {"PIP_NO_COMPILE": "0", "PYTHONDONTWRITEBYTECODE": ""}


class Stages(SageMakerStages):
    """The stages on SageMaker, each a job of its own: data on Spark, on several instances."""

    def __init__(self, settings: Settings, data: DataStack, jobs: SageMakerJobs) -> None:
        super().__init__(settings, data, jobs, settings.sagemaker_spark)
        self._image = spark_image(jobs)

    def prepare(self) -> StageRun:
        """A Processing job from the raw tables to the features."""
        return self._processing("prepare", {"raw": self._argument("raw"), "output": self._run("prepare")}, "--csv")

    def evaluate(self) -> StageRun:
        """A Processing job that writes the metrics."""
        truth = self._data.dataset.definition.truth
        return self._processing(
            "evaluate",
            {
                "features": self._run("prepare"),
                "model": self.model,
                **({} if truth is None else {"truth": self._argument("truth", truth)}),
                "output": self._run("evaluate"),
            },
        )

    def _argument(self, option: str, below: str = "") -> str:
        """The value of an option that is a location below the raw data's prefix."""
        return self._raw(below, LONGEST_ARGUMENT - len(f"--{option}="))

    def _processing(self, stage: str, arguments: Mapping[str, str], *flags: str) -> StageRun:
        """A Processing job of the Spark image; data comes from S3 and goes there by Spark itself."""
        chosen = getattr(self._chosen, stage)
        spark = properties(chosen.instance_type, chosen.instance_count)
        code = f"{PROCESSING}/input/code"
        request = self._jobs.processing(
            stage,
            instance_type=chosen.instance_type,
            instance_count=chosen.instance_count,
            volume_gb=chosen.volume_gb,
            image=self._image,
            entrypoint=["python3", f"{code}/spark/submit.py"],
            arguments=sfn.JsonPath.array(
                *[f"--conf={name}={value}" for name, value in spark.items()],
                f"--py-files={self._data.code}/workloads.zip",
                f"{code}/spark/{stage}.py",
                f"--dataset={self._data.code}/workloads/{self._dataset}/",
                *options(arguments),
                *flags,
            ),
            inputs={
                "code": f"{self._data.code}/workloads/",
                "wheels": wheels_prefix(self._data.code, "sagemaker-spark"),
            },
            outputs={},
            environment=_COMPILED_AT_USE,
        )
        return self._processed(stage, request)
