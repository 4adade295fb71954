"""The cost of synthesised templates.

    estimate(Assembly(Path("cdk.out")), Usage.of(["runs_per_day=4"]), PriceBook.load())

`RESOURCES` says of every resource type what bills it, or why it has no price of its own.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from assembly.template import Assembly
from comparison.cost import shared, state_machines
from comparison.cost.billing import (
    DAMAGE,
    Bill,
    Billed,
    EventsLimit,
    Resource,
    damaged,
)
from comparison.cost.lines import Estimate, Limit, LineItem, NotPriced, Parameters, number
from comparison.cost.prices import PriceBook
from comparison.cost.registry import SERVICES
from comparison.cost.runtime import RuntimeModel
from comparison.cost.usage import Usage
from comparison.summary import TITLES
from record.errors import UserError
from record.schema import STAGES, SideName, StageName
from sides import SIDES

RESOURCES: dict[str, Bill | str] = {
    state_machines.TYPE: state_machines.bill,
    **shared.RESOURCES,
    **{kind: bill for service in SERVICES.values() for kind, bill in service.resources.items()},
}
"""By CloudFormation type: what bills it, or why it has no price of its own."""

_CUSTOM = "Custom::"


def bill_of(resource_type: str) -> Bill | str | None:
    """How resources of a type are billed, or why they are not; None: nothing here knows the type."""
    if resource_type.startswith(_CUSTOM):
        return RESOURCES.get(resource_type, RESOURCES[f"{_CUSTOM}*"])
    return RESOURCES.get(resource_type)


def estimate(
    assembly: Assembly, usage: Usage, book: PriceBook, runtime: RuntimeModel | None = None, region: str = "us-east-1"
) -> Estimate:
    """What the templates cost for a usage; an estimate, as the assumptions that come with it say.

    Raises:
        UserError: no price is known for the region, a type of resource or instance is not known at all, a pipeline is
            missing or of no known service, or a resource is not as its type must be; one line.
    """
    if region not in book.regions:
        raise UserError(f"no prices for region {region}; allowed: {', '.join(sorted(book.regions))}")
    runtime = runtime or RuntimeModel.load()
    found = state_machines.pipelines(assembly)
    if not found:
        raise UserError(f"{assembly.folder}: no template has a pipeline; the templates of a side at least are needed")
    # In the order of the registry, as a run has them.
    sides = tuple(side for side in SIDES if side in [of for of, _ in found.values()])
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
        sides=sides,
        usage=usage,
        parameters=parameters,
        lines=items,
        not_priced=_grouped([each for each in billed if isinstance(each, NotPriced)]),
        assumptions=(
            *_ASSUMPTIONS,
            *_limit_notes(sides, limits, parameters),
            *_lifetimes(assembly),
            *_origins(sides, runtime),
        ),
    )


def _bill(resource: Resource) -> list[Billed]:
    bill = bill_of(resource.type)
    if bill is None:
        raise UserError(
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


def _limit_notes(sides: Sequence[SideName], limits: Sequence[EventsLimit], parameters: Parameters) -> Iterator[str]:
    """Where the templates end: the first limit of each kind of the events, and the endpoint's of the requests."""
    kinds = [f"time of {side}" for side in sides]
    kinds = list(dict.fromkeys([*kinds, *(each.kind for each in limits)]))
    for kind in kinds:
        first = _least([each.limit for each in limits if each.kind == kind])
        if first is not None:
            yield f"By this model, more than {number(first.value)} events a run do not fit: {first.why}."
    requests = parameters.requests_limit
    if requests is not None and not parameters.serverless:
        yield f"More than {number(requests.value)} requests a second cost no more and are not served: {requests.why}."
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


def _origins(sides: Sequence[SideName], runtime: RuntimeModel) -> Iterator[str]:
    """Where the runtime model's figures come from."""
    least, most = runtime.measured_events
    sizes = f"{number(most)} events only" if least == most else f"{number(least)} to {number(most)} events"
    yield f"Seconds were measured at {sizes}; those of any other number of events are extrapolated in a straight line."
    yield f"Sizes and numbers of files: {runtime.data_origin}."
    yield "Requests to S3 are those of that run, whatever the number of events: they do not grow with the data here."
    for name in sides:
        side = runtime.of(name)
        yield f"Start of a {side.runs_on}: {side.startup_origin}."
        by_origin: dict[str, list[StageName]] = {}
        for stage in STAGES:
            by_origin.setdefault(side.stages[stage].origin, []).append(stage)
        for origin, stages in by_origin.items():
            yield f"Work of {', '.join(stages)} ({TITLES[name]}): {origin}."
