"""Row 6: log analysis and model building on both sides, by rows a second."""

from comparison.claims.base import Evidence, Finding, join, measure, number
from comparison.summary import TITLES, seconds, size, total_rejected
from record.schema import StageName

_STAGES: tuple[StageName, ...] = ("prepare", "train", "score")
_LEAST_SECONDS = 30
"""A stage that took less, on either side, was mostly the start of its processes: its rate says little of the engine."""


def use_cases(evidence: Evidence) -> Finding:
    """Confirmed if EMR is faster with the logs and SageMaker with the model; with a condition if one of these holds.

    Not measured by stages of a few seconds, nor where the sides did not make the same features.
    """
    record = evidence.record
    rates = {stage: [evidence.rate(name, stage) for name, _ in record.both()] for stage in _STAGES}
    texts = [name for name, form in evidence.formats.items() if form == "text"]
    known = [record.dataset.rows[name] for name in texts if name in record.dataset.rows]
    lines = sum(known) if known and len(known) == len(texts) else None
    rejected = [number(total_rejected(side), "lines") for _, side in record.both()]
    measures = (
        measure("Lines of raw text, e.g. logs", [number(lines, "lines")] * 2, evidence.measured, "#made"),
        measure("Lines rejected, with a reason", rejected, evidence.measured, "#agreement"),
        *(
            measure(
                f"Rows a second, {stage}",
                (number(each, "rows/s") for each in rates[stage]),
                evidence.measured,
                "#stages",
            )
            for stage in _STAGES
        ),
    )
    logs, models = _faster(rates["prepare"]), _faster(rates["train"])
    if logs is None or models is None:
        what = "prepare" if logs is None else "train"
        return Finding(measures, "not measured", f"Rows a second of {what} were not measured on both sides.")
    text = (
        f"A second of prepare read {number(rates['prepare'][1])} rows on EMR and {number(rates['prepare'][0])} on "
        f"SageMaker; of train {number(rates['train'][0])} on SageMaker and {number(rates['train'][1])} on EMR."
    )
    scale = f" That is at {size(record.dataset.bytes)} of raw data" if record.dataset.bytes is not None else " That is"
    scale += " on one machine; at large scale nothing was measured." if record.where == "local" else "."
    short = [
        f"{stage} on {TITLES[name]} ({seconds(taken)})"
        for stage in _STAGES[:2]
        for name, _ in record.both()
        if (taken := evidence.seconds(name, stage)) is not None and taken < _LEAST_SECONDS
    ]
    if short:
        why = f"But {join(short)} took less than {_LEAST_SECONDS} s, which is mostly the start of processes: "
        return Finding(measures, "not measured", f"{text}{scale} {why}no verdict rests on these rates.")
    if record.agreement and record.agreement.features_equal is False:
        return Finding(measures, "not measured", f"{text} But the sides' features are not equal.")
    emr_logs, sagemaker_models = logs < 1, models > 1
    if emr_logs and sagemaker_models:
        return Finding(measures, "confirmed", text + scale)
    if emr_logs or sagemaker_models:
        half = "the models, not for the logs" if sagemaker_models else "the logs, not for the models"
        return Finding(measures, "confirmed with a condition", f"The claim holds for {half}. {text}{scale}")
    return Finding(measures, "not confirmed here", text + scale)


def _faster(rates: list[float | None]) -> float | None:
    """SageMaker's rate in units of EMR's; None when one is not known."""
    sagemaker, emr = rates
    return None if sagemaker is None or not emr else sagemaker / emr
