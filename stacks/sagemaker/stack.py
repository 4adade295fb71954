"""The stack of the SageMaker side: the pipeline's jobs, and the endpoint that serves the trained model."""

from aws_cdk import Stack
from constructs import Construct

from stacks.data.stack import DataStack
from stacks.network.stack import NetworkStack
from stacks.sagemaker import SIDE
from stacks.sagemaker.cleanup import clean_up
from stacks.sagemaker.endpoint import Endpoint
from stacks.sagemaker.roles import endpoint_role
from stacks.sagemaker.stages import Stages
from stacks.settings import Settings
from stacks.shared.custom_resources import CustomResources, stop_executions
from stacks.shared.execution import execution
from stacks.shared.layout import CODE, RUNS
from stacks.shared.pipeline import Pipeline
from stacks.shared.sagemaker.jobs import SageMakerJobs
from stacks.shared.time_to_live import delete_after


class SideStack(Stack):
    """The pipeline on SageMaker, and the endpoint."""

    def __init__(
        self, scope: Construct, construct_id: str, settings: Settings, network: NetworkStack, data: DataStack
    ) -> None:
        super().__init__(scope, construct_id, description="Side by side: the pipeline on SageMaker, and its endpoint")
        resources = CustomResources(self, "CustomResources", key=data.key)
        runs = data.objects(f"{RUNS}/*/{SIDE}")
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
            talking=settings.sagemaker.train.instance_count > 1,
        )
        role = endpoint_role(self, "EndpointRole", settings, data)
        cleanup = clean_up(resources, jobs, settings.project, role)
        pipeline = Pipeline(
            self,
            "Pipeline",
            name=f"{settings.project}-{SIDE}",
            stages=Stages(settings, data, jobs, settings.sagemaker),
            permissions=jobs.pipeline_permissions(),
            stage_minutes=settings.stage_minutes,
            key=data.key,
        )
        data.alerts.state_machine_alarm(pipeline.state_machine)
        # The pipeline's first run, so that one deployment ends with a trained model behind the endpoint. It runs again
        # whenever a request of the pipeline or the raw data changes.
        first_run = execution(
            resources, "FirstRun", state_machine=pipeline.state_machine, run={"raw": data.dataset.raw}
        )
        first_run.node.add_dependency(jobs, cleanup)
        endpoint = Endpoint(
            self,
            "Endpoint",
            settings,
            jobs=jobs,
            data=data,
            role=role,
            model_data=first_run.get_att_string("model"),
        )
        endpoint.node.add_dependency(jobs, cleanup)
        stop_executions(resources, "StopExecutions", [pipeline.state_machine], before=[cleanup, endpoint])
        last = [jobs.security_group, jobs.role, role]
        delete_after(settings.time_to_live_hours, resources, data.alerts, last)
