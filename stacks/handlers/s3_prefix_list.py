"""``Custom::S3PrefixList``: the region's list of S3's addresses, for rules of security groups; its id is ``Id``.

CloudFormation knows the list by its name only, which is the property ``Name`` (``com.amazonaws.<region>.s3``).
Calls ec2: DescribeManagedPrefixLists (has no resource-level permissions).
"""

from clients import client
from events import Answer, Event, complete, deletes, named


def on_event(event: Event) -> Answer:
    """Find the list, which is AWS's: there is nothing to make and nothing to delete."""
    if deletes(event):
        return named(event)
    name = event["ResourceProperties"]["Name"]
    found = client("ec2").describe_managed_prefix_lists(Filters=[{"Name": "prefix-list-name", "Values": [name]}])
    if not found["PrefixLists"]:
        raise RuntimeError(f"there is no prefix list {name} in this region")
    return {**named(event), "Data": {"Id": found["PrefixLists"][0]["PrefixListId"]}}


def is_complete(_event: Event) -> Answer:
    """At once."""
    return complete()
