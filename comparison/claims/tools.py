"""Row 3: the tools that the seed names, and which of them this project configures and runs."""

import re
from collections.abc import Mapping
from typing import Any

from comparison.claims.base import CODE, TEMPLATES, Evidence, Finding, Measure, join, listed, measure

_NAMED = ("Hadoop", "Spark", "Hive", "HBase")
# The program of a step to the tool that it is of. Spark on EMR runs on Hadoop's YARN, and reads with its file systems.
_PROGRAMS = {
    "spark-submit": ("Spark", "Hadoop"),
    "hive-script": ("Hive", "Hadoop"),
    "hadoop-streaming": ("Hadoop",),
    "s3-dist-cp": ("Hadoop",),
    "hbase": ("HBase", "Hadoop"),
}
_NOTEBOOKS = ("AWS::SageMaker::NotebookInstance", "AWS::SageMaker::Domain", "AWS::EMR::Studio")
NOTEBOOK = "notebooks/compare.ipynb"
_ALGORITHM = "the built-in algorithm"
_SCRIPT = "this project's script"


def tools(evidence: Evidence) -> Finding:
    """Confirmed if every tool that is named ran; with a condition if some did on both sides."""
    sagemaker, emr = (evidence.templates[side] for side, _ in evidence.record.both())
    algorithm, image = _training(sagemaker.request("train")[1])
    applications = [each["Name"] for each in (emr.cluster or {}).get("Applications", ())]
    ran = {tool for program in emr.steps for tool in _PROGRAMS.get(program, ())} & set(applications)
    used = [tool for tool in _NAMED if tool in ran]
    # A laptop runs the steps' Spark, without a cluster's Hadoop.
    tried = used if evidence.record.where == "aws" else [tool for tool in used if tool == "Spark"]
    notebook = (evidence.root / NOTEBOOK).is_file()
    hosted = [[kind for kind in _NOTEBOOKS if side.of_type(kind)] for side in (sagemaker, emr)]
    release = str((emr.cluster or {}).get("ReleaseLabel", "no cluster"))
    measures = (
        Measure("Images and release", listed(sagemaker.images), release, TEMPLATES, sagemaker.machine),
        Measure("Training runs", algorithm or "none", _SCRIPT if emr.steps else "none", TEMPLATES, sagemaker.machine),
        Measure("Applications of the cluster", "no cluster", listed(applications), TEMPLATES, emr.machine),
        Measure("Programs of the four steps", "no steps", listed(dict.fromkeys(emr.steps)), TEMPLATES, emr.machine),
        Measure("Named tools that the steps run", "no steps", listed(used), TEMPLATES, emr.machine),
        measure("Hosted notebooks", map(listed, hosted), TEMPLATES, sagemaker.stack),
        measure(
            "Notebook of this project",
            ["a Jupyter notebook" if notebook else "none"] * 2,
            CODE,
            NOTEBOOK,
        ),
    )
    trained = (stage := evidence.record.sides.sagemaker.stage("train")) and stage.status == "succeeded"
    stepped = any(stage.status == "succeeded" for stage in evidence.record.sides.emr.stages)
    if not trained or not stepped:
        who = [name for name, done in (("SageMaker's training", trained), ("EMR's steps", stepped)) if not done]
        return Finding(measures, "not measured", f"{join(who)} did not run, so no tool was tried there.")
    jupyter = notebook or bool(hosted[0])
    untried = [tool for tool in _NAMED if tool not in tried]
    text = (
        f"Of Hadoop, Spark, Hive and HBase the steps run {join(used)}, and this run tried {join(tried)}; SageMaker "
        f"trained {algorithm or 'nothing'} in {image or 'an image of its own'}, "
        f"{'and a Jupyter notebook is there' if jupyter else 'without a notebook'}."
    )
    if not tried or not image:
        return Finding(measures, "not confirmed here", text)
    if not untried and jupyter and algorithm == _ALGORITHM:
        return Finding(measures, "confirmed", text)
    left = [
        *untried,
        *([] if algorithm == _ALGORITHM else ["a built-in algorithm as such"]),
        *([] if jupyter else ["a notebook"]),
    ]
    idle = [tool for tool in applications if tool in _NAMED and tool not in used]
    note = f" ({join(idle)} {'is' if len(idle) == 1 else 'are'} configured, but no step uses it)" if idle else ""
    return Finding(measures, "confirmed with a condition", f"{text} Not measured: {join(left)}{note}.")


def _training(request: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """What a training job runs in which of SageMaker's images; None where it is none of those."""
    if "AlgorithmSpecification" not in request:
        return None, None
    found = re.search(r"/(sagemaker-[\w-]+:[\w.-]+)$", str(request["AlgorithmSpecification"].get("TrainingImage", "")))
    # A program of one's own: an entry point, or the toolkit's script mode.
    script = "ContainerEntrypoint" in request["AlgorithmSpecification"] or "sagemaker_program" in request.get(
        "HyperParameters", {}
    )
    return _SCRIPT if script else _ALGORITHM, found[1] if found else None
