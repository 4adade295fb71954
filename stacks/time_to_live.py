"""The time to live: a stack that deletes itself, through CloudFormation, so that nothing drifts."""

from aws_cdk import Aws, CfnOutput, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_scheduler as scheduler
from constructs import Construct

from stacks.custom_resources import CustomResources
from stacks.rules import acknowledge_wildcards
from stacks.states import allow


def delete_after(hours: int, resources: CustomResources) -> None:
    """Delete the stack this many hours after it was deployed; 0 leaves it.

    The moment is computed at deployment, by a custom resource; nothing here knows the time. It starts anew when the
    stack is created and when the hours change. CloudFormation deletes with the role that deployed (API_DeleteStack,
    read 2026-11-22), so the schedule itself may do nothing but ask for it.
    """
    if hours == 0:
        return
    stack = Stack.of(resources)
    scope = Construct(stack, "TimeToLive")
    expiry = resources.add("Expiry", "TimeToLive", {"Hours": hours})
    role = iam.Role(
        scope,
        "Role",
        assumed_by=iam.ServicePrincipal(
            "scheduler.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}}
        ),
    )
    allow(role, ["cloudformation:DeleteStack"], stack.stack_id)
    acknowledge_wildcards(role, "There is none.")
    schedule = scheduler.CfnSchedule(
        scope,
        "Schedule",
        description=f"Deletes {stack.stack_name} {hours} hours after its deployment",
        schedule_expression=expiry.get_att_string("At"),
        schedule_expression_timezone="UTC",
        flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
        target=scheduler.CfnSchedule.TargetProperty(
            arn=f"arn:{Aws.PARTITION}:scheduler:::aws-sdk:cloudformation:deleteStack",
            input=stack.to_json_string({"StackName": stack.stack_id}),
            role_arn=role.role_arn,
            retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(
                maximum_retry_attempts=185, maximum_event_age_in_seconds=86_400
            ),
        ),
    )
    schedule.node.add_dependency(role)
    CfnOutput(stack, "Expires", value=expiry.get_att_string("Expires"), description="When this stack deletes itself")
