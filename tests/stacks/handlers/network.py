"""A private network in moto's account: security groups, and the network interfaces that services leave in it."""

from dataclasses import dataclass
from typing import Any

import boto3
from moto.ec2.models import ec2_backends

from tests.stacks.handlers.support import ACCOUNT, REGION


@dataclass(frozen=True)
class Network:
    """A VPC with one subnet, and what is in it."""

    vpc: str
    subnet: str

    def group(self, name: str) -> str:
        """A new security group's id; moto gives it a rule that lets everything out, as AWS does."""
        made = boto3.client("ec2").create_security_group(GroupName=name, Description=name, VpcId=self.vpc)
        return str(made["GroupId"])

    def interface(self, group: str, status: str = "available") -> str:
        """A new network interface's id."""
        made = boto3.client("ec2").create_network_interface(SubnetId=self.subnet, Groups=[group])
        interface = str(made["NetworkInterface"]["NetworkInterfaceId"])
        set_status(interface, status)
        return interface


def network() -> Network:
    """A new one."""
    ec2 = boto3.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    return Network(vpc, ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"])


def set_status(interface: str, status: str) -> None:
    """Attach or detach an interface as only the service that it belongs to can."""
    ec2_backends[ACCOUNT][REGION].enis[interface].status = status


def interfaces() -> list[str]:
    """The ids of all interfaces."""
    found = boto3.client("ec2").describe_network_interfaces()["NetworkInterfaces"]
    return [interface["NetworkInterfaceId"] for interface in found]


def rules(group: str) -> list[dict[str, Any]]:
    """A security group's rules, in and out."""
    filters = [{"Name": "group-id", "Values": [group]}]
    found: list[dict[str, Any]] = boto3.client("ec2").describe_security_group_rules(Filters=filters)[
        "SecurityGroupRules"
    ]
    return found


def allow(group: str, source: str) -> None:
    """Rules by which both groups refer to each other, as EMR adds them."""
    ec2 = boto3.client("ec2")
    tcp = {"IpProtocol": "tcp", "FromPort": 0, "ToPort": 65535, "UserIdGroupPairs": [{"GroupId": source}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[tcp])
    ec2.authorize_security_group_egress(GroupId=group, IpPermissions=[tcp])
