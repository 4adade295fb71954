"""Network interfaces of security groups: which are deleted, which are waited for."""

import sys
from collections.abc import Callable
from types import ModuleType

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from tests.stacks.handlers.network import interfaces, network, set_status
from tests.stacks.handlers.support import Wire


@pytest.fixture
def module(handlers: ModuleType) -> ModuleType:
    return sys.modules["interfaces"]


def test_nothing_there(module: ModuleType) -> None:
    place = network()
    assert module.remove([place.group("jobs"), "sg-0000000000000gone"]) == []


def test_unused_ones_are_deleted_used_ones_are_waited_for(module: ModuleType) -> None:
    place = network()
    ours, nodes, other = place.group("jobs"), place.group("nodes"), place.group("another stack's")
    unused, used = place.interface(ours), place.interface(nodes, "in-use")
    foreign = place.interface(other)
    assert sorted(module.remove([ours, nodes])) == sorted([f"{unused} (available)", f"{used} (in-use)"])
    assert sorted(interfaces()) == sorted([used, foreign])
    assert module.remove([ours, nodes]) == [f"{used} (in-use)"]
    set_status(used, "available")
    assert module.remove([ours, nodes]) == [f"{used} (available)"]
    assert module.remove([ours, nodes]) == []
    assert interfaces() == [foreign]


@pytest.mark.parametrize("status", ["in-use", "attaching", "detaching", "associated"])
def test_only_unused_ones_are_deleted(module: ModuleType, wire: Callable[[str], Wire], status: str) -> None:
    place = network()
    group = place.group("jobs")
    interface = place.interface(group, status)
    requests = wire("ec2")
    assert module.remove([group]) == [f"{interface} ({status})"]
    assert requests.requests == ["DescribeNetworkInterfaces"]


def test_no_groups_mean_no_interfaces(module: ModuleType) -> None:
    """Not all of the account's."""
    place = network()
    foreign = place.interface(place.group("another stack's"))
    assert module.remove([]) == []
    assert interfaces() == [foreign]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("InvalidNetworkInterfaceID.NotFound", "The networkInterface ID 'eni-1' does not exist"),
        ("InvalidParameterValue", "Network interface 'eni-1' is currently in use."),
        ("InvalidNetworkInterface.InUse", "The interface eni-1 is in use."),
    ],
)
def test_one_that_changes_meanwhile_is_looked_at_again(
    module: ModuleType, wire: Callable[[str], Wire], code: str, message: str
) -> None:
    place = network()
    group = place.group("jobs")
    interface = place.interface(group)
    wire("ec2").fail("DeleteNetworkInterface", code, message)
    assert module.remove([group]) == [f"{interface} (available)"]
    assert interfaces() == [interface]


def test_one_that_we_may_not_delete_fails(module: ModuleType, wire: Callable[[str], Wire]) -> None:
    place = network()
    group = place.group("jobs")
    place.interface(group)
    wire("ec2").fail("DeleteNetworkInterface", "UnauthorizedOperation", "You are not authorized")
    with pytest.raises(ClientError, match="You are not authorized"):
        module.remove([group])


def test_more_than_a_page(module: ModuleType) -> None:
    """Moto has one page only."""
    found = [{"NetworkInterfaces": [{"NetworkInterfaceId": f"eni-{page}", "Status": "available"}]} for page in (1, 2)]
    asked = {"Filters": [{"Name": "group-id", "Values": ["sg-1"]}]}
    with Stubber(sys.modules["clients"].client("ec2")) as stub:
        stub.add_response("describe_network_interfaces", found[0] | {"NextToken": "more"}, asked)
        stub.add_response("describe_network_interfaces", found[1], asked | {"NextToken": "more"})
        for interface in ("eni-1", "eni-2"):
            stub.add_response("delete_network_interface", {}, {"NetworkInterfaceId": interface})
        assert module.remove(["sg-1"]) == ["eni-1 (available)", "eni-2 (available)"]
        stub.assert_no_pending_responses()


def test_throttling_is_no_failure(module: ModuleType, wire: Callable[[str], Wire], pauses: list[float]) -> None:
    place = network()
    group = place.group("jobs")
    place.interface(group)
    requests = wire("ec2")
    requests.fail("DescribeNetworkInterfaces", "RequestLimitExceeded", status=503)
    requests.fail("DeleteNetworkInterface", "RequestLimitExceeded", status=503)
    module.remove([group])
    assert boto3.client("ec2").describe_network_interfaces()["NetworkInterfaces"] == []
    assert len(pauses) == 2
