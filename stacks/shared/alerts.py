"""Alerts of failures and costs: one topic, the alarms that send to it, the budget."""

from typing import Any

from aws_cdk import Aws, CfnOutput, Duration, Stack
from aws_cdk import aws_budgets as budgets
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from stacks.settings import Settings

# Percent of the budget that is spent, and of what the month is heading for.
_SPENT = (50, 80, 100)
_FORECAST = 100


class Alerts(Construct):
    """The SNS topic with its subscription, and what sends to it for the whole project."""

    def __init__(self, scope: Construct, construct_id: str, settings: Settings, *, key: kms.IKey) -> None:
        super().__init__(scope, construct_id)
        self._settings = settings
        self.topic = sns.Topic(
            self, "Topic", display_name=f"{settings.project} alerts", master_key=key, enforce_ssl=True
        )
        for service in ("cloudwatch", "budgets"):
            self.topic.add_to_resource_policy(
                iam.PolicyStatement(
                    principals=[iam.ServicePrincipal(f"{service}.amazonaws.com")],
                    actions=["sns:Publish"],
                    resources=[self.topic.topic_arn],
                    conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}},
                )
            )
        if settings.alerts.email is not None:
            self.topic.add_subscription(subscriptions.EmailSubscription(settings.alerts.email))
        if settings.alerts.monthly_budget_usd:
            self._budget()
        self._stuck_deletion()
        CfnOutput(self, "TopicArn", value=self.topic.topic_arn, description="Alarms and budget alerts; subscribe to it")

    def alarm(
        self,
        scope: Construct,
        construct_id: str,
        metric: cloudwatch.IMetric,
        *,
        at: float,
        description: str,
        periods: int = 1,
    ) -> cloudwatch.Alarm:
        """An alarm that sends to the topic when the metric is ``at`` or more for so many periods; no data is fine."""
        alarm = cloudwatch.Alarm(
            scope,
            construct_id,
            alarm_description=description,
            metric=metric,
            threshold=at,
            evaluation_periods=periods,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        alarm.add_alarm_action(actions.SnsAction(self.topic))
        return alarm

    def state_machine_alarm(self, state_machine: sfn.StateMachine) -> None:
        """An alarm for executions of a machine that fail or run out of time."""
        failed = cloudwatch.MathExpression(
            expression="failed + late",
            using_metrics={"failed": state_machine.metric_failed(), "late": state_machine.metric_timed_out()},
            label="failed or timed out",
            period=Duration.minutes(5),
        )
        self.alarm(
            state_machine, "Failed", failed, at=1, description=f"An execution of {state_machine.node.path} failed"
        )

    def _budget(self) -> None:
        """A budget of the whole account: in a sandbox, whatever costs money is worth knowing.

        It could watch the tag ``project`` only where that is activated as a cost allocation tag, which takes a day.
        """
        subscribers = [budgets.CfnBudget.SubscriberProperty(subscription_type="SNS", address=self.topic.topic_arn)]
        if self._settings.alerts.email is not None:
            email = budgets.CfnBudget.SubscriberProperty(subscription_type="EMAIL", address=self._settings.alerts.email)
            subscribers.append(email)
        kinds = [("ACTUAL", percent) for percent in _SPENT] + [("FORECASTED", _FORECAST)]
        budget = budgets.CfnBudget(
            self,
            "Budget",
            budget=budgets.CfnBudget.BudgetDataProperty(
                budget_type="COST",
                time_unit="MONTHLY",
                budget_limit=budgets.CfnBudget.SpendProperty(
                    amount=self._settings.alerts.monthly_budget_usd, unit="USD"
                ),
            ),
            notifications_with_subscribers=[
                budgets.CfnBudget.NotificationWithSubscribersProperty(
                    notification=budgets.CfnBudget.NotificationProperty(
                        comparison_operator="GREATER_THAN",
                        notification_type=kind,
                        threshold=percent,
                        threshold_type="PERCENTAGE",
                    ),
                    subscribers=subscribers,
                )
                for kind, percent in kinds
            ],
        )
        budget.node.add_dependency(self.topic)

    def _stuck_deletion(self) -> None:
        """The time to live deletes stacks when nobody looks; a deletion that fails leaves what costs money."""
        stacks: Any = Stack.of(self).format_arn(
            service="cloudformation", resource="stack", resource_name=f"{self._settings.project}-"
        )
        rule = events.Rule(
            self,
            "StuckDeletion",
            description="A stack of this project could not be deleted",
            event_pattern=events.EventPattern(
                source=["aws.cloudformation"],
                detail_type=["CloudFormation Stack Status Change"],
                detail={"stack-id": [{"prefix": stacks}], "status-details": {"status": ["DELETE_FAILED"]}},
            ),
        )
        # This grants without a condition: EventBridge sets none that a topic's policy could ask for
        # (docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html, Amazon SNS; 2026-11-22).
        rule.add_target(targets.SnsTopic(self.topic))
