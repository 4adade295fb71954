"""What EMR on EC2 tells of a run: its cluster, and the logs and times of its steps.

Calls elasticmapreduce: ListSteps, ListInstances (of the cluster that the run used).
"""

import json
import logging
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from record.clients import client
from record.collector import described, stage_requests
from record.schema import Cluster, Instances, StageName
from record.services import Billed, not_measured, seconds_between, sum_of

CLUSTER_CALLS = ("aws-sdk:emr:runJobFlow", "elasticmapreduce:createCluster")
"""What starts a cluster; the second only in templates of earlier commits, which costs and reports still read."""

_log = logging.getLogger(__name__)


def created_cluster(definition: Mapping[str, Any]) -> dict[str, Any]:
    """The cluster's definition, as a run of this state machine sends it that starts a cluster of its own."""
    request: dict[str, Any] = next(
        state["Parameters"]
        for state in definition["States"].values()
        if state.get("Resource", "").endswith(CLUSTER_CALLS)
    )
    return request


def instances(definition: Mapping[str, Any], _request: Mapping[str, Any]) -> tuple[Instances, ...]:
    """The instances that the cluster starts with: one type once."""
    if not definition:
        return ()
    cluster = created_cluster(definition)
    counts: dict[str, int] = {}
    for group in cluster["Instances"].get("InstanceGroups", []):
        counts[group["InstanceType"]] = counts.get(group["InstanceType"], 0) + int(group["InstanceCount"])
    for fleet in cluster["Instances"].get("InstanceFleets", []):
        # A fleet takes the first of its types where there is capacity; every type counts as one unit.
        first = fleet["InstanceTypeConfigs"][0]["InstanceType"]
        units = fleet.get("TargetOnDemandCapacity", 0) + fleet.get("TargetSpotCapacity", 0)
        counts[first] = counts.get(first, 0) + units
    return tuple(Instances(type=name, count=count) for name, count in counts.items())


def log(history: list[dict[str, Any]], definition: Mapping[str, Any], request: Mapping[str, Any]) -> str | None:
    """The log of a step that failed: the file that EMR found the cause in, or where the cluster's steps log."""
    for event in reversed(history):
        status = described(event.get("taskFailedEventDetails", {}).get("cause", "")).get("Status")
        file = status.get("FailureDetails", {}).get("LogFile") if isinstance(status, dict) else None
        if file:
            return str(file)
    return f"{created_cluster(definition)['LogUri']}{request['ClusterId']}/steps/" if "ClusterId" in request else None


def billed(
    _history: list[dict[str, Any]], started: Mapping[StageName, Mapping[str, Any]], *, strict: bool
) -> dict[StageName, Billed]:
    """The seconds of the stages' steps, start to end; a step that was sent again counts each time."""
    clusters = {request["ClusterId"] for request in started.values()}
    ran: dict[str, list[float | None]] = defaultdict(list)
    for cluster in clusters:
        with not_measured(f"the steps of {cluster}", strict):
            for page in client("emr").get_paginator("list_steps").paginate(ClusterId=cluster):
                for step in page["Steps"]:
                    timeline = step["Status"]["Timeline"]
                    ran[step["Name"]].append(
                        seconds_between(timeline.get("StartDateTime"), timeline.get("EndDateTime"))
                    )
    return {stage: Billed(sum_of(ran[request["Step"]["Name"]])) for stage, request in started.items()}


def cluster(history: list[dict[str, Any]], *, strict: bool) -> Cluster | None:
    """The cluster of a run and what of its instances the run occupied; None if the run had none.

    An instance is paid for from the request to its end (aws.amazon.com/emr/faqs, as quoted 2026-11-22).
    """
    id_, own = _cluster_id(history)
    if id_ is None:
        return None
    first, last = history[0]["timestamp"], history[-1]["timestamp"]
    seconds: dict[str, float] = defaultdict(float)
    spot: dict[str, float] = defaultdict(float)
    with not_measured(f"the instances of {id_}", strict):
        for page in client("emr").get_paginator("list_instances").paginate(ClusterId=id_):
            for instance in page["Instances"]:
                timeline = instance["Status"]["Timeline"]
                begun, ended = timeline.get("CreationDateTime"), timeline.get("EndDateTime")
                if own:
                    lived = seconds_between(begun, ended)
                else:
                    lived = seconds_between(max(begun, first), min(ended or last, last)) if begun else None
                if lived is None:
                    # A cluster of the run's own goes with the run, and takes some minutes; its hours are known then.
                    _log.warning("%s has not ended: its instances' hours are not measured yet", id_)
                    return Cluster(id=id_, own=own)
                if lived:
                    seconds[instance["InstanceType"]] += lived
                    if instance["Market"] == "SPOT":
                        spot[instance["InstanceType"]] += lived
        return Cluster(id=id_, own=own, instance_seconds=dict(seconds), spot_seconds=dict(spot))
    return Cluster(id=id_, own=own)


def _cluster_id(history: list[dict[str, Any]]) -> tuple[str | None, bool]:
    """The id of the cluster that a run worked on, and whether the run started it."""
    for event in reversed(history):
        details = event.get("taskSucceededEventDetails", {})
        if details.get("resource") == "runJobFlow":
            return json.loads(details["output"])["JobFlowId"], True
    requests = stage_requests(history).values()
    return next((request["ClusterId"] for request in requests if "ClusterId" in request), None), False


def versions(definition: Mapping[str, Any]) -> dict[str, str]:
    """EMR's release."""
    return {"emr": created_cluster(definition)["ReleaseLabel"]}
