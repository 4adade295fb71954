"""The picture of what runs: a row a side, a column a stage, from the registry and the templates; as SVG."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assembly.template import Assembly
from comparison.report.jinja import templates
from record.schema import STAGES, Instances, SideName
from record.services import service
from sides import SERVICES, SIDES, Side


@dataclass(frozen=True)
class Box:
    """A stage on a side: what runs there, e.g. `Processing job`, and on which instances."""

    what: str
    on: str


@dataclass(frozen=True)
class Row:
    """A side of the picture, with a box for each of the stages."""

    side: Side
    service: str
    boxes: Sequence[Box]


def rows(assembly: Assembly, sides: Sequence[SideName]) -> list[Row]:
    """Return a row for each of the sides, of what its state machine calls."""
    machines = {arn.rsplit(":", 1)[1]: definition for arn, definition in assembly.state_machines().items()}
    found = []
    for name in sides:
        side = SIDES[name]
        (definition,) = (each for machine, each in machines.items() if machine.endswith(f"-{name}"))
        boxes = [_box(side, definition, definition["States"][stage]) for stage in STAGES]
        found.append(Row(side, SERVICES[side.service], boxes))
    return found


def _box(side: Side, definition: Mapping[str, Any], state: Mapping[str, Any]) -> Box:
    return Box(_called(state["Resource"]), _on(service(side.service).instances(definition, state["Parameters"])))


def _called(resource: str) -> str:
    """What a call makes or starts, by its name: `arn:...:createProcessingJob.sync` is a `Processing job`."""
    action = resource.rsplit(":", 1)[1].split(".")[0]
    _, *words = re.findall(r"[A-Z]?[a-z]+", action)
    return " ".join(words).capitalize()


def _on(instances: Sequence[Instances]) -> str:
    counted: Counter[str] = Counter()
    for each in instances:
        counted[each.type] += each.count
    return ", ".join(f"{count} × {kind}" for kind, count in counted.items())  # noqa: RUF001  # the sign of times


def diagram(assembly: Assembly, sides: Sequence[SideName]) -> str:
    """Draw the sides over the stages; its colours follow the reader's light or dark scheme."""
    return templates().get_template("diagram.svg.j2").render(rows=rows(assembly, sides), stages=STAGES) + "\n"
