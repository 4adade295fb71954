"""What is stopped before an application is changed or deleted, and what it leaves behind."""

from aws_cdk import ArnFormat, CustomResource, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_emrserverless as serverless
from aws_cdk import aws_iam as iam
from constructs import Construct

from stacks.emr_serverless.application import digest
from stacks.emr_serverless.roles import cancel_job_runs, on_applications
from stacks.settings import Settings
from stacks.shared.custom_resources import CustomResources, delete_interfaces, look_at_stack


def clean_up(
    resources: CustomResources,
    settings: Settings,
    made: serverless.CfnApplication,
    *,
    name: str,
    vpc: ec2.IVpc,
    group: ec2.SecurityGroup,
    used: list[Construct],
) -> CustomResource:
    """Stop the application before CloudFormation changes or deletes it, which it does not do by itself.

    A started application takes no change, not even of its tags
    (github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/2370), and cannot be deleted
    (github.com/gchq/sleeper/issues/1125; both as quoted 2026-11-28). So one resource is there before the application:
    it is updated with every change, once no pipeline runs, and goes last, with the network interfaces. The one that is
    returned is there after it: when the stack goes it cancels the runs first. ``used`` must be there until then.
    """
    stack = Stack.of(resources)
    # By its name: the state machine refers to the application, which refers to this.
    pipeline = stack.format_arn(
        service="states", resource="stateMachine", resource_name=name, arn_format=ArnFormat.COLON_RESOURCE_NAME
    )
    list_applications = iam.PolicyStatement(
        # Lists have no resource-level permissions (Service Authorization Reference, EMR Serverless; 2026-11-28).
        actions=["emr-serverless:ListApplications"],
        resources=["*"],
    )
    stopping = on_applications(stack, settings.project, "CancelJobRun", "ListJobRuns", "StopApplication")
    before = resources.add(
        "Leftovers",
        "StoppedApplication",
        {
            "ApplicationName": name,
            "StateMachineArn": pipeline,
            "Definition": digest(made, settings),
            "SecurityGroupIds": [group.security_group_id],
        },
        list_applications,
        iam.PolicyStatement(actions=["states:ListExecutions"], resources=[pipeline]),
        stopping,
        look_at_stack(stack),
        iam.PolicyStatement(actions=["ec2:DescribeNetworkInterfaces"], resources=["*"]),
        delete_interfaces(stack, vpc),
    )
    before.node.add_dependency(group)
    made.node.add_dependency(before)
    after = resources.add(
        "StopApplication", "StoppedApplication", {"ApplicationName": name}, cancel_job_runs(stack, made.ref)
    )
    after.node.add_dependency(made, *used)
    return after
