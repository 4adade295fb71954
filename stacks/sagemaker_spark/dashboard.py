"""The jobs' instances on the dashboard."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

from stacks.sagemaker_spark import SIDE
from stacks.settings import Settings
from stacks.shared.dashboard import Graph
from stacks.shared.sagemaker.kinds import JOB_KINDS, TRANSFORM_JOB, suffix

BILLED_AS = "AmazonSageMaker"
"""The service on the bill (AWS/Billing, dimension ServiceName)."""


_NONE = ((TRANSFORM_JOB, "DiskUtilization"),)
"""What SageMaker does not measure (monitoring-cloudwatch.html)."""


def graphs(settings: Settings) -> list[Graph]:
    """Processor, memory and disk of the jobs' instances."""
    measures = {"processor": "CPUUtilization", "memory": "MemoryUtilization", "disk": "DiskUtilization"}
    return [_jobs(settings.project, what, metric) for what, metric in measures.items()]


def _jobs(project: str, what: str, metric: str) -> Graph:
    """A graph of every host of the project's jobs: each is a metric of its own, by the job's name and its number.

    (sagemaker/latest/dg/monitoring-cloudwatch.html, archived, 2026-11-22.)
    """
    # In quotes a term is a whole value, without them it is a part of one (CloudWatch, search-expression-syntax.html).
    wanted = f'MetricName="{metric}" {project} {suffix(SIDE).strip("-")}'
    searches = [
        cloudwatch.MathExpression(
            expression=f"SEARCH('{{/aws/sagemaker/{kind.name}s,Host}} {wanted}', 'Average', 60)",
            using_metrics={},
            label=kind.name,
            period=Duration.minutes(1),
        )
        for kind in JOB_KINDS
        if (kind, metric) not in _NONE
    ]
    unit = "percent of one core" if metric == "CPUUtilization" else "percent"
    return Graph(f"Jobs: {what} used", searches, unit)
