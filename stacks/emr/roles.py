"""The permissions of this side: of EMR itself, of the nodes, of its state machine, and of whoever records its runs."""

from collections.abc import Sequence

from aws_cdk import Aws, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import Construct

from stacks.data.stack import DataStack
from stacks.emr import SIDE
from stacks.settings import Settings
from stacks.shared.layout import CERTIFICATES
from stacks.shared.rules import acknowledge_wildcards
from stacks.shared.spark import allow_runs
from stacks.shared.states import allow, wait_permission

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
    """The role of EMR itself, which may start, tag and stop the cluster's instances, in these subnets and groups.

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
    """The role of the cluster's instances, and so of the steps; and the profile that gives it to them."""
    role = iam.Role(scope, "NodeRole", assumed_by=iam.ServicePrincipal("ec2.amazonaws.com"))
    allow_runs(role, data, SIDE)
    if data.settings.own_certificates:
        allow(role, ["s3:GetObject"], data.objects(CERTIFICATES))
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


def pipeline_permissions(
    scope: Construct, settings: Settings, service_role: iam.Role, node_role: iam.Role, persistent: str | None
) -> list[iam.PolicyStatement]:
    """Permissions of the pipeline's state machine; ``persistent`` is the persistent cluster's id, None without one."""
    passed = {service_role: "elasticmapreduce.amazonaws.com", node_role: "ec2.amazonaws.com"}
    # Once EMR has forgotten the cluster it has no tag: then this look must say that its id is unknown.
    known = [
        iam.PolicyStatement(actions=["elasticmapreduce:DescribeCluster"], resources=[_cluster_arn(scope, each)])
        for each in (persistent,)
        if each is not None
    ]
    return [
        *known,
        on_clusters(
            scope,
            settings.project,
            *("AddJobFlowSteps", "DescribeStep", "CancelSteps", "ListSteps", "DescribeCluster", "TerminateJobFlows"),
        ),
        # A cluster that is not there yet has no ARN; it must get our tag.
        iam.PolicyStatement(
            actions=["elasticmapreduce:RunJobFlow", "elasticmapreduce:AddTags"],
            resources=["*"],
            conditions={"StringEquals": {"aws:RequestTag/project": settings.project}},
        ),
        *[
            iam.PolicyStatement(
                actions=["iam:PassRole"],
                resources=[role.role_arn],
                conditions={"StringEquals": {"iam:PassedToService": service}},
            )
            for role, service in passed.items()
        ],
        # An account's first cluster makes EMR's role that ends instances when its service role no longer can, or
        # fails (github.com/awslabs/aws-emr-launch/pull/4, comment of 2020-11-07;
        # ManagementGuide/using-service-linked-roles.html, archived; read 2026-11-27).
        iam.PolicyStatement(
            actions=["iam:CreateServiceLinkedRole"],
            resources=[
                Stack.of(scope).format_arn(
                    service="iam",
                    region="",
                    resource="role/aws-service-role/elasticmapreduce.amazonaws.com",
                    resource_name="AWSServiceRoleForEMRCleanup",
                )
            ],
            conditions={"StringEquals": {"iam:AWSServiceName": "elasticmapreduce.amazonaws.com"}},
        ),
        wait_permission(scope, "StepFunctionsGetEventForEMRAddJobFlowStepsRule"),
    ]


def record_permissions(scope: Construct, settings: Settings) -> list[iam.PolicyStatement]:
    """Permission to read what the record of a run needs of its cluster: instances and steps, whose time is billed."""
    return [on_clusters(scope, settings.project, "ListInstances", "ListSteps")]


def on_clusters(scope: Construct, project: str, *actions: str) -> iam.PolicyStatement:
    """Actions on a project's clusters: they get their ids at run time, and are told by its tag."""
    return iam.PolicyStatement(
        actions=[f"elasticmapreduce:{action}" for action in actions],
        resources=[_cluster_arn(scope, "*")],
        conditions={"StringEquals": {"aws:ResourceTag/project": project}},
    )


def _cluster_arn(scope: Construct, cluster: str) -> str:
    return Stack.of(scope).format_arn(service="elasticmapreduce", resource="cluster", resource_name=cluster)


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
