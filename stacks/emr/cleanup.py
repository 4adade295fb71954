"""The clean-up of what EMR leaves behind, when the stack is deleted."""

from aws_cdk import CustomResource, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam

from stacks.emr.roles import on_clusters
from stacks.emr.security_groups import EmrSecurityGroups
from stacks.shared.custom_resources import CustomResources, delete_interfaces, look_at_stack


def clean_up(
    resources: CustomResources, *, name: str, project: str, vpc: ec2.IVpc, groups: EmrSecurityGroups
) -> CustomResource:
    """On deletion: end the clusters of this name that runs started, wait for the network interfaces, revoke all rules.

    EMR may have added rules to the groups, and groups that name each other cannot be deleted
    (github.com/hashicorp/terraform-provider-aws/issues/8285, read 2026-11-22).
    """
    ids = groups.ids()
    stack = Stack.of(resources)
    return resources.add(
        "Leftovers",
        "EmrLeftovers",
        {"ClusterName": name, "SecurityGroupIds": ids},
        # Lists have no resource-level permissions (Service Authorization Reference, EMR, EC2; 2026-11-22).
        iam.PolicyStatement(
            actions=[
                "elasticmapreduce:ListClusters",
                "ec2:DescribeNetworkInterfaces",
                "ec2:DescribeSecurityGroupRules",
            ],
            resources=["*"],
        ),
        on_clusters(stack, project, "DescribeCluster", "SetTerminationProtection", "TerminateJobFlows"),
        look_at_stack(stack),
        delete_interfaces(stack, vpc),
        iam.PolicyStatement(
            actions=["ec2:RevokeSecurityGroupEgress", "ec2:RevokeSecurityGroupIngress"],
            resources=[stack.format_arn(service="ec2", resource="security-group", resource_name=each) for each in ids],
        ),
    )
