"""The clean-up of what jobs leave behind, when their stack is deleted."""

from collections.abc import Sequence

from aws_cdk import CustomResource, Stack
from aws_cdk import aws_iam as iam

from stacks.shared.custom_resources import CustomResources, delete_interfaces, look_at_stack
from stacks.shared.sagemaker.jobs import SageMakerJobs
from stacks.shared.sagemaker.kinds import JOB_KINDS, MODEL, other_suffixes, suffix
from stacks.shared.sagemaker.roles import log_group_arns


def clean_up_jobs(
    resources: CustomResources, jobs: SageMakerJobs, endpoints: Sequence[str] = (), log_groups: Sequence[str] = ()
) -> CustomResource:
    """On deletion: stop what runs, delete what runs made, wait for endpoints and for the network interfaces of all.

    ``endpoints`` are the stack's own, in the jobs' network, and ``log_groups`` those that SageMaker writes to for them,
    even after they were deleted.

    SageMaker's interfaces outlive its jobs by minutes, and CloudFormation does not wait for them
    (github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/1327, read 2026-11-22).
    """
    stack = Stack.of(jobs)
    cleanup = resources.add(
        f"{jobs.node.id}Leftovers",
        "SageMakerLeftovers",
        {
            "Project": jobs.project,
            **_names(jobs.side),
            "Endpoints": list(endpoints),
            "SecurityGroupIds": [jobs.security_group.security_group_id],
            "LogGroups": list(log_groups),
        },
        # Lists have no resource-level permissions (Service Authorization Reference, SageMaker, EC2; 2026-11-22).
        iam.PolicyStatement(
            actions=[
                *[f"sagemaker:List{name}s" for name in (*[kind.name for kind in JOB_KINDS], "Model")],
                "ec2:DescribeNetworkInterfaces",
            ],
            resources=["*"],
        ),
        iam.PolicyStatement(
            actions=["sagemaker:ListTags"],
            resources=[jobs.arn(resource) for resource in (*[kind.resource for kind in JOB_KINDS], MODEL)],
        ),
        *[iam.PolicyStatement(actions=kind.actions("Stop"), resources=[jobs.arn(kind.resource)]) for kind in JOB_KINDS],
        iam.PolicyStatement(actions=["sagemaker:DeleteModel"], resources=[jobs.arn(MODEL)]),
        *[
            iam.PolicyStatement(
                actions=["sagemaker:DescribeEndpoint"],
                resources=[stack.format_arn(service="sagemaker", resource="endpoint", resource_name=endpoint)],
            )
            for endpoint in endpoints
        ],
        look_at_stack(jobs),
        delete_interfaces(jobs, jobs.vpc),
        # The groups of jobs are the account's: of them the project's own streams are deleted, never the group.
        *[
            iam.PolicyStatement(
                actions=["logs:DescribeLogStreams", "logs:DeleteLogStream"],
                resources=log_group_arns(jobs, kind.log_group),
            )
            for kind in JOB_KINDS
        ],
        *[
            iam.PolicyStatement(actions=["logs:DeleteLogGroup"], resources=log_group_arns(jobs, name))
            for name in log_groups
        ],
    )
    cleanup.node.add_dependency(jobs.security_group, jobs.role)
    return cleanup


def _names(side: str) -> dict[str, object]:
    """How a side's names end, and those of others, which may be at work when this one's stack is deleted."""
    return {name: value for name, value in {"Suffix": suffix(side), "Others": other_suffixes(side)}.items() if value}
