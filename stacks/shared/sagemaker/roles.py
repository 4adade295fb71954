"""The roles that SageMaker takes on for jobs, models and endpoints, and the ARNs that policies name."""

from collections.abc import Sequence

from aws_cdk import ArnFormat, Aws, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from stacks.settings import Settings
from stacks.shared.rules import acknowledge_wildcards
from stacks.shared.sagemaker.images import XGBOOST_IMAGE
from stacks.shared.sagemaker.kinds import JOB_KINDS
from stacks.shared.states import allow


def sagemaker_role(
    scope: Construct,
    construct_id: str,
    *,
    key: kms.IKey,
    volume_key: bool = True,
    network: bool = True,
    log_group: str | None = None,
    images: Sequence[str] = (XGBOOST_IMAGE,),
) -> iam.Role:
    """A role that may pull the images, decrypt with our key, and write logs and metrics.

    With a ``volume_key`` it may have storage encrypted, in a ``network`` it may use its interfaces. It writes to the
    one ``log_group``, which is there already, or to any of SageMaker's, which SageMaker makes.

    Source: docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html (archived copy of 2023, 2026-11-22).
    """
    role = iam.Role(
        scope,
        construct_id,
        # For this account only (sagemaker/latest/dg/security-confused-deputy-prevention.html, archived, 2026-11-27).
        assumed_by=iam.ServicePrincipal(
            "sagemaker.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}}
        ),
    )
    allow(role, ["kms:Decrypt"], key.key_arn)
    if volume_key:
        # Storage volumes are encrypted by grants. AWS's page asks for them without a condition; whether SageMaker's
        # requests would meet kms:GrantIsForAWSResource is not documented, and the first job would fail if not.
        allow(role, ["kms:CreateGrant", "kms:DescribeKey"], key.key_arn)
    stack = Stack.of(scope)
    repositories = [
        stack.format_arn(service="ecr", account="*", resource="repository", resource_name=image.split(":")[0])
        for image in images
    ]
    allow(role, ["ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"], *repositories)
    write = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
    if log_group is None:
        write = ["logs:CreateLogGroup", *write]
    allow(role, write, *log_group_arns(scope, log_group or "/aws/sagemaker/*"))
    # No resource-level permissions exist for these
    # (docs.aws.amazon.com/service-authorization: Amazon ECR, CloudWatch, EC2; read 2026-11-22).
    allow(role, ["ecr:GetAuthorizationToken"], "*")
    role.add_to_policy(
        iam.PolicyStatement(
            actions=["cloudwatch:PutMetricData"],
            resources=["*"],
            conditions={"StringLike": {"cloudwatch:namespace": "/aws/sagemaker/*"}},
        )
    )
    if network:
        allow(
            role,
            [
                "ec2:CreateNetworkInterface",
                "ec2:CreateNetworkInterfacePermission",
                "ec2:DeleteNetworkInterface",
                "ec2:DeleteNetworkInterfacePermission",
                "ec2:DescribeDhcpOptions",
                "ec2:DescribeNetworkInterfaces",
                "ec2:DescribeSecurityGroups",
                "ec2:DescribeSubnets",
                "ec2:DescribeVpcs",
            ],
            "*",
        )
    acknowledge_wildcards(
        role,
        "Objects below one prefix, log groups that jobs share, the image of whichever account holds it in the region; "
        "SageMaker needs the rest without resources or conditions (sagemaker-roles.html).",
    )
    return role


def job_role(
    scope: Construct,
    construct_id: str,
    *,
    key: kms.IKey,
    list_buckets: Sequence[str],
    read: Sequence[str],
    write: Sequence[str],
    images: Sequence[str],
) -> iam.Role:
    """A role of jobs, which may list these buckets, and read and write these objects: ARNs all of them."""
    role = sagemaker_role(scope, construct_id, key=key, images=images)
    allow(role, ["s3:GetObject"], *read)
    allow(role, ["s3:PutObject", "s3:AbortMultipartUpload"], *write)
    allow(role, ["s3:ListBucket"], *list_buckets)
    allow(role, ["kms:Encrypt", "kms:GenerateDataKey"], key.key_arn)
    return role


def project_arn(scope: Construct, resource: str, project: str) -> str:
    """The ARN pattern of a project's jobs or models; ``resource`` as ARNs have it, for instance ``training-job``."""
    return Stack.of(scope).format_arn(service="sagemaker", resource=resource, resource_name=f"{project}-*")


def record_permissions(scope: Construct, settings: Settings) -> list[iam.PolicyStatement]:
    """Permission to read what the record of a run needs of its jobs: what SageMaker bills for."""
    return [
        iam.PolicyStatement(
            actions=[action for kind in JOB_KINDS for action in kind.actions("Describe")],
            resources=[project_arn(scope, kind.resource, settings.project) for kind in JOB_KINDS],
        )
    ]


def log_group_arns(scope: Construct, name: str) -> list[str]:
    """The ARNs of a log group and of its streams."""
    group = Stack.of(scope).format_arn(
        service="logs", resource="log-group", resource_name=name, arn_format=ArnFormat.COLON_RESOURCE_NAME
    )
    return [group, f"{group}:*"]
