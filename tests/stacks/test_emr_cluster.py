"""The cluster: what CloudFormation makes and what a run makes are the same."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from local.services import machine_name
from stacks.emr_cluster import _camel
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


@given(st.dictionaries(st.from_regex(r"[a-z][a-z.]{0,8}", fullmatch=True), st.text(max_size=4)))
def test_a_configurations_own_properties_keep_their_names(properties: dict[str, str]) -> None:
    assert _camel({"ConfigurationProperties": properties}) == {"configurationProperties": properties}
