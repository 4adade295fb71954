"""Claim 3: the tools that the seed names, and which of them this project configures and runs."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from comparison.claims.base import CODE, TEMPLATES, Evidence, Measured, Reason, Verdict, join
from comparison.claims.templates import SideTemplate
from comparison.summary import TITLES

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


def measure(evidence: Evidence) -> Measured:
    """Collect images, applications, programs of the steps, and notebooks."""
    templates = evidence.templates
    sagemaker, emr = evidence.template("sagemaker"), evidence.template("emr")
    return evidence.measured(
        {
            "images": evidence.each(
                "Images and release", lambda side: _images(templates[side]), TEMPLATES, sagemaker.machine
            ),
            "training": evidence.each(
                "Training runs", lambda side: _training(templates[side]), TEMPLATES, sagemaker.machine
            ),
            "image": evidence.each(
                "SageMaker's image that trains", lambda side: _image(templates[side]), TEMPLATES, sagemaker.machine
            ),
            "applications": evidence.each(
                "Applications of the cluster", lambda side: _applications(templates[side]), TEMPLATES, emr.machine
            ),
            "programs": evidence.each(
                "Programs of the steps",
                lambda side: tuple(dict.fromkeys(templates[side].steps)),
                TEMPLATES,
                emr.machine,
            ),
            "used": evidence.each(
                "Named tools that the steps run",
                lambda side: _used(templates[side].steps, _applications(templates[side])),
                TEMPLATES,
                emr.machine,
            ),
            "hosted": evidence.each(
                "Hosted notebooks",
                lambda side: tuple(kind for kind in _NOTEBOOKS if templates[side].of_type(kind)),
                TEMPLATES,
                sagemaker.stack,
            ),
            "notebook": evidence.run("Notebook of this project", (evidence.root / NOTEBOOK).is_file(), CODE, NOTEBOOK),
            "stages": evidence.each("Stages that succeeded", evidence.done, evidence.origin, "#stages"),
        }
    )


def judge(measured: Measured) -> Verdict:
    """Holds if every tool that is named ran; with a condition if some did on the sides of both services."""
    ml, data = measured.of("sagemaker"), measured.of("emr")
    idle = tuple(side for side in ml if "train" not in measured.names("stages", side))
    idle += tuple(side for side in data if not measured.names("stages", side))
    if idle:
        return Verdict("not measured", reasons=(Reason("did not run", idle),))
    tried = _tried(measured)
    own = tuple(side for side in ml if not measured.names("image", side))
    if not tried or own:
        found = (Reason("no named tool ran", data),) if not tried else ()
        return Verdict("does not hold", reasons=found + ((Reason("image of its own", own),) if own else ()))
    left = [tool for tool in _NAMED if tool not in tried]
    if any(measured.text("training", side) != _ALGORITHM for side in ml):
        left.append("a built-in algorithm as such")
    if not _notebook(measured):
        left.append("a notebook")
    if not left:
        return Verdict("holds")
    configured = {tool for side in data for tool in measured.names("applications", side)}
    unused = tuple(tool for tool in _NAMED if tool in configured and tool not in _union(measured, "used"))
    reasons = [Reason("not tried", names=tuple(left))]
    if unused:
        reasons.append(Reason("configured, not used", data, unused))
    return Verdict("holds with a condition", reasons=tuple(reasons))


def word(measured: Measured, verdict: Verdict) -> str:
    """Say which tools ran, and which did not."""
    if idle := verdict.reason("did not run"):
        what = [
            f"{TITLES[side]}'s {'training' if side in measured.of('sagemaker') else 'steps'}" for side in idle.sides
        ]
        return f"{join(what)} did not run, so no tool was tried there."
    trained = "; ".join(
        f"{TITLES[side]} trained {measured.text('training', side)} in "
        f"{join(measured.names('image', side)) if measured.names('image', side) else 'an image of its own'}"
        for side in measured.of("sagemaker")
    )
    text = (
        f"Of Hadoop, Spark, Hive and HBase the steps run {join(_union(measured, 'used'))}, and this run tried "
        f"{join(_tried(measured))}; {trained}, "
        f"{'and a Jupyter notebook is there' if _notebook(measured) else 'without a notebook'}."
    )
    if left := verdict.reason("not tried"):
        note = ""
        if unused := verdict.reason("configured, not used"):
            verb = "is" if len(unused.names) == 1 else "are"
            note = f" ({join(unused.names)} {verb} configured, but no step uses it)"
        text += f" Not measured: {join(left.names)}{note}."
    return text


def _tried(measured: Measured) -> list[str]:
    """The named tools that this run tried: a laptop runs the steps' Spark, without a cluster's Hadoop."""
    used = _union(measured, "used")
    return used if measured.where == "aws" else [tool for tool in used if tool == "Spark"]


def _union(measured: Measured, key: str) -> list[str]:
    """The named tools that any side has, in the claim's order."""
    found = {tool for side in measured.sides for tool in measured.names(key, side)}
    return [tool for tool in _NAMED if tool in found]


def _notebook(measured: Measured) -> bool:
    hosted = any(measured.names("hosted", side) for side in measured.of("sagemaker"))
    return hosted or bool(measured.flag("notebook"))


def _used(steps: Sequence[str], applications: Sequence[str]) -> tuple[str, ...]:
    ran = {tool for program in steps for tool in _PROGRAMS.get(program, ())} & set(applications)
    return tuple(tool for tool in _NAMED if tool in ran)


def _applications(template: SideTemplate) -> tuple[str, ...]:
    return tuple(str(each["Name"]) for each in (template.cluster or {}).get("Applications", ()))


def _images(template: SideTemplate) -> tuple[str, ...]:
    release = (template.cluster or {}).get("ReleaseLabel")
    return (*template.images, *([str(release)] if release else []))


def _training(template: SideTemplate) -> str:
    """Tell an algorithm that is built in from a program of one's own: an entry point, or the toolkit's script mode."""
    request: Mapping[str, Any] = template.request("train")[1]
    if "AlgorithmSpecification" not in request:
        return _SCRIPT if template.steps else "none"
    script = "ContainerEntrypoint" in request["AlgorithmSpecification"] or "sagemaker_program" in request.get(
        "HyperParameters", {}
    )
    return _SCRIPT if script else _ALGORITHM


def _image(template: SideTemplate) -> tuple[str, ...]:
    """Which of SageMaker's images trains; none where it is none of those."""
    training = template.request("train")[1].get("AlgorithmSpecification", {})
    found = re.search(r"/(sagemaker-[\w-]+:[\w.-]+)$", str(training.get("TrainingImage", "")))
    return (found[1],) if found else ()
