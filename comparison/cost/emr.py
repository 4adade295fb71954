"""How Amazon EMR on EC2 is billed: the nodes of a cluster, each its instance, the EMR charge and its disks."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from comparison.cost.billing import (
    Billed,
    Definition,
    EventsLimit,
    Part,
    Resource,
    RunLineItem,
    Service,
    SideRun,
    ended_after,
    instances_of,
    time_limit,
    whole,
)
from comparison.cost.lines import Driver, Parameters
from comparison.cost.prices import HOURS_A_MONTH
from record.emr import CLUSTER_CALLS
from record.errors import UserError
from record.schema import STAGES, Cluster, Stage, StageName

# GiB of EBS that EMR attaches to an instance whose definition has no disks, by size of the instance
# (aws-samples/aws-emr-advisor, 2025-06-05).
_DEFAULT_DISKS = {"large": 32, "xlarge": 64, "2xlarge": 128, "4xlarge": 256}
_DEFAULT_ROOT = 15  # GiB (EMR Management Guide, custom root volume, 2026-11-22)
_ROOT_GB = 30  # of every node of the cluster (stacks/emr/cluster.py)
_ROLES = {"MASTER": "primary", "CORE": "core", "TASK": "task"}


@dataclass(frozen=True)
class _Nodes:
    role: str
    type: str
    count: int
    spot: int
    gigabytes: float
    disk: str


def _pipeline(resource: Resource, definition: Definition) -> Iterator[Billed]:
    """The cluster that a state machine starts for every run; none if there is one that waits for runs."""
    if resource.assembly.resources("AWS::EMR::Cluster"):
        return
    tasks = [state for state in definition["States"].values() if state.get("Resource", "").endswith(CLUSTER_CALLS)]
    if not tasks:
        raise UserError(
            f"{resource.stack}: {resource.name}: no state starts a cluster, and there is no AWS::EMR::Cluster"
        )
    yield from _cluster_items(resource, tasks[0]["Parameters"], persistent=False)


def _cluster(resource: Resource) -> Iterator[Billed]:
    return _cluster_items(resource, resource.properties, persistent=True)


def _cluster_items(resource: Resource, cluster: Mapping[str, Any], *, persistent: bool) -> Iterator[Billed]:
    """A cluster's nodes: the instance, the EMR charge and the disks, by the hour."""
    nodes = list(_nodes(cluster))
    workers = sum(
        node.count * resource.vcpus(node.type, f"ec2/{node.type}") for node in nodes if node.role != "primary"
    )
    side = resource.runtime.of(resource.side)
    stages = [side.stages[stage] for stage in STAGES]
    policy = cluster.get("AutoTerminationPolicy") or {}
    parameters = Parameters(
        persistent=persistent,
        # Without such a policy it is always on.
        idle_seconds=whole(policy, "IdleTimeout", 0) if policy or not persistent else 86_400 * 36_500,
        cluster_startup_seconds=side.startup_seconds,
        cluster_fixed_seconds=sum(stage.fixed_seconds for stage in stages),
        cluster_seconds_per_event=sum(stage.core_seconds_per_event for stage in stages) / (workers or 1),
    )
    yield parameters
    yield from _limits(resource, parameters, workers or 1)
    until: Literal["idle termination", "destroyed"] | None = None
    if persistent:
        until = "idle termination" if policy else "destroyed"
    for node in nodes:
        resource.instance_type(node.type, f"ec2/{node.type}")
        detail = f"{node.count} x {node.type}"
        on_demand: tuple[float, tuple[Driver, ...]] = (node.count - node.spot, ("cluster_hours",))
        spot: tuple[float, tuple[Driver, ...]] = (node.spot, ("cluster_hours", "spot_factor"))
        yield resource.item(
            f"{node.role}: instances",
            f"ec2/{node.type}",
            *[term for term in (on_demand, spot) if term[0]],
            detail=f"{detail}, {node.spot} of them Spot" if node.spot else detail,
            until=until,
        )
        yield resource.item(
            f"{node.role}: EMR charge",
            f"emr/{node.type}",
            (node.count, ("cluster_hours",)),
            detail=detail,
            until=until,
        )
        yield resource.item(
            f"{node.role}: disks",
            f"ebs/{node.disk}",
            (node.count * node.gigabytes / HOURS_A_MONTH, ("cluster_hours",)),
            detail=f"{node.count} x {node.gigabytes:g} GB",
            until=until,
        )


def _limits(resource: Resource, parameters: Parameters, workers: int) -> Iterator[EventsLimit]:
    """When the steps are ended, and all of them together with the start of a cluster."""
    side, definition = resource.runtime.of(resource.side), resource.pipelines[resource.side]
    for stage, work in side.stages.items():
        limit = time_limit(definition["States"][stage])
        if limit is not None:
            yield from ended_after(
                resource.side, stage, limit, work.fixed_seconds, work.core_seconds_per_event / workers
            )
    if "TimeoutSeconds" in definition:
        fixed = side.startup_seconds + parameters.cluster_fixed_seconds
        seconds = float(definition["TimeoutSeconds"])
        yield from ended_after(resource.side, "the pipeline", seconds, fixed, parameters.cluster_seconds_per_event)


def _nodes(cluster: Mapping[str, Any]) -> Iterator[_Nodes]:
    """The nodes that a cluster starts with, as the API or as CloudFormation describes them."""
    instances = cluster["Instances"]
    root = whole(cluster, "EbsRootVolumeSize", _DEFAULT_ROOT)
    for kind, name in (("InstanceGroup", "InstanceRole"), ("InstanceFleet", "InstanceFleetType")):
        found = [(_ROLES[member[name]], member) for member in instances.get(f"{kind}s", [])]
        found += [
            (_ROLES[role.upper()], instances[f"{role}{kind}"])
            for role in ("Master", "Core")
            if f"{role}{kind}" in instances
        ]
        found += [("task", member) for member in instances.get(f"Task{kind}s", [])]
        for role, member in found:
            # A fleet takes the first of its types where there is capacity; every type counts as one unit.
            first = member["InstanceTypeConfigs"][0] if kind == "InstanceFleet" else member
            spot = whole(member, "TargetSpotCapacity", 0)
            count = whole(member, "InstanceCount", 0) + whole(member, "TargetOnDemandCapacity", 0) + spot
            if member.get("Market") == "SPOT":
                spot = count
            gigabytes, disk = _disks(first)
            yield _Nodes(role, first["InstanceType"], count, spot, root + gigabytes, disk)


def _disks(node: Mapping[str, Any]) -> tuple[float, str]:
    """GB of a node beside the root volume, and their kind."""
    devices = node.get("EbsConfiguration", {}).get("EbsBlockDeviceConfigs", [])
    if not devices:
        return _DEFAULT_DISKS.get(node["InstanceType"].rpartition(".")[2], 64), "gp2"
    volumes = [(device["VolumeSpecification"], whole(device, "VolumesPerInstance", 1)) for device in devices]
    return sum(whole(volume, "SizeInGB", 0) * count for volume, count in volumes), volumes[0][0]["VolumeType"]


def _run(run: SideRun) -> Iterator[RunLineItem]:
    """A run's cluster: its instances, of which the stages take a part and the rest is start and idle time."""
    stages = run.stages
    if not stages:
        return
    cluster = run.record.sides[run.side].cluster
    if run.record.where == "local":
        yield from _estimated_cluster(run, stages)
    elif cluster is None or not cluster.instance_seconds:
        # Nobody knows how many nodes there were, and for how long: neither working nor idle.
        for stage in stages:
            for each in instances_of(stage):
                yield from _node(run, "work", stage.name, each.type, None, None)
        for kind in dict.fromkeys(each.type for stage in stages for each in instances_of(stage)):
            yield from _node(run, "start-up and idle", None, kind, None, None)
    else:
        yield from _billed_cluster(run, stages, cluster)


def _estimated_cluster(run: SideRun, stages: Sequence[Stage]) -> Iterator[RunLineItem]:
    """A cluster of the run's own, as its definition starts it."""
    side = run.runtime.of(run.side)
    for each in instances_of(stages[0]):
        hours = each.count * side.startup_seconds / 3600
        yield from _node(run, "start-up and idle", None, each.type, hours, side.startup_origin)
    for stage in stages:
        work = side.stages[stage.name]
        for each in instances_of(stage):
            growing = run.growing(stage)
            hours = each.count * work.fixed_seconds / 3600
            yield from _node(run, "start-up and idle", stage.name, each.type, hours, work.origin)
            more = None if growing is None else each.count * growing / 3600
            yield from _node(run, "work", stage.name, each.type, more, work.origin)


def _billed_cluster(run: SideRun, stages: Sequence[Stage], cluster: Cluster) -> Iterator[RunLineItem]:
    """What was billed of the cluster, divided by the time that each stage took of it."""
    shares = _shares(stages, math.fsum(cluster.instance_seconds.values()))
    parts: list[tuple[Part, StageName | None, float, str | None]] = []
    for stage in stages:
        work = run.runtime.of(run.side).stages[stage.name]
        fixed = min(1.0, work.fixed_seconds / stage.billable_seconds) if stage.billable_seconds else 0.0
        why = f"of what was billed, the engine's start: {work.origin}"
        parts.append(("start-up and idle", stage.name, shares[stage.name] * fixed, why))
        parts.append(("work", stage.name, shares[stage.name] * (1 - fixed), None))
    parts.append(("start-up and idle", None, max(0.0, 1 - math.fsum(shares.values())), None))
    for part, name, share, reason in parts:
        for kind, seconds in cluster.instance_seconds.items():
            spot = min(cluster.spot_seconds.get(kind, 0.0), seconds)
            yield from _node(run, part, name, kind, share * seconds / 3600, reason, share * spot / 3600)


def _shares(stages: Sequence[Stage], instance_seconds: float) -> dict[StageName, float]:
    """Which part of the cluster's time each stage took, as it has the nodes that the definition starts with."""
    seconds = {
        stage.name: (stage.billable_seconds or 0.0) * sum(each.count for each in stage.instances) for stage in stages
    }
    # Managed scaling may have left fewer nodes than the definition starts with.
    whole_time = max(instance_seconds, math.fsum(seconds.values()))
    return {name: value / whole_time if whole_time else 0.0 for name, value in seconds.items()}


def _node(
    run: SideRun, part: Part, stage: StageName | None, kind: str, hours: float | None, why: str | None, spot: float = 0
) -> Iterator[RunLineItem]:
    """The hours of a cluster's instances of one type, ``spot`` of them as Spot: instance, EMR charge, disks."""
    on_demand = None if hours is None else hours - spot
    yield run.item(stage, part, "instances", on_demand, f"ec2/{kind}", why)
    if spot:
        # There is no list price for Spot instances.
        yield run.item(stage, part, "Spot instances", spot, f"spot/{kind}", why)
    yield run.item(stage, part, "EMR charge", hours, f"emr/{kind}", why)
    disk = run.setting("emr.primary.volume_gb", "emr.core.volume_gb")
    months = None if hours is None or disk is None else hours * (disk + _ROOT_GB) / HOURS_A_MONTH
    yield run.item(stage, part, "disks", months, "ebs/gp3", why)


SERVICE = Service(
    resources={
        "AWS::EMR::Cluster": _cluster,
        "AWS::EMR::SecurityConfiguration": "free of charge; it keeps a secret of EMR's for its certificate",
    },
    tasks=frozenset({"elasticmapreduce", "emr"}),
    pipeline=_pipeline,
    run=_run,
)
