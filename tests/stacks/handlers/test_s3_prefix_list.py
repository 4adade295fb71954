"""``Custom::S3PrefixList``, on moto's EC2, which has AWS's own lists."""

from types import ModuleType

import boto3
import pytest

from tests.stacks.handlers.support import event, run

NAME = "com.amazonaws.us-east-1.s3"


@pytest.mark.parametrize("request_type", ["Create", "Update"])
def test_the_id_is_an_attribute(handlers: ModuleType, request_type: str) -> None:
    asked = event("S3PrefixList", request_type, {"Name": NAME})
    answer = handlers.on_event(asked, None)
    lists = boto3.client("ec2").describe_managed_prefix_lists()["PrefixLists"]
    assert answer["Data"] == {"Id": next(each["PrefixListId"] for each in lists if each["PrefixListName"] == NAME)}
    assert run(handlers, asked) == 1


def test_deleting_asks_nothing(handlers: ModuleType) -> None:
    assert run(handlers, event("S3PrefixList", "Delete", {"Name": "com.amazonaws.nowhere.s3"})) == 1


def test_a_region_without_one_fails_the_deployment(handlers: ModuleType) -> None:
    with pytest.raises(RuntimeError, match=r"no prefix list com\.amazonaws\.nowhere\.s3 in this region"):
        handlers.on_event(event("S3PrefixList", "Create", {"Name": "com.amazonaws.nowhere.s3"}), None)
