"""The stages that are the same on every side of SageMaker: training, and scoring with its model."""

from collections.abc import Mapping
from typing import Any

from aws_cdk import aws_stepfunctions as sfn

from stacks.settings import JobSettings, Settings
from stacks.shared.data import Data
from stacks.shared.layout import OUTPUTS
from stacks.shared.pipeline import StageRun
from stacks.shared.sagemaker.jobs import CHANNELS, INTEGRATION_ERRORS, SageMakerJobs, run_job
from stacks.shared.sagemaker.kinds import MODEL, PROCESSING_JOB, TRANSFORM_JOB
from stacks.shared.states import Task, run_location

# How long a request's locations and arguments may be (S3Uri, ContainerArgument; botocore 1.44.5).
LONGEST_URI = 1024
LONGEST_ARGUMENT = 256


class SageMakerStages:
    """A model from XGBoost's image, trained on instances together; a side says how data is prepared and measured."""

    def __init__(self, settings: Settings, data: Data, jobs: SageMakerJobs, chosen: JobSettings) -> None:
        """``chosen`` are the side's own settings."""
        self._settings = settings
        self._data = data
        self._jobs = jobs
        self._chosen = chosen

    @property
    def model(self) -> str:
        """The location of the trained model."""
        return sfn.JsonPath.string_at("$.train.model")

    def train(self) -> StageRun:
        """A Training job on the features."""
        chosen = self._chosen.train
        request = self._jobs.training(
            "train",
            instance_type=chosen.instance_type,
            instance_count=chosen.instance_count,
            volume_gb=chosen.volume_gb,
            program="train.py",
            hyperparameters={
                "dataset": f"{CHANNELS}/code/{self._dataset}",
                **self._settings.hyperparameter_texts,
            },
            channels={
                "code": f"{self._data.code}/workloads/",
                "train": self._run("prepare", "train/"),
                "validation": self._run("prepare", "validation/"),
            },
            output=self._run("train"),
        )
        return self._jobs.trained("train", request)

    def score(self) -> StageRun:
        """A Transform job over every customer; the model resource that it wants is made for it and goes with it."""
        chosen = self._chosen.score
        model_name = self._jobs.name(MODEL)
        create = {
            "ModelName": model_name,
            "ExecutionRoleArn": self._jobs.role.role_arn,
            "PrimaryContainer": {
                "Image": self._jobs.image,
                "ModelDataUrl": self.model,
                "Environment": self._jobs.serving_environment("score.py"),
            },
            "VpcConfig": self._jobs.vpc_config(),
            "Tags": self._jobs.tags,
        }
        request = self._jobs.transform(
            "score",
            model_name=model_name,
            instance_type=chosen.instance_type,
            instance_count=chosen.instance_count,
            records=self._run("prepare", "score-csv/"),
            output=self._run("score"),
        )
        return StageRun(
            run_job(TRANSFORM_JOB, request),
            before={"create model": Task("sagemaker:createModel", create, INTEGRATION_ERRORS)},
            stop={"stop score": self._jobs.stop("score", TRANSFORM_JOB)},
            after={"delete model": Task("aws-sdk:sagemaker:deleteModel", {"ModelName": model_name}, ())},
        )

    def _processed(self, stage: str, request: Mapping[str, Any]) -> StageRun:
        """The run of a Processing job."""
        return StageRun(
            run_job(PROCESSING_JOB, request),
            stop={f"stop {stage}": self._jobs.stop(stage, PROCESSING_JOB)},
        )

    def _run(self, stage: str, below: str = "") -> str:
        """The location of a stage's output of the running execution."""
        return run_location(self._data.bucket.bucket_name, self._jobs.side, f"{OUTPUTS[stage]}/{below}")

    def _raw(self, below: str = "", longest: int = LONGEST_URI) -> str:
        """A location below the raw data's prefix, which is an input of the execution.

        Raises InputError if the dataset's own location makes it longer than a request takes.
        """
        self._data.dataset.check_length(below, longest, "a SageMaker job")
        return sfn.JsonPath.format(f"{{}}{below}", sfn.JsonPath.string_at("$.raw"))

    @property
    def _dataset(self) -> str:
        return f"datasets/{self._settings.dataset.name}"
