"""The endpoint on the dashboard."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

from stacks.sagemaker.endpoint import VARIANT, endpoint_metric
from stacks.settings import Settings
from stacks.shared.dashboard import Graph

BILLED_AS = "AmazonSageMaker"
"""The service on the bill (AWS/Billing, dimension ServiceName)."""


def graphs(settings: Settings) -> list[Graph]:
    """Capacity, load and latency."""
    counts = ("Invocations", "Invocation4XXErrors", "Invocation5XXErrors", "InvocationModelErrors")
    latencies = [
        endpoint_metric(settings.project, name, statistic).with_(label=f"{name} {statistic}")
        for name in ("ModelLatency", "OverheadLatency")
        for statistic in ("p50", "p95")
    ]
    return [
        _capacity(settings.project),
        Graph(
            "Endpoint: invocations and errors",
            [endpoint_metric(settings.project, name, "Sum") for name in counts],
            "a minute",
        ),
        Graph("Endpoint: latency", latencies, "microseconds"),
    ]


def _capacity(endpoint: str) -> Graph:
    """The use of the endpoint's instances; a serverless endpoint reports its memory only."""
    used = [
        cloudwatch.Metric(
            namespace="/aws/sagemaker/Endpoints",
            metric_name=name,
            dimensions_map={"EndpointName": endpoint, "VariantName": VARIANT},
            statistic="Average",
            period=Duration.minutes(1),
        )
        for name in ("CPUUtilization", "MemoryUtilization", "DiskUtilization")
    ]
    return Graph("Endpoint: capacity used", used, "percent of one core, of memory, of disk")
