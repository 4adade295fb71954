"""``Custom::EmrLeftovers``, on moto's EMR and EC2."""

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from moto.emr.models import emr_backends

from tests.stacks.handlers.network import Network, allow, interfaces, network, rules, set_status
from tests.stacks.handlers.support import ACCOUNT, REGION, Wire, event, run

NAME = "shop-emr"


def cluster(name: str = NAME, state: str = "WAITING", protected: bool = False) -> str:
    instances = {
        "InstanceCount": 1,
        "MasterInstanceType": "m5.xlarge",
        "KeepJobFlowAliveWhenNoSteps": True,
        "TerminationProtected": protected,
    }
    made = boto3.client("emr").run_job_flow(
        Name=name, ReleaseLabel="emr-7.14.0", Instances=instances, JobFlowRole="nodes", ServiceRole="service"
    )
    set_state(made["JobFlowId"], state)
    return str(made["JobFlowId"])


def set_state(identifier: str, state: str) -> None:
    emr_backends[ACCOUNT][REGION].clusters[identifier].state = state


def state(identifier: str) -> str:
    described = boto3.client("emr").describe_cluster(ClusterId=identifier)
    return str(described["Cluster"]["Status"]["State"])


@pytest.fixture
def place(handlers: ModuleType) -> Network:
    return network()


@pytest.fixture
def groups(place: Network) -> list[str]:
    """The three groups of a cluster, with rules by which EMR made two of them refer to each other."""
    primary, nodes, service = (place.group(name) for name in ("primary", "nodes", "service"))
    allow(primary, nodes)
    allow(nodes, primary)
    return [primary, nodes, service]


def delete(groups: list[str], **more: Any) -> dict[str, Any]:
    return event("EmrLeftovers", "Delete", {"ClusterName": NAME, "SecurityGroupIds": groups}, **more)


def test_nothing_there(handlers: ModuleType) -> None:
    """Groups that are gone, or never were: by an id of CloudFormation's own."""
    deleted = delete(["sg-0000000000000001", "sg-0000000000000002"], PhysicalResourceId="shop-emr-Leftovers-1ABC")
    assert run(handlers, deleted) == 1


@pytest.mark.parametrize("before", ["STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING"])
def test_every_active_cluster_is_terminated(handlers: ModuleType, groups: list[str], before: str) -> None:
    clusters = [cluster(state=before), cluster(state=before)]
    run(handlers, delete(groups))
    assert [state(identifier) for identifier in clusters] == ["TERMINATED", "TERMINATED"]


def test_only_clusters_of_exactly_this_name(handlers: ModuleType, groups: list[str]) -> None:
    others = [cluster(name) for name in ("shop-two-emr", "shop-emr-two", "my-shop-emr", "SHOP-EMR")]
    run(handlers, delete(groups))
    assert [state(identifier) for identifier in others] == ["WAITING"] * 4


def test_termination_protection_is_switched_off_where_it_is_on(
    handlers: ModuleType, groups: list[str], wire: Callable[[str], Wire]
) -> None:
    protected, other = cluster(protected=True), cluster(protected=False)
    requests = wire("emr")
    run(handlers, delete(groups))
    assert [state(protected), state(other)] == ["TERMINATED", "TERMINATED"]
    assert requests.bodies["SetTerminationProtection"] == [{"JobFlowIds": [protected], "TerminationProtected": False}]


def test_a_terminating_cluster_is_waited_for(
    handlers: ModuleType, groups: list[str], wire: Callable[[str], Wire]
) -> None:
    identifier = cluster(state="TERMINATING")
    requests = wire("emr")
    assert handlers.is_complete(delete(groups), None) == {"IsComplete": False, "Left": [identifier]}
    assert requests.requests == ["ListClusters"]
    set_state(identifier, "TERMINATED")
    run(handlers, delete(groups))


@pytest.mark.parametrize("ended", ["TERMINATED", "TERMINATED_WITH_ERRORS"])
def test_an_ended_cluster_is_left_alone(
    handlers: ModuleType, groups: list[str], wire: Callable[[str], Wire], ended: str
) -> None:
    cluster(state=ended)
    requests = wire("emr")
    run(handlers, delete(groups))
    assert set(requests.requests) == {"ListClusters"}


def test_interfaces_only_after_the_clusters_rules_only_after_the_interfaces(
    handlers: ModuleType, place: Network, groups: list[str]
) -> None:
    identifier = cluster(state="TERMINATING")
    node, service = place.interface(groups[1], "in-use"), place.interface(groups[2])
    before = [rules(group) for group in groups]
    assert handlers.is_complete(delete(groups), None)["Left"] == [identifier]
    assert len(interfaces()) == 2

    set_state(identifier, "TERMINATED")
    left = handlers.is_complete(delete(groups), None)["Left"]
    assert sorted(left) == sorted([f"{node} (in-use)", f"{service} (available)"])
    assert handlers.is_complete(delete(groups), None) == {"IsComplete": False, "Left": [f"{node} (in-use)"]}
    assert [rules(group) for group in groups] == before

    set_status(node, "available")
    run(handlers, delete(groups))
    assert interfaces() == []
    assert [rules(group) for group in groups] == [[], [], []]


def test_every_rule_is_revoked_and_no_other_groups(handlers: ModuleType, place: Network, groups: list[str]) -> None:
    """In and out, so that no group refers to another; not those of a group of another stack."""
    other = place.group("another stack's")
    allow(other, other)
    kept = rules(other)
    assert {rule["IsEgress"] for rule in rules(groups[0])} == {True, False}
    found = [rule["SecurityGroupRuleId"] for group in groups for rule in rules(group)]
    assert sorted(handlers.is_complete(delete(groups), None)["Left"]) == sorted(found)
    assert handlers.is_complete(delete(groups), None) == {"IsComplete": True}
    assert [rules(group) for group in groups] == [[], [], []]
    assert rules(other) == kept


def test_a_repeated_deletion_finds_nothing_to_do(
    handlers: ModuleType, place: Network, groups: list[str], wire: Callable[[str], Wire]
) -> None:
    cluster()
    place.interface(groups[0])
    run(handlers, delete(groups))
    requests = {service: wire(service) for service in ("emr", "ec2")}
    assert run(handlers, delete(groups)) == 1
    assert requests["emr"].requests == ["ListClusters"]
    assert requests["ec2"].requests == ["DescribeNetworkInterfaces", *["DescribeSecurityGroupRules"] * 3]


def test_a_group_that_is_gone_does_not_keep_the_others(
    handlers: ModuleType, groups: list[str], wire: Callable[[str], Wire]
) -> None:
    """EC2 answers with an error where moto answers with no rules."""
    wire("ec2").fail("DescribeSecurityGroupRules", "InvalidGroup.NotFound", "The security group does not exist")
    handlers.is_complete(delete(["sg-0000000000000001", *groups]), None)
    assert [rules(group) for group in groups] == [[], [], []]


def test_a_rule_that_is_gone_meanwhile_is_no_failure(
    handlers: ModuleType, groups: list[str], wire: Callable[[str], Wire]
) -> None:
    wire("ec2").fail("RevokeSecurityGroupIngress", "InvalidSecurityGroupRuleId.NotFound", "It does not exist")
    run(handlers, delete(groups))
    assert [rules(group) for group in groups] == [[], [], []]


def test_a_cluster_that_ends_meanwhile_does_not_keep_the_others(
    handlers: ModuleType, groups: list[str], wire: Callable[[str], Wire]
) -> None:
    clusters = [cluster(protected=True), cluster(protected=True)]
    over = "A job flow that is shutting down, terminated, or finished may not be modified."
    wire("emr").fail("SetTerminationProtection", "ValidationException", over)
    handlers.is_complete(delete(groups), None)
    assert sorted(state(identifier) for identifier in clusters) == ["TERMINATED", "WAITING"]


def test_more_than_a_page_of_clusters(handlers: ModuleType, groups: list[str], wire: Callable[[str], Wire]) -> None:
    """EMR lists 50 a page."""
    clusters = [cluster("other") for _ in range(50)] + [cluster() for _ in range(3)]
    requests = wire("emr")
    run(handlers, delete(groups))
    assert requests.requests[:2] == ["ListClusters", "ListClusters"]
    assert [state(identifier) for identifier in clusters] == ["WAITING"] * 50 + ["TERMINATED"] * 3


def test_more_than_a_page_of_rules(handlers: ModuleType) -> None:
    """Moto has one page only."""
    found = [
        {"SecurityGroupRules": [{"SecurityGroupRuleId": "sgr-1", "IsEgress": False}]},
        {"SecurityGroupRules": [{"SecurityGroupRuleId": "sgr-2", "IsEgress": True}]},
    ]
    asked = {"Filters": [{"Name": "group-id", "Values": ["sg-1"]}]}
    with Stubber(sys.modules["clients"].client("ec2")) as stub:
        stub.add_response("describe_network_interfaces", {"NetworkInterfaces": []})
        stub.add_response("describe_security_group_rules", found[0] | {"NextToken": "more"}, asked)
        stub.add_response("describe_security_group_rules", found[1], asked | {"NextToken": "more"})
        for direction, rule in (("ingress", "sgr-1"), ("egress", "sgr-2")):
            revoked = {"GroupId": "sg-1", "SecurityGroupRuleIds": [rule]}
            stub.add_response(f"revoke_security_group_{direction}", {}, revoked)
        answer = handlers.is_complete(delete(["sg-1"]), None)
        stub.assert_no_pending_responses()
    assert answer == {"IsComplete": False, "Left": ["sgr-1", "sgr-2"]}


def test_throttling_is_no_failure(
    handlers: ModuleType, groups: list[str], wire: Callable[[str], Wire], pauses: list[float]
) -> None:
    identifier = cluster(protected=True)
    calls = ("ListClusters", "DescribeCluster", "SetTerminationProtection", "TerminateJobFlows")
    requests = wire("emr")
    for call in calls:
        requests.fail(call, "ThrottlingException", "Rate exceeded")
    run(handlers, delete(groups))
    assert state(identifier) == "TERMINATED"
    assert len(pauses) == len(calls)
