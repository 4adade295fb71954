"""A state machine's execution as a resource: started at deployment, waited for, its output usable by others."""

from collections.abc import Mapping
from pathlib import Path

from aws_cdk import ArnFormat, CustomResource, Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import custom_resources as cr
from constructs import Construct

from stacks.states import log_group

_HANDLER = Path(__file__).parent / "handlers"

# CloudFormation waits for a custom resource for one hour at the most
# (AWS::CloudFormation::CustomResource, ServiceTimeout; read 2026-11-22).
_LONGEST_MINUTES = 60


class Execution(Construct):
    """Starts a state machine when the stack is created, and again whenever the machine or the input changes.

    The deployment waits until the execution ends, and fails with the execution's cause if it does not succeed. The
    fields of the execution's output are attributes of the resource (``output``).
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, machine: sfn.StateMachine, key: kms.IKey, run: Mapping[str, str]
    ) -> None:
        super().__init__(scope, construct_id)
        log = log_group(self, "Log", key)
        provider = cr.Provider(
            self,
            "Provider",
            on_event_handler=self._handler(
                "OnEvent", "on_event", log, self._may_start(machine), self._may_stop(machine)
            ),
            is_complete_handler=self._handler("IsComplete", "is_complete", log, self._may_look(machine)),
            query_interval=Duration.seconds(15),
            total_timeout=Duration.minutes(_LONGEST_MINUTES),
            log_group=log,
            disable_waiter_state_machine_logging=True,
        )
        self._resource = CustomResource(
            self,
            "Resource",
            service_token=provider.service_token,
            resource_type="Custom::Execution",
            properties={
                "StateMachineArn": machine.state_machine_arn,
                # Changes with the definition, and so starts a new execution when a request in it changes.
                "Revision": machine.state_machine_revision_id,
                "Input": dict(run),
            },
        )
        self.node.add_dependency(machine)

    def output(self, name: str) -> str:
        """A field of the execution's output, as a CloudFormation attribute."""
        return self._resource.get_att_string(name)

    def _handler(
        self, construct_id: str, function: str, log: logs.ILogGroup, *permissions: iam.PolicyStatement
    ) -> lambda_.Function:
        return lambda_.Function(
            self,
            construct_id,
            runtime=lambda_.Runtime.PYTHON_3_13,
            handler=f"execution.{function}",
            code=lambda_.Code.from_asset(str(_HANDLER), exclude=["__pycache__"]),
            timeout=Duration.minutes(1),
            log_group=log,
            initial_policy=list(permissions),
        )

    @staticmethod
    def _may_start(machine: sfn.StateMachine) -> iam.PolicyStatement:
        actions = ["states:StartExecution", "states:ListExecutions"]
        return iam.PolicyStatement(actions=actions, resources=[machine.state_machine_arn])

    @classmethod
    def _may_stop(cls, machine: sfn.StateMachine) -> iam.PolicyStatement:
        actions = ["states:DescribeExecution", "states:StopExecution"]
        return iam.PolicyStatement(actions=actions, resources=[cls._executions(machine)])

    @classmethod
    def _may_look(cls, machine: sfn.StateMachine) -> iam.PolicyStatement:
        return iam.PolicyStatement(actions=["states:DescribeExecution"], resources=[cls._executions(machine)])

    @staticmethod
    def _executions(machine: sfn.StateMachine) -> str:
        """The executions of this very machine."""
        return machine.stack.format_arn(
            service="states",
            resource="execution",
            resource_name=f"{machine.state_machine_name}:*",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
