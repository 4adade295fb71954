"""The time to live: a stack that deletes itself, through CloudFormation, so that nothing drifts."""

from collections.abc import Sequence

from aws_cdk import Aws, CfnOutput, Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.shared.alerts import Alerts
from stacks.shared.custom_resources import CustomResources
from stacks.shared.rules import acknowledge, acknowledge_wildcards
from stacks.shared.states import allow


def delete_after(hours: int, resources: CustomResources, alerts: Alerts, last: Sequence[Construct]) -> None:
    """Delete the stack this many hours after it was deployed; 0 leaves it.

    ``last``: what is deleted when everything that costs money is gone. The schedule goes after it: a deletion that
    failed before is asked for again.

    The moment is computed at deployment, by a custom resource; nothing here knows the time. It starts anew when the
    stack is created and when the hours change. CloudFormation deletes with the role that deployed (API_DeleteStack,
    read 2026-11-22), so the schedule itself may do nothing but ask for it. It asks again every hour until it is gone
    with the stack, since CloudFormation refuses while the stack is being updated, and a deletion may fail; a request
    that was refused lies in a queue, and an alarm says so (scheduler/latest/UserGuide/configuring-schedule-dlq.html and
    schedule-types.html, read 2026-11-27).
    """
    if hours == 0:
        return
    stack = Stack.of(resources)
    scope = Construct(stack, "TimeToLive")
    expiry = resources.add("Expiry", "TimeToLive", {"Hours": hours})
    refused = _refused(scope, alerts)
    role = iam.Role(
        scope,
        "Role",
        assumed_by=iam.ServicePrincipal(
            "scheduler.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}}
        ),
    )
    allow(role, ["cloudformation:DeleteStack"], stack.stack_id)
    allow(role, ["sqs:SendMessage"], refused.queue_arn)
    acknowledge_wildcards(role, "There is none.")
    schedule = scheduler.CfnSchedule(
        scope,
        "Schedule",
        description=f"Deletes {stack.stack_name} {hours} hours after its deployment",
        schedule_expression="rate(60 minutes)",
        start_date=expiry.get_att_string("Expires"),
        flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
        target=scheduler.CfnSchedule.TargetProperty(
            arn=f"arn:{Aws.PARTITION}:scheduler:::aws-sdk:cloudformation:deleteStack",
            input=stack.to_json_string({"StackName": stack.stack_id}),
            role_arn=role.role_arn,
            dead_letter_config=scheduler.CfnSchedule.DeadLetterConfigProperty(arn=refused.queue_arn),
            # The next hour's request is the retry that counts.
            retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(
                maximum_retry_attempts=10, maximum_event_age_in_seconds=1800
            ),
        ),
    )
    schedule.node.add_dependency(role)
    for each in last:
        each.node.add_dependency(schedule)
    CfnOutput(stack, "Expires", value=expiry.get_att_string("Expires"), description="When this stack deletes itself")


def _refused(scope: Construct, alerts: Alerts) -> sqs.Queue:
    """The queue of requests that CloudFormation refused, and the alarm when there is one."""
    queue = sqs.Queue(
        scope,
        "Refused",
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
        retention_period=Duration.days(14),
    )
    acknowledge(queue.node.default_child, {"AwsSolutions-SQS3": "It is itself the dead-letter queue, of a schedule."})
    waiting = queue.metric_approximate_number_of_messages_visible(period=Duration.minutes(5), statistic="Maximum")
    alerts.alarm(
        queue,
        "Alarm",
        waiting,
        at=1,
        description=f"{Stack.of(scope).stack_name} could not be deleted at the end of its time to live",
    )
    return queue
