"""The requests of the four stages."""

from collections.abc import Mapping

from aws_cdk import aws_stepfunctions as sfn

from stacks.data.stack import DataStack
from stacks.emr import SIDE
from stacks.emr.session import INTEGRATION_ERRORS, ClusterSession
from stacks.emr.spark import training_memory
from stacks.settings import Settings
from stacks.shared.layout import OUTPUTS
from stacks.shared.pipeline import StageRun
from stacks.shared.states import Task, run_location


class Stages:
    """The stages on EMR: each a Spark step on the session's cluster."""

    def __init__(self, settings: Settings, data: DataStack, session: ClusterSession) -> None:
        self._settings = settings
        self._data = data
        self._session = session

    @property
    def model(self) -> str:
        """The location of the trained model."""
        return self._run("train")

    def prepare(self) -> StageRun:
        """A step from the raw tables to the features."""
        return self._step("prepare", {"raw": _raw(), "output": self._run("prepare")})

    def train(self) -> StageRun:
        """A step that trains on the features, with an executor of its own shape."""
        return self._step(
            "train",
            {
                "features": self._run("prepare"),
                "output": self._run("train"),
                "workers": str(self._settings.emr.minimum),
                **self._settings.hyperparameter_texts,
            },
            training_memory(self._settings.emr.worker_types),
        )

    def evaluate(self) -> StageRun:
        """A step that writes the metrics."""
        truth = self._data.dataset.definition.truth
        return self._step(
            "evaluate",
            {
                "features": self._run("prepare"),
                "model": self._run("train"),
                **({} if truth is None else {"truth": sfn.JsonPath.format(f"{{}}{truth}", _raw())}),
                "output": self._run("evaluate"),
            },
        )

    def score(self) -> StageRun:
        """A step over every customer."""
        return self._step(
            "score",
            {"features": self._run("prepare"), "model": self._run("train"), "output": self._run("score")},
        )

    def _step(self, stage: str, arguments: dict[str, str], spark: Mapping[str, str] | None = None) -> StageRun:
        """A Spark step that runs the stage's script; ``spark`` replaces settings of the cluster."""
        code = self._data.code
        fixed = [
            "spark-submit",
            "--deploy-mode=client",  # the driver's output is the step's log
            *(f"--conf={name}={value}" for name, value in (spark or {}).items()),
            f"--py-files={code}/workloads.zip",
            f"{code}/workloads/spark/{stage}.py",
            f"--dataset={code}/workloads/datasets/{self._settings.dataset.name}/",
        ]
        request = {
            "ClusterId": sfn.JsonPath.string_at("$.cluster.id"),
            "Step": {
                "Name": self._session.step_name(stage),
                "ActionOnFailure": "CONTINUE",
                "HadoopJarStep": {"Jar": "command-runner.jar", "Args": _arguments(fixed, arguments)},
            },
        }
        return StageRun(Task("elasticmapreduce:addStep.sync", request, INTEGRATION_ERRORS))

    def _run(self, stage: str, below: str = "") -> str:
        """The location of a stage's output of the running execution."""
        return run_location(self._data.bucket.bucket_name, SIDE, f"{OUTPUTS[stage]}/{below}")


def _arguments(fixed: list[str], arguments: dict[str, str]) -> str:
    """A step's arguments, as states compute them: fixed texts, then ``--name=value`` with values of the execution."""
    options = [
        sfn.JsonPath.format(f"--{name}={{}}", value)
        if sfn.JsonPath.is_encoded_json_path(value)
        else f"--{name}={value}"
        for name, value in arguments.items()
    ]
    return sfn.JsonPath.array(*fixed, *options)


def _raw() -> str:
    """The raw data's prefix, an input of the execution."""
    return sfn.JsonPath.string_at("$.raw")
