"""The roles of the cluster: what EMR itself does in the account, and what the nodes, and so the steps, may do."""

from collections.abc import Sequence

from aws_cdk import Aws, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import Construct

from stacks.data.stack import DataStack
from stacks.shared.layout import CERTIFICATES, CODE, LOGS, RUNS
from stacks.shared.rules import acknowledge_wildcards
from stacks.shared.states import allow

SIDE = "emr"

# EMR passes a cluster's tags on to what it makes for it; AWS's own policy tells EMR's resources by this one.
EMR_TAG = "for-use-with-amazon-emr-managed-policies"


def service_role(
    scope: Construct,
    *,
    key_arn: str,
    node_role: iam.Role,
    subnet_ids: Sequence[str],
    groups: Sequence[ec2.SecurityGroup],
    fleets: bool,
) -> iam.Role:
    """What EMR itself does in the account: start, tag and stop the cluster's instances, in these subnets and groups.

    After AmazonEMRServicePolicy_v2, version 6 (docs.aws.amazon.com/aws-managed-policy, read 2026-11-22), with all of
    its descriptions of EC2, since EMR may look at anything whatever a cluster holds, and without changes that this
    cluster has no use for: making security groups and VPC endpoints, placement groups, capacity reservations, dedicated
    hosts, key pairs, and custom automatic scaling with its alarms.
    """
    stack = Stack.of(scope)

    def arn(resource: str, name: str = "*", account: str = Aws.ACCOUNT_ID) -> str:
        return stack.format_arn(service="ec2", account=account, resource=resource, resource_name=name)

    def tagged(where: str) -> dict[str, dict[str, str]]:
        return {"StringEquals": {f"aws:{where}/{EMR_TAG}": "true"}}

    network = [arn("subnet", subnet) for subnet in subnet_ids]
    own_groups = [arn("security-group", group.security_group_id) for group in groups]
    launch = ["ec2:RunInstances", *(["ec2:CreateFleet"] if fleets else [])]
    instances, volumes, interfaces, template = (
        arn(resource) for resource in ("instance", "volume", "network-interface", "launch-template")
    )
    role = iam.Role(
        scope,
        "ServiceRole",
        assumed_by=iam.ServicePrincipal(
            "elasticmapreduce.amazonaws.com",
            conditions={
                "StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID},
                "ArnLike": {"aws:SourceArn": stack.format_arn(service="elasticmapreduce", resource="*")},
            },
        ),
    )
    statements = [
        (["ec2:CreateNetworkInterface", *launch], [*network, *own_groups], None),
        (launch, [template], tagged("ResourceTag")),
        (launch, [instances, volumes], tagged("RequestTag")),
        (launch, [interfaces, arn("image", "ami-*", account="")], None),
        *(
            [
                (["ec2:CreateFleet"], [arn("fleet")], None),
                (["ec2:CreateLaunchTemplate"], [template], tagged("RequestTag")),
                (["ec2:CreateLaunchTemplateVersion", "ec2:DeleteLaunchTemplate"], [template], tagged("ResourceTag")),
            ]
            if fleets
            else []
        ),
        (["ec2:CreateNetworkInterface"], [interfaces], tagged("RequestTag")),
        (
            [
                "ec2:DeleteNetworkInterface",
                "ec2:ModifyInstanceAttribute",
                "ec2:TerminateInstances",
            ],
            [interfaces, instances],
            tagged("ResourceTag"),
        ),
        (["ec2:CreateTags", "ec2:DeleteTags"], [instances, volumes, interfaces, template], tagged("ResourceTag")),
        (
            ["ec2:CreateTags"],
            [instances, volumes, interfaces, template],
            {
                "StringEquals": {
                    "ec2:CreateAction": [
                        "RunInstances",
                        "CreateFleet",
                        "CreateLaunchTemplate",
                        "CreateNetworkInterface",
                    ]
                }
            },
        ),
        # Every rule that EMR would add is declared; should one be missing, EMR may restore it in our groups only.
        (
            [f"ec2:{verb}SecurityGroup{way}" for verb in ("Authorize", "Revoke") for way in ("Egress", "Ingress")],
            own_groups,
            None,
        ),
        # Descriptions have no resource-level permissions.
        (_DESCRIBE, ["*"], None),
        (["iam:PassRole"], [node_role.role_arn], {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}),
        (_KEY_USE, [key_arn], None),
        (["kms:CreateGrant"], [key_arn], {"Bool": {"kms:GrantIsForAWSResource": "true"}}),
    ]
    for actions, resources, conditions in statements:
        role.add_to_policy(iam.PolicyStatement(actions=actions, resources=resources, conditions=conditions))
    acknowledge_wildcards(
        role,
        "EMR's instances, volumes and interfaces get their ids at run time, and are told by their tag; the subnets and "
        "groups that they are made in are named; descriptions have no resource-level permissions.",
    )
    return role


def node_role(scope: Construct, data: DataStack, *, session_manager: bool) -> tuple[iam.Role, iam.CfnInstanceProfile]:
    """What the cluster's instances, and so the steps, may do; and the profile that gives it to them."""
    role = iam.Role(scope, "NodeRole", assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"))
    runs = data.objects(f"{RUNS}/*/{SIDE}")
    logs = data.objects(f"{LOGS}/{SIDE}")
    allow(role, ["s3:GetObject"], data.raw_objects, data.objects(CODE), runs)
    allow(role, ["s3:PutObject"], logs)
    if data.settings.emr.certificates == "pem":
        allow(role, ["s3:GetObject"], data.objects(CERTIFICATES))
    # Spark's committer removes its own temporary files.
    writing = ["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
    allow(role, writing, runs)
    allow(role, ["s3:ListBucket"], *data.listed_buckets)
    allow(role, ["s3:ListBucketMultipartUploads"], data.bucket.bucket_arn)
    allow(role, _KEY_USE, data.key.key_arn)
    if session_manager:
        # The agent's own calls have no resource-level permissions
        # (docs.aws.amazon.com/systems-manager: getting-started-create-iam-instance-profile.html, 2026-11-22).
        channels = [f"ssmmessages:{verb}{kind}Channel" for verb in ("Create", "Open") for kind in ("Control", "Data")]
        allow(role, ["ssm:UpdateInstanceInformation", *channels], "*")
    # EMR finds the profile's role by the profile's name
    # (ManagementGuide/emr-iam-role-for-ec2.html, archived copy, 2026-11-22).
    acknowledge_wildcards(
        role, "Objects below one prefix; the calls of Session Manager's agent have no resource-level permissions."
    )
    profile = iam.CfnInstanceProfile(
        scope, "InstanceProfile", roles=[role.role_name], instance_profile_name=role.role_name
    )
    return role, profile


# A key user of local disks, volumes and logs (ManagementGuide/emr-encryption-enable.html, archived copy, 2026-11-22).
_KEY_USE = [
    "kms:Decrypt",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
    "kms:DescribeKey",
]

_DESCRIBE = [
    f"ec2:Describe{what}"
    for what in (
        "AccountAttributes",
        "CapacityReservations",
        "DhcpOptions",
        "Images",
        "Instances",
        "InstanceTypeOfferings",
        "LaunchTemplates",
        "NetworkAcls",
        "NetworkInterfaces",
        "PlacementGroups",
        "RouteTables",
        "SecurityGroups",
        "Subnets",
        "Volumes",
        "VolumeStatus",
        "VpcAttribute",
        "VpcEndpoints",
        "Vpcs",
    )
]
