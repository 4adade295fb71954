"""Network interfaces that a service made in our subnets and that still hold our security groups.

They are not part of any stack, and a group or subnet that one of them uses cannot be deleted.
Calls ec2: DescribeNetworkInterfaces (has no resource-level permissions), DeleteNetworkInterface.
"""

from collections.abc import Sequence

from clients import client, suppress_client_errors


def remove(groups: Sequence[str]) -> list[str]:
    """Delete the interfaces of these security groups which nothing uses; the service frees the others by itself.

    Returns every interface found, as ``<id> (<status>)``: there are none any more when the list is empty.
    A detached interface may be deleted even if a service made it
    (docs.aws.amazon.com/AWSEC2/latest/UserGuide/requester-managed-eni.html, read 2026-11-22).
    """
    if not groups:
        return []  # a filter without values would not be one for our groups
    paginator = client("ec2").get_paginator("describe_network_interfaces")
    pages = paginator.paginate(Filters=[{"Name": "group-id", "Values": list(groups)}])
    found = [interface for page in pages for interface in page["NetworkInterfaces"]]
    for interface in found:
        if interface["Status"] == "available":
            # Gone or in use by now: the next look tells.
            with suppress_client_errors(
                "InvalidNetworkInterfaceID.NotFound",
                "InvalidNetworkInterface.InUse",
                "InvalidParameterValue: Network interface",
            ):
                client("ec2").delete_network_interface(NetworkInterfaceId=interface["NetworkInterfaceId"])
    return [f"{interface['NetworkInterfaceId']} ({interface['Status']})" for interface in found]
