"""The network: private, with no more than what is needed."""

from collections.abc import Callable
from typing import Any

import pytest

from stacks.network.stack import ENDPOINTS, SESSION_MANAGER_ENDPOINTS
from tests.stacks.conftest import Synthesised, synthesise


def resources(template: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [resource["Properties"] for resource in template["Resources"].values() if resource["Type"] == kind]


def endpoints(template: dict[str, Any]) -> list[tuple[str, str]]:
    return sorted(
        (endpoint["VpcEndpointType"], str(endpoint["ServiceName"]).split(".")[-1].strip("']}\" "))
        for endpoint in resources(template, "AWS::EC2::VPCEndpoint")
    )


def test_default_network_has_no_way_to_the_internet(once: Callable[[str], Synthesised]) -> None:
    network = once("default").templates()["network"]
    assert not resources(network, "AWS::EC2::InternetGateway")
    assert not resources(network, "AWS::EC2::NatGateway")
    assert not resources(network, "AWS::EC2::Route")
    assert endpoints(network) == [("Gateway", "s3"), ("Interface", "kms")]


def test_nothing_is_reachable_from_outside(synthesised: Synthesised, other: Synthesised) -> None:
    for app in (synthesised, other):
        for template in app.templates().values():
            for subnet in resources(template, "AWS::EC2::Subnet"):
                assert subnet["MapPublicIpOnLaunch"] is False
            inbound = resources(template, "AWS::EC2::SecurityGroupIngress")
            for group in resources(template, "AWS::EC2::SecurityGroup"):
                inbound += group.get("SecurityGroupIngress", [])
            assert not [rule for rule in inbound if "0.0.0.0/0" in str(rule.get("CidrIp"))]


def test_nat_replaces_the_endpoints(synthesised: Synthesised) -> None:
    if synthesised.name == "changed":
        network = synthesised.templates()["network"]
        assert len(resources(network, "AWS::EC2::NatGateway")) == 1
        assert endpoints(network) == [("Gateway", "s3")]


@pytest.mark.slow
def test_private_subnets_stay_as_they_are_whatever_nat_says(tmp_path: Any) -> None:
    """CloudFormation would replace a subnet of other addresses, which fails while anything is in it."""
    found = []
    for nat in (False, True):
        template = synthesise("nat", {"network.nat": nat}, tmp_path / str(nat)).templates()["network"]
        found.append(
            {
                name: (resource["Properties"]["CidrBlock"], resource["Properties"]["AvailabilityZone"])
                for name, resource in template["Resources"].items()
                if resource["Type"] == "AWS::EC2::Subnet" and "private" in name
            }
        )
    assert found[0] == found[1]
    assert len(found[0]) == 2


@pytest.mark.slow
def test_session_manager_adds_its_endpoints(tmp_path: Any) -> None:
    network = synthesise("shell", {"network.session_manager": True}, tmp_path).templates()["network"]
    assert len(endpoints(network)) == 1 + len(ENDPOINTS) + len(SESSION_MANAGER_ENDPOINTS)


def test_every_interface_endpoint_says_what_fails_without_it() -> None:
    assert all(len(why.split()) > 3 for _, why in (ENDPOINTS | SESSION_MANAGER_ENDPOINTS).values())


@pytest.mark.slow
def test_network_of_the_users_own_is_used_and_nothing_is_added_to_it(once: Callable[[str], Synthesised]) -> None:
    templates = once("own network").templates()
    kinds = {resource["Type"] for resource in templates["network"]["Resources"].values()}
    assert kinds == {"AWS::KMS::Key"}
    text = str(templates["sagemaker"]) + str(templates["emr"])
    assert "subnet-0123456789abcdef0" in text
    assert "vpc-0123456789abcdef0" in text


def test_flow_logs_are_kept(synthesised: Synthesised) -> None:
    assert resources(synthesised.templates()["network"], "AWS::EC2::FlowLog")
