"""One screen: both sides in the same layout, SageMaker on the left, EMR on the right."""

from collections.abc import Mapping, Sequence

from aws_cdk import Aws, Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from stacks.sagemaker.endpoint import VARIANT, endpoint_metric
from stacks.settings import Settings
from stacks.shared.layout import SIDES, STAGES

_TITLES = {"sagemaker": "SageMaker", "emr": "EMR"}
_HALF = 12  # of 24 columns
_HEIGHT = 6

# What each service calls itself on the bill (AWS/Billing, dimension ServiceName).
_BILLED_AS = {"sagemaker": "AmazonSageMaker", "emr": "ElasticMapReduce"}


def dashboard(
    scope: Construct,
    settings: Settings,
    *,
    machines: Mapping[str, sfn.IStateMachine],
    machine_logs: Mapping[str, logs.ILogGroup],
) -> cloudwatch.Dashboard:
    """The dashboard of a project; ``machines`` and their logs by side."""
    screen = cloudwatch.Dashboard(
        scope,
        "Dashboard",
        dashboard_name=f"{settings.project}-{Aws.REGION}",
        default_interval=Duration.hours(12),
    )
    for row in (
        [_text(f"# {_TITLES[side]}\n`{settings.project}-{side}`") for side in SIDES],
        [_executions(side, machines[side]) for side in SIDES],
        [_stages(side, machine_logs[side]) for side in SIDES],
        [_endpoint_capacity(settings), _cluster_capacity(settings)],
        [_endpoint_load(settings), _cluster_memory()],
        [_endpoint_latency(settings), _cluster_health()],
        [_cost(side) for side in SIDES],
    ):
        screen.add_widgets(*row)
    return screen


def _text(markdown: str) -> cloudwatch.IWidget:
    return cloudwatch.TextWidget(markdown=markdown, width=_HALF, height=2)


def _graph(title: str, *metrics: cloudwatch.IMetric, unit: str) -> cloudwatch.IWidget:
    return cloudwatch.GraphWidget(
        title=title,
        left=list(metrics),
        left_y_axis=cloudwatch.YAxisProps(label=unit, min=0, show_units=False),
        width=_HALF,
        height=_HEIGHT,
    )


def _executions(side: str, machine: sfn.IStateMachine) -> cloudwatch.IWidget:
    ended = [machine.metric_succeeded(), machine.metric_failed(), machine.metric_timed_out(), machine.metric_aborted()]
    return _graph(f"{_TITLES[side]}: executions", *[metric.with_(statistic="Sum") for metric in ended], unit="number")


def _stages(side: str, log: logs.ILogGroup) -> cloudwatch.IWidget:
    """Seconds by stage of the latest executions, from the state machine's own log; waiting for a start included."""
    names = ", ".join(f"'{stage}'" for stage in STAGES)
    return cloudwatch.LogQueryWidget(
        title=f"{_TITLES[side]}: seconds by stage",
        log_group_names=[log.log_group_name],
        query_lines=[
            f"filter type in ['TaskStateEntered', 'TaskStateExited'] and details.name in [{names}]",
            "stats min(@timestamp) as started, (max(@timestamp) - min(@timestamp)) / 1000 as seconds"
            " by execution_arn, details.name as stage",
            "sort started desc",
            "display fromMillis(started) as start, stage, seconds",
            "limit 20",
        ],
        view=cloudwatch.LogQueryVisualizationType.TABLE,
        width=_HALF,
        height=_HEIGHT,
    )


def _endpoint_capacity(settings: Settings) -> cloudwatch.IWidget:
    """What the endpoint's instances are busy with; a serverless endpoint reports its memory only."""
    dimensions = {"EndpointName": settings.project, "VariantName": VARIANT}
    used = [
        cloudwatch.Metric(
            namespace="/aws/sagemaker/Endpoints",
            metric_name=name,
            dimensions_map=dimensions,
            statistic="Average",
            period=Duration.minutes(1),
        )
        for name in ("CPUUtilization", "MemoryUtilization", "DiskUtilization")
    ]
    return _graph("Endpoint: capacity used", *used, unit="percent of one core, of memory, of disk")


def _endpoint_load(settings: Settings) -> cloudwatch.IWidget:
    names = ("Invocations", "Invocation4XXErrors", "Invocation5XXErrors", "InvocationModelErrors")
    counts = [endpoint_metric(settings.project, name, "Sum") for name in names]
    return _graph("Endpoint: invocations and errors", *counts, unit="a minute")


def _endpoint_latency(settings: Settings) -> cloudwatch.IWidget:
    latencies = [
        endpoint_metric(settings.project, name, statistic).with_(label=f"{name} {statistic}")
        for name in ("ModelLatency", "OverheadLatency")
        for statistic in ("p50", "p95")
    ]
    return _graph("Endpoint: latency", *latencies, unit="microseconds")


def _cluster(title: str, names: Sequence[str], unit: str) -> cloudwatch.IWidget:
    """Of every cluster in the region: EMR's metrics know a cluster by its id only, and each run may have another."""
    searches = [
        cloudwatch.MathExpression(
            expression=f"SEARCH('{{AWS/ElasticMapReduce,JobFlowId}} MetricName=\"{name}\"', 'Average', 300)",
            using_metrics={},
            label=name,
            period=Duration.minutes(5),
        )
        for name in names
    ]
    return _graph(title, *searches, unit=unit)


def _cluster_capacity(settings: Settings) -> cloudwatch.IWidget:
    unit = "units" if settings.emr.provisioning == "fleets" else "nodes"
    suffix = "Units" if settings.emr.provisioning == "fleets" else "Nodes"
    names = [f"Total{suffix}Running", f"Core{suffix}Running", f"Task{suffix}Running"]
    return _cluster("Cluster: capacity", names, unit)


def _cluster_memory() -> cloudwatch.IWidget:
    return _cluster("Cluster: memory", ["YARNMemoryAvailablePercentage", "HDFSUtilization"], "percent")


def _cluster_health() -> cloudwatch.IWidget:
    names = ["AppsRunning", "AppsPending", "AppsFailed", "MRUnhealthyNodes", "IsIdle"]
    return _cluster("Cluster: applications and health", names, "number")


def _cost(side: str) -> cloudwatch.IWidget:
    """The bill's own estimate, of the whole account this month: it comes from us-east-1, about every six hours."""
    charged = cloudwatch.Metric(
        namespace="AWS/Billing",
        metric_name="EstimatedCharges",
        dimensions_map={"Currency": "USD", "ServiceName": _BILLED_AS[side]},
        statistic="Maximum",
        period=Duration.hours(6),
        region="us-east-1",
        label=f"{_TITLES[side]} this month, whole account",
    )
    return _graph(f"{_TITLES[side]}: estimated charges (needs billing alerts)", charged, unit="USD")
