"""The application on the dashboard."""

from collections.abc import Sequence

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

from stacks.emr_serverless import SIDE
from stacks.settings import Settings
from stacks.shared.dashboard import Graph

BILLED_AS = "ElasticMapReduce"
"""The service on the bill (AWS/Billing, dimension ServiceName), which EMR shares."""


def graphs(settings: Settings) -> list[Graph]:
    """Capacity, workers and job runs."""
    workers = ["RunningWorkerCount", "PendingCreationWorkerCount", "IdleWorkerCount"]
    jobs = ["RunningJobs", "PendingJobs", "SuccessJobs", "FailedJobs"]
    return [
        _application(settings, "Application: capacity", ["CPUAllocated", "MemoryAllocated"], "vCPUs, GB"),
        _application(settings, "Application: workers", workers, "number"),
        _application(settings, "Application: job runs", jobs, "number"),
    ]


def _application(settings: Settings, title: str, names: Sequence[str], unit: str) -> Graph:
    """A graph of what is known of the application: it has its name as a dimension, whatever others there are.

    Source: emr/latest/EMR-Serverless-UserGuide/app-job-metrics.html, for releases from 7.10 (as quoted 2026-11-28).
    """
    application = f'Namespace="AWS/EMRServerless" ApplicationName="{settings.project}-{SIDE}"'
    searches = [
        cloudwatch.MathExpression(
            expression=f"SEARCH('{application} MetricName=\"{name}\"', 'Average', 60)",
            using_metrics={},
            label=name,
            period=Duration.minutes(1),
        )
        for name in names
    ]
    return Graph(title, searches, unit)
