"""Claim 2: building, training and deploying models; distributed data processing."""

from collections.abc import Mapping
from typing import Any

from comparison.claims import code
from comparison.claims.base import CODE, TEMPLATES, Evidence, Measured, Reason, Value, Verdict, join, number, titles
from comparison.claims.templates import SideTemplate
from comparison.summary import TITLES
from record.schema import STAGES, SideName


def measure(evidence: Evidence) -> Measured:
    """Collect the stages that succeeded, whether an endpoint responds, and the machines and engine of `prepare`."""
    templates = evidence.templates
    endpoint, machine = "AWS::SageMaker::Endpoint", evidence.template("emr").machine

    def responds(side: SideName) -> Value:
        serve = evidence.sides[side].serve
        if serve is None and not templates[side].of_type(endpoint):
            return "no endpoint"
        return None if serve is None or serve.status == "skipped" else serve.status == "succeeded"

    return evidence.measured(
        {
            "stages": evidence.each("Stages that succeeded", evidence.done, evidence.origin, "#stages"),
            "endpoints": evidence.each(
                "Endpoints in the stack",
                lambda side: len(templates[side].of_type(endpoint)),
                TEMPLATES,
                evidence.template("sagemaker").place(endpoint),
            ),
            "responds": evidence.each("Endpoint responds rightly", responds, evidence.origin, "#serve"),
            "least": evidence.each(
                "Machines of prepare, at least", lambda side: _machines(templates[side])[0], TEMPLATES, machine
            ),
            "most": evidence.each(
                "Machines of prepare, at most", lambda side: _machines(templates[side])[1], TEMPLATES, machine
            ),
            "engine": evidence.each(
                "Engine of prepare", lambda side: code.engine(evidence.root, side) or "not known", CODE, "workloads/"
            ),
        }
    )


def judge(measured: Measured) -> Verdict:
    """Holds with a condition if SageMaker's model responds and EMR may use several nodes, for a model as well.

    Whether SageMaker uses several is a matter of the engine chosen there, and a condition as well.

    Not measured where a stage of a side did not succeed: a fault says nothing of what a service is for.
    """
    ml, data = measured.of("sagemaker"), measured.of("emr")
    serving = _serving(measured)
    if silent := tuple(side for side in serving if measured.flag("responds", side) is None):
        return Verdict("not measured", reasons=(Reason("not tried", silent, ("the endpoint",)),))
    if idle := tuple(side for side in measured.sides if not measured.known("stages", side)):
        return Verdict("not measured", reasons=(Reason("not tried", idle, ("the stages of every side",)),))
    undone = tuple(
        Reason("stages failed", (side,), missing)
        for side in measured.sides
        if (missing := tuple(stage for stage in STAGES if stage not in measured.names("stages", side)))
    )
    if undone:
        return Verdict("not measured", reasons=undone)
    refused = tuple(side for side in serving if not measured.flag("responds", side))
    narrow = tuple(side for side in data if not _distributed(measured, side))
    wrong = {"endpoint does not respond": refused, "not distributed": narrow}
    if any(wrong.values()):
        return Verdict("does not hold", reasons=tuple(Reason(code, sides) for code, sides in wrong.items() if sides))
    reasons = [Reason("builds models too", data)]
    if wide := tuple(side for side in ml if _distributed(measured, side)):
        reasons.append(Reason("distributes too", wide))
    if measured.where == "local":
        reasons.append(Reason("one machine only", measured.sides))
    return Verdict("holds with a condition", reasons=tuple(reasons))


def word(measured: Measured, verdict: Verdict) -> str:
    """Say what was built, whether it responds, and on how many machines data may be processed."""
    if untried := verdict.reason("not tried"):
        return f"The templates allow it, but no run tried {join(untried.names)}."
    failed = [reason for reason in verdict.reasons if reason.code == "stages failed"]
    if failed:
        undone = join([f"{', '.join(reason.names)} on {TITLES[reason.sides[0]]}" for reason in failed])
        return f"Not every stage succeeded, on which a verdict would rest: not {undone}."
    models = "; ".join(
        f"{TITLES[side]} finished {len(set(measured.names('stages', side)) - {'prepare'})} of 3 model stages and its "
        f"endpoint {'responded' if measured.flag('responds', side) else 'did not respond'}"
        for side in _serving(measured)
    )
    (first, *others) = (
        (TITLES[side], _range(measured, side), measured.text("engine", side))
        for side in (*measured.of("emr"), *measured.of("sagemaker"))
    )
    may = f"{first[0]}'s prepare may use {first[1]} with {first[2]}"
    may += "".join(f", {title}'s {machines} with {engine}" for title, machines, engine in others)
    text = f"{models}; {may}."
    if more := verdict.reason("builds models too"):
        built = join([TITLES[side] for side in more.sides])
        text += f" {built} built, evaluated and scored with a model too, so only the deployment sets SageMaker apart."
    if wide := verdict.reason("distributes too"):
        text += f" Data processing is distributed on {titles(wide.sides)} too: that is the engine's, not EMR's."
    if verdict.reason("one machine only"):
        text += " More than one node was not tried: this run had one machine."
    return text


def _distributed(measured: Measured, side: SideName) -> bool:
    """Tell whether a side may process data with Spark on several machines."""
    return measured.text("engine", side) == "Spark" and (measured.number("most", side) or 0) > 1


def _serving(measured: Measured) -> tuple[SideName, ...]:
    """SageMaker's sides with an endpoint; all of them where none has one."""
    ml = measured.of("sagemaker")
    return tuple(side for side in ml if measured.number("endpoints", side)) or ml


def _machines(template: SideTemplate) -> tuple[int, int]:
    """Least and largest number of machines that `prepare` may use beside a primary node, 0 when it asks for none."""
    count = _instances(template.request("prepare")[1])
    return template.nodes or (count, count)


def _instances(request: Mapping[str, Any]) -> int:
    return int(request.get("ProcessingResources", {}).get("ClusterConfig", {}).get("InstanceCount", 0))


def _range(measured: Measured, side: SideName) -> str:
    least, most = measured.number("least", side), measured.number("most", side)
    return number(most, "machine" if most == 1 else "machines") if least == most else f"{least} to {most} machines"
