"""The cost of synthesised templates.

    estimate(Assembly(Path("cdk.out")), Usage.of(["runs_per_day=4"]), PriceBook.load())

`RULES` says of every resource type how it is priced, or why it is not.
"""

import json
import math
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from pydantic import ValidationError

from assembly.template import Assembly
from comparison.cost.lines import (
    GB,
    Driver,
    Estimate,
    Limit,
    Line,
    NotPriced,
    Parameters,
    Party,
    Term,
    number,
)
from comparison.cost.prices import HOURS_A_MONTH, KINDS, InstanceType, PriceBook, kind_of
from comparison.cost.usage import Usage
from comparison.cost.workload import Workload
from comparison.summary import TITLES
from record.collector import CLUSTER_CALLS
from record.errors import UserError
from record.schema import SIDES, STAGES, SideName, StageName

# GiB of EBS that EMR attaches to an instance whose definition has no disks, by size of the instance
# (aws-samples/aws-emr-advisor, 2025-06-05).
_DEFAULT_DISKS = {"large": 32, "xlarge": 64, "2xlarge": 128, "4xlarge": 256}
_DEFAULT_ROOT = 15  # GiB (EMR Management Guide, custom root volume, 2026-11-22)

# A job's component in the price list, where its request names machines and volume.
_JOBS = {
    "createProcessingJob": ("processing", ("ProcessingResources", "ClusterConfig")),
    "createTrainingJob": ("training", ("ResourceConfig",)),
    "createTransformJob": ("transform", ("TransformResources",)),
}


@dataclass
class _Reader:
    """The templates, and what is found in them while they are read."""

    assembly: Assembly
    book: PriceBook
    region: str
    workload: Workload
    sides: dict[str, SideName]
    """Stack by the side whose pipeline is in it."""
    expiring: set[str]
    """Stacks that delete themselves."""
    parameters: dict[str, Any] = field(default_factory=dict)
    times: dict[SideName, list[Limit]] = field(default_factory=lambda: {name: [] for name in SIDES})
    """How many events each stage works through before it is ended."""
    volumes: list[Limit] = field(default_factory=list)
    """How many events' data fits a job's volume."""
    unpriced: dict[tuple[str, str, str], list[str]] = field(default_factory=dict)

    def properties(self, stack: str, resource: str) -> dict[str, Any]:
        return self.assembly.properties(stack, resource)

    def skip(self, stack: str, resource: str, why: str) -> None:
        """Note that a resource, or a part of it, is not priced."""
        kind = self.assembly.templates[stack]["Resources"][resource]["Type"]
        self.unpriced.setdefault((stack, kind, why), []).append(resource)

    def line(
        self,
        stack: str,
        resource: str,
        name: str,
        item: str,
        *terms: tuple[float, tuple[Driver, ...]],
        detail: str = "",
        side: Party | None = None,
        serving: bool = False,
        until: Any = None,
    ) -> Line:
        stands = any({"months", "hours", "endpoint_hours"} & set(drivers) for _, drivers in terms)
        if stands and until is None:
            until = "time to live" if stack in self.expiring else "destroyed"
        return Line(
            side=side or self.sides.get(stack, "shared"),
            stack=stack,
            resource=resource,
            name=name,
            detail=detail,
            serving=serving,
            until=until,
            item=item,
            unit=KINDS[kind_of(item) or item],
            price=self.book.price(item, self.region),
            terms=tuple(Term(coefficient=coefficient, drivers=drivers) for coefficient, drivers in terms),
        )

    def machine(self, stack: str, resource: str, name: str, item: str) -> InstanceType | None:
        """The size of an instance type; None if only its price is known.

        Raises:
            UserError: neither is known, so that it may well not exist.
        """
        size = self.book.instance_types.get(name.removeprefix("ml."))
        if size is None and self.book.price(item, self.region) is None:
            raise UserError(
                f"{stack}: {resource}: instance type {name} is not known; allowed: the types in the price file, "
                "with a price in this region or a size"
            )
        return size

    def vcpus(self, stack: str, resource: str, name: str, item: str) -> int:
        """How many vCPUs work on an instance.

        Raises:
            UserError: that is not known.
        """
        size = self.machine(stack, resource, name, item)
        if size is None:
            raise UserError(
                f"{stack}: {resource}: how many vCPUs {name} has is not known; allowed: the types in instance_types "
                "of the price file"
            )
        return size.vcpus

    def ends(self, side: SideName, what: str, seconds: float, fixed: float, per_event: float) -> None:
        """Note that a stage, or the whole pipeline, is ended after so long."""
        if per_event:
            why = f"{what} ({TITLES[side]}) is ended after {number(seconds / 60)} minutes"
            self.times[side].append(Limit(value=max(0.0, seconds - fixed) / per_event, why=why))


Rule = Callable[[_Reader, str, str], Iterator[Line]]


def estimate(
    assembly: Assembly, usage: Usage, book: PriceBook, workload: Workload | None = None, region: str = "us-east-1"
) -> Estimate:
    """What the templates cost for a usage; an estimate, as the assumptions that come with it say.

    Raises:
        UserError: no price is known for the region, an instance type is not known at all, a pipeline is missing, or a
            resource is not as its type must be; one line.
    """
    if region not in book.regions:
        raise UserError(f"no prices for region {region}; allowed: {', '.join(sorted(book.regions))}")
    workload = workload or Workload.load()
    reader = _Reader(assembly, book, region, workload, _sides(assembly), _expiring(assembly))
    for side in SIDES:
        if side not in reader.sides.values():
            raise UserError(
                f"{assembly.folder}: no template has the pipeline of {TITLES[side]}; the templates of both are needed"
            )
    lines: list[Line] = []
    for stack, template in assembly.templates.items():
        for resource, definition in template.get("Resources", {}).items():
            rule = rule_of(definition["Type"])
            if isinstance(rule, str):
                reader.skip(stack, resource, rule)
                continue
            try:
                lines += rule(reader, stack, resource)
            except _DAMAGE as error:
                raise _damaged(stack, resource, error) from error
    limits = [limit for side in SIDES for limit in reader.times[side]] + reader.volumes
    parameters = Parameters(**reader.parameters, events_limit=_least(limits))
    return Estimate(
        region=region,
        usage=usage,
        parameters=parameters,
        lines=tuple(lines),
        not_priced=tuple(
            NotPriced(stack=stack, type=kind, resources=tuple(resources), why=why)
            for (stack, kind, why), resources in reader.unpriced.items()
        ),
        assumptions=(*_ASSUMPTIONS, *_limit_notes(reader), *_origins(workload)),
    )


# What reading a resource that is not as its type must be can raise.
_DAMAGE = (KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError, RecursionError)


def _least(limits: Sequence[Limit]) -> Limit | None:
    return min(limits, key=lambda limit: limit.value, default=None)


def _damaged(stack: str, resource: str, error: Exception) -> UserError:
    text = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
    name = type(error).__name__
    return UserError(f"{stack}: {resource}: not as CloudFormation describes its type: {name}: {' '.join(text.split())}")


def _whole(values: Mapping[str, Any], name: str, default: int, least: int = 0) -> int:
    """A whole number of a resource; a default where it is not given.

    Raises:
        ValueError: it is none, or below ``least``.
    """
    value = values.get(name, default)
    if isinstance(value, str) and value.isdecimal():
        value = int(value)  # CloudFormation takes numbers as text, too
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"{name} {value!r}: must be a whole number from {least}")
    return value


def rule_of(resource_type: str) -> Rule | str:
    """How resources of a type are priced, or why they are not."""
    if resource_type.startswith("Custom::") and resource_type not in RULES:
        return RULES["Custom::*"]
    return RULES.get(resource_type, "not known to this program")


# -- state machines and jobs


def _definition(assembly: Assembly, stack: str, resource: str) -> dict[str, Any] | None:
    """A state machine's definition; None for those that the CDK adds to wait for a function, which have no name."""
    properties = assembly.properties(stack, resource)
    if "StateMachineName" not in properties:
        return None
    try:
        definition: dict[str, Any] = json.loads(properties["DefinitionString"])
        if not isinstance(definition["States"], dict) or not definition["States"]:
            raise ValueError("States must be an object of states")
    except _DAMAGE as error:
        raise _damaged(stack, resource, error) from error
    return definition


def _pipeline(definition: Mapping[str, Any]) -> SideName | None:
    """Whose pipeline a definition is; None if it is none."""
    states = definition["States"]
    if not all(isinstance(states.get(stage), dict) for stage in STAGES):
        return None
    return "emr" if ":elasticmapreduce:" in str(states[STAGES[0]].get("Resource")) else "sagemaker"


def _machines(assembly: Assembly) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for stack, resource in assembly.resources("AWS::StepFunctions::StateMachine"):
        definition = _definition(assembly, stack, resource)
        if definition is not None:
            yield stack, resource, definition


def _sides(assembly: Assembly) -> dict[str, SideName]:
    found = ((stack, _pipeline(definition)) for stack, _, definition in _machines(assembly))
    return {stack: side for stack, side in found if side is not None}


def _expiring(assembly: Assembly) -> set[str]:
    return {stack for stack, _ in assembly.resources("Custom::TimeToLive")}


def _state_machine(reader: _Reader, stack: str, resource: str) -> Iterator[Line]:
    definition = _definition(reader.assembly, stack, resource)
    if definition is None:
        reader.skip(stack, resource, "waits for a custom resource, in a deployment only")
        return
    side = _pipeline(definition)
    if side is None and "states:startExecution" not in json.dumps(definition):
        reader.skip(stack, resource, "runs in a deployment only; what it starts is paid once, not by the month")
        return
    transitions = _transitions(definition, STAGES if side else ())
    yield reader.line(
        stack,
        resource,
        "transitions",
        "states/transition",
        (transitions, ("runs",)),
        detail=f"{transitions} of a run that goes well",
    )
    if side == "sagemaker":
        seconds = [0.0, 0.0]
        for stage in STAGES:
            fixed, per_event = yield from _job(reader, stack, resource, stage, definition["States"][stage])
            seconds = [seconds[0] + fixed, seconds[1] + per_event]
        if "TimeoutSeconds" in definition:
            reader.ends("sagemaker", "the pipeline", float(definition["TimeoutSeconds"]), *seconds)
    if side == "emr" and not reader.assembly.resources("AWS::EMR::Cluster"):
        created = next(
            (
                state["Parameters"]
                for state in definition["States"].values()
                if state.get("Resource", "").endswith(CLUSTER_CALLS)
            ),
            None,
        )
        if created is None:
            raise UserError(f"{stack}: {resource}: no state starts a cluster, and there is no AWS::EMR::Cluster")
        yield from _cluster_lines(reader, stack, resource, created, persistent=False)


def _transitions(definition: Mapping[str, Any], through: Sequence[str] = ()) -> int:
    """States that an execution enters on the shortest way through these states to a good end.

    A parallel state counts with all of its branches.
    """
    states: Mapping[str, Mapping[str, Any]] = definition["States"]
    ends = {name for name, state in states.items() if state["Type"] == "Succeed" or state.get("End")}
    first = definition["StartAt"]
    stops = [{first}, *({name} for name in through if name != first), ends]
    total = _entered(states[first])
    for (start, *_), goals in pairwise(stops):
        total += _shortest(states, start, goals)
    return total


def _shortest(states: Mapping[str, Mapping[str, Any]], start: str, goals: Set[str]) -> int:
    """States entered from one state until the nearest of others; 0 if none of them can be reached."""
    counts = {start: 0}
    waiting = [start]
    while waiting:
        name = waiting.pop(0)
        state = states[name]
        following = [state[key] for key in ("Next", "Default") if key in state]
        following += [choice["Next"] for choice in state.get("Choices", [])]
        for each in following:
            count = counts[name] + _entered(states[each])
            if count < counts.get(each, count + 1):
                counts[each] = count
                waiting.append(each)
    return min((counts[goal] for goal in goals if goal in counts), default=0)


def _entered(state: Mapping[str, Any]) -> int:
    return 1 + sum(_transitions(branch) for branch in state.get("Branches", []))


def _time_limit(state: Mapping[str, Any]) -> float | None:
    """Seconds after which a stage is ended; None: it is not."""
    stopping = state.get("Parameters", {}).get("StoppingCondition", {})
    found = [each[key] for each, key in ((state, "TimeoutSeconds"), (stopping, "MaxRuntimeInSeconds")) if key in each]
    return min(map(float, found), default=None)


def _job(
    reader: _Reader, stack: str, resource: str, stage: StageName, state: Mapping[str, Any]
) -> Generator[Line, None, tuple[float, float]]:
    """A stage of the SageMaker side: instances by the second, and their volumes; returns how long it takes.

    That is: fixed seconds, and seconds for each event.
    """
    component, path = _JOBS[state["Resource"].rpartition(":")[2].removesuffix(".sync")]
    machines = state["Parameters"]
    for key in path:
        machines = machines[key]
    kind, count = machines["InstanceType"], _whole(machines, "InstanceCount", 1, 1)
    item = f"sagemaker/{component}/{kind}"
    vcpus = reader.vcpus(stack, resource, kind, item)
    side = reader.workload.sides["sagemaker"]
    work = side.stages[stage]
    fixed = side.startup_seconds + work.fixed_seconds
    # Instances share the work, so that the growing part of the instances' seconds does not depend on their number.
    growing = work.core_seconds_per_event / vcpus
    limit = _time_limit(state)
    if limit is not None:
        reader.ends("sagemaker", stage, limit, fixed, growing / count)
    runs: tuple[Driver, ...] = ("runs",)
    grows: tuple[Driver, ...] = ("runs", "events")
    yield reader.line(
        stack,
        resource,
        f"{stage}: instances",
        item,
        (count * fixed / 3600, runs),
        (growing / 3600, grows),
        detail=f"{count} x {kind}",
    )
    if "VolumeSizeInGB" not in machines:
        reader.skip(stack, resource, f"{stage}: its instances' storage, of a size that the service sets")
        return fixed, growing / count
    volume = _whole(machines, "VolumeSizeInGB", 0, 1)
    # Every instance gets all of the raw data (prepare) or of what the side writes, and keeps what it writes itself.
    held = side.bytes_per_event + (reader.workload.raw_bytes_per_event if stage == "prepare" else 0)
    if held:
        what = "raw data and what the side writes" if stage == "prepare" else "what the side writes"
        why = f"{what} would fill the {volume} GB of {stage} (SageMaker)"
        reader.volumes.append(Limit(value=volume * GB / held, why=why))
    share = volume / 3600 / HOURS_A_MONTH
    yield reader.line(
        stack,
        resource,
        f"{stage}: storage",
        f"sagemaker/storage/{component}",
        (count * fixed * share, runs),
        (growing * share, grows),
        detail=f"{count} x {volume} GB",
    )
    return fixed, growing / count


# -- the cluster


@dataclass(frozen=True)
class _Nodes:
    role: str
    type: str
    count: int
    spot: int
    gigabytes: float
    disk: str


def _cluster(reader: _Reader, stack: str, resource: str) -> Iterator[Line]:
    return _cluster_lines(reader, stack, resource, reader.properties(stack, resource), persistent=True)


def _cluster_lines(
    reader: _Reader, stack: str, resource: str, cluster: Mapping[str, Any], *, persistent: bool
) -> Iterator[Line]:
    """A cluster's nodes: the instance, the EMR charge and the disks, by the hour."""
    nodes = list(_nodes(cluster))
    workers = sum(
        node.count * reader.vcpus(stack, resource, node.type, f"ec2/{node.type}")
        for node in nodes
        if node.role != "primary"
    )
    side = reader.workload.sides["emr"]
    stages = [side.stages[stage] for stage in STAGES]
    policy = cluster.get("AutoTerminationPolicy") or {}
    reader.parameters |= {
        "persistent": persistent,
        # Without such a policy it stands for ever.
        "idle_seconds": _whole(policy, "IdleTimeout", 0) if policy or not persistent else 86_400 * 36_500,
        "cluster_startup_seconds": side.startup_seconds,
        "cluster_fixed_seconds": sum(stage.fixed_seconds for stage in stages),
        "cluster_seconds_per_event": sum(stage.core_seconds_per_event for stage in stages) / (workers or 1),
    }
    _step_limits(reader, workers or 1)
    until = ("idle termination" if policy else "destroyed") if persistent else None
    for node in nodes:
        reader.machine(stack, resource, node.type, f"ec2/{node.type}")
        detail = f"{node.count} x {node.type}"
        on_demand: tuple[float, tuple[Driver, ...]] = (node.count - node.spot, ("cluster_hours",))
        spot: tuple[float, tuple[Driver, ...]] = (node.spot, ("cluster_hours", "spot_factor"))
        yield reader.line(
            stack,
            resource,
            f"{node.role}: instances",
            f"ec2/{node.type}",
            *[term for term in (on_demand, spot) if term[0]],
            detail=f"{detail}, {node.spot} of them Spot" if node.spot else detail,
            until=until,
        )
        yield reader.line(
            stack,
            resource,
            f"{node.role}: EMR charge",
            f"emr/{node.type}",
            (node.count, ("cluster_hours",)),
            detail=detail,
            until=until,
        )
        yield reader.line(
            stack,
            resource,
            f"{node.role}: disks",
            f"ebs/{node.disk}",
            (node.count * node.gigabytes / HOURS_A_MONTH, ("cluster_hours",)),
            detail=f"{node.count} x {node.gigabytes:g} GB",
            until=until,
        )


def _step_limits(reader: _Reader, workers: int) -> None:
    """When the steps of the EMR side are ended, and all of them together with the start of a cluster."""
    side = reader.workload.sides["emr"]
    definition = next(each for _, _, each in _machines(reader.assembly) if _pipeline(each) == "emr")
    for stage, work in side.stages.items():
        limit = _time_limit(definition["States"][stage])
        if limit is not None:
            reader.ends("emr", stage, limit, work.fixed_seconds, work.core_seconds_per_event / workers)
    if "TimeoutSeconds" in definition:
        fixed = side.startup_seconds + reader.parameters["cluster_fixed_seconds"]
        seconds = float(definition["TimeoutSeconds"])
        reader.ends("emr", "the pipeline", seconds, fixed, reader.parameters["cluster_seconds_per_event"])


_ROLES = {"MASTER": "primary", "CORE": "core", "TASK": "task"}


def _nodes(cluster: Mapping[str, Any]) -> Iterator[_Nodes]:
    """The nodes that a cluster starts with, as the API or as CloudFormation describes them."""
    instances = cluster["Instances"]
    root = _whole(cluster, "EbsRootVolumeSize", _DEFAULT_ROOT)
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
            spot = _whole(member, "TargetSpotCapacity", 0)
            count = _whole(member, "InstanceCount", 0) + _whole(member, "TargetOnDemandCapacity", 0) + spot
            if member.get("Market") == "SPOT":
                spot = count
            gigabytes, disk = _disks(first)
            yield _Nodes(role, first["InstanceType"], count, spot, root + gigabytes, disk)


def _disks(node: Mapping[str, Any]) -> tuple[float, str]:
    """GB of a node beside the root volume, and their kind."""
    devices = node.get("EbsConfiguration", {}).get("EbsBlockDeviceConfigs", [])
    if not devices:
        return _DEFAULT_DISKS.get(node["InstanceType"].rpartition(".")[2], 64), "gp2"
    volumes = [(device["VolumeSpecification"], _whole(device, "VolumesPerInstance", 1)) for device in devices]
    return sum(_whole(volume, "SizeInGB", 0) * count for volume, count in volumes), volumes[0][0]["VolumeType"]


# -- the endpoint


def _endpoint_config(reader: _Reader, stack: str, resource: str) -> Iterator[Line]:
    """The endpoint of a configuration: instances, or the seconds of a serverless one; and the data in and out."""
    properties = reader.properties(stack, resource)
    for variant in properties["ProductionVariants"]:
        serverless = variant.get("ServerlessConfig")
        if serverless:
            memory = _whole(serverless, "MemorySizeInMB", 0, 1)
            at_once = _whole(serverless, "MaxConcurrency", 0)
            yield reader.line(
                stack,
                resource,
                "serverless inference",
                f"sagemaker/serverless/{memory}",
                (1, ("requests", "request_seconds")),
                detail=f"{memory} MB",
                serving=True,
            )
            why = f"the serverless endpoint answers {at_once} at a time"
            reader.parameters |= {"serverless": True, "requests_limit": Limit(value=at_once, why=why)}
            continue
        kind, count = variant["InstanceType"], _whole(variant, "InitialInstanceCount", 1, 1)
        item = f"sagemaker/hosting/{kind}"
        reader.machine(stack, resource, kind, item)
        reader.parameters |= {"endpoint_minimum": count, "endpoint_maximum": count, **_scaling(reader, stack)}
        least, most = reader.parameters["endpoint_minimum"], reader.parameters["endpoint_maximum"]
        yield reader.line(
            stack,
            resource,
            "endpoint: instances",
            item,
            (1, ("endpoint_hours", "endpoint_instances")),
            detail=f"{least} x {kind}" if least == most else f"{least} to {most} x {kind}",
            serving=True,
        )
        reader.skip(stack, resource, "the instances' storage, of a size that the service sets")
    for name, item, size in (
        ("data in", "sagemaker/data-in", "request_gb"),
        ("data out", "sagemaker/data-out", "reply_gb"),
    ):
        driver: Driver = "request_gb" if size == "request_gb" else "reply_gb"
        yield reader.line(stack, resource, name, item, (1, ("requests", driver)), serving=True)
    capture = properties.get("DataCaptureConfig")
    if capture and capture.get("EnableCapture"):
        share = float(capture["InitialSamplingPercentage"]) / 100
        yield reader.line(
            stack,
            resource,
            "captured data",
            "s3/storage",
            (share, ("requests", "request_gb", "kept_months")),
            (share, ("requests", "reply_gb", "kept_months")),
            detail=f"{share:.0%} of requests and answers",
            serving=True,
        )


def _scaling(reader: _Reader, stack: str) -> dict[str, Any]:
    """The bounds and the target of the endpoint's autoscaling, where it has one, and what it carries with them."""
    found: dict[str, Any] = {}
    for in_stack, resource in reader.assembly.resources("AWS::ApplicationAutoScaling::ScalableTarget"):
        if in_stack == stack:
            target = reader.properties(stack, resource)
            try:
                least = _whole(target, "MinCapacity", 0)
                most = _whole(target, "MaxCapacity", 0, max(least, 1))
            except ValueError as error:
                raise _damaged(stack, resource, error) from error
            found |= {"endpoint_minimum": least, "endpoint_maximum": most}
    for in_stack, resource in reader.assembly.resources("AWS::ApplicationAutoScaling::ScalingPolicy"):
        if in_stack == stack:
            try:
                policy = reader.properties(stack, resource)["TargetTrackingScalingPolicyConfiguration"]
                value = float(policy["TargetValue"])
                if not 0 < value < math.inf:
                    raise ValueError(f"TargetValue {value:g}: must be a number above 0")
            except _DAMAGE as error:
                raise _damaged(stack, resource, error) from error
            found["endpoint_target"] = value
    if len(found) == 3:
        most, value = found["endpoint_maximum"], found["endpoint_target"]
        why = f"the endpoint has {most} instances at most, for {value:,g} requests a minute each"
        found["requests_limit"] = Limit(value=most * value / 60, why=why)
    return found


# -- the rest


def _bucket(reader: _Reader, stack: str, resource: str) -> Iterator[Line]:
    """The raw data, and what the runs of both sides write; the bucket of access logs is not priced."""
    buckets = reader.assembly.resources("AWS::S3::Bucket")
    logged = [reader.properties(*each).get("LoggingConfiguration", {}).get("DestinationBucketName") for each in buckets]
    if reader.assembly.resolve(stack, {"Ref": resource}) in logged:
        reader.skip(stack, resource, "access logs: a few hundred bytes a request, kept for a limited time")
        return
    raw = reader.workload.raw_bytes_per_event / GB
    yield reader.line(stack, resource, "raw data", "s3/storage", (raw, ("months", "events")))
    for name, work in reader.workload.sides.items():
        written = work.bytes_per_event / GB
        yield reader.line(
            stack, resource, "what runs write", "s3/storage", (written, ("runs", "events", "kept_months")), side=name
        )
        yield reader.line(stack, resource, "requests that write", "s3/put", (work.puts, ("runs",)), side=name)
        yield reader.line(stack, resource, "requests that read", "s3/get", (work.gets, ("runs",)), side=name)


def _key(reader: _Reader, stack: str, resource: str) -> Iterator[Line]:
    yield reader.line(stack, resource, "key", "kms/key", (1, ("months",)))
    reader.skip(stack, resource, "requests: few, since the bucket keeps keys of its own (0.03 US dollars for 10,000)")


def _vpc_endpoint(reader: _Reader, stack: str, resource: str) -> Iterator[Line]:
    properties = reader.properties(stack, resource)
    if properties.get("VpcEndpointType", "Gateway") != "Interface":
        reader.skip(stack, resource, "gateway endpoints are free")
        return
    zones = len(properties["SubnetIds"])
    service = str(properties["ServiceName"]).rpartition(".")[2]
    yield reader.line(
        stack,
        resource,
        "interface endpoint",
        "endpoint/hour",
        (zones, ("hours",)),
        detail=f"to {service}, {zones} {'zone' if zones == 1 else 'zones'}",
    )
    reader.skip(stack, resource, "data: requests and answers of a few kB only (0.01 US dollars a GB)")


def _nat(reader: _Reader, stack: str, resource: str) -> Iterator[Line]:
    yield reader.line(stack, resource, "NAT gateway", "nat/hour", (1, ("hours",)))
    reader.skip(stack, resource, "data: S3 has a gateway endpoint, the rest is little (0.045 US dollars a GB)")


def _alarm(reader: _Reader, stack: str, resource: str) -> Iterator[Line]:
    """Billed for every metric that it looks at (aws.amazon.com/cloudwatch/pricing, 2026-11-22)."""
    properties = reader.properties(stack, resource)
    metrics = sum("MetricStat" in metric for metric in properties.get("Metrics", [])) or 1
    yield reader.line(
        stack,
        resource,
        "alarm",
        "cloudwatch/alarm",
        (metrics, ("months",)),
        detail=f"{metrics} {'metric' if metrics == 1 else 'metrics'}",
        serving="AWS/SageMaker" in json.dumps(properties),
    )


def _dashboard(reader: _Reader, stack: str, resource: str) -> Iterator[Line]:
    yield reader.line(stack, resource, "dashboard", "cloudwatch/dashboard", (1, ("months",)))


_FREE = "free of charge"
_DEPLOYMENT = "called in a deployment or once a run, for seconds: less than a cent"

RULES: dict[str, Rule | str] = {
    "AWS::ApplicationAutoScaling::ScalableTarget": _FREE,
    "AWS::ApplicationAutoScaling::ScalingPolicy": "free of charge; the alarms that it makes are the service's",
    "AWS::Budgets::Budget": "free of charge without actions",
    "AWS::CDK::Metadata": _FREE,
    "AWS::CloudWatch::Alarm": _alarm,
    "AWS::CloudWatch::Dashboard": _dashboard,
    "AWS::CodeBuild::Project": "builds once a deployment, some minutes (0.005 US dollars each)",
    "AWS::EC2::EIP": "the NAT gateway's; a public address is 0.005 US dollars an hour, which is not in the price file",
    "AWS::EC2::FlowLog": "what it writes depends on the traffic (0.50 US dollars a GB)",
    "AWS::EC2::InternetGateway": _FREE,
    "AWS::EC2::NatGateway": _nat,
    "AWS::EC2::Route": _FREE,
    "AWS::EC2::RouteTable": _FREE,
    "AWS::EC2::SecurityGroup": _FREE,
    "AWS::EC2::SecurityGroupEgress": _FREE,
    "AWS::EC2::SecurityGroupIngress": _FREE,
    "AWS::EC2::Subnet": _FREE,
    "AWS::EC2::SubnetRouteTableAssociation": _FREE,
    "AWS::EC2::VPC": _FREE,
    "AWS::EC2::VPCEndpoint": _vpc_endpoint,
    "AWS::EC2::VPCGatewayAttachment": _FREE,
    "AWS::EMR::Cluster": _cluster,
    "AWS::EMR::SecurityConfiguration": "free of charge; it keeps a secret of EMR's for its certificate",
    "AWS::Events::Rule": "events of AWS services are free of charge",
    "AWS::Glue::Database": "a million objects and a million requests a month are free of charge",
    "AWS::Glue::Table": "a million objects and a million requests a month are free of charge",
    "AWS::IAM::InstanceProfile": _FREE,
    "AWS::IAM::ManagedPolicy": _FREE,
    "AWS::IAM::Policy": _FREE,
    "AWS::IAM::Role": _FREE,
    "AWS::KMS::Alias": _FREE,
    "AWS::KMS::Key": _key,
    "AWS::Lambda::Function": _DEPLOYMENT,
    "AWS::Lambda::LayerVersion": _FREE,
    "AWS::Lambda::Permission": _FREE,
    "AWS::Logs::LogGroup": "what jobs write depends on the run: some MB (0.50 US dollars a GB), kept for a month",
    "AWS::S3::Bucket": _bucket,
    "AWS::S3::BucketPolicy": _FREE,
    "AWS::SNS::Subscription": "a message an alarm; a thousand a month are free of charge",
    "AWS::SNS::Topic": "a message an alarm; a million a month are free of charge",
    "AWS::SNS::TopicPolicy": _FREE,
    "AWS::SQS::Queue": "holds what the time to live could not do; a million requests a month are free of charge",
    "AWS::SQS::QueuePolicy": _FREE,
    "AWS::SageMaker::Endpoint": "priced with its configuration",
    "AWS::SageMaker::EndpointConfig": _endpoint_config,
    "AWS::SageMaker::Model": _FREE,
    "AWS::Scheduler::Schedule": "rings once, and hourly while it is refused; 14 million a month are free of charge",
    "AWS::StepFunctions::StateMachine": _state_machine,
    "Custom::*": "a call of a function, in a deployment only",
    "Custom::Execution": "what it starts runs once a deployment: data, code, or one run of the pipeline",
}
"""By CloudFormation type: the rule that prices it, or why it has no price of its own (aws.amazon.com, 2026-11-22)."""

_ASSUMPTIONS = (
    "On-demand list prices before tax, without credits, Savings Plans and volume discounts. What is priced is priced "
    "from the first unit, without the free tier.",
    "What is not priced for a free allowance relies on it, each a month: a million objects and a million requests of "
    "the Glue catalogue, a million messages and a thousand e-mails of SNS, and 14 million calls of EventBridge "
    "Scheduler.",
    "A month has 730 hours; runs are spread evenly over the day, requests over the endpoint's hours.",
    "Work divides evenly over vCPUs and grows in proportion to the events; a vCPU counts as a core of the measured "
    "machine.",
    "Whether the data fits an instance's memory, and what Spark keeps on a cluster's disks while it works, is not "
    "known and not checked.",
    "A cluster works with the nodes that it starts with: managed scaling brings more nodes for a shorter time.",
    "A persistent cluster that idle termination has ended stays away; each run then starts and ends one of its own.",
    "A fleet takes the first of its instance types.",
    "Spot instances cost as on-demand ones unless spot_discount says otherwise: there is no list price for them.",
    "Waiting for a cluster or a training job, retries and failed runs are not counted.",
    "What is paid once for a deployment is not counted: publishing the code, generating data, the first run, and the "
    "time until a cluster that nobody uses has ended itself.",
)


def _limit_notes(reader: _Reader) -> Iterator[str]:
    """Where the templates end: the first time limit of each side, the first volume, the endpoint, the time to live."""
    for limits in (*reader.times.values(), reader.volumes):
        first = _least(limits)
        if first is not None:
            yield f"By this model, more than {number(first.value)} events a run do not fit: {first.why}."
    requests = reader.parameters.get("requests_limit")
    if requests is not None and not reader.parameters.get("serverless"):
        yield f"More than {number(requests.value)} requests a second cost no more and are not carried: {requests.why}."
    elif requests is not None:
        yield f"More requests than it carries are not answered: {requests.why}."
    stacks: dict[object, list[str]] = {}
    for stack, resource in reader.assembly.resources("Custom::TimeToLive"):
        stacks.setdefault(reader.properties(stack, resource).get("Hours"), []).append(stack)
    for hours, names in stacks.items():
        yield (
            f"{' and '.join(names)} {'delete' if len(names) > 1 else 'deletes'} all that stands in "
            f"{'them' if len(names) > 1 else 'it'}, such as an endpoint or a cluster, {hours} hours after the "
            "deployment; a month counts the usage's hours, as if that were always deployed again."
        )


def _origins(workload: Workload) -> Iterator[str]:
    """Where the workload's figures come from."""
    least, most = workload.measured_events
    sizes = f"{number(most)} events only" if least == most else f"{number(least)} to {number(most)} events"
    yield f"Seconds were measured at {sizes}; those of any other number of events are extrapolated in a straight line."
    yield f"Sizes and numbers of files: {workload.data_origin}."
    yield "Requests to S3 are those of that run, whatever the number of events: they do not grow with the data here."
    for name, side in workload.sides.items():
        yield f"Start of {'a job' if name == 'sagemaker' else 'a cluster'}: {side.startup_origin}."
        by_origin: dict[str, list[StageName]] = {}
        for stage in STAGES:
            by_origin.setdefault(side.stages[stage].origin, []).append(stage)
        for origin, stages in by_origin.items():
            yield f"Work of {', '.join(stages)} ({TITLES[name]}): {origin}."
