"""What a service's file is made of: how resources of a template become line items, and a run's stages another's.

A file has a `Service`, which `registry` names. A function that bills a resource gets it with its resolved properties,
the prices and the runtime model, and yields what follows of it: line items, what is not priced, limits and parameters.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from assembly.template import Assembly
from comparison.cost.lines import Driver, Limit, LineItem, NotPriced, Parameters, Party, Term, number
from comparison.cost.prices import KINDS, InstanceType, Price, PriceBook, kind_of
from comparison.cost.runtime import RuntimeModel, worker_vcpus
from comparison.summary import TITLES
from record.errors import UserError
from record.schema import Instances, Record, SideName, Stage, StageName
from sides import SIDES

Definition = Mapping[str, Any]
"""A state machine's definition in the Amazon States Language."""

ALWAYS_ON: frozenset[Driver] = frozenset({"months", "hours", "endpoint_hours"})
"""Drivers of what costs while nothing runs."""

DAMAGE = (KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError, RecursionError)
"""What reading a resource that is not as its type must be can raise."""


@dataclass(frozen=True)
class EventsLimit:
    """How many events a run can have; ``kind``: of each kind only the first limit is told."""

    kind: str
    limit: Limit


Billed = LineItem | NotPriced | EventsLimit | Parameters
"""Of parameters, those that are set count."""


@dataclass(frozen=True)
class Resource:
    """A resource of the templates, with all that its bill depends on."""

    assembly: Assembly
    book: PriceBook
    region: str
    runtime: RuntimeModel
    pipelines: Mapping[SideName, Definition]
    stack: str
    name: str
    """Logical id in the stack's template."""
    type: str
    side: Party
    """The side whose pipeline is in the stack."""
    expires: bool
    """The stack deletes itself."""

    @property
    def properties(self) -> dict[str, Any]:
        """The properties, resolved."""
        return self.assembly.properties(self.stack, self.name)

    def not_priced(self, why: str) -> NotPriced:
        """That the resource, or a part of it, is not priced."""
        return NotPriced(stack=self.stack, type=self.type, resources=(self.name,), why=why)

    def item(
        self,
        name: str,
        item: str,
        *terms: tuple[float, tuple[Driver, ...]],
        detail: str = "",
        side: Party | None = None,
        serving: bool = False,
        until: Literal["idle termination", "time to live", "destroyed"] | None = None,
    ) -> LineItem:
        """A line item of the resource, with the price of ``item`` and the sum of the terms as its quantity."""
        always_on = any(ALWAYS_ON & set(drivers) for _, drivers in terms)
        if always_on and until is None:
            until = "time to live" if self.expires else "destroyed"
        return LineItem(
            side=side or self.side,
            stack=self.stack,
            resource=self.name,
            name=name,
            detail=detail,
            serving=serving,
            until=until,
            item=item,
            unit=KINDS[kind_of(item) or item],
            price=self.book.price(item, self.region),
            terms=tuple(Term(coefficient=coefficient, drivers=drivers) for coefficient, drivers in terms),
        )

    def instance_type(self, name: str, item: str) -> InstanceType | None:
        """The size of an instance type; None if only its price is known.

        Raises:
            UserError: neither is known, so that it may well not exist.
        """
        size = self.book.instance_types.get(name.removeprefix("ml."))
        if size is None and self.book.price(item, self.region) is None:
            raise UserError(
                f"{self.stack}: {self.name}: instance type {name} is not known; allowed: the types in the price file, "
                "with a price in this region or a size"
            )
        return size

    def vcpus(self, name: str, item: str) -> int:
        """How many vCPUs work on an instance.

        Raises:
            UserError: that is not known.
        """
        size = self.instance_type(name, item)
        if size is None:
            raise UserError(
                f"{self.stack}: {self.name}: how many vCPUs {name} has is not known; allowed: the types in "
                "instance_types of the price file"
            )
        return size.vcpus


Bill = Callable[[Resource], Iterator[Billed]]


def ended_after(side: SideName, what: str, seconds: float, fixed: float, per_event: float) -> Iterator[EventsLimit]:
    """The limit of a stage, or of the whole pipeline, that is ended after so many seconds."""
    if per_event:
        why = f"{what} ({TITLES[side]}) times out after {number(seconds / 60)} minutes"
        yield EventsLimit(f"time of {side}", Limit(value=max(0.0, seconds - fixed) / per_event, why=why))


def whole(values: Mapping[str, Any], name: str, default: int, least: int = 0) -> int:
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


def time_limit(state: Mapping[str, Any]) -> float | None:
    """Seconds after which a stage is ended; None: it is not."""
    stopping = state.get("Parameters", {}).get("StoppingCondition", {})
    found = [each[key] for each, key in ((state, "TimeoutSeconds"), (stopping, "MaxRuntimeInSeconds")) if key in each]
    return min(map(float, found), default=None)


def damaged(stack: str, resource: str, error: Exception) -> UserError:
    """What one of `DAMAGE` says of a resource, in one line."""
    text = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
    name = type(error).__name__
    return UserError(f"{stack}: {resource}: not as CloudFormation describes its type: {name}: {' '.join(text.split())}")


def definition_of(assembly: Assembly, stack: str, resource: str) -> Definition | None:
    """A state machine's definition; None for those that the CDK adds to wait for a function, which have no name.

    Raises:
        UserError: it is none.
    """
    properties = assembly.properties(stack, resource)
    if "StateMachineName" not in properties:
        return None
    try:
        definition: dict[str, Any] = json.loads(properties["DefinitionString"])
        if not isinstance(definition["States"], dict) or not definition["States"]:
            raise ValueError("States must be an object of states")
    except DAMAGE as error:
        raise damaged(stack, resource, error) from error
    return definition


Part = Literal["start-up and idle", "work"]
"""What is there however little data there is, and what grows with the data."""


class RunLineItem(BaseModel):
    """One thing that a run paid for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    side: SideName
    stage: StageName | None
    """None: of the whole side."""
    part: Part
    name: str
    quantity: float | None
    """In the price's unit; None: not recorded."""
    item: str
    price: Price | None
    estimate: str | None = None
    """Why the quantity is an estimate; None where it was billed or counted."""

    @property
    def amount(self) -> float | None:
        """US dollars, None if the quantity or the price is not known."""
        if self.quantity == 0:
            return 0.0
        return None if self.quantity is None or self.price is None else self.quantity * self.price.usd


@dataclass(frozen=True)
class SideRun:
    """A side of a run's record, with all that its bill depends on."""

    record: Record
    side: SideName
    book: PriceBook
    region: str
    runtime: RuntimeModel

    @property
    def section(self) -> str:
        """The section of the settings that is the side's own."""
        return SIDES[self.side].folder if self.side in SIDES else self.side

    @property
    def stages(self) -> list[Stage]:
        """The stages that ran."""
        return [stage for stage in self.record.sides[self.side].stages if stage.status != "skipped"]

    def item(
        self, stage: StageName | None, part: Part, name: str, quantity: float | None, item: str, estimate: str | None
    ) -> RunLineItem:
        """A line item of the side, with the price of ``item``."""
        return RunLineItem(
            side=self.side,
            stage=stage,
            part=part,
            name=name,
            quantity=quantity,
            item=item,
            price=self.book.price(item, self.region),
            estimate=estimate,
        )

    def growing(self, stage: Stage) -> float | None:
        """Estimated seconds that grow with the data, on the definition's instances; None where that cannot be said."""
        events = self.record.dataset.events
        side = self.runtime.of(self.side)
        try:
            vcpus = worker_vcpus(stage.instances, self.book, side.runs_on)
        except UserError:
            return None
        return None if events is None else side.stages[stage.name].core_seconds_per_event * events / vcpus

    def setting(self, *names: str) -> float | None:
        """The number that all of these settings of the run are; None if they differ or are not recorded."""
        values = {self.record.settings.get(name) for name in names}
        value = values.pop()
        return value if not values and isinstance(value, int | float) and not isinstance(value, bool) else None


def instances_of(stage: Stage) -> Sequence[Instances]:
    """What a stage ran on; where that is not recorded, one instance without a price, so that there is a line item."""
    return stage.instances or (Instances(type="unknown", count=1),)


@dataclass(frozen=True)
class Service:
    """How a service is billed."""

    resources: Mapping[str, Bill | str]
    """By CloudFormation type: what bills it, or why it has no price of its own."""
    tasks: frozenset[str]
    """The names of the service in the ARNs of a state machine's tasks."""
    pipeline: Callable[[Resource, Definition], Iterator[Billed]]
    """Bills what a side's state machine starts."""
    run: Callable[[SideRun], Iterator[RunLineItem]]
    """Bills what a side's stages ran on, from a run's record."""
