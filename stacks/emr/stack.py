"""The stack of the EMR side: the pipeline's steps, and the cluster that runs them."""

from aws_cdk import Aws, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from stacks.data.stack import DataStack
from stacks.emr import SIDE
from stacks.emr.cleanup import clean_up
from stacks.emr.cluster import cluster, definition, security_configuration
from stacks.emr.roles import EMR_TAG, node_role, pipeline_permissions, service_role
from stacks.emr.security_groups import EmrSecurityGroups
from stacks.emr.session import ClusterSession
from stacks.emr.stages import Stages
from stacks.network.stack import NetworkStack
from stacks.settings import Settings
from stacks.shared.custom_resources import CustomResources, stop_executions
from stacks.shared.layout import LOGS, wheels_prefix
from stacks.shared.pipeline import Pipeline
from stacks.shared.time_to_live import delete_after


class SideStack(Stack):
    """The pipeline on EMR, and the cluster."""

    def __init__(
        self, scope: Construct, construct_id: str, settings: Settings, network: NetworkStack, data: DataStack
    ) -> None:
        super().__init__(scope, construct_id, description="Side by side: the pipeline on EMR, and its cluster")
        name = f"{settings.project}-{SIDE}"
        resources = CustomResources(self, "CustomResources", key=data.key)
        groups = EmrSecurityGroups(self, "SecurityGroups", vpc=network.vpc, s3=_s3_prefix_list(resources))
        encryption = security_configuration(self, "SecurityConfiguration", settings, data)
        nodes, profile = node_role(self, data, session_manager=settings.network.session_manager)
        service = service_role(
            self,
            key_arn=data.key.key_arn,
            node_role=nodes,
            subnet_ids=network.subnet_ids,
            groups=groups.all,
            fleets=settings.emr.provisioning == "fleets",
        )
        cleanup = clean_up(resources, name=name, project=settings.project, vpc=network.vpc, groups=groups)
        # What a cluster uses must be there until the last cluster has ended, also one that a run has started.
        cleanup.node.add_dependency(groups, encryption, service, nodes, profile, data.published)
        described = definition(
            self,
            settings.emr,
            name=name,
            subnet_ids=network.subnet_ids,
            security_groups=groups.fields(),
            service_role=service.role_arn,
            instance_profile=profile.ref,
            security_configuration=encryption.ref,
            logs=f"s3://{data.bucket.bucket_name}/{LOGS}/{SIDE}/",
            key=data.key,
            bootstrap={
                "Path": f"{data.code}/workloads/spark/bootstrap.sh",
                "Args": [wheels_prefix(data.code, "emr")],
            },
            tags={**settings.tags(expires=True), EMR_TAG: "true"},
        )
        persistent = cluster(self, "Cluster", described) if settings.emr.mode == "persistent" else None
        if persistent is not None:
            persistent.node.add_dependency(cleanup)
        id_ = persistent.ref if persistent is not None else None
        spot = settings.emr.task.spot_minutes if settings.emr.task.spot else 0
        session = ClusterSession(settings.project, described, id_, spot)
        pipeline = Pipeline(
            self,
            "Pipeline",
            name=name,
            stages=Stages(settings, data, session),
            permissions=pipeline_permissions(self, settings, service, nodes, id_),
            stage_minutes=settings.stage_minutes,
            key=data.key,
            session=session,
        )
        data.alerts.state_machine_alarm(pipeline.state_machine)
        before = [cleanup, *([persistent] if persistent is not None else [])]
        stop_executions(resources, "StopExecutions", [pipeline.state_machine], before=before)
        last = [*groups.all, encryption, service, nodes]
        delete_after(settings.time_to_live_hours, resources, data.alerts, last)


def _s3_prefix_list(resources: CustomResources) -> str:
    """The id of the region's prefix list of S3."""
    look = iam.PolicyStatement(actions=["ec2:DescribeManagedPrefixLists"], resources=["*"])
    return resources.add(
        "S3PrefixList", "S3PrefixList", {"Name": f"com.amazonaws.{Aws.REGION}.s3"}, look
    ).get_att_string("Id")
