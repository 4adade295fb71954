"""Lambda functions as every stack here makes them: a role of their own, a log group that goes with the stack."""

from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct, IConstruct

from stacks.shared.rules import acknowledge, acknowledge_wildcards
from stacks.shared.states import allow


def function_role(scope: Construct, construct_id: str, log: logs.ILogGroup) -> iam.Role:
    """A role that may write to this log group, and nothing else.

    The managed policy for this, AWSLambdaBasicExecutionRole, may also create groups: a function that ends after its
    group was deleted would leave another one behind.
    """
    role = iam.Role(scope, construct_id, assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    allow(role, ["logs:CreateLogStream", "logs:PutLogEvents"], log.log_group_arn)
    acknowledge_wildcards(role, "The streams of one log group, and every version of the functions that it may call.")
    return role


def acknowledge_function(function: IConstruct) -> None:
    """The rules on functions that serve requests; ours are called by deployments and state machines."""
    acknowledge(
        function.node.default_child,
        {
            "NIST.800.53.R5-LambdaInsideVPC": "It calls AWS APIs only, over TLS; in the private network each of them "
            "would need an endpoint of its own.",
            "NIST.800.53.R5-LambdaConcurrency": "One call at a time, of a deployment or an execution; a reservation "
            "would take from the account's others.",
            "NIST.800.53.R5-LambdaDLQ": "Its caller waits for the answer and reports the failure; a queue would only "
            "hold a second copy.",
        },
    )
