"""A state machine's execution as a resource: started at deployment, waited for, its output usable by others."""

from collections.abc import Mapping

from aws_cdk import CustomResource
from aws_cdk import aws_iam as iam
from aws_cdk import aws_stepfunctions as sfn

from stacks.shared.custom_resources import CustomResources, execution_arns


def execution(
    resources: CustomResources, construct_id: str, *, state_machine: sfn.StateMachine, run: Mapping[str, str]
) -> CustomResource:
    """Start a state machine when the stack is created, and again whenever the machine or the input changes.

    An earlier execution that succeeded with just this definition and input is taken instead, so that an update which
    CloudFormation rolls back does not do everything once more. The deployment waits until the execution ends, for an
    hour at the most, and fails with the execution's cause if it does not succeed. The fields of the execution's output
    are attributes of the resource.
    """
    resource = resources.add(
        construct_id,
        "Execution",
        {
            "StateMachineArn": state_machine.state_machine_arn,
            # Changes with the definition, and so starts a new execution when a request in it changes.
            "Revision": state_machine.state_machine_revision_id,
            "Input": dict(run),
        },
        iam.PolicyStatement(
            actions=["states:StartExecution", "states:ListExecutions", "states:DescribeStateMachine"],
            resources=[state_machine.state_machine_arn],
        ),
        iam.PolicyStatement(
            actions=[
                "states:DescribeExecution",
                "states:DescribeStateMachineForExecution",
                "states:StopExecution",
            ],
            resources=[execution_arns(resources, state_machine.state_machine_name)],
        ),
    )
    resource.node.add_dependency(state_machine)
    return resource
