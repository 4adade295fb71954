"""``Custom::EmrLeftovers``: what EMR leaves behind that would keep a stack's security groups from being deleted.

Properties: ``ClusterName``, the name of the clusters that runs start, and ``SecurityGroupIds``. The work is done in
``is_complete``, which finds what is left each time anew: first clusters, then their network interfaces, then rules.
Calls elasticmapreduce: ListClusters (has no resource-level permissions), DescribeCluster, SetTerminationProtection,
TerminateJobFlows (on clusters). Calls ec2: DescribeSecurityGroupRules (has no resource-level permissions),
RevokeSecurityGroupIngress, RevokeSecurityGroupEgress (on the groups), and what ``interfaces`` calls.
"""

from collections.abc import Sequence

import interfaces
from clients import client, suppress_client_errors
from events import Answer, Event, complete, is_stack_deletion, named

# All states but TERMINATED and TERMINATED_WITH_ERRORS (API_ClusterStatus, botocore 1.44.5).
_ACTIVE = ["STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING", "TERMINATING"]


on_event = named


def is_complete(event: Event) -> Answer:
    """End the clusters when the stack goes, then free the groups; complete once a call finds nothing of theirs."""
    if not is_stack_deletion(event):
        return complete()
    properties = event["ResourceProperties"]
    groups = properties["SecurityGroupIds"]
    return complete(_clusters(properties["ClusterName"]) or interfaces.remove(groups) or _rules(groups))


def _clusters(name: str) -> list[str]:
    """Terminate the clusters of exactly this name; the ids of those that are active, terminating ones included."""
    pages = client("emr").get_paginator("list_clusters").paginate(ClusterStates=_ACTIVE)
    active = [cluster for page in pages for cluster in page["Clusters"] if cluster["Name"] == name]
    for cluster in active:
        if cluster["Status"]["State"] != "TERMINATING":
            # One at a time: one that ends meanwhile would fail the call for all of them.
            with suppress_client_errors("ValidationException: A job flow that is shutting down"):
                _terminate(cluster["Id"])
    return [cluster["Id"] for cluster in active]


def _terminate(cluster: str) -> None:
    if client("emr").describe_cluster(ClusterId=cluster)["Cluster"]["TerminationProtected"]:
        client("emr").set_termination_protection(JobFlowIds=[cluster], TerminationProtected=False)
    client("emr").terminate_job_flows(JobFlowIds=[cluster])


def _rules(groups: Sequence[str]) -> list[str]:
    """Revoke every rule of these groups, in and out; the ids of the rules found.

    EMR adds rules by which the groups refer to each other, and a group that another one refers to cannot be deleted
    (docs.aws.amazon.com/emr/latest/ManagementGuide/emr-man-sec-groups.html, read 2026-11-22).
    """
    found: list[str] = []
    for group in groups:
        # A rule that is gone by now fails the call for all of them: the next look finds those that are left.
        with suppress_client_errors(
            "InvalidGroup.NotFound", "InvalidSecurityGroupID.NotFound", "InvalidSecurityGroupRuleId.NotFound"
        ):
            paginator = client("ec2").get_paginator("describe_security_group_rules")
            pages = paginator.paginate(Filters=[{"Name": "group-id", "Values": [group]}])
            rules = [rule for page in pages for rule in page["SecurityGroupRules"]]
            found += [rule["SecurityGroupRuleId"] for rule in rules]
            incoming = [rule["SecurityGroupRuleId"] for rule in rules if not rule["IsEgress"]]
            outgoing = [rule["SecurityGroupRuleId"] for rule in rules if rule["IsEgress"]]
            if incoming:
                client("ec2").revoke_security_group_ingress(GroupId=group, SecurityGroupRuleIds=incoming)
            if outgoing:
                client("ec2").revoke_security_group_egress(GroupId=group, SecurityGroupRuleIds=outgoing)
    return found
