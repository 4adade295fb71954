"""Row 10: the AWS services wired in each side's template, and whether the seed's are among them."""

from comparison.claims.base import TEMPLATES, Evidence, Finding, join, listed, measure, number
from comparison.summary import TITLES
from record.schema import SIDES, SideName

_NAMED: dict[SideName, tuple[str, ...]] = {
    "sagemaker": ("Comprehend", "Rekognition", "Forecast"),
    "emr": ("S3", "Redshift"),
}


def integration(evidence: Evidence) -> Finding:
    """Confirmed if each service that is named is wired on its side and not on the other; with a condition if one is.

    A service that is wired on both sides does not tell them apart, and one that is on no side says nothing.
    """
    services = {side: evidence.templates[side].services for side in SIDES}
    machines = evidence.templates["sagemaker"].stack
    common = services["sagemaker"] & services["emr"]
    wired = {
        name: [side for side in SIDES if name.lower() in services[side]] for side in SIDES for name in _NAMED[side]
    }
    measures = (
        measure("AWS services wired in", (number(len(services[side])) for side in SIDES), TEMPLATES, machines),
        measure("On both sides", [listed(sorted(common))] * 2, TEMPLATES, machines),
        measure(
            "On this side only",
            (listed(sorted(services[side] - common)) for side in SIDES),
            TEMPLATES,
            machines,
        ),
        measure(
            "Named by the claim, and wired in here",
            (listed(f"{name}: {'yes' if side in wired[name] else 'no'}" for name in _NAMED[side]) for side in SIDES),
            TEMPLATES,
            machines,
        ),
    )
    right = [name for side in SIDES for name in _NAMED[side] if wired[name] == [side]]
    shared = [name for name, sides in wired.items() if len(sides) == 2]
    wrong = [name for side in SIDES for name in _NAMED[side] if wired[name] and side not in wired[name]]
    unwired = [name for name, sides in wired.items() if not sides]
    counts = " and ".join(f"{len(services[side])} on {TITLES[side]}" for side in SIDES)
    text = f"AWS services wired in: {counts}, {len(common)} of them on both sides."
    if not right and not shared and not wrong:
        return Finding(measures, "not measured", f"{text} None of those that the claim names is among them.")
    if not right and not wrong:
        rest = f" {join(unwired)}: not wired in, and so not measured." if unwired else ""
        apart = f"{join(shared)}: on both sides, which does not tell them apart."
        return Finding(measures, "not confirmed here", f"{text} Of those named, {apart}{rest}")
    if wrong:
        return Finding(measures, "not confirmed here", f"{text} {join(wrong)}: wired in on the other side only.")
    if not shared and not unwired:
        return Finding(measures, "confirmed", f"{text} Of those named, {join(right)} each on its side only.")
    details = [
        f"{join(names)}: {what}"
        for names, what in (
            (right, "on its side only, as claimed"),
            (shared, "on both sides"),
            (unwired, "not wired in, and so not measured"),
        )
        if names
    ]
    return Finding(measures, "confirmed with a condition", f"{text} Of those named, {'; '.join(details)}.")
