"""The requests of the four stages."""

from collections.abc import Mapping

from aws_cdk import aws_iam as iam
from aws_cdk import aws_stepfunctions as sfn

from stacks.data.stack import DataStack
from stacks.emr_serverless import SIDE
from stacks.emr_serverless.application import logs
from stacks.emr_serverless.session import INTEGRATION_ERRORS, ApplicationSession
from stacks.settings import JOB_RUN_MARGIN, Settings
from stacks.shared.layout import archive
from stacks.shared.pipeline import StageRun
from stacks.shared.spark import PYTHON, SparkStages, executor, options, training_memory
from stacks.shared.states import Task

# Where a worker unpacks the archive of the packages, in its working folder.
_PACKAGES = "packages"

# What may be set as a job run's longest time, in minutes: a week (EMR-Serverless-UserGuide/jobs-spark.html, as quoted
# 2026-11-28).
_LONGEST_MINUTES = 10_080


class Stages(SparkStages):
    """The stages on EMR Serverless: each a job run of the session's application."""

    def __init__(
        self, settings: Settings, data: DataStack, session: ApplicationSession, application: str, job_role: iam.Role
    ) -> None:
        super().__init__(settings, data, SIDE, settings.emr_serverless.executors)
        self._session = session
        self._application = application
        self._job_role = job_role

    def _job(self, stage: str, arguments: Mapping[str, str]) -> StageRun:
        """A job run of a driver and a fixed number of executors."""
        key = self._data.key.key_arn
        request = {
            "ApplicationId": self._application,
            # A request that is sent again starts no second job run. An execution that is redriven finds the one that
            # failed, as with the names of SageMaker's jobs: start a new run instead.
            "ClientToken": self._session.run_name(stage),
            "Name": self._session.run_name(stage),
            "ExecutionRoleArn": self._job_role.role_arn,
            # It ends before the state gives it up, which would leave it running until the clean-up finds it.
            "ExecutionTimeoutMinutes": min(self._settings.stage_minutes - JOB_RUN_MARGIN, _LONGEST_MINUTES),
            "JobDriver": {
                "SparkSubmit": {
                    "EntryPoint": f"{self._data.code}/workloads/spark/{stage}.py",
                    "EntryPointArguments": sfn.JsonPath.array(*options(arguments)),
                    "SparkSubmitParameters": self._parameters(stage),
                }
            },
            "ConfigurationOverrides": {
                "DiskEncryptionConfiguration": {"EncryptionKeyArn": key},
                # As the application has it: whoever reads the request knows where the logs are.
                "MonitoringConfiguration": {
                    "S3MonitoringConfiguration": {"LogUri": logs(self._data), "EncryptionKeyArn": key},
                    "ManagedPersistenceMonitoringConfiguration": {"Enabled": True, "EncryptionKeyArn": key},
                },
            },
            "Tags": self._settings.tags(expires=True),
        }
        return StageRun(Task("emr-serverless:startJobRun.sync", request, INTEGRATION_ERRORS))

    def _parameters(self, stage: str) -> str:
        """The parameters of spark-submit, in one text that no shell reads: without quotes and spaces."""
        chosen = self._settings.emr_serverless
        memory = chosen.memory_gb * 1024
        workers = executor(chosen.vcpus, memory)
        driver = {name.replace("executor", "driver"): value for name, value in workers.items()}
        python = {"PYSPARK_PYTHON": PYTHON, "PYTHONPATH": f"./{_PACKAGES}"}
        properties = {
            **driver,
            **workers,
            **(training_memory(memory) if stage == "train" else {}),
            "spark.emr-serverless.driver.disk": f"{chosen.disk_gb}G",
            "spark.emr-serverless.executor.disk": f"{chosen.disk_gb}G",
            # As many as train together: Spark refuses that while it may add and remove executors.
            "spark.dynamicAllocation.enabled": "false",
            "spark.executor.instances": str(chosen.executors),
            "spark.archives": f"{archive(self._data.code, 'emr')}#{_PACKAGES}",
            **{f"spark.emr-serverless.driverEnv.{name}": value for name, value in python.items()},
            "spark.emr-serverless.driverEnv.PYSPARK_DRIVER_PYTHON": PYTHON,
            **{f"spark.executorEnv.{name}": value for name, value in python.items()},
            "spark.sql.session.timeZone": "UTC",
            "spark.ssl.internode.enabled": "true",
        }
        return " ".join(
            [
                f"--py-files {self._data.code}/workloads.zip",
                *(f"--conf {name}={value}" for name, value in properties.items()),
            ]
        )
