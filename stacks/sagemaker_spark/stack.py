"""The stack of the side of Spark on SageMaker: the pipeline's jobs."""

from aws_cdk import Stack
from constructs import Construct

from stacks.data.stack import DataStack
from stacks.network.stack import NetworkStack
from stacks.sagemaker_spark import SIDE
from stacks.sagemaker_spark.cleanup import clean_up
from stacks.sagemaker_spark.roles import allow_spark
from stacks.sagemaker_spark.stages import Stages
from stacks.settings import Settings
from stacks.shared.custom_resources import CustomResources, stop_executions
from stacks.shared.layout import CODE, RUNS
from stacks.shared.pipeline import Pipeline
from stacks.shared.sagemaker.images import SPARK_IMAGE, XGBOOST_IMAGE
from stacks.shared.sagemaker.jobs import SageMakerJobs
from stacks.shared.time_to_live import delete_after


class SideStack(Stack):
    """The pipeline on SageMaker, with Spark."""

    def __init__(
        self, scope: Construct, construct_id: str, settings: Settings, network: NetworkStack, data: DataStack
    ) -> None:
        super().__init__(scope, construct_id, description="Side by side: the pipeline on SageMaker, with Spark")
        resources = CustomResources(self, "CustomResources", key=data.key)
        runs = data.objects(f"{RUNS}/*/{SIDE}")
        chosen = settings.sagemaker_spark
        jobs = SageMakerJobs(
            self,
            "Jobs",
            settings,
            side=SIDE,
            network=network,
            tags=settings.tags(expires=True),
            list_buckets=data.listed_buckets,
            read=[data.raw_objects, data.objects(CODE), runs],
            write=[runs],
            talking=any(job.instance_count > 1 for job in (chosen.prepare, chosen.train, chosen.evaluate)),
            images=[XGBOOST_IMAGE, SPARK_IMAGE],
        )
        allow_spark(jobs.role, data)
        cleanup = clean_up(resources, jobs)
        pipeline = Pipeline(
            self,
            "Pipeline",
            name=f"{settings.project}-{SIDE}",
            stages=Stages(settings, data, jobs),
            permissions=jobs.pipeline_permissions(),
            stage_minutes=settings.stage_minutes,
            key=data.key,
        )
        data.alerts.state_machine_alarm(pipeline.state_machine)
        stop_executions(resources, "StopExecutions", [pipeline.state_machine], before=[cleanup])
        last = [jobs.security_group, jobs.role]
        delete_after(settings.time_to_live_hours, resources, data.alerts, last)
