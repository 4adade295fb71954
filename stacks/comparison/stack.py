"""The pipelines of all sides on the same raw data, in one execution; and all on one screen."""

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from stacks.comparison.collector import Collector
from stacks.comparison.dashboard import dashboard
from stacks.data.stack import DataStack
from stacks.settings import Settings
from stacks.shared.custom_resources import CustomResources, execution_arns, stop_executions
from stacks.shared.layout import RECORD_STATE, STAGES, ended_state, failed_state
from stacks.shared.states import (
    Task,
    json_path_field,
    state_machine,
    state_machine_log_name,
    task_state,
    wait_permission,
)


class ComparisonStack(Stack):
    """Runs the sides' pipelines beside each other, goes on when one of them fails, and records what became of all.

    It knows the sides' state machines by their names only: the sides may delete themselves at the end of their time to
    live, and nothing here may hold them back.
    """

    def __init__(self, scope: Construct, construct_id: str, settings: Settings, data: DataStack) -> None:
        super().__init__(scope, construct_id, description="Side by side: every pipeline on the same data")
        self._project = settings.project
        resources = CustomResources(self, "CustomResources", key=data.key)
        pipelines = {
            side: sfn.StateMachine.from_state_machine_name(self, f"{side}-machine", f"{settings.project}-{side}")
            for side in settings.sides
        }
        minutes = settings.stage_minutes * len(STAGES) + 60  # a cluster may have to start as well
        # Each branch ends well with its side's status, so a failed side does not stop another.
        every = sfn.Parallel(
            self,
            "all sides",
            result_selector={side: sfn.JsonPath.string_at(f"$[{index}]") for index, side in enumerate(settings.sides)},
            result_path="$.sides",
        )
        for side, pipeline in pipelines.items():
            every.branch(self._branch(side, pipeline, minutes))
        failed = sfn.Fail(
            self,
            "a side failed",
            error="SideFailed",
            cause_path=sfn.JsonPath.json_to_string(sfn.JsonPath.object_at("$.sides")),
        )
        succeeded = sfn.Succeed(self, "all succeeded")
        statuses = [f"$.sides{json_path_field(side)}.status" for side in settings.sides]
        any_failed = sfn.Condition.or_(*[sfn.Condition.string_equals(status, "failed") for status in statuses])
        end = sfn.Choice(self, "did a side fail").when(any_failed, failed).otherwise(succeeded)
        collector = Collector(self, "Collector", settings, data=data, state_machines=pipelines)
        # Whatever became of the sides, and whatever becomes of the record: the outcome is the sides'.
        record = task_state(self, RECORD_STATE, collector.task(), collector.minutes + 1)
        record.add_catch(end, errors=["States.ALL"], result_path="$.unrecorded")
        every.next(record)
        record.next(end)
        self.state_machine = state_machine(
            self,
            "StateMachine",
            name=f"{settings.project}-comparison",
            start=every,
            minutes=minutes + 2 * collector.minutes,  # the record may take a second try
            key=data.key,
            permissions=[*self._permissions(pipelines), collector.permission()],
        )
        data.alerts.state_machine_alarm(self.state_machine)
        stop_executions(resources, "StopExecutions", [self.state_machine], before=[])
        dashboard(
            self,
            settings,
            state_machines=pipelines,
            log_groups={
                side: logs.LogGroup.from_log_group_name(
                    self, f"{side}-log", state_machine_log_name(f"{settings.project}-{side}")
                )
                for side in settings.sides
            },
        )

    def _branch(self, side: str, pipeline: sfn.IStateMachine, minutes: int) -> sfn.State:
        run = {
            "StateMachineArn": pipeline.state_machine_arn,
            # The same name once more is refused: a run never writes into an earlier one.
            "Name": sfn.JsonPath.string_at("$.run_id"),
            "Input": {
                "run_id": sfn.JsonPath.string_at("$.run_id"),
                "raw": sfn.JsonPath.string_at("$.raw"),
                "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID": sfn.JsonPath.string_at("$$.Execution.Id"),
            },
        }
        result = {"status": "succeeded", "execution": sfn.JsonPath.string_at("$.ExecutionArn")}
        state = task_state(self, side, Task("states:startExecution.sync:2", run, (), result), minutes)
        ended = sfn.Pass(self, ended_state(side), input_path=f"${json_path_field(side)}")
        failed = sfn.Pass(
            self, failed_state(side), parameters={"status": "failed", "cause": sfn.JsonPath.string_at("$.error.Cause")}
        )
        state.add_catch(failed, errors=["States.ALL"], result_path="$.error")
        state.next(ended)
        return state

    def _permissions(self, pipelines: dict[str, sfn.IStateMachine]) -> list[iam.PolicyStatement]:
        return [
            iam.PolicyStatement(
                actions=["states:StartExecution"],
                resources=[each.state_machine_arn for each in pipelines.values()],
            ),
            iam.PolicyStatement(
                actions=["states:DescribeExecution", "states:StopExecution"],
                resources=[execution_arns(self, f"{self._project}-{side}") for side in pipelines],
            ),
            wait_permission(self, "StepFunctionsGetEventsForStepFunctionsExecutionRule"),
        ]
