"""Row 2: building, training and deploying models; distributed data processing."""

from collections.abc import Mapping
from typing import Any

from comparison.claims import code
from comparison.claims.base import CODE, TEMPLATES, Evidence, Finding, Measure, join, measure, number
from comparison.summary import NOT_MEASURED, TITLES
from record.schema import STAGES, Side, StageName


def functionality(evidence: Evidence) -> Finding:
    """Confirmed with a condition if SageMaker's model answers and EMR may use several nodes, for a model as well.

    Not measured where a stage of either side did not succeed: a fault says nothing of what a service is for.
    """
    record, templates = evidence.record, evidence.templates
    built = {name: _done(side) for name, side in record.both()}
    serve = record.sides.sagemaker.serve
    answered = None if serve is None or serve.status == "skipped" else serve.status == "succeeded"
    count = _instances(templates["sagemaker"].request("prepare")[1])
    nodes = templates["emr"].nodes
    engines = {name: code.engine(evidence.root, name) for name, _ in record.both()}
    serving = [len(templates[name].of_type("AWS::SageMaker::Endpoint")) for name, _ in record.both()]
    prepared = [stage.status if (stage := side.stage("prepare")) else NOT_MEASURED for _, side in record.both()]
    finished = [f"{built[name]} of 3" if side.stages else NOT_MEASURED for name, side in record.both()]
    answers = NOT_MEASURED if answered is None else "none"
    if serve is not None and answered:
        answers = f"{number(serve.rows, 'rows')} right"
    measures = (
        measure("Model stages that succeeded", finished, evidence.measured, "#stages"),
        measure(
            "Endpoints in the stack",
            map(str, serving),
            TEMPLATES,
            templates["sagemaker"].place("AWS::SageMaker::Endpoint"),
        ),
        Measure("Endpoint answers", answers, "no endpoint", evidence.measured, "#serve"),
        Measure(
            "Machines of prepare",
            _machines(count, count),
            _machines(*nodes) if nodes else "none",
            TEMPLATES,
            templates["emr"].machine,
        ),
        measure("Engine of prepare", (each or "not known" for each in engines.values()), CODE, "workloads/"),
        measure("Outcome of prepare", prepared, evidence.measured, "#stages"),
    )
    if not record.sides.emr.stages or not record.sides.sagemaker.stages or answered is None:
        what = "the endpoint" if answered is None else "the stages of both sides"
        return Finding(measures, "not measured", f"The templates allow it, but no run tried {what}.")
    undone = [
        f"{', '.join(stages)} on {TITLES[name]}"
        for name, side in record.both()
        if (stages := [stage for stage in STAGES if not _succeeded(side, stage)])
    ]
    if undone:
        return Finding(
            measures,
            "not measured",
            f"Not every stage succeeded, on which a verdict would rest: not {join(undone)}.",
        )
    answer = "answered" if answered else "did not answer"
    ml = f"SageMaker finished {built['sagemaker']} of 3 model stages and its endpoint {answer}"
    distributed = engines["emr"] == "Spark" and nodes is not None and nodes[1] > max(1, count)
    emr_machines = _machines(*nodes) if nodes else "no machine"
    with_engine = [f"with {each or 'an engine that is not known'}" for each in engines.values()]
    may = (
        f"EMR's prepare may use {emr_machines} {with_engine[1]}, SageMaker's {_machines(count, count)} {with_engine[0]}"
    )
    if not answered or not distributed:
        return Finding(measures, "not confirmed here", f"{ml}; {may}.")
    more = "EMR built, evaluated and scored with a model too, so only the deployment sets SageMaker apart."
    here = " More than one node was not tried: this run had one machine." if record.where == "local" else ""
    return Finding(measures, "confirmed with a condition", f"{ml}; {may}. {more}{here}")


def _succeeded(side: Side, name: StageName) -> bool:
    return (stage := side.stage(name)) is not None and stage.status == "succeeded"


def _done(side: Side) -> int:
    return sum(1 for name in STAGES if name != "prepare" and _succeeded(side, name))


def _instances(request: Mapping[str, Any]) -> int:
    """Instances of a processing job's request, 0 when it asks for none."""
    return int(request.get("ProcessingResources", {}).get("ClusterConfig", {}).get("InstanceCount", 0))


def _machines(least: int, most: int) -> str:
    return number(least, "machine" if least == 1 else "machines") if least == most else f"{least} to {most} machines"
