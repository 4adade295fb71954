"""The ground that everything stands on: the key, and the private network that the sides run in."""

from aws_cdk import Annotations, ArnFormat, Aws, Duration, Fn, RemovalPolicy, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from stacks.settings import Settings
from stacks.shared.rules import acknowledge, acknowledge_wildcards
from stacks.shared.states import log_group

# The second key to the data, beside the setting data.deletable.
DELETE_DATA = "@side-by-side/delete-data"

# Interface endpoints, each with what fails without it. S3's gateway endpoint carries everything else: data, code,
# wheels, logs and EMR's own repositories. SageMaker and EMR send logs and metrics from networks of their own.
ENDPOINTS = {
    "Kms": (ec2.InterfaceVpcEndpointAwsService.KMS, "the cluster's nodes ask KMS for the keys of their local disks"),
}
SESSION_MANAGER_ENDPOINTS = {
    "Ssm": (ec2.InterfaceVpcEndpointAwsService.SSM, "the agent on a node registers itself"),
    "SsmMessages": (ec2.InterfaceVpcEndpointAwsService.SSM_MESSAGES, "a session's own channel"),
    "Ec2Messages": (ec2.InterfaceVpcEndpointAwsService.EC2_MESSAGES, "older agents hear of a session through it"),
}

# Rules about open ports, which stop at an address that is a reference.
_INBOUND_RULES = (
    "AwsSolutions-EC23",
    "NIST.800.53.R5-EC2RestrictedCommonPorts",
    "NIST.800.53.R5-EC2RestrictedSSH",
)


def data_deletion_enabled(scope: Construct, settings: Settings) -> bool:
    """True if both keys to the data are turned: the setting, and the flag in the context."""
    flag = str(scope.node.try_get_context(DELETE_DATA)).lower() == "true"
    return settings.data.deletable and flag


class NetworkStack(Stack):
    """The KMS key, private subnets in two availability zones, and what they need to work without the internet."""

    def __init__(self, scope: Construct, construct_id: str, settings: Settings) -> None:
        super().__init__(scope, construct_id, description="Side by side: the key and the private network")
        self.key = self._key(settings)
        self.vpc: ec2.IVpc
        if settings.network.vpc_id is None:
            self.vpc = self._vpc(settings)
        else:
            self.vpc = ec2.Vpc.from_vpc_attributes(
                self,
                "Vpc",
                vpc_id=settings.network.vpc_id,
                # The zones are the account's affair: nothing is looked up while synthesising, and nothing here asks.
                availability_zones=[Fn.select(number, Fn.get_azs()) for number in range(2)],
            )
        self.subnet_ids = list(settings.network.subnet_ids) or self._private.subnet_ids
        """The subnets, in two zones, of the jobs, the endpoint and the cluster."""

    def _key(self, settings: Settings) -> kms.Key:
        goes = data_deletion_enabled(self, settings)
        key = kms.Key(
            self,
            "Key",
            description=f"{settings.project}: data, disks, logs and messages of every pipeline",
            enable_key_rotation=True,
            pending_window=Duration.days(7),  # the shortest that there is
            # Without its key the data is lost as well, so both are kept or both go.
            removal_policy=RemovalPolicy.DESTROY if goes else RemovalPolicy.RETAIN,
        )
        if not goes:
            Annotations.of(key).add_warning_v2(
                "side-by-side:data-is-kept",
                "cdk destroy keeps the data: its buckets and this key. To delete them as well, deploy and destroy with "
                f"both -c data.deletable=true and -c {DELETE_DATA}=true.",
            )
        log_groups = self.format_arn(
            service="logs", resource="log-group", resource_name="*", arn_format=ArnFormat.COLON_RESOURCE_NAME
        )
        key.add_to_resource_policy(
            iam.PolicyStatement(
                sid="LogGroupsOfThisAccount",
                principals=[iam.ServicePrincipal(f"logs.{Aws.REGION}.amazonaws.com")],
                actions=["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"],
                resources=["*"],  # in a key's own policy, "*" is the key
                conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": log_groups}},
            )
        )
        # EventBridge names no account when it sends to an encrypted topic; it can use the key for nothing else.
        of_this_account = {"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}}
        for service, conditions in (("cloudwatch", of_this_account), ("budgets", of_this_account), ("events", None)):
            key.add_to_resource_policy(
                iam.PolicyStatement(
                    sid=f"MessagesOf{service.capitalize()}",
                    principals=[iam.ServicePrincipal(f"{service}.amazonaws.com")],
                    actions=["kms:Decrypt", "kms:GenerateDataKey"],
                    resources=["*"],
                    conditions=conditions,
                )
            )
        return key

    def _vpc(self, settings: Settings) -> ec2.Vpc:
        chosen = settings.network
        private = ec2.SubnetType.PRIVATE_WITH_EGRESS if chosen.nat else ec2.SubnetType.PRIVATE_ISOLATED
        # The public part is kept free without the NAT gateway too: a subnet cannot change its addresses while jobs' and
        # the cluster's interfaces are in it, so switching `network.nat` must leave the private ones as they are.
        subnets = [
            ec2.SubnetConfiguration(name="private", subnet_type=private),
            ec2.SubnetConfiguration(
                name="public",
                subnet_type=ec2.SubnetType.PUBLIC,
                cidr_mask=28,
                map_public_ip_on_launch=False,
                reserved=not chosen.nat,
            ),
        ]
        vpc = ec2.Vpc(
            self,
            "Vpc",
            ip_addresses=ec2.IpAddresses.cidr(chosen.cidr),
            max_azs=2,  # SageMaker hosting asks for two; a stack without a fixed region knows no third
            nat_gateways=1 if chosen.nat else 0,
            subnet_configuration=subnets,
            # The CDK closes it by a function whose log group would stay behind. Nothing here uses that group.
            restrict_default_security_group=False,
        )
        acknowledge(
            vpc.node.default_child,
            {
                "NIST.800.53.R5-VPCDefaultSecurityGroupClosed": (
                    "Nothing uses the default group; it lets in its own members only, and it has none."
                )
            },
        )
        for subnet in vpc.public_subnets:
            acknowledge(
                subnet.node.find_child("DefaultRoute"),
                {
                    "NIST.800.53.R5-VPCNoUnrestrictedRouteToIGW": (
                        "The NAT gateway's way out, asked for by the setting network.nat; nothing else is "
                        "in this subnet."
                    )
                },
            )
        self._private = vpc.select_subnets(subnet_type=private)
        vpc.add_gateway_endpoint("S3", service=ec2.GatewayVpcEndpointAwsService.S3)
        wanted = {} if chosen.nat else ENDPOINTS | (SESSION_MANAGER_ENDPOINTS if chosen.session_manager else {})
        for name, (service, _why) in wanted.items():
            endpoint = vpc.add_interface_endpoint(
                name, service=service, subnets=ec2.SubnetSelection(subnets=self._private.subnets)
            )
            group = endpoint.node.find_child("SecurityGroup").node.default_child
            reason = "It lets in the VPC's own addresses on 443; the rule cannot read a reference."
            acknowledge(group, dict.fromkeys(_INBOUND_RULES, reason))
        flow_log = vpc.add_flow_log(
            "FlowLog",
            destination=ec2.FlowLogDestination.to_cloud_watch_logs(log_group(self, "FlowLogGroup", self.key)),
        )
        acknowledge_wildcards(flow_log, "The streams of one log group.")
        return vpc
