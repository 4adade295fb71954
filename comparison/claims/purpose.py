"""Claim 1: what each service is for, and whether the other one does it as well."""

import re

from comparison.claims.base import TEMPLATES, Evidence, Measured, Reason, Verdict, join
from comparison.summary import AUC_DIFFERENCE_LIMIT, TITLES, agreed, auc_difference, difference
from record.schema import STAGES

# Calls of the APIs that exist for models only; a processing job or a step runs anything.
_FOR_MODELS = re.compile(r"Training|Transform|Model|Endpoint|HyperParameter|AutoML")


def measure(evidence: Evidence) -> Measured:
    """Count the calls that exist for models only, and collect what says whether the sides did the same work."""
    templates = evidence.templates
    apart, equal = auc_difference(evidence.record), agreed(evidence.record, "features_equal")
    machine = evidence.template("sagemaker").machine
    return evidence.measured(
        {
            "calls": evidence.each(
                "Calls of the four stages", lambda side: tuple(templates[side].actions), TEMPLATES, machine
            ),
            "for_models": evidence.each(
                "Of these, made for models only",
                lambda side: tuple(call for call in templates[side].actions if _FOR_MODELS.search(call)),
                TEMPLATES,
                evidence.template("emr").machine,
            ),
            "auc": evidence.each(
                "Test AUC",
                lambda side: metrics.auc if (metrics := evidence.sides[side].metrics) else None,
                evidence.origin,
                "#models",
                unit="AUC",
            ),
            "auc_difference": evidence.run(
                "Largest difference of these", apart, evidence.origin, "#agreement", unit="difference"
            ),
            "rows": evidence.each(
                "Feature rows from the raw data",
                lambda side: stage.rows_out if (stage := evidence.sides[side].stage("prepare")) else None,
                evidence.origin,
                "#stages",
                unit="rows",
            ),
            "features_equal": evidence.run("Features are equal", equal, evidence.origin, "#agreement"),
        }
    )


def judge(measured: Measured) -> Verdict:
    """Holds with a condition if only SageMaker's calls are made for models: either does the other's work as well.

    Not measured where the sides' features or models are not the same: it would be a fault, no difference of purpose.
    """
    unlike = [
        side
        for side in measured.sides
        if bool(measured.names("for_models", side)) != (side in measured.of("sagemaker"))
    ]
    if unlike:
        return Verdict("does not hold", reasons=(Reason("calls show no purpose", tuple(unlike)),))
    apart, equal = measured.number("auc_difference"), measured.flag("features_equal")
    if apart is None or equal is None:
        missing = tuple(key for key in ("auc_difference", "features_equal") if not measured.known(key))
        return Verdict("not measured", reasons=(Reason("same work not measured", names=missing),))
    if apart <= AUC_DIFFERENCE_LIMIT and equal:
        return Verdict("holds with a condition", reasons=(Reason("each does the same work", measured.sides),))
    return Verdict("not measured", reasons=(Reason("not the same work", measured.sides),))


def word(measured: Measured, verdict: Verdict) -> str:
    """Say how many calls are made for models, and whether the sides did the same work."""
    kinds = [
        (TITLES[side], len(measured.names("calls", side)), len(measured.names("for_models", side)) or "none")
        for side in measured.sides
    ]
    (title, calls, special), *others = kinds
    text = f"{title} runs the {len(STAGES)} stages with {calls} kinds of calls, {special} of them made for models only"
    text += "".join(f"; {title} with {calls}, {special} of them" for title, calls, special in others) + "."
    if verdict.reason("calls show no purpose"):
        return f"{text} The calls do not show the two purposes."
    if missing := verdict.reason("same work not measured"):
        theirs = "other's" if len(kinds) == 2 else "others'"
        what = {"auc_difference": "the AUC", "features_equal": "the features"}
        return (
            f"{text} But whether each does the {theirs} work as well was not measured: "
            f"{join([what[name] for name in missing.names])}."
        )
    work = (
        f"the test AUC of the models differs by {measured.shown('auc_difference')} (allowed: "
        f"{difference(AUC_DIFFERENCE_LIMIT)}), and the features that the sides made from the raw data are "
        f"{'equal' if measured.flag('features_equal') else 'not equal'}"
    )
    if verdict.reason("each does the same work"):
        return f"{text} That is purpose, not ability: {work}."
    return f"{text} But in this run the sides did not do the same work, on which a verdict would rest: {work}."
