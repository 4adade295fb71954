"""How Amazon SageMaker is billed: jobs by the second, an endpoint by the hour or by the request."""

import math
from collections.abc import Generator, Iterator, Mapping
from typing import Any

from comparison.cost.billing import (
    DAMAGE,
    Billed,
    Definition,
    EventsLimit,
    Part,
    Resource,
    RunLineItem,
    Service,
    SideRun,
    damaged,
    ended_after,
    instances_of,
    time_limit,
    whole,
)
from comparison.cost.lines import GB, Driver, Limit, Parameters
from comparison.cost.prices import HOURS_A_MONTH
from comparison.summary import TITLES
from record.schema import STAGES, Stage, StageName

# A job's component in the price list, where its request names instances and volume.
_JOBS = {
    "createProcessingJob": ("processing", ("ProcessingResources", "ClusterConfig")),
    "createTrainingJob": ("training", ("ResourceConfig",)),
    "createTransformJob": ("transform", ("TransformResources",)),
}
_COMPONENTS: dict[StageName, str] = {
    "prepare": "processing",
    "train": "training",
    "evaluate": "processing",
    "score": "transform",
}
"""Of a record's stages, which do not say what job they were."""


def _pipeline(resource: Resource, definition: Definition) -> Iterator[Billed]:
    """The jobs of a state machine, and when it is ended."""
    fixed, per_event = 0.0, 0.0
    for stage in STAGES:
        start, growing = yield from _job(resource, stage, definition["States"][stage])
        fixed, per_event = fixed + start, per_event + growing
    if "TimeoutSeconds" in definition:
        yield from ended_after(resource.side, "the pipeline", float(definition["TimeoutSeconds"]), fixed, per_event)


def _job(
    resource: Resource, stage: StageName, state: Mapping[str, Any]
) -> Generator[Billed, None, tuple[float, float]]:
    """A stage: instances by the second, and their volumes; returns how long it takes.

    That is: fixed seconds, and seconds for each event.
    """
    component, path = _JOBS[state["Resource"].rpartition(":")[2].removesuffix(".sync")]
    instances = state["Parameters"]
    for key in path:
        instances = instances[key]
    kind, count = instances["InstanceType"], whole(instances, "InstanceCount", 1, 1)
    item = f"sagemaker/{component}/{kind}"
    vcpus = resource.vcpus(kind, item)
    side = resource.runtime.of(resource.side)
    work = side.stages[stage]
    fixed = side.startup_seconds + work.fixed_seconds
    # Instances share the work, so that the growing part of the instances' seconds does not depend on their number.
    growing = work.core_seconds_per_event / vcpus
    limit = time_limit(state)
    if limit is not None:
        yield from ended_after(resource.side, stage, limit, fixed, growing / count)
    runs: tuple[Driver, ...] = ("runs",)
    grows: tuple[Driver, ...] = ("runs", "events")
    yield resource.item(
        f"{stage}: instances",
        item,
        (count * fixed / 3600, runs),
        (growing / 3600, grows),
        detail=f"{count} x {kind}",
    )
    if "VolumeSizeInGB" not in instances:
        yield resource.not_priced(f"{stage}: its instances' storage, of a size that the service sets")
        return fixed, growing / count
    volume = whole(instances, "VolumeSizeInGB", 0, 1)
    # Every instance gets all of the raw data (prepare) or of what the side writes, and keeps what it writes itself.
    held = side.bytes_per_event + (resource.runtime.raw_bytes_per_event if stage == "prepare" else 0)
    if held:
        what = "raw data and what the side writes" if stage == "prepare" else "what the side writes"
        why = f"{what} would fill the {volume} GB of {stage} ({TITLES[resource.side]})"
        yield EventsLimit("volume", Limit(value=volume * GB / held, why=why))
    share = volume / 3600 / HOURS_A_MONTH
    yield resource.item(
        f"{stage}: storage",
        f"sagemaker/storage/{component}",
        (count * fixed * share, runs),
        (growing * share, grows),
        detail=f"{count} x {volume} GB",
    )
    return fixed, growing / count


def _endpoint_config(resource: Resource) -> Iterator[Billed]:
    """The endpoint of a configuration: instances, or the seconds of a serverless one; and the data in and out."""
    properties = resource.properties
    for variant in properties["ProductionVariants"]:
        yield from _serverless(resource, variant) if variant.get("ServerlessConfig") else _hosted(resource, variant)
    yield resource.item("data in", "sagemaker/data-in", (1, ("requests", "request_gb")), serving=True)
    yield resource.item("data out", "sagemaker/data-out", (1, ("requests", "reply_gb")), serving=True)
    capture = properties.get("DataCaptureConfig")
    if capture and capture.get("EnableCapture"):
        share = float(capture["InitialSamplingPercentage"]) / 100
        yield resource.item(
            "captured data",
            "s3/storage",
            (share, ("requests", "request_gb", "kept_months")),
            (share, ("requests", "reply_gb", "kept_months")),
            detail=f"{share:.0%} of requests and responses",
            serving=True,
        )


def _serverless(resource: Resource, variant: Mapping[str, Any]) -> Iterator[Billed]:
    serverless = variant["ServerlessConfig"]
    memory = whole(serverless, "MemorySizeInMB", 0, 1)
    at_once = whole(serverless, "MaxConcurrency", 0)
    yield resource.item(
        "serverless inference",
        f"sagemaker/serverless/{memory}",
        (1, ("requests", "request_seconds")),
        detail=f"{memory} MB",
        serving=True,
    )
    why = f"the serverless endpoint answers {at_once} at a time"
    yield Parameters(serverless=True, requests_limit=Limit(value=at_once, why=why))


def _hosted(resource: Resource, variant: Mapping[str, Any]) -> Iterator[Billed]:
    kind, count = variant["InstanceType"], whole(variant, "InitialInstanceCount", 1, 1)
    item = f"sagemaker/hosting/{kind}"
    resource.instance_type(kind, item)
    parameters = Parameters.model_validate({"endpoint_minimum": count, "endpoint_maximum": count, **_scaling(resource)})
    yield parameters
    least, most = parameters.endpoint_minimum, parameters.endpoint_maximum
    yield resource.item(
        "endpoint: instances",
        item,
        (1, ("endpoint_hours", "endpoint_instances")),
        detail=f"{least} x {kind}" if least == most else f"{least} to {most} x {kind}",
        serving=True,
    )
    yield resource.not_priced("the instances' storage, of a size that the service sets")


def _scaling(resource: Resource) -> dict[str, Any]:
    """The bounds and the target of the endpoint's autoscaling, where it has one, and what it carries with them."""
    found: dict[str, Any] = {}
    for stack, name in resource.assembly.resources("AWS::ApplicationAutoScaling::ScalableTarget"):
        if stack == resource.stack:
            target = resource.assembly.properties(stack, name)
            try:
                least = whole(target, "MinCapacity", 0)
                most = whole(target, "MaxCapacity", 0, max(least, 1))
            except ValueError as error:
                raise damaged(stack, name, error) from error
            found |= {"endpoint_minimum": least, "endpoint_maximum": most}
    for stack, name in resource.assembly.resources("AWS::ApplicationAutoScaling::ScalingPolicy"):
        if stack == resource.stack:
            try:
                policy = resource.assembly.properties(stack, name)["TargetTrackingScalingPolicyConfiguration"]
                value = float(policy["TargetValue"])
                if not 0 < value < math.inf:
                    raise ValueError(f"TargetValue {value:g}: must be a number above 0")
            except DAMAGE as error:
                raise damaged(stack, name, error) from error
            found["endpoint_target"] = value
    if len(found) == 3:
        most, value = found["endpoint_maximum"], found["endpoint_target"]
        why = f"the endpoint has {most} instances at most, for {value:,g} requests a minute each"
        found["requests_limit"] = Limit(value=most * value / 60, why=why)
    return found


def _run(run: SideRun) -> Iterator[RunLineItem]:
    """A run's jobs: each stage has instances and a volume of its own."""
    for stage in run.stages:
        component = _COMPONENTS[stage.name]
        for part, seconds, estimate in _job_seconds(run, stage):
            for each in instances_of(stage):
                hours = None if seconds is None else each.count * seconds / 3600
                item = f"sagemaker/{component}/{each.type}"
                yield run.item(stage.name, part, "instances", hours, item, estimate)
                # The volume of a transform job is the service's, and has no price of its own.
                if component != "transform":
                    volume = run.setting(f"{run.section}.{stage.name}.volume_gb")
                    months = None if hours is None or volume is None else hours * volume / HOURS_A_MONTH
                    yield run.item(stage.name, part, "storage", months, f"sagemaker/storage/{component}", estimate)


def _job_seconds(run: SideRun, stage: Stage) -> Iterator[tuple[Part, float | None, str | None]]:
    """Billed seconds of one instance: of the job's and the engine's start, and of the work that grows."""
    side = run.runtime.of(run.side)
    work = side.stages[stage.name]
    fixed = side.startup_seconds + work.fixed_seconds
    why = f"{side.startup_origin}; the engine's start: {work.origin}"
    if run.record.where == "aws":
        billed = stage.billable_seconds
        yield "start-up and idle", None if billed is None else min(billed, fixed), f"of what was billed, {why}"
        # Both parts together are what was billed.
        yield "work", None if billed is None else max(0.0, billed - fixed), None
        return
    yield "start-up and idle", fixed, why
    yield "work", run.growing(stage), work.origin


SERVICE = Service(
    resources={
        "AWS::ApplicationAutoScaling::ScalableTarget": "free of charge",
        "AWS::ApplicationAutoScaling::ScalingPolicy": "free of charge; the alarms that it makes are the service's",
        "AWS::SageMaker::Endpoint": "priced with its configuration",
        "AWS::SageMaker::EndpointConfig": _endpoint_config,
        "AWS::SageMaker::Model": "free of charge",
    },
    tasks=frozenset({"sagemaker"}),
    pipeline=_pipeline,
    run=_run,
)
