"""The application: what job runs are started in, and how large all of them together may be."""

import hashlib
import json

from aws_cdk import Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_emrserverless as serverless
from constructs import Construct

from stacks.data.stack import DataStack
from stacks.emr_serverless import SIDE
from stacks.settings import Settings
from stacks.shared.layout import LOGS


def application(
    scope: Construct,
    construct_id: str,
    settings: Settings,
    data: DataStack,
    *,
    name: str,
    subnet_ids: list[str],
    group: ec2.SecurityGroup,
) -> serverless.CfnApplication:
    """An application for Spark that starts with a job run, and stops by itself when there is none.

    CloudFormation has no field for the key of the workers' disks: each job run names it (cfn-lint 1.58.0).
    """
    chosen, properties = settings.emr_serverless, serverless.CfnApplication
    key = data.key.key_arn
    return properties(
        scope,
        construct_id,
        name=name,
        release_label=settings.emr.release,
        type="SPARK",
        architecture="X86_64",  # as the published wheels
        auto_start_configuration=properties.AutoStartConfigurationProperty(enabled=True),
        auto_stop_configuration=properties.AutoStopConfigurationProperty(
            enabled=True, idle_timeout_minutes=chosen.idle_minutes
        ),
        maximum_capacity=properties.MaximumAllowedResourcesProperty(
            cpu=f"{chosen.maximum_vcpus} vCPU", memory=f"{chosen.maximum_memory_gb} GB"
        ),
        network_configuration=properties.NetworkConfigurationProperty(
            subnet_ids=subnet_ids, security_group_ids=[group.security_group_id]
        ),
        monitoring_configuration=properties.MonitoringConfigurationProperty(
            s3_monitoring_configuration=properties.S3MonitoringConfigurationProperty(
                log_uri=logs(data), encryption_key_arn=key
            ),
            # Of the service, for 30 days: Spark's own pages of a run are made of these.
            managed_persistence_monitoring_configuration=properties.ManagedPersistenceMonitoringConfigurationProperty(
                enabled=True, encryption_key_arn=key
            ),
        ),
    )


def logs(data: DataStack) -> str:
    """Where drivers and executors log, in files below a folder for each job run."""
    return f"s3://{data.bucket.bucket_name}/{LOGS}/{SIDE}/"


def digest(made: serverless.CfnApplication, settings: Settings) -> str:
    """A digest of all that CloudFormation would change of it in place: 16 hexadecimal digits.

    The tags are those that the stack's resources get in the end (app.py).
    """
    properties = Stack.of(made).resolve(made._cfn_properties)
    described = [properties, settings.tags(expires=True)]
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:16]


def security_group(scope: Construct, construct_id: str, vpc: ec2.IVpc) -> ec2.SecurityGroup:
    """The workers' group. Nothing from outside comes in: the service refuses a group that is open.

    Whether the traffic between the workers of a job passes it is not documented
    (emr/latest/EMR-Serverless-UserGuide/vpc-access.html, as quoted 2026-11-28), so members may reach each other.
    """
    group = ec2.SecurityGroup(
        scope, construct_id, vpc=vpc, description="EMR Serverless workers", allow_all_outbound=False
    )
    group.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(443), "S3 through the gateway endpoint, KMS")
    between = "Encrypted traffic between the workers of a job"
    group.add_ingress_rule(group, ec2.Port.all_tcp(), between)
    group.add_egress_rule(group, ec2.Port.all_tcp(), between)
    return group
