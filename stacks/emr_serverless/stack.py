"""The stack of the EMR Serverless side: the pipeline's job runs, and the application that they run in."""

from aws_cdk import Stack
from constructs import Construct

from stacks.data.stack import DataStack
from stacks.emr_serverless import SIDE
from stacks.emr_serverless.application import application, security_group
from stacks.emr_serverless.cleanup import clean_up
from stacks.emr_serverless.roles import allow_key, job_role, pipeline_permissions
from stacks.emr_serverless.session import ApplicationSession
from stacks.emr_serverless.stages import Stages
from stacks.network.stack import NetworkStack
from stacks.settings import Settings
from stacks.shared.custom_resources import CustomResources, stop_executions
from stacks.shared.pipeline import Pipeline
from stacks.shared.time_to_live import delete_after


class SideStack(Stack):
    """The pipeline on EMR Serverless, and the application."""

    def __init__(
        self, scope: Construct, construct_id: str, settings: Settings, network: NetworkStack, data: DataStack
    ) -> None:
        super().__init__(
            scope, construct_id, description="Side by side: the pipeline on EMR Serverless, and its application"
        )
        name = f"{settings.project}-{SIDE}"
        resources = CustomResources(self, "CustomResources", key=data.key)
        group = security_group(self, "SecurityGroup", network.vpc)
        role = job_role(self, "JobRole", data)
        allow_key(network.key)
        made = application(self, "Application", settings, data, name=name, subnet_ids=network.subnet_ids, group=group)
        cleanup = clean_up(
            resources, settings, made, name=name, vpc=network.vpc, group=group, used=[role, data.published]
        )
        session = ApplicationSession(settings.project, made.ref)
        pipeline = Pipeline(
            self,
            "Pipeline",
            name=name,
            stages=Stages(settings, data, session, made.ref, role),
            permissions=pipeline_permissions(self, settings, data, made.ref, role),
            stage_minutes=settings.stage_minutes,
            key=data.key,
            session=session,
        )
        data.alerts.state_machine_alarm(pipeline.state_machine)
        stop_executions(resources, "StopExecutions", [pipeline.state_machine], before=[cleanup])
        delete_after(settings.time_to_live_hours, resources, data.alerts, [group, role])
