"""One screen: every side in the same layout, a column a side."""

from collections.abc import Mapping

from aws_cdk import Aws, Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from sides import SIDES
from stacks.settings import Settings
from stacks.shared.dashboard import Graph
from stacks.shared.layout import STAGES
from stacks.shared.sides import side_module

_COLUMNS = 24
_HEIGHT = 6


def dashboard(
    scope: Construct,
    settings: Settings,
    *,
    state_machines: Mapping[str, sfn.IStateMachine],
    log_groups: Mapping[str, logs.ILogGroup],
) -> cloudwatch.Dashboard:
    """The dashboard of a project; state machines and their logs by side."""
    screen = cloudwatch.Dashboard(
        scope,
        "Dashboard",
        dashboard_name=f"{settings.project}-{Aws.REGION}",
        default_interval=Duration.hours(12),
    )
    width = _COLUMNS // len(settings.sides)
    columns: list[list[cloudwatch.IWidget]] = [
        [
            cloudwatch.TextWidget(
                markdown=f"# {SIDES[side].title}\n`{settings.project}-{side}`", width=width, height=2
            ),
            _graph(_executions(side, state_machines[side]), width),
            _stages(side, log_groups[side], width),
            *[_graph(each, width) for each in side_module(side, "dashboard").graphs(settings)],
            _graph(_cost(side), width),
        ]
        for side in settings.sides
    ]
    for row in zip(*columns, strict=True):
        screen.add_widgets(*row)
    return screen


def _graph(graph: Graph, width: int) -> cloudwatch.IWidget:
    return cloudwatch.GraphWidget(
        title=graph.title,
        left=list(graph.metrics),
        left_y_axis=cloudwatch.YAxisProps(label=graph.unit, min=0, show_units=False),
        width=width,
        height=_HEIGHT,
    )


def _executions(side: str, state_machine: sfn.IStateMachine) -> Graph:
    ended = [
        state_machine.metric_succeeded(),
        state_machine.metric_failed(),
        state_machine.metric_timed_out(),
        state_machine.metric_aborted(),
    ]
    return Graph(f"{SIDES[side].title}: executions", [each.with_(statistic="Sum") for each in ended], "number")


def _stages(side: str, log: logs.ILogGroup, width: int) -> cloudwatch.IWidget:
    """Seconds by stage of the latest executions, from the state machine's own log; waiting for a start included."""
    names = ", ".join(f"'{stage}'" for stage in STAGES)
    return cloudwatch.LogQueryWidget(
        title=f"{SIDES[side].title}: seconds by stage",
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
        width=width,
        height=_HEIGHT,
    )


def _cost(side: str) -> Graph:
    """The bill's own estimate, of the whole account this month: it comes from us-east-1, about every six hours."""
    title = SIDES[side].title
    charged = cloudwatch.Metric(
        namespace="AWS/Billing",
        metric_name="EstimatedCharges",
        dimensions_map={"Currency": "USD", "ServiceName": side_module(side, "dashboard").BILLED_AS},
        statistic="Maximum",
        period=Duration.hours(6),
        region="us-east-1",
        label=f"{title} this month, whole account",
    )
    return Graph(f"{title}: estimated charges (needs billing alerts)", [charged], "USD")
