"""Both pipelines on the same raw data, in one execution."""

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from stacks.data_stack import DataStack
from stacks.emr_stack import EmrStack
from stacks.layout import SIDES, STAGES
from stacks.pipeline import Pipeline
from stacks.sagemaker_stack import SageMakerStack
from stacks.settings import Settings
from stacks.states import Task, state_machine, task_state, wait_permission


class ComparisonStack(Stack):
    """Runs both pipelines side by side and keeps going when one of them fails."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        settings: Settings,
        data: DataStack,
        sagemaker: SageMakerStack,
        emr: EmrStack,
    ) -> None:
        super().__init__(scope, construct_id, description="Side by side: both pipelines on the same data")
        pipelines = dict(zip(SIDES, (sagemaker.pipeline, emr.pipeline), strict=True))
        minutes = settings.stage_minutes * (len(STAGES) + 1)
        # Each branch ends well with its side's status, so a failed side does not stop the other.
        both = sfn.Parallel(
            self,
            "both sides",
            result_selector={f"{side}.$": f"$[{index}]" for index, side in enumerate(SIDES)},
            result_path="$.sides",
        )
        for side, pipeline in pipelines.items():
            both.branch(self._branch(side, pipeline, minutes))
        failed = sfn.Fail(self, "a side failed", error="SideFailed", cause_path="States.JsonToString($.sides)")
        succeeded = sfn.Succeed(self, "both succeeded")
        any_failed = sfn.Condition.or_(
            *[sfn.Condition.string_equals(f"$.sides.{side}.status", "failed") for side in SIDES]
        )
        both.next(sfn.Choice(self, "did a side fail").when(any_failed, failed).otherwise(succeeded))
        self.machine = state_machine(
            self,
            "StateMachine",
            name=f"{settings.project}-comparison",
            start=both,
            minutes=minutes,
            key=data.key,
            permissions=self._permissions(pipelines),
        )

    def _branch(self, side: str, pipeline: Pipeline, minutes: int) -> sfn.State:
        run = {
            "StateMachineArn": pipeline.machine.state_machine_arn,
            "Input": {
                "run_id.$": "$.run_id",
                "raw.$": "$.raw",
                "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID.$": "$$.Execution.Id",
            },
        }
        result = {"status": "succeeded", "execution.$": "$.ExecutionArn"}
        state = task_state(self, side, Task("states:startExecution.sync:2", run, (), result), minutes)
        ended = sfn.Pass(self, f"{side} ended", input_path=f"$.{side}")
        failed = sfn.Pass(self, f"{side} failed", parameters={"status": "failed", "cause.$": "$.error.Cause"})
        state.add_catch(failed, errors=["States.ALL"], result_path="$.error")
        state.next(ended)
        return state

    def _permissions(self, pipelines: dict[str, Pipeline]) -> list[iam.PolicyStatement]:
        machines = [pipeline.machine for pipeline in pipelines.values()]
        executions = [f"{machine.state_machine_arn}:*".replace(":stateMachine:", ":execution:") for machine in machines]
        return [
            iam.PolicyStatement(
                actions=["states:StartExecution"], resources=[machine.state_machine_arn for machine in machines]
            ),
            iam.PolicyStatement(actions=["states:DescribeExecution", "states:StopExecution"], resources=executions),
            wait_permission(self, "StepFunctionsGetEventsForStepFunctionsExecutionRule"),
        ]
