"""The custom resources of a stack: one pair of functions for all of them, called by the CDK's provider framework."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aws_cdk import ArnFormat, CustomResource, Duration, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_stepfunctions as sfn
from aws_cdk import custom_resources as cr
from constructs import Construct

from stacks.shared.functions import acknowledge_function, function_role
from stacks.shared.rules import acknowledge, acknowledge_wildcards
from stacks.shared.states import log_group, state_machine_log_name

_HANDLERS = Path(__file__).resolve().parents[1] / "handlers"

# CloudFormation waits for a custom resource for one hour at the most (AWS::CloudFormation::CustomResource,
# ServiceTimeout; read 2026-11-22). The framework counts its pauses only, not the calls between them, and must answer
# before, or it waits on beside the rollback (github.com/aws/aws-cdk/issues/24974, read 2026-11-28).
LONGEST_MINUTES = 55


class CustomResources(Construct):
    """The work of a stack in the account beside creating resources: ``stacks/handlers`` has a module for each kind.

    A stack has one of these, as its construct ``CustomResources``.
    """

    def __init__(self, scope: Construct, construct_id: str, *, key: kms.IKey) -> None:
        super().__init__(scope, construct_id)
        self._log = log_group(self, "Log", key)
        self._role = function_role(self, "Role", self._log)
        framework = {
            name: function_role(self, f"{name}Role", self._log) for name in ("FrameworkOnEvent", "FrameworkIsComplete")
        }
        # The machine that waits needs a group with a machine's name: see there.
        waits = log_group(self, "WaiterLog", key, state_machine_log_name(f"{Stack.of(self).stack_name}-waiter"))
        self._provider = cr.Provider(
            self,
            "Provider",
            on_event_handler=self._function("OnEvent", "on_event"),
            is_complete_handler=self._function("IsComplete", "is_complete"),
            query_interval=Duration.seconds(15),
            total_timeout=Duration.minutes(LONGEST_MINUTES),
            log_group=self._log,
            disable_waiter_state_machine_logging=False,
            waiter_state_machine_log_options=cr.LogOptions(destination=waits, level=sfn.LogLevel.ALL),
            framework_on_event_role=framework["FrameworkOnEvent"],
            framework_complete_and_timeout_role=framework["FrameworkIsComplete"],
        )
        _acknowledge_framework(self._provider)

    def add(
        self, construct_id: str, kind: str, properties: Mapping[str, Any], *permissions: iam.PolicyStatement
    ) -> CustomResource:
        """A custom resource of a kind that ``stacks/handlers`` knows, and the permissions that this one needs."""
        stack = Stack.of(self)
        resource = CustomResource(
            stack,
            construct_id,
            service_token=self._provider.service_token,
            resource_type=f"Custom::{kind}",
            properties=dict(properties),
        )
        if permissions:
            # Each kind's permissions are a policy of their own, so that resources depend on what they need only. When
            # a resource is deleted its permissions must still be there.
            policy = iam.Policy(stack, f"{construct_id}Policy", statements=list(permissions), roles=[self._role])
            acknowledge_wildcards(
                policy,
                "What is stopped or removed gets its name at run time: it is told by the project's name, tag, network "
                "or bucket; lists and descriptions have no resource-level permissions.",
            )
            resource.node.add_dependency(policy)
        return resource

    def _function(self, construct_id: str, function: str) -> lambda_.Function:
        made = lambda_.Function(
            self,
            construct_id,
            runtime=lambda_.Runtime.PYTHON_3_14,
            handler=f"resources.{function}",
            code=lambda_.Code.from_asset(str(_HANDLERS), exclude=["__pycache__"]),
            timeout=Duration.minutes(14),  # the provider framework waits for no longer
            memory_size=256,
            role=self._role,
            log_group=self._log,
        )
        acknowledge_function(made)
        return made


def stop_executions(
    resources: CustomResources,
    construct_id: str,
    state_machines: Sequence[sfn.StateMachine],
    before: Sequence[Construct],
) -> CustomResource:
    """Stop every execution of these machines before any of ``before`` is deleted, so that no job starts meanwhile."""
    arns = [state_machine.state_machine_arn for state_machine in state_machines]
    executions = [execution_arns(resources, state_machine.state_machine_name) for state_machine in state_machines]
    resource = resources.add(
        construct_id,
        "StopExecutions",
        {"StateMachineArns": arns},
        iam.PolicyStatement(actions=["states:ListExecutions"], resources=arns),
        iam.PolicyStatement(actions=["states:StopExecution"], resources=executions),
    )
    resource.node.add_dependency(*state_machines, *before)
    return resource


def execution_arns(scope: Construct, machine_name: str) -> str:
    """The ARNs of all executions of a machine of this name."""
    return Stack.of(scope).format_arn(
        service="states",
        resource="execution",
        resource_name=f"{machine_name}:*",
        arn_format=ArnFormat.COLON_RESOURCE_NAME,
    )


def look_at_stack(scope: Construct) -> iam.PolicyStatement:
    """Permission for a resource that cleans up with its stack only, to see whether the stack goes."""
    return iam.PolicyStatement(actions=["cloudformation:DescribeStacks"], resources=[Stack.of(scope).stack_id])


def delete_interfaces(scope: Construct, vpc: ec2.IVpc) -> iam.PolicyStatement:
    """Delete network interfaces of this VPC, and of no other."""
    stack = Stack.of(scope)
    return iam.PolicyStatement(
        actions=["ec2:DeleteNetworkInterface"],
        resources=[stack.format_arn(service="ec2", resource="network-interface", resource_name="*")],
        conditions={
            "ArnEquals": {"ec2:Vpc": stack.format_arn(service="ec2", resource="vpc", resource_name=vpc.vpc_id)}
        },
    )


def _acknowledge_framework(provider: cr.Provider) -> None:
    """The findings on what the CDK makes for a provider: its own functions, and the machine that waits."""
    for name in ("framework-onEvent", "framework-isComplete", "framework-onTimeout"):
        function = provider.node.find_child(name)
        acknowledge_function(function)
    waiter = provider.node.find_child("waiter-state-machine")
    acknowledge(
        waiter.node.default_child,
        {
            "AwsSolutions-SF2": (
                "The CDK's own machine of one call that is repeated; there is no way to set it, and nothing to trace."
            )
        },
    )
    acknowledge_wildcards(
        waiter, "Every version of the stack's own functions; log delivery has no resource-level permissions."
    )
