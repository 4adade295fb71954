"""Claim 4: how much there is to write, to configure and to understand on each side."""

from collections.abc import Callable, Iterable
from pathlib import Path

from comparison.claims import code
from comparison.claims.base import CODE, TEMPLATES, Evidence, Figure, Measured, Reason, Verdict, join, titles
from comparison.claims.templates import SideTemplate
from comparison.summary import TITLES
from record.schema import SideName

_BEFORE = ("git clone", "make synth", "cdk bootstrap", "cdk deploy --all")
"""The steps that every side needs first, as README.md and docs/deploy.md say."""
_STEPS = "counted in the steps of docs/deploy.md, of this checkout"
_SETTINGS = "counted in the record's settings"
_EFFORT = ("resources", "statements", "actions", "states", "stack_lines", "steps")
"""What a service asks for. The lines of workload code are the engine's: sides of one engine run the same programs."""


def measure(evidence: Evidence) -> Measured:
    """Count resources, permissions, states, lines of code, steps and settings."""
    templates, root, emr = evidence.templates, evidence.root, evidence.template("emr")

    def count(label: str, counted: Callable[[SideTemplate], int], where: str) -> Figure:
        return evidence.each(label, lambda side: counted(templates[side]), TEMPLATES, where)

    figures = {
        "settings": evidence.each("Settings of the side", lambda side: _settings(evidence, side), _SETTINGS, "#made"),
        "resources": count("Resources in the stack", lambda each: sum(each.types.values()), emr.stack),
        "statements": count("Statements in IAM policies", lambda each: len(each.statements), emr.stack),
        "actions": count("Actions in IAM policies", lambda each: len(each.iam_actions), emr.stack),
        "states": count("States of the pipeline", lambda each: len(each.states), emr.machine),
        "endpoints": count(
            "Endpoints, which are in these counts",
            lambda each: len(each.of_type("AWS::SageMaker::Endpoint")),
            emr.stack,
        ),
        "workload_lines": evidence.each(
            "Lines of workload code, the engine's and so in no count",
            lambda side: _lines(code.workload(root, side, evidence.sides)),
            CODE,
            "workloads/",
        ),
        "stack_lines": evidence.each(
            "Lines of stack code", lambda side: _lines(code.stack(root, side)), CODE, "stacks/"
        ),
        "steps": evidence.each(
            "Steps from clone to prediction", lambda side: len(_steps(templates[side])), _STEPS, "docs/deploy.md"
        ),
    }
    if posture := evidence.posture:
        figures["acknowledged"] = evidence.each(
            "Acknowledged findings of security rules",
            lambda side: len(posture.of(side).acknowledged),
            "counted in the rule reports",
            "#security",
        )
    return evidence.measured(figures)


def judge(measured: Measured) -> Verdict:
    """Holds if EMR has more settings and takes more of everything that is counted.

    Holds with a condition if it has more settings and takes more of most things, or takes more of everything without
    having more settings.
    """
    favours = measured.of("sagemaker")
    if unknown := tuple(side for side in measured.sides if not measured.known("settings", side)):
        return Verdict("not measured", favours, (Reason("settings not recorded", unknown),))
    less = tuple(key for key in _EFFORT if not _more(measured, key))
    reasons: tuple[Reason, ...] = (Reason("does not take more", measured.of("emr"), less),) if less else ()
    if not _more(measured, "settings"):
        reasons += (Reason("not more configurable", measured.of("emr")),)
        return Verdict("does not hold" if less else "holds with a condition", favours, reasons)
    if 2 * len(less) < len(_EFFORT):
        return Verdict("holds with a condition" if less else "holds", favours, reasons)
    return Verdict("does not hold", favours, reasons)


def word(measured: Measured, verdict: Verdict) -> str:
    """Say of how many things EMR takes more, and of which it does not."""
    ml, data = measured.of("sagemaker"), measured.of("emr")
    less = [key for key in _EFFORT if not _more(measured, key)]
    text = f"{titles(data)} {_verb(data, 'takes', 'take')} more than {titles(ml)} of {len(_EFFORT) - len(less)} of "
    text += f"{len(_EFFORT)} things counted"
    text += f", not of these: {join([_counts(measured, key) for key in less])}." if less else "."
    if verdict.reason("settings not recorded"):
        return f"{text} The run's settings are not recorded."
    first, *others = (*data, *ml)
    settings = [f"{TITLES[first]} has {measured.shown('settings', first)} settings"]
    settings += [f"{TITLES[side]} {measured.shown('settings', side)}" for side in others]
    text += f" {', '.join(settings)}."
    serving = [side for side in measured.sides if measured.number("endpoints", side)]
    if serving:
        without = [side for side in measured.sides if side not in serving]
        text += f" The counts of {titles(serving)} include the endpoint"
        text += f"; nothing on {titles(without)} serves." if without else "."
    if verdict.reason("not more configurable"):
        text += f" With no more settings than {titles(ml)}, {titles(data)} {_verb(data, 'is', 'are')} not the more "
        text += f"configurable {_verb(data, 'one', 'ones')} here."
        if not less:
            text += " Only that it takes more is as claimed."
    return text


def _more(measured: Measured, key: str) -> bool:
    """Tell whether each side on EMR takes more than each on SageMaker."""
    least = min(measured.number(key, side) or 0 for side in measured.of("emr"))
    return least > max(measured.number(key, side) or 0 for side in measured.of("sagemaker"))


def _counts(measured: Measured, key: str) -> str:
    label = measured.figures[key].label
    sides = (*measured.of("emr"), *measured.of("sagemaker"))
    counts = ", ".join(f"{TITLES[side]} {measured.shown(key, side)}" for side in sides)
    return f"{label[0].lower()}{label[1:]} ({counts})"


def _verb(sides: tuple[SideName, ...], one: str, many: str) -> str:
    return one if len(sides) == 1 else many


def _lines(files: Iterable[Path]) -> int:
    return sum(map(code.lines, files))


def _settings(evidence: Evidence, name: SideName) -> int | None:
    """The number of settings that are the side's own, None when the record holds none of them."""
    return sum(1 for key in evidence.record.settings if key.startswith(f"{name.replace('-', '_')}.")) or None


def _steps(template: SideTemplate) -> list[str]:
    """From a clone to the first prediction in an account."""
    # A stack that runs the pipeline while it deploys has a model then.
    start = [] if template.of_type("Custom::Execution") else ["start the state machine"]
    get = "invoke the endpoint" if template.of_type("AWS::SageMaker::Endpoint") else "read the predictions"
    return [*_BEFORE, *start, get]
