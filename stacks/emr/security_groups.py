"""The cluster's three security groups, with every rule that EMR would add to them declared here."""

from aws_cdk import aws_ec2 as ec2
from constructs import Construct


class EmrSecurityGroups(Construct):
    """Own groups instead of EMR's: theirs are never deleted and block the deletion of the VPC.

    EMR adds the inbound rules that it misses, and those would outlive the stack. So each is here, as a resource of
    its own, since the groups refer to each other (ManagementGuide/emr-man-sec-groups.html, read 2026-11-22; the
    shapes are those of EMR's own rules). Nothing of a group leaves by default, so what EMR takes for granted is here
    too, 9443 to its service among it (ManagementGuide/emr-managed-scaling.html, read 2026-11-27).
    """

    def __init__(self, scope: Construct, construct_id: str, *, vpc: ec2.IVpc, s3: str) -> None:
        """``s3`` is the id of the region's prefix list of S3."""
        super().__init__(scope, construct_id)
        self.primary = self._group("Primary", vpc, "EMR primary node")
        self.nodes = self._group("Nodes", vpc, "EMR core and task nodes")
        self.service = self._group("Service", vpc, "EMR service access")
        self.all = [self.primary, self.nodes, self.service]
        traffic = {"tcp": (0, 65535), "udp": (0, 65535), "icmp": (-1, -1)}
        for to_name, to_group in (("Primary", self.primary), ("Nodes", self.nodes)):
            for from_name, from_group in (("Primary", self.primary), ("Nodes", self.nodes)):
                for protocol, ports in traffic.items():
                    name = f"{from_name}To{to_name}{protocol.capitalize()}"
                    self._allow(name, from_group, to_group, protocol, ports)
            self._allow(f"ServiceTo{to_name}", self.service, to_group, "tcp", (8443, 8443))
            ec2.CfnSecurityGroupEgress(
                self,
                f"{to_name}ToS3",
                group_id=to_group.security_group_id,
                ip_protocol="tcp",
                from_port=443,
                to_port=443,
                cidr_ip="0.0.0.0/0",
                description="S3 through the gateway endpoint, KMS through the interface endpoint",
            )
            # Amazon Linux and EMR have their package repositories in S3, some by plain HTTP; packages are signed.
            ec2.CfnSecurityGroupEgress(
                self,
                f"{to_name}ToRepositories",
                group_id=to_group.security_group_id,
                ip_protocol="tcp",
                from_port=80,
                to_port=80,
                destination_prefix_list_id=s3,
                description="Package repositories in S3, through the gateway endpoint",
            )
            # EMR's documentation has it for the primary node only; every node runs EMR's agents.
            self._allow(f"{to_name}ToService", to_group, self.service, "tcp", (9443, 9443))

    def fields(self) -> dict[str, str]:
        """The groups as a cluster's fields name them."""
        return {
            "EmrManagedMasterSecurityGroup": self.primary.security_group_id,
            "EmrManagedSlaveSecurityGroup": self.nodes.security_group_id,
            "ServiceAccessSecurityGroup": self.service.security_group_id,
        }

    def ids(self) -> list[str]:
        """The ids of all three."""
        return list(self.fields().values())

    def _group(self, construct_id: str, vpc: ec2.IVpc, description: str) -> ec2.SecurityGroup:
        return ec2.SecurityGroup(self, construct_id, vpc=vpc, description=description, allow_all_outbound=False)

    def _allow(
        self, name: str, source: ec2.SecurityGroup, target: ec2.SecurityGroup, protocol: str, ports: tuple[int, int]
    ) -> None:
        """Out of the source and into the target."""
        ec2.CfnSecurityGroupIngress(
            self,
            f"{name}In",
            group_id=target.security_group_id,
            source_security_group_id=source.security_group_id,
            ip_protocol=protocol,
            from_port=ports[0],
            to_port=ports[1],
            description="EMR: traffic between the nodes, and from EMR's service to them",
        )
        ec2.CfnSecurityGroupEgress(
            self,
            f"{name}Out",
            group_id=source.security_group_id,
            destination_security_group_id=target.security_group_id,
            ip_protocol=protocol,
            from_port=ports[0],
            to_port=ports[1],
            description="EMR: traffic between the nodes, and from EMR's service to them",
        )
