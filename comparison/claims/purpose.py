"""Row 1: what each service is for, and whether the other one does it as well."""

import re

from comparison.claims.base import TEMPLATES, Evidence, Finding, Measure, join, listed, measure, number
from comparison.summary import AUC_DIFFERENCE_LIMIT, difference, score
from record.schema import STAGES

# Calls of the APIs that exist for models only; a processing job or a step runs anything.
_FOR_MODELS = re.compile(r"Training|Transform|Model|Endpoint|HyperParameter|AutoML")


def purpose(evidence: Evidence) -> Finding:
    """Confirmed with a condition if only SageMaker's calls are made for models: either does the other's work as well.

    Not measured where the sides' features or models are not the same: it would be a fault, no difference of purpose.
    """
    sagemaker, emr = (evidence.templates[side] for side, _ in evidence.record.both())
    for_models = [[call for call in side.actions if _FOR_MODELS.search(call)] for side in (sagemaker, emr)]
    agreement = evidence.record.agreement
    apart = agreement.auc_difference if agreement else None
    equal = agreement.features_equal if agreement else None
    auc = [score(side.metrics.auc if side.metrics else None) for _, side in evidence.record.both()]
    rows = [stage.rows_out if (stage := side.stage("prepare")) else None for _, side in evidence.record.both()]
    measures = (
        Measure(
            "Calls of the four stages", listed(sagemaker.actions), listed(emr.actions), TEMPLATES, sagemaker.machine
        ),
        measure("Of these, made for models only", map(listed, for_models), TEMPLATES, emr.machine),
        measure("Test AUC", auc, evidence.measured, "#models"),
        measure(
            "Feature rows from the raw data", (number(each, "rows") for each in rows), evidence.measured, "#stages"
        ),
    )
    designed = (
        f"SageMaker runs the {len(STAGES)} stages with {len(sagemaker.actions)} kinds of calls, "
        f"{len(for_models[0])} of them made for models only; EMR with {len(emr.actions)}, "
        f"{len(for_models[1]) or 'none'} of them."
    )
    if not for_models[0] or for_models[1]:
        return Finding(measures, "not confirmed here", f"{designed} The calls do not show the two purposes.")
    if apart is None or equal is None:
        missing = [what for what, value in (("the AUC", apart), ("the features", equal)) if value is None]
        return Finding(
            measures,
            "not measured",
            f"{designed} But whether each does the other's work as well was not measured: {join(missing)}.",
        )
    close = apart <= AUC_DIFFERENCE_LIMIT
    work = (
        f"the test AUC of the two models differs by {difference(apart)} (allowed: {difference(AUC_DIFFERENCE_LIMIT)}), "
        f"and the features that SageMaker made from the raw data are {'equal to' if equal else 'not those of'} EMR's"
    )
    if close and equal:
        return Finding(measures, "confirmed with a condition", f"{designed} That is purpose, not ability: {work}.")
    return Finding(
        measures,
        "not measured",
        f"{designed} But in this run the sides did not do the same work, on which a verdict would rest: {work}.",
    )
