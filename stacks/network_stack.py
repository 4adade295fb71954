"""The private network that both sides run in: subnets without a route to the internet, and a way to S3."""

from aws_cdk import Stack, Tags
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from stacks.settings import Settings


class NetworkStack(Stack):
    """Private subnets in two availability zones, the S3 gateway endpoint and the KMS endpoint."""

    def __init__(self, scope: Construct, construct_id: str, settings: Settings) -> None:
        super().__init__(scope, construct_id, description="Side by side: the private network of both pipelines")
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            ip_addresses=ec2.IpAddresses.cidr(settings.network.cidr),
            max_azs=2,  # SageMaker hosting asks for two; a stack without a fixed region knows no third
            nat_gateways=0,
            subnet_configuration=[ec2.SubnetConfiguration(name="private", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)],
        )
        # Data, code, wheels, logs and EMR's own repositories all come through S3.
        self.vpc.add_gateway_endpoint("S3", service=ec2.GatewayVpcEndpointAwsService.S3)
        # The cluster's nodes ask KMS for the key of their local disks; S3 and EBS ask for themselves.
        self.vpc.add_interface_endpoint("Kms", service=ec2.InterfaceVpcEndpointAwsService.KMS)
        # EMR's service role may only use subnets with this tag (AmazonEMRServicePolicy_v2).
        for subnet in self.vpc.isolated_subnets:
            Tags.of(subnet).add("for-use-with-amazon-emr-managed-policies", "true")
