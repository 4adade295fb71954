"""The cluster on the dashboard."""

from collections.abc import Sequence

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

from stacks.settings import Settings
from stacks.shared.dashboard import Graph

BILLED_AS = "ElasticMapReduce"
"""The service on the bill (AWS/Billing, dimension ServiceName)."""


def graphs(settings: Settings) -> list[Graph]:
    """Capacity, memory and health."""
    unit = "units" if settings.emr.provisioning == "fleets" else "nodes"
    nodes = [f"{group}{unit.capitalize()}Running" for group in ("Total", "Core", "Task")]
    health = ["AppsRunning", "AppsPending", "AppsFailed", "MRUnhealthyNodes", "IsIdle"]
    return [
        _cluster("Cluster: capacity", nodes, unit),
        _cluster("Cluster: memory", ["YARNMemoryAvailablePercentage", "HDFSUtilization"], "percent"),
        _cluster("Cluster: applications and health", health, "number"),
    ]


def _cluster(title: str, names: Sequence[str], unit: str) -> Graph:
    """A graph of every cluster in the region: metrics know a cluster by its id only, and each run may have another."""
    searches = [
        cloudwatch.MathExpression(
            expression=f"SEARCH('{{AWS/ElasticMapReduce,JobFlowId}} MetricName=\"{name}\"', 'Average', 300)",
            using_metrics={},
            label=name,
            period=Duration.minutes(5),
        )
        for name in names
    ]
    return Graph(title, searches, unit)
