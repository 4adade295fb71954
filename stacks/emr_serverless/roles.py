"""The permissions of this side: of its jobs, of EMR Serverless itself, of its state machine, and of whoever records."""

from aws_cdk import Aws, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from stacks.data.stack import DataStack
from stacks.emr_serverless import SIDE
from stacks.settings import Settings
from stacks.shared.rules import acknowledge_wildcards
from stacks.shared.spark import allow_runs
from stacks.shared.states import allow, wait_permission

SERVICE = "emr-serverless.amazonaws.com"


def job_role(scope: Construct, construct_id: str, data: DataStack) -> iam.Role:
    """The role of the job runs' workers."""
    role = iam.Role(
        scope,
        construct_id,
        # For this account's applications only (EMR-Serverless-UserGuide/getting-started.html, as quoted 2026-11-28).
        assumed_by=iam.ServicePrincipal(SERVICE, conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}}),
    )
    allow_runs(role, data, SIDE)
    allow(role, ["kms:Decrypt", "kms:GenerateDataKey"], data.key.key_arn)
    acknowledge_wildcards(role, "Objects below one prefix.")
    return role


def allow_key(key: kms.Key) -> None:
    """Let EMR Serverless use the key for the disks and logs of this account's applications, and for nothing else.

    Source: EMR-Serverless-UserGuide/disk-encryption-cmk.html and jobs-log-encryption.html (as quoted 2026-11-28).
    """
    stack = Stack.of(key)
    key.add_to_resource_policy(
        iam.PolicyStatement(
            sid="ApplicationsOfEmrServerless",
            principals=[iam.ServicePrincipal(SERVICE)],
            actions=["kms:Decrypt", "kms:GenerateDataKey"],
            resources=["*"],  # in a key's own policy, "*" is the key
            conditions={
                "StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID},
                "ArnLike": {"aws:SourceArn": _application_arn(stack)},
            },
        )
    )


def pipeline_permissions(
    scope: Construct, settings: Settings, data: DataStack, application: str, job_role: iam.Role
) -> list[iam.PolicyStatement]:
    """Permissions of the pipeline's state machine; ``application`` is the application's id."""
    runs = _application_arn(scope, application, "/jobruns/*")
    tagged = {"StringEquals": {"aws:RequestTag/project": settings.project}}
    return [
        iam.PolicyStatement(
            actions=["emr-serverless:StartJobRun", "emr-serverless:ListJobRuns"],
            resources=[_application_arn(scope, application)],
        ),
        iam.PolicyStatement(actions=["emr-serverless:GetJobRun", "emr-serverless:CancelJobRun"], resources=[runs]),
        # Samples give it on the application, on its runs, or on both: which one is asked for is not documented.
        iam.PolicyStatement(
            actions=["emr-serverless:TagResource"],
            resources=[_application_arn(scope, application), runs],
            conditions=tagged,
        ),
        iam.PolicyStatement(
            actions=["iam:PassRole"],
            resources=[job_role.role_arn],
            conditions={"StringEquals": {"iam:PassedToService": SERVICE}},
        ),
        # Who starts a job run must be allowed to use its keys, or it is refused
        # (EMR-Serverless-UserGuide/disk-encryption-cmk.html, as quoted 2026-11-28).
        iam.PolicyStatement(
            actions=["kms:Decrypt", "kms:GenerateDataKey"],
            resources=[data.key.key_arn],
            conditions={"StringEquals": {"kms:ViaService": f"emr-serverless.{Aws.REGION}.{Aws.URL_SUFFIX}"}},
        ),
        # To see that the key is enabled and symmetric; the page asks for it without a condition.
        iam.PolicyStatement(actions=["kms:DescribeKey"], resources=[data.key.key_arn]),
        wait_permission(scope, "StepFunctionsGetEventsForEMRServerlessJobRule"),
    ]


def record_permissions(scope: Construct, settings: Settings) -> list[iam.PolicyStatement]:
    """Permission to read what the record of a run needs of its job runs: what is billed for them."""
    return [on_applications(scope, settings.project, "GetJobRun")]


def on_applications(scope: Construct, project: str, *actions: str) -> iam.PolicyStatement:
    """Actions on a project's applications and job runs: they get their ids at run time, and are told by its tag."""
    return iam.PolicyStatement(
        actions=[f"emr-serverless:{action}" for action in actions],
        resources=[_application_arn(scope)],
        conditions={"StringEquals": {"aws:ResourceTag/project": project}},
    )


def cancel_job_runs(scope: Construct, application: str) -> iam.PolicyStatement:
    """Cancel all job runs of an application, those without a tag among them: somebody may have started one by hand."""
    return iam.PolicyStatement(
        actions=["emr-serverless:CancelJobRun"], resources=[_application_arn(scope, application, "/jobruns/*")]
    )


def _application_arn(scope: Construct, application: str = "*", below: str = "") -> str:
    """The ARN of an application, or of what is below it; with ``*`` of all, and all that is below them."""
    stack = Stack.of(scope)
    return stack.format_arn(service="emr-serverless", resource=f"/applications/{application}{below}")
