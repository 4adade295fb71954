"""How state machines are billed: by transitions, and a pipeline by what its tasks start, as its service says."""

from collections.abc import Iterator, Mapping, Sequence, Set
from itertools import pairwise
from typing import Any

from assembly.template import Assembly
from comparison.cost.billing import DAMAGE, Billed, Definition, Resource, damaged, definition_of
from comparison.cost.registry import SERVICES, services_of, side_of, task_service
from record.errors import UserError
from record.schema import STAGES, SideName
from sides import SIDES

TYPE = "AWS::StepFunctions::StateMachine"
_STARTS_RUNS = "states"
_ONCE_A_DEPLOYMENT = frozenset({"codebuild", "lambda"}.union(*(service.tasks for service in SERVICES.values())))
"""Services that a state machine calls that is no pipeline: it publishes the code, or generates data."""


def pipelines(assembly: Assembly) -> dict[str, tuple[SideName, Definition]]:
    """The pipelines by stack: whose they are, and their definitions. A pipeline has all stages.

    Raises:
        UserError: a pipeline's stages are tasks of no one known service, or its stack is of no known side.
    """
    found: dict[str, tuple[SideName, Definition]] = {}
    for stack, name in assembly.resources(TYPE):
        definition = definition_of(assembly, stack, name)
        if definition is None or not _is_pipeline(definition):
            continue
        try:
            tasks = [str(definition["States"][stage]["Resource"]) for stage in STAGES]
            services = services_of(tasks)
        except DAMAGE as error:
            raise damaged(stack, name, error) from error
        if not services:
            known = ", ".join(sorted(set().union(*(service.tasks for service in SERVICES.values()))))
            raise UserError(
                f"{stack}: {name}: the pipeline's stages are not tasks of one known service: "
                f"{', '.join(dict.fromkeys(tasks))}; allowed: tasks of {known}"
            )
        side = side_of(stack, services)
        if side is None:
            known = ", ".join(each.name for each in SIDES.values() if each.service in services)
            raise UserError(
                f"{stack}: {name}: a pipeline of no known side; the stack's name must end with one: {known}"
            )
        found[stack] = side, definition
    return found


def _is_pipeline(definition: Definition) -> bool:
    return all(isinstance(definition["States"].get(stage), dict) for stage in STAGES)


def bill(resource: Resource) -> Iterator[Billed]:
    """The transitions of a run, and what a pipeline starts; nothing of what runs once a deployment.

    Raises:
        UserError: it calls a service that nothing here knows; one line.
    """
    definition = definition_of(resource.assembly, resource.stack, resource.name)
    if definition is None:
        yield resource.not_priced("waits for a custom resource, in a deployment only")
        return
    pipeline = _is_pipeline(definition)
    services = {task_service(task) for task in _tasks(definition)}
    if not pipeline and _STARTS_RUNS not in services:
        unknown = services - _ONCE_A_DEPLOYMENT
        if unknown:
            raise UserError(
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
        yield from SERVICES[SIDES[resource.side].service].pipeline(resource, definition)


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
