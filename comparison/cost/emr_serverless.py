"""How Amazon EMR Serverless is billed: the workers of job runs, by the vCPUs, memory and storage that each has."""

from collections.abc import Iterator

from comparison.cost.billing import (
    Billed,
    Definition,
    Part,
    Resource,
    RunLineItem,
    Service,
    SideRun,
    ended_after,
    time_limit,
)
from comparison.cost.lines import MINIMUM_SECONDS, Driver, Parameters
from comparison.cost.runtime import worker_vcpus
from record.emr_serverless import WORKER, disk_gb, instances
from record.errors import UserError
from record.schema import STAGES, Instances, Stage, StageName

_FREE_GB = 20
"""Storage that a worker has free of charge (AWS EMR best practices, 2024-11-28)."""

_ITEMS = {"vCPUs": "emr-serverless/vcpu", "memory": "emr-serverless/memory", "storage": "emr-serverless/storage"}


def _pipeline(resource: Resource, definition: Definition) -> Iterator[Billed]:
    """The job runs of a state machine, and when each and all of them are ended."""
    side = resource.runtime.of(resource.side)
    fixed, per_event = 0.0, 0.0
    times: dict[str, float] = {}
    for stage in STAGES:
        state = definition["States"][stage]
        workers = instances(definition, state["Parameters"])
        if not workers:
            raise UserError(f"{resource.stack}: {resource.name}: {stage}: its parameters name no sizes of workers")
        work = side.stages[stage]
        start = side.startup_seconds + work.fixed_seconds
        growing = work.core_seconds_per_event / worker_vcpus(workers, resource.book, side.runs_on)
        times |= {f"{stage}_fixed_seconds": start, f"{stage}_seconds_per_event": growing}
        fixed, per_event = fixed + start, per_event + growing
        limit = time_limit(state)
        if limit is not None:
            yield from ended_after(resource.side, stage, limit, start, growing)
        runs: tuple[Driver, ...] = ("runs", f"{stage}_run_seconds")
        detail = ", ".join(f"{each.count} x {each.type}" for each in workers)
        for what, units in _of(workers, disk_gb(state["Parameters"])).items():
            if units:
                yield resource.item(f"{stage}: {what}", _ITEMS[what], (units / 3600, runs), detail=detail)
    yield Parameters.model_validate(times)
    if "TimeoutSeconds" in definition:
        yield from ended_after(resource.side, "the pipeline", float(definition["TimeoutSeconds"]), fixed, per_event)


def _application(resource: Resource) -> Iterator[Billed]:
    if resource.properties.get("InitialCapacity"):
        yield resource.not_priced("workers that are kept ready: billed as long as the application is started")
    else:
        yield resource.not_priced("free of charge: what is billed are the workers of its job runs")


def _of(workers: tuple[Instances, ...], disk: float | None) -> dict[str, float | None]:
    """How many vCPUs and GB the workers have together; storage beyond what is free, None if the disk is not known."""
    sizes = [(each.count, WORKER.fullmatch(each.type)) for each in workers]
    known = [(count, int(size[1]), int(size[2])) for count, size in sizes if size]
    return {
        "vCPUs": sum(count * vcpus for count, vcpus, _ in known),
        "memory": sum(count * memory for count, _, memory in known),
        "storage": None if disk is None else sum(count for count, _, _ in known) * max(0.0, disk - _FREE_GB),
    }


def _run(run: SideRun) -> Iterator[RunLineItem]:
    """A run's job runs: what was billed for each, or an estimate of what its workers would take."""
    for stage in run.stages:
        if run.record.where == "aws":
            yield from _billed(run, stage)
        else:
            yield from _estimated(run, stage)


def _billed(run: SideRun, stage: Stage) -> Iterator[RunLineItem]:
    """What was billed, divided by the time that the engine's start takes of a job run."""
    used = stage.utilization
    hours = {
        "vCPUs": None if used is None else used.vcpu_hours,
        "memory": None if used is None else used.memory_gb_hours,
        "storage": None if used is None else used.storage_gb_hours,
    }
    side = run.runtime.of(run.side)
    work = side.stages[stage.name]
    fixed = side.startup_seconds + work.fixed_seconds
    share = min(1.0, fixed / stage.billable_seconds) if stage.billable_seconds else 0.0
    why = f"of what was billed, {side.startup_origin}; the engine's start: {work.origin}"
    yield from _items(run, stage.name, "start-up and idle", hours, share, why)
    # Both parts together are what was billed.
    yield from _items(run, stage.name, "work", hours, 1 - share, None)


def _estimated(run: SideRun, stage: Stage) -> Iterator[RunLineItem]:
    side = run.runtime.of(run.side)
    work = side.stages[stage.name]
    growing = run.growing(stage)
    fixed = side.startup_seconds + work.fixed_seconds
    # What is missing for the minute that is billed at least is there however little data there is.
    fixed = max(fixed, MINIMUM_SECONDS - (growing or 0.0))
    units = _of(stage.instances, run.setting("emr_serverless.disk_gb"))
    why = f"{side.startup_origin}; the engine's start: {work.origin}"
    yield from _items(run, stage.name, "start-up and idle", units, fixed / 3600, why)
    more = None if growing is None else growing / 3600
    yield from _items(run, stage.name, "work", units, more, work.origin)


def _items(
    run: SideRun, stage: StageName, part: Part, units: dict[str, float | None], factor: float | None, why: str | None
) -> Iterator[RunLineItem]:
    for what, item in _ITEMS.items():
        amount = units[what]
        quantity = None if amount is None or factor is None else amount * factor
        yield run.item(stage, part, what, quantity, item, why)


SERVICE = Service(
    resources={"AWS::EMRServerless::Application": _application},
    tasks=frozenset({"emr-serverless", "emrserverless"}),
    pipeline=_pipeline,
    run=_run,
)
