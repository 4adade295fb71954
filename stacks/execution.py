"""A state machine's execution as a resource: started at deployment, waited for, its output usable by other resources."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from aws_cdk import CustomResource, Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import custom_resources as cr
from constructs import Construct

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
        log_group = logs.LogGroup(
            self,
            "Log",
            retention=logs.RetentionDays.ONE_MONTH,
            encryption_key=key,
            removal_policy=RemovalPolicy.DESTROY,
        )
        provider = cr.Provider(
            self,
            "Provider",
            on_event_handler=self._handler(
                "OnEvent", "on_event", machine, log_group, ["states:StartExecution", "states:ListExecutions"]
            ),
            is_complete_handler=self._handler("IsComplete", "is_complete", machine, log_group, []),
            query_interval=Duration.seconds(15),
            total_timeout=Duration.minutes(_LONGEST_MINUTES),
            log_group=log_group,
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
        self,
        construct_id: str,
        function: str,
        machine: sfn.StateMachine,
        log_group: logs.ILogGroup,
        actions: Sequence[str],
    ) -> lambda_.Function:
        handler = lambda_.Function(
            self,
            construct_id,
            runtime=lambda_.Runtime.PYTHON_3_13,
            handler=f"execution.{function}",
            code=lambda_.Code.from_asset(str(_HANDLER), exclude=["__pycache__"]),
            timeout=Duration.minutes(1),
            log_group=log_group,
        )
        if actions:
            handler.add_to_role_policy(
                iam.PolicyStatement(actions=list(actions), resources=[machine.state_machine_arn])
            )
        # The executions of this very machine: arn:...:stateMachine:<name> -> arn:...:execution:<name>:*.
        name = machine.state_machine_name
        executions = machine.stack.format_arn(
            service="states", resource="execution", resource_name=f"{name}:*", arn_format=self._colon()
        )
        handler.add_to_role_policy(
            iam.PolicyStatement(actions=["states:DescribeExecution", "states:StopExecution"], resources=[executions])
        )
        return handler

    @staticmethod
    def _colon():  # noqa: ANN205
        from aws_cdk import ArnFormat

        return ArnFormat.COLON_RESOURCE_NAME
