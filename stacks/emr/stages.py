"""The requests of the four stages."""

from collections.abc import Mapping

from aws_cdk import aws_stepfunctions as sfn

from stacks.data.stack import DataStack
from stacks.emr import SIDE
from stacks.emr.session import INTEGRATION_ERRORS, ClusterSession
from stacks.emr.spark import training_memory
from stacks.settings import Settings
from stacks.shared.pipeline import StageRun
from stacks.shared.spark import SparkStages, options
from stacks.shared.states import Task


class Stages(SparkStages):
    """The stages on EMR: each a Spark step on the session's cluster."""

    def __init__(self, settings: Settings, data: DataStack, session: ClusterSession) -> None:
        super().__init__(settings, data, SIDE, settings.emr.minimum)
        self._session = session

    def _job(self, stage: str, arguments: Mapping[str, str]) -> StageRun:
        """A step of spark-submit; training replaces the cluster's executors."""
        code = self._data.code
        spark = training_memory(self._settings.emr.worker_types) if stage == "train" else {}
        submit = [
            "spark-submit",
            "--deploy-mode=client",  # the driver's output is the step's log
            *(f"--conf={name}={value}" for name, value in spark.items()),
            f"--py-files={code}/workloads.zip",
            f"{code}/workloads/spark/{stage}.py",
            *options(arguments),
        ]
        request = {
            "ClusterId": sfn.JsonPath.string_at("$.cluster.id"),
            "Step": {
                "Name": self._session.step_name(stage),
                "ActionOnFailure": "CONTINUE",
                "HadoopJarStep": {"Jar": "command-runner.jar", "Args": sfn.JsonPath.array(*submit)},
            },
        }
        return StageRun(Task("elasticmapreduce:addStep.sync", request, INTEGRATION_ERRORS))
