"""The cluster: one definition, of which CloudFormation makes the persistent cluster and a run makes its own."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from aws_cdk import CfnTag, Stack, Token
from aws_cdk import aws_emr as emr
from aws_cdk import aws_kms as kms
from constructs import Construct

from stacks.data.stack import DataStack
from stacks.emr import spark as emr_spark
from stacks.settings import EmrSettings, NodeSettings, Settings
from stacks.shared.rules import acknowledge
from stacks.shared.spark import PYTHON

# Spark finds the cluster's Python 3.11, for which the wheels are published, and computes times as DuckDB does.
_PYTHON = {"PYSPARK_PYTHON": PYTHON, "PYSPARK_DRIVER_PYTHON": PYTHON}
# An application's master stays on nodes that Spot does not take away. Executors have no label and run on core and task
# nodes alike, since EMR's label CORE is not exclusive (repost.aws/knowledge-center/emr-configure-node-labeling-yarn;
# ManagementGuide/emr-managed-scaling.html for releases from 7.2; read 2026-11-27).
_KEEP_MASTERS = {
    "yarn.node-labels.enabled": "true",
    "yarn.node-labels.am.default-node-label-expression": "CORE",
}

# An executor has all vCPUs of its node, where the ApplicationMaster wants one too: YARN counts memory alone, which is
# Hadoop's default (capacity-scheduler.xml of 3.4.1).
_MEMORY_ALONE = {
    "yarn.scheduler.capacity.resource-calculator": "org.apache.hadoop.yarn.util.resource.DefaultResourceCalculator"
}


ROOT_VOLUME_GB = 30
"""The root volume of every node, beside its disks for data."""

# What CloudFormation changes in place (all fields that are not createOnlyProperties of AWS::EMR::Cluster, cfn-lint
# 1.58.0; of Instances the counts). A cluster that has ended itself takes no change, the whole update would fail.
IN_PLACE = (
    "AutoTerminationPolicy",
    "Instances",
    "ManagedScalingPolicy",
    "StepConcurrencyLevel",
    "Tags",
    "VisibleToAllUsers",
)


def definition(
    scope: Construct,
    chosen: EmrSettings,
    *,
    name: str,
    subnet_ids: list[str],
    security_groups: Mapping[str, str],
    service_role: str,
    instance_profile: str,
    security_configuration: str,
    logs: str,
    key: kms.IKey,
    bootstrap: Mapping[str, Any],
    tags: Mapping[str, str],
) -> dict[str, Any]:
    """The cluster as the API describes it (API_RunJobFlow; botocore 1.44.5).

    The nodes' environment holds a digest of all that CloudFormation would change in place, and configurations cannot be
    changed: so any change makes a new cluster, whether the old one still runs or has ended itself.
    """
    fleets = chosen.provisioning == "fleets"
    executor = emr_spark.executor(chosen.worker_types)
    minimum = chosen.minimum + chosen.task.count
    described: dict[str, Any] = {
        "Name": name,
        "ReleaseLabel": chosen.release,
        "Applications": [{"Name": application} for application in ("Spark", "Hadoop", "Hive")],
        "ServiceRole": service_role,
        "JobFlowRole": instance_profile,
        "SecurityConfiguration": security_configuration,
        "LogUri": logs,
        "LogEncryptionKmsKeyId": key.key_arn,
        "EbsRootVolumeSize": ROOT_VOLUME_GB,
        "ScaleDownBehavior": "TERMINATE_AT_TASK_COMPLETION",
        "StepConcurrencyLevel": 1,
        "VisibleToAllUsers": True,
        "Instances": {
            **({"InstanceFleets": _fleets(chosen)} if fleets else {"InstanceGroups": _groups(chosen)}),
            **({"Ec2SubnetIds": subnet_ids} if fleets else {"Ec2SubnetId": subnet_ids[0]}),
            **security_groups,
            "KeepJobFlowAliveWhenNoSteps": True,
            "TerminationProtected": False,
        },
        "ManagedScalingPolicy": {
            "ComputeLimits": {
                "UnitType": "InstanceFleetUnits" if fleets else "Instances",
                "MinimumCapacityUnits": minimum,
                "MaximumCapacityUnits": chosen.maximum,
                # With task nodes, only they come and go: core nodes hold HDFS.
                **({"MaximumCoreCapacityUnits": chosen.minimum} if chosen.task.count else {}),
                # Without this limit task nodes are added on demand first, up to the maximum, and Spot never
                # (ManagementGuide/managed-scaling-allocation-strategy.html, read 2026-11-27).
                **({"MaximumOnDemandCapacityUnits": chosen.minimum} if chosen.task.spot else {}),
            }
        },
        "AutoTerminationPolicy": {"IdleTimeout": chosen.idle_minutes * 60},
        "BootstrapActions": [{"Name": "Install the wheels", "ScriptBootstrapAction": dict(bootstrap)}],
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
    }
    environment = {**_PYTHON, "CLUSTER_DEFINITION": _digest(scope, described)}
    described["Configurations"] = [
        {
            "Classification": "spark-env",
            "Properties": {},
            "Configurations": [{"Classification": "export", "Properties": environment}],
        },
        {
            "Classification": "spark-defaults",
            "Properties": {
                "spark.sql.session.timeZone": "UTC",
                # A stage that failed is started again by whoever starts runs, never behind their back.
                "spark.yarn.maxAppAttempts": "1",
                **executor,
            },
        },
        {
            "Classification": "yarn-site",
            "Properties": {
                # Of a container; Hadoop's own is 4 (yarn-default.xml of 3.4.1).
                "yarn.scheduler.maximum-allocation-vcores": executor["spark.executor.cores"],
                **(_KEEP_MASTERS if chosen.task.spot else {}),
            },
        },
        {"Classification": "capacity-scheduler", "Properties": _MEMORY_ALONE},
    ]
    return described


def _digest(scope: Construct, described: Mapping[str, Any]) -> str:
    """A digest of what can be changed in place: 16 hexadecimal digits, the same for the same template."""
    in_place = Stack.of(scope).resolve({name: described[name] for name in IN_PLACE})
    return hashlib.sha256(json.dumps(in_place, sort_keys=True).encode()).hexdigest()[:16]


def cluster(scope: Construct, construct_id: str, described: Mapping[str, Any]) -> emr.CfnCluster:
    """The resource of a described cluster.

    CloudFormation says the same in other words: groups and fleets have a field each, and a configuration's properties
    are its ConfigurationProperties (AWS::EMR::Cluster; cfn-lint 1.58.0).
    """
    instances = dict(described["Instances"])
    for kind, role in (("InstanceGroup", "InstanceRole"), ("InstanceFleet", "InstanceFleetType")):
        members = {member[role]: _without(member, role) for member in instances.pop(f"{kind}s", [])}
        if members:
            instances[f"Master{kind}"] = members["MASTER"]
            instances[f"Core{kind}"] = members["CORE"]
            if "TASK" in members:
                instances[f"Task{kind}s"] = [members["TASK"]]
    configurations = [_configuration(item) for item in described["Configurations"]]
    properties = {**described, "Instances": instances, "Configurations": configurations}
    tags = [CfnTag(key=tag["Key"], value=tag["Value"]) for tag in properties.pop("Tags")]
    # What is not a plain value goes in as it is spelt, since the Python classes know no list of plain objects.
    fields: dict[str, Any] = {
        _snake(name): Token.as_any(_camel(value)) if isinstance(value, list | dict) else value
        for name, value in properties.items()
    }
    made = emr.CfnCluster(scope, construct_id, **fields, tags=tags)
    encrypted = (
        "It is encrypted, see SecurityConfiguration: the rule looks for the fields outside of "
        "EncryptionConfiguration, where the API has them."
    )
    acknowledge(
        made,
        {
            "AwsSolutions-EMR4": encrypted,
            "AwsSolutions-EMR5": encrypted,
            "AwsSolutions-EMR6": "Nobody logs in by SSH: there is no key, and Session Manager where set.",
        },
    )
    return made


def security_configuration(
    scope: Construct, construct_id: str, settings: Settings, data: DataStack
) -> emr.CfnSecurityConfiguration:
    """Encryption at rest with our key, encryption in transit, and IMDSv2.

    Source: docs.aws.amazon.com/emr/latest/ManagementGuide/emr-create-security-configuration.html (2026-11-22).
    """
    key = data.key.key_arn
    certificates = {"CertificateProviderType": "EMR"}
    if settings.own_certificates:
        certificates = {"CertificateProviderType": "PEM", "S3Object": f"{data.certificates}emr.zip"}
    return emr.CfnSecurityConfiguration(
        scope,
        construct_id,
        security_configuration={
            "EncryptionConfiguration": {
                "EnableAtRestEncryption": True,
                "EnableInTransitEncryption": True,
                "AtRestEncryptionConfiguration": {
                    "S3EncryptionConfiguration": {"EncryptionMode": "SSE-KMS", "AwsKmsKey": key},
                    "LocalDiskEncryptionConfiguration": {
                        "EncryptionKeyProviderType": "AwsKms",
                        "AwsKmsKey": key,
                        "EnableEbsEncryption": True,
                    },
                },
                "InTransitEncryptionConfiguration": {"TLSCertificateConfiguration": certificates},
            },
            "InstanceMetadataServiceConfiguration": {
                "MinimumInstanceMetadataServiceVersion": 2,
                "HttpPutResponseHopLimit": 1,
            },
        },
    )


def _groups(chosen: EmrSettings) -> list[dict[str, Any]]:
    groups = [("MASTER", chosen.primary, 1), ("CORE", chosen.core, chosen.minimum)]
    if chosen.task.count:
        groups.append(("TASK", chosen.task, chosen.task.count))
    return [
        {
            "Name": role.lower(),
            "InstanceRole": role,
            "InstanceCount": count,
            "InstanceType": node.instance_type,
            "Market": "ON_DEMAND",
            "EbsConfiguration": _disks(node),
        }
        for role, node, count in groups
    ]


def _fleets(chosen: EmrSettings) -> list[dict[str, Any]]:
    """Fleets in units of one a node. Only task nodes are Spot, with on-demand capacity when there is none in time."""
    on_demand = {"OnDemandSpecification": {"AllocationStrategy": "lowest-price"}}
    fleets = [_fleet("MASTER", chosen.primary, {"TargetOnDemandCapacity": 1}, on_demand)]
    fleets.append(_fleet("CORE", chosen.core, {"TargetOnDemandCapacity": chosen.minimum}, on_demand))
    task = chosen.task
    if task.spot:
        spot = {
            "TimeoutDurationMinutes": task.spot_minutes,
            "TimeoutAction": "SWITCH_TO_ON_DEMAND",
            "AllocationStrategy": "price-capacity-optimized",
        }
        fleets.append(
            _fleet("TASK", task, {"TargetSpotCapacity": task.count}, {"SpotSpecification": spot, **on_demand})
        )
    elif task.count:
        fleets.append(_fleet("TASK", task, {"TargetOnDemandCapacity": task.count}, on_demand))
    return fleets


def _fleet(
    kind: str, node: NodeSettings, capacity: Mapping[str, int], specifications: Mapping[str, Any]
) -> dict[str, Any]:
    types = dict.fromkeys((node.instance_type, *node.alternatives))
    return {
        "Name": kind.lower(),
        "InstanceFleetType": kind,
        **capacity,
        "InstanceTypeConfigs": [
            {"InstanceType": each, "WeightedCapacity": 1, "EbsConfiguration": _disks(node)} for each in types
        ],
        "LaunchSpecifications": dict(specifications),
    }


def _disks(node: NodeSettings) -> dict[str, Any]:
    volume = {"VolumeType": "gp3", "SizeInGB": node.volume_gb}
    return {"EbsBlockDeviceConfigs": [{"VolumeSpecification": volume, "VolumesPerInstance": 1}]}


def _configuration(item: Mapping[str, Any]) -> dict[str, Any]:
    changed = {"Classification": item["Classification"], "ConfigurationProperties": item["Properties"]}
    if "Configurations" in item:
        changed["Configurations"] = [_configuration(nested) for nested in item["Configurations"]]
    return changed


def _without(item: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in item.items() if key != name}


def _snake(name: str) -> str:
    """A field's name as the CDK spells it in Python."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _camel(value: Any) -> Any:
    """Fields' names as the CDK spells them; a configuration's own properties keep their names."""
    if isinstance(value, list):
        return [_camel(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        # SizeInGB is sizeInGb here.
        re.sub(r"(?<=[A-Z])[A-Z]+$", lambda end: end[0].lower(), f"{key[0].lower()}{key[1:]}"): item
        if key == "ConfigurationProperties"
        else _camel(item)
        for key, item in value.items()
    }
