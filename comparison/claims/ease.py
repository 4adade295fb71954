"""Row 4: how much there is to write, to configure and to understand on each side."""

from collections.abc import Iterable
from pathlib import Path

from comparison.claims import code
from comparison.claims.base import CODE, TEMPLATES, Evidence, Finding, join, measure, number
from comparison.claims.templates import SideTemplate
from record.schema import SideName

_BEFORE = ("git clone", "make synth", "cdk bootstrap", "cdk deploy --all")
"""What both sides need first, as README.md and docs/deploy.md say."""
_STEPS = "counted in the steps of docs/deploy.md, of this checkout"
_SETTINGS = "counted in the record's settings"


def ease(evidence: Evidence) -> Finding:
    """Confirmed if EMR has more settings and takes more of everything that is counted.

    Confirmed with a condition if it has more settings and takes more of most things, or takes more of everything
    without having more settings.
    """
    both = [name for name, _ in evidence.record.both()]
    templates = [evidence.templates[name] for name in both]
    root = evidence.root
    effort: list[tuple[str, list[int], str, str]] = [
        ("Resources in the stack", [sum(each.types.values()) for each in templates], TEMPLATES, templates[1].stack),
        ("Statements in IAM policies", [len(each.statements) for each in templates], TEMPLATES, templates[1].stack),
        ("Actions in IAM policies", [len(each.iam_actions) for each in templates], TEMPLATES, templates[1].stack),
        ("States of the pipeline", [len(each.states) for each in templates], TEMPLATES, templates[1].machine),
        ("Lines of workload code", [_lines(code.workload(root, name)) for name in both], CODE, "workloads/"),
        ("Lines of stack code", [_lines(code.stack(root, name)) for name in both], CODE, "stacks/"),
        ("Steps from clone to prediction", [len(_steps(each)) for each in templates], _STEPS, "docs/deploy.md"),
    ]
    settings = [_settings(evidence, name) for name in both]
    measures = [
        measure("Settings of the side", map(number, settings), _SETTINGS, "#made"),
        *(measure(label, map(number, values), origin, where) for label, values, origin, where in effort),
    ]
    if evidence.posture:
        kept = [number(len(evidence.posture.of(name).acknowledged)) for name in both]
        measures.append(
            measure("Acknowledged findings of security rules", kept, "counted in the rule reports", "#security")
        )
    more = [label for label, (a, b), _, _ in effort if b > a]
    less = [f"{label[0].lower()}{label[1:]} (EMR {b}, SageMaker {a})" for label, (a, b), _, _ in effort if b <= a]
    text = f"EMR takes more than SageMaker of {len(more)} of {len(effort)} things counted"
    text += f", not of these: {join(less)}." if less else "."
    if None in settings:
        return Finding(tuple(measures), "not measured", f"{text} The run's settings are not recorded.")
    configurable = (settings[1] or 0) > (settings[0] or 0)
    text += f" It has {settings[1]} settings, SageMaker {settings[0]}."
    if templates[0].of_type("AWS::SageMaker::Endpoint"):
        text += " SageMaker's counts include the endpoint; nothing on EMR serves."
    if configurable and not less:
        return Finding(tuple(measures), "confirmed", text)
    if configurable and 2 * len(more) > len(effort):
        return Finding(tuple(measures), "confirmed with a condition", text)
    if not configurable:
        text += " With no more settings than SageMaker, EMR is not the more configurable one here."
        if not less:
            return Finding(
                tuple(measures), "confirmed with a condition", f"{text} Only that it takes more is as claimed."
            )
    return Finding(tuple(measures), "not confirmed here", text)


def _lines(files: Iterable[Path]) -> int:
    return sum(map(code.lines, files))


def _settings(evidence: Evidence, name: SideName) -> int | None:
    """How many settings are the side's own, None when the record holds none of them."""
    return sum(1 for key in evidence.record.settings if key.startswith(f"{name}.")) or None


def _steps(template: SideTemplate) -> list[str]:
    """From a clone to the first prediction in an account."""
    # A stack that runs the pipeline while it deploys has a model then.
    start = [] if template.of_type("Custom::Execution") else ["start the state machine"]
    get = "invoke the endpoint" if template.of_type("AWS::SageMaker::Endpoint") else "read the predictions"
    return [*_BEFORE, *start, get]
