"""The cost of synthesised templates.

    estimate(Assembly(Path("cdk.out")), Usage.of(["runs_per_day=4"]), PriceBook.load())

`registry` says of every resource type what bills it, or why it has no price of its own.
"""

from collections.abc import Iterator, Mapping, Sequence, Set
from itertools import pairwise
from typing import Any

from assembly.template import Assembly
from comparison.cost import CostError
from comparison.cost.billing import (
    DAMAGE,
    Bill,
    Billed,
    Definition,
    EventsLimit,
    Resource,
    damaged,
    definition_of,
)
from comparison.cost.lines import Estimate, Limit, LineItem, NotPriced, Parameters, number
from comparison.cost.prices import PriceBook
from comparison.cost.registry import SERVICES, bill_of, sides_of, task_service
from comparison.cost.runtime import RuntimeModel
from comparison.cost.usage import Usage
from comparison.summary import TITLES
from record.schema import SIDES, STAGES, SideName, StageName

_STATE_MACHINE = "AWS::StepFunctions::StateMachine"
_STARTS_RUNS = "states"
_ONCE_A_DEPLOYMENT = frozenset({"codebuild", "lambda"}.union(*(service.tasks for service in SERVICES.values())))
"""Services that a state machine calls that is no pipeline: it publishes the code, or generates data."""


def estimate(
    assembly: Assembly, usage: Usage, book: PriceBook, runtime: RuntimeModel | None = None, region: str = "us-east-1"
) -> Estimate:
    """What the templates cost for a usage; an estimate, as the assumptions that come with it say.

    Raises:
        CostError: no price is known for the region, a type of resource or instance is not known at all, a pipeline is
            missing or of no known service, or a resource is not as its type must be; one line.
        TemplateError: the templates hold something that cannot be resolved.
    """
    if region not in book.regions:
        raise CostError(f"no prices for region {region}; allowed: {', '.join(sorted(book.regions))}")
    runtime = runtime or RuntimeModel.load()
    found = _pipelines(assembly)
    for side in SIDES:
        if side not in [of for of, _ in found.values()]:
            raise CostError(
                f"{assembly.folder}: no template has the pipeline of {TITLES[side]}; the templates of all sides are "
                "needed"
            )
    expiring = {stack for stack, _ in assembly.resources("Custom::TimeToLive")}
    billed: list[Billed] = []
    for stack, template in assembly.templates.items():
        for name, definition in template.get("Resources", {}).items():
            resource = Resource(
                assembly=assembly,
                book=book,
                region=region,
                runtime=runtime,
                pipelines=dict(found.values()),
                stack=stack,
                name=name,
                type=definition["Type"],
                side=found[stack][0] if stack in found else "shared",
                expires=stack in expiring,
            )
            billed += _bill(resource)
    items = tuple(each for each in billed if isinstance(each, LineItem))
    limits = [each for each in billed if isinstance(each, EventsLimit)]
    given: dict[str, Any] = {}
    for each in billed:
        if isinstance(each, Parameters):
            given |= {name: getattr(each, name) for name in each.model_fields_set}
    parameters = Parameters(**given, events_limit=_least([each.limit for each in limits]))
    return Estimate(
        region=region,
        usage=usage,
        parameters=parameters,
        lines=items,
        not_priced=_grouped([each for each in billed if isinstance(each, NotPriced)]),
        assumptions=(*_ASSUMPTIONS, *_limit_notes(limits, parameters), *_lifetimes(assembly), *_origins(runtime)),
    )


def _bill(resource: Resource) -> list[Billed]:
    bill = _state_machine if resource.type == _STATE_MACHINE else bill_of(resource.type)
    if bill is None:
        raise CostError(
            f"{resource.stack}: {resource.name}: resource type {resource.type} is not known; "
            "allowed: the types that comparison/cost bills or says to be free"
        )
    if isinstance(bill, str):
        return [resource.not_priced(bill)]
    return _read(resource, bill)


def _read(resource: Resource, bill: Bill) -> list[Billed]:
    try:
        return list(bill(resource))
    except DAMAGE as error:
        raise damaged(resource.stack, resource.name, error) from error


def _grouped(found: Sequence[NotPriced]) -> tuple[NotPriced, ...]:
    """Resources of one stack, type and reason together."""
    groups: dict[tuple[str, str, str], list[NotPriced]] = {}
    for each in found:
        groups.setdefault((each.stack, each.type, each.why), []).append(each)
    return tuple(
        first.model_copy(update={"resources": tuple(name for each in (first, *others) for name in each.resources)})
        for first, *others in groups.values()
    )


def _least(limits: Sequence[Limit]) -> Limit | None:
    return min(limits, key=lambda limit: limit.value, default=None)


# -- state machines


def _pipelines(assembly: Assembly) -> dict[str, tuple[SideName, Definition]]:
    """The pipelines by stack: whose they are, and their definitions. A pipeline has all stages.

    Raises:
        CostError: a pipeline's stages are tasks of no known service, or of several.
    """
    found: dict[str, tuple[SideName, Definition]] = {}
    for stack, name in assembly.resources(_STATE_MACHINE):
        definition = definition_of(assembly, stack, name)
        if definition is None or not _is_pipeline(definition):
            continue
        try:
            tasks = [str(definition["States"][stage]["Resource"]) for stage in STAGES]
            sides = sides_of(tasks)
        except DAMAGE as error:
            raise damaged(stack, name, error) from error
        if len(sides) != 1:
            services = ", ".join(sorted(set().union(*(SERVICES[side].tasks for side in SERVICES))))
            raise CostError(
                f"{stack}: {name}: the pipeline's stages are not tasks of one known service: "
                f"{', '.join(dict.fromkeys(tasks))}; allowed: tasks of {services}"
            )
        found[stack] = sides[0], definition
    return found


def _is_pipeline(definition: Definition) -> bool:
    return all(isinstance(definition["States"].get(stage), dict) for stage in STAGES)


def _state_machine(resource: Resource) -> Iterator[Billed]:
    definition = definition_of(resource.assembly, resource.stack, resource.name)
    if definition is None:
        yield resource.not_priced("waits for a custom resource, in a deployment only")
        return
    pipeline = _is_pipeline(definition)
    services = {task_service(task) for task in _tasks(definition)}
    if not pipeline and _STARTS_RUNS not in services:
        unknown = services - _ONCE_A_DEPLOYMENT
        if unknown:
            raise CostError(
                f"{resource.stack}: {resource.name}: a state machine with tasks of {', '.join(sorted(unknown))}; "
                f"allowed: tasks of {', '.join(sorted(_ONCE_A_DEPLOYMENT))}"
            )
        yield resource.not_priced("runs in a deployment only; what it starts is paid once, not by the month")
        return
    transitions = _transitions(definition, STAGES if pipeline else ())
    yield resource.item(
        "transitions",
        "states/transition",
        (transitions, ("runs",)),
        detail=f"{transitions} of a run that goes well",
    )
    if pipeline and resource.side != "shared":
        yield from SERVICES[resource.side].pipeline(resource, definition)


def _tasks(definition: Definition) -> Iterator[str]:
    """The ARNs of all tasks, those in branches too."""
    for state in definition["States"].values():
        if state["Type"] == "Task":
            yield str(state["Resource"])
        for branch in state.get("Branches", []):
            yield from _tasks(branch)


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


# -- what was assumed


_ASSUMPTIONS = (
    "On-demand list prices before tax, without credits, Savings Plans and volume discounts. What is priced is priced "
    "from the first unit, without the free tier.",
    "What is not priced for a free allowance relies on it, each a month: a million objects and a million requests of "
    "the Glue catalogue, a million messages and a thousand e-mails of SNS, and 14 million calls of EventBridge "
    "Scheduler.",
    "A month has 730 hours; runs are spread evenly over the day, requests over the endpoint's hours.",
    "Work divides evenly over vCPUs and grows in proportion to the events; a vCPU counts as a core of the measured "
    "host.",
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


def _limit_notes(limits: Sequence[EventsLimit], parameters: Parameters) -> Iterator[str]:
    """Where the templates end: the first limit of each kind of the events, and the endpoint's of the requests."""
    kinds = [f"time of {side}" for side in SIDES]
    kinds = list(dict.fromkeys([*kinds, *(each.kind for each in limits)]))
    for kind in kinds:
        first = _least([each.limit for each in limits if each.kind == kind])
        if first is not None:
            yield f"By this model, more than {number(first.value)} events a run do not fit: {first.why}."
    requests = parameters.requests_limit
    if requests is not None and not parameters.serverless:
        yield f"More than {number(requests.value)} requests a second cost no more and are not carried: {requests.why}."
    elif requests is not None:
        yield f"More requests than it carries get no response: {requests.why}."


def _lifetimes(assembly: Assembly) -> Iterator[str]:
    """When stacks delete themselves."""
    stacks: dict[object, list[str]] = {}
    for stack, name in assembly.resources("Custom::TimeToLive"):
        stacks.setdefault(assembly.properties(stack, name).get("Hours"), []).append(stack)
    for hours, names in stacks.items():
        yield (
            f"{' and '.join(names)} {'delete' if len(names) > 1 else 'deletes'} all that is always on in "
            f"{'them' if len(names) > 1 else 'it'}, such as an endpoint or a cluster, {hours} hours after the "
            "deployment; a month counts the usage's hours, as if that were always deployed again."
        )


def _origins(runtime: RuntimeModel) -> Iterator[str]:
    """Where the runtime model's figures come from."""
    least, most = runtime.measured_events
    sizes = f"{number(most)} events only" if least == most else f"{number(least)} to {number(most)} events"
    yield f"Seconds were measured at {sizes}; those of any other number of events are extrapolated in a straight line."
    yield f"Sizes and numbers of files: {runtime.data_origin}."
    yield "Requests to S3 are those of that run, whatever the number of events: they do not grow with the data here."
    for name, side in runtime.sides.items():
        yield f"Start of a {side.runs_on}: {side.startup_origin}."
        by_origin: dict[str, list[StageName]] = {}
        for stage in STAGES:
            by_origin.setdefault(side.stages[stage].origin, []).append(stage)
        for origin, stages in by_origin.items():
            yield f"Work of {', '.join(stages)} ({TITLES[name]}): {origin}."
