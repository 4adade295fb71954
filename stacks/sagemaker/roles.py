"""The permissions of this side: of its endpoint, and of whoever records its runs."""

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from stacks.data.stack import DataStack
from stacks.sagemaker import SIDE
from stacks.sagemaker.endpoint import Endpoint, storage_key
from stacks.settings import Settings
from stacks.shared.layout import CAPTURE, OUTPUTS, RUNS
from stacks.shared.sagemaker.roles import record_permissions, sagemaker_role
from stacks.shared.states import allow

__all__ = ["endpoint_role", "record_permissions"]


def endpoint_role(scope: Construct, construct_id: str, settings: Settings, data: DataStack) -> iam.Role:
    """The role of the endpoint, which may fetch models of this side, write its log, and what it captures."""
    serverless = settings.sagemaker.endpoint.mode == "serverless"
    role = sagemaker_role(
        scope,
        construct_id,
        key=data.key,
        volume_key=storage_key(settings, data) is not None,
        network=not serverless,
        log_group=Endpoint.log_group_name(settings.project),
    )
    allow(role, ["s3:GetObject"], data.objects(f"{RUNS}/*/{SIDE}/{OUTPUTS['train']}"))
    if settings.sagemaker.endpoint.capture_percent:
        allow(role, ["s3:PutObject"], data.objects(CAPTURE))
        allow(role, ["kms:GenerateDataKey"], data.key.key_arn)
    if not serverless:
        # SageMaker asks for the state of the alarms that a deployment rolls back on.
        alarms = Stack.of(scope).format_arn(
            service="cloudwatch", resource="alarm", resource_name="*", arn_format=ArnFormat.COLON_RESOURCE_NAME
        )
        allow(role, ["cloudwatch:DescribeAlarms"], alarms)
        # For models in a VPC behind an endpoint (sagemaker/latest/dg/host-vpc.html, archived, 2026-11-22).
        allow(role, ["ec2:DescribeVpcEndpoints"], "*")
    return role
