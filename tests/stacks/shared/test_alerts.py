"""Who hears of what: every alarm sends to the one topic, and the budget is there unless it is switched off."""

from typing import Any

from tests.stacks.conftest import Synthesised


def properties(app: Synthesised, kind: str) -> list[dict[str, Any]]:
    return [
        resource["Properties"]
        for template in app.templates().values()
        for resource in template["Resources"].values()
        if resource["Type"] == kind
    ]


def test_every_alarm_sends_to_the_one_topic(synthesised: Synthesised) -> None:
    (_,) = properties(synthesised, "AWS::SNS::Topic")
    alarms = properties(synthesised, "AWS::CloudWatch::Alarm")
    assert len(alarms) >= 6
    for alarm in alarms:
        (action,) = alarm["AlarmActions"]
        assert "Topic" in str(action)
        assert alarm["AlarmDescription"]
        assert alarm["TreatMissingData"] == "notBreaching"


def test_both_pipelines_and_the_comparison_have_an_alarm_for_failures(synthesised: Synthesised) -> None:
    for name in ("sagemaker", "emr", "comparison"):
        alarms = [
            resource["Properties"]
            for resource in synthesised.templates()[name]["Resources"].values()
            if resource["Type"] == "AWS::CloudWatch::Alarm"
        ]
        watched = {
            metric["MetricStat"]["Metric"]["MetricName"]
            for alarm in alarms
            for metric in alarm.get("Metrics", [])
            if "MetricStat" in metric
        }
        assert watched == {"ExecutionsFailed", "ExecutionsTimedOut"}


def test_budget_warns_by_topic_and_mail(synthesised: Synthesised) -> None:
    (budget,) = properties(synthesised, "AWS::Budgets::Budget")
    amount = {"default": 100, "changed": 500}[synthesised.name]
    assert budget["Budget"]["BudgetLimit"] == {"Amount": amount, "Unit": "USD"}
    kinds = {"default": {"SNS"}, "changed": {"SNS", "EMAIL"}}[synthesised.name]
    for notification in budget["NotificationsWithSubscribers"]:
        assert {each["SubscriptionType"] for each in notification["Subscribers"]} == kinds


def test_budget_of_zero_is_none(other: Synthesised) -> None:
    budgets = properties(other, "AWS::Budgets::Budget")
    assert len(budgets) == (0 if other.name == "serverless and transient" else 1)


def test_messages_come_from_this_account_only_and_over_tls(synthesised: Synthesised) -> None:
    (policy,) = properties(synthesised, "AWS::SNS::TopicPolicy")
    for statement in policy["PolicyDocument"]["Statement"]:
        if statement["Effect"] == "Deny":
            assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        else:
            # EventBridge sets no condition that a topic's policy could ask for.
            conditional = "aws:SourceAccount" in str(statement.get("Condition"))
            assert conditional or statement["Principal"] == {"Service": "events.amazonaws.com"}


def test_stuck_deletion_is_told(synthesised: Synthesised) -> None:
    (rule,) = properties(synthesised, "AWS::Events::Rule")
    assert rule["EventPattern"]["detail"]["status-details"] == {"status": ["DELETE_FAILED"]}
