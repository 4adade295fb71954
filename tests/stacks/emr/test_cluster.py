"""The cluster: what CloudFormation makes and what a run makes are the same."""

import json
from typing import Any

from aws_cdk import Stack
from aws_cdk.aws_kms import Key
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER
from hypothesis import given
from hypothesis import strategies as st

from local.services import machine_name
from stacks.emr.cluster import IN_PLACE, _camel, definition
from stacks.settings import EmrSettings
from tests.stacks.conftest import Synthesised


def sent(synthesised: Synthesised) -> dict[str, Any]:
    machines = synthesised.assembly.state_machines()
    states = next(machine["States"] for arn, machine in machines.items() if machine_name(arn) == "emr")
    request: dict[str, Any] = states["start a cluster"]["Parameters"]
    return request


def in_api_words(value: Any) -> Any:
    """A cluster resource's properties as the API spells them."""
    if isinstance(value, list):
        return [in_api_words(item) for item in value]
    if not isinstance(value, dict):
        return value
    words = {
        ("Properties" if key == "ConfigurationProperties" else key): in_api_words(item) for key, item in value.items()
    }
    for kind, role in (("InstanceGroup", "InstanceRole"), ("InstanceFleet", "InstanceFleetType")):
        members = [
            {role: name.upper(), **member}
            for name, field in (("master", f"Master{kind}"), ("core", f"Core{kind}"), ("task", f"Task{kind}s"))
            if field in words
            for member in (lambda found: found if isinstance(found, list) else [found])(words.pop(field))
        ]
        if members:
            words[f"{kind}s"] = members
    return words


def same(value: Any) -> str:
    """Order of keys and of tags does not count, nor whether a number is written as one."""
    if isinstance(value, dict) and "Tags" in value:
        value = {**value, "Tags": sorted(value["Tags"], key=lambda tag: str(tag["Key"]))}
    return json.dumps(value, sort_keys=True)


def test_persistent_cluster_and_a_runs_own_are_of_one_definition(synthesised: Synthesised) -> None:
    persistent = synthesised.assembly.only("AWS::EMR::Cluster")
    assert same(in_api_words(persistent)) == same(sent(synthesised))


def test_what_is_changed_in_place_is_in_the_digest(synthesised: Synthesised) -> None:
    """All that CloudFormation's schema does not call create-only, else a change of it fails on an ended cluster."""
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", "AWS::EMR::Cluster").schema
    create_only = {pointer.rsplit("/", 1)[1] for pointer in schema["createOnlyProperties"]}
    assert set(synthesised.assembly.only("AWS::EMR::Cluster")) - create_only == set(IN_PLACE)
    assert "Configurations" in create_only


def digest(chosen: EmrSettings, owner: str = "me") -> str:
    """The digest among what a cluster of these settings exports to Spark on its nodes."""
    stack = Stack()
    described = definition(
        stack,
        chosen,
        name="shop-emr",
        subnet_ids=["subnet-1"],
        security_groups={},
        service_role="service",
        instance_profile="nodes",
        security_configuration="encrypted",
        logs="s3://bucket/logs/",
        key=Key(stack, "Key"),
        bootstrap={},
        tags={"owner": owner},
    )
    (exported,) = next(each for each in described["Configurations"] if each["Classification"] == "spark-env")[
        "Configurations"
    ]
    return str(exported["Properties"]["CLUSTER_DEFINITION"])


def test_any_change_of_the_cluster_replaces_it() -> None:
    """Tags, scaling, idle time, counts: CloudFormation would change them in place, which an ended cluster refuses."""
    known = digest(EmrSettings())
    assert known == digest(EmrSettings())
    others = [EmrSettings(idle_minutes=30), EmrSettings(maximum=5), EmrSettings(minimum=2)]
    found = [known, digest(EmrSettings(), "you"), *map(digest, others)]
    assert len(set(found)) == len(found)


def test_transient_mode_has_no_cluster_of_its_own(other: Synthesised) -> None:
    clusters = other.assembly.resources("AWS::EMR::Cluster")
    assert len(clusters) == (0 if other.name == "serverless and transient" else 1)
    assert sent(other)["Instances"]["KeepJobFlowAliveWhenNoSteps"] is True


def test_every_cluster_ends_itself_when_idle(synthesised: Synthesised, other: Synthesised) -> None:
    for app in (synthesised, other):
        assert sent(app)["AutoTerminationPolicy"]["IdleTimeout"] in (30 * 60, 60 * 60)


def test_cluster_is_private_encrypted_and_without_a_key_pair(synthesised: Synthesised) -> None:
    instances = sent(synthesised)["Instances"]
    assert "Ec2KeyName" not in instances
    groups = [instances[f"{name}SecurityGroup"] for name in ("EmrManagedMaster", "EmrManagedSlave", "ServiceAccess")]
    assert len(set(groups)) == 3
    (configuration,) = synthesised.assembly.resources("AWS::EMR::SecurityConfiguration")
    text = synthesised.assembly.properties(*configuration)["SecurityConfiguration"]
    encryption = text["EncryptionConfiguration"]
    assert encryption["EnableInTransitEncryption"]
    assert encryption["EnableAtRestEncryption"]
    assert text["InstanceMetadataServiceConfiguration"]["MinimumInstanceMetadataServiceVersion"] == 2


def test_nodes_reach_emr_s_service_and_the_repositories(synthesised: Synthesised) -> None:
    template = synthesised.templates()["emr"]
    rules = [each["Properties"] for each in template["Resources"].values() if "SecurityGroupEgress" in each["Type"]]
    assert [rule["ToPort"] for rule in rules].count(9443) == 2
    (lists,) = {json.dumps(rule["DestinationPrefixListId"]) for rule in rules if rule["ToPort"] == 80}
    assert "S3PrefixList" in lists
    assert [rule["ToPort"] for rule in rules].count(80) == 2


def certificates(synthesised: Synthesised) -> dict[str, str]:
    (configuration,) = synthesised.assembly.resources("AWS::EMR::SecurityConfiguration")
    text = synthesised.assembly.properties(*configuration)["SecurityConfiguration"]
    transit = text["EncryptionConfiguration"]["InTransitEncryptionConfiguration"]
    return dict(transit["TLSCertificateConfiguration"])


def builds(synthesised: Synthesised) -> dict[str, str]:
    machines = synthesised.assembly.state_machines()
    states = next(machine["States"] for arn, machine in machines.items() if machine_name(arn) == "publish")
    given = states["publish"]["Parameters"]["EnvironmentVariablesOverride"]
    return {variable["Name"]: variable["Value"] for variable in given}


def test_certificates_are_emr_s_or_those_that_the_build_makes(synthesised: Synthesised) -> None:
    if synthesised.name == "default":
        assert certificates(synthesised) == {"CertificateProviderType": "EMR"}
        assert list(builds(synthesised)) == ["TARGET"]
    else:
        made = builds(synthesised)["CERTIFICATES"]
        assert certificates(synthesised) == {"CertificateProviderType": "PEM", "S3Object": f"{made}emr.zip"}


@given(st.dictionaries(st.from_regex(r"[a-z][a-z.]{0,8}", fullmatch=True), st.text(max_size=4)))
def test_a_configurations_own_properties_keep_their_names(properties: dict[str, str]) -> None:
    assert _camel({"ConfigurationProperties": properties}) == {"configurationProperties": properties}
