"""The requests of the four stages."""

from aws_cdk import aws_stepfunctions as sfn

from stacks.data.stack import DataStack
from stacks.sagemaker import SIDE
from stacks.settings import Settings
from stacks.shared.layout import OUTPUTS, wheels_prefix
from stacks.shared.pipeline import StageRun
from stacks.shared.sagemaker.jobs import CHANNELS, INTEGRATION_ERRORS, PROCESSING, SageMakerJobs, run_job
from stacks.shared.sagemaker.kinds import MODEL_SUFFIX, PROCESSING_JOB, TRANSFORM_JOB
from stacks.shared.states import Task, run_location


class Stages:
    """The stages on SageMaker: each a job of its own."""

    def __init__(self, settings: Settings, data: DataStack, jobs: SageMakerJobs) -> None:
        self._settings = settings
        self._data = data
        self._jobs = jobs

    @property
    def model(self) -> str:
        """The location of the trained model."""
        return sfn.JsonPath.string_at("$.train.model")

    def prepare(self) -> StageRun:
        """A Processing job from the raw tables to the features."""
        tables = self._data.dataset.definition.tables
        raw = {f"raw/{table.location}".rstrip("/"): _raw(table.location) for table in tables}
        return self._processing(
            "prepare",
            inputs=raw,
            arguments={"raw": f"{PROCESSING}/input/raw", "output": f"{PROCESSING}/output/features"},
            outputs={"features": self._run("prepare")},
        )

    def train(self) -> StageRun:
        """A Training job on the features."""
        chosen = self._settings.sagemaker.train
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

    def evaluate(self) -> StageRun:
        """A Processing job that writes the metrics."""
        truth = self._data.dataset.definition.truth
        inputs = {
            "features/validation": self._run("prepare", "validation/"),
            "features/test": self._run("prepare", "test/"),
            "model": self.model,
        }
        arguments = {"features": f"{PROCESSING}/input/features", "model": f"{PROCESSING}/input/model"}
        if truth is not None:
            inputs["truth"] = _raw(truth)
            arguments["truth"] = f"{PROCESSING}/input/truth"
        return self._processing(
            "evaluate",
            inputs=inputs,
            arguments={**arguments, "output": f"{PROCESSING}/output/evaluation"},
            outputs={"evaluation": self._run("evaluate")},
        )

    def score(self) -> StageRun:
        """A Transform job over every customer; the model resource that it wants is made for it and goes with it."""
        chosen = self._settings.sagemaker.score
        model_name = sfn.JsonPath.format(
            f"{self._settings.project}-{{}}{MODEL_SUFFIX}", sfn.JsonPath.string_at("$.run_id")
        )
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

    def _processing(
        self, stage: str, *, inputs: dict[str, str], arguments: dict[str, str], outputs: dict[str, str]
    ) -> StageRun:
        """A Processing job that installs the published wheels and runs the stage's script."""
        chosen = getattr(self._settings.sagemaker, stage)
        request = self._jobs.processing(
            stage,
            instance_type=chosen.instance_type,
            volume_gb=chosen.volume_gb,
            entrypoint=["python3", f"{PROCESSING}/input/code/single_node/run.py"],
            arguments=[
                f"{stage}.py",
                f"--dataset={PROCESSING}/input/code/{self._dataset}",
                *[f"--{name}={value}" for name, value in arguments.items()],
            ],
            inputs={
                "code": f"{self._data.code}/workloads/",
                "wheels": wheels_prefix(self._data.code, "sagemaker-xgboost"),
                **inputs,
            },
            outputs=outputs,
        )
        return StageRun(
            run_job(PROCESSING_JOB, request),
            stop={f"stop {stage}": self._jobs.stop(stage, PROCESSING_JOB)},
        )

    def _run(self, stage: str, below: str = "") -> str:
        """The location of a stage's output of the running execution."""
        return run_location(self._data.bucket.bucket_name, SIDE, f"{OUTPUTS[stage]}/{below}")

    @property
    def _dataset(self) -> str:
        return f"datasets/{self._settings.dataset.name}"


def _raw(below: str) -> str:
    """A location below the raw data's prefix, which is an input of the execution."""
    return sfn.JsonPath.format(f"{{}}{below}", sfn.JsonPath.string_at("$.raw"))
