"""Claim 10: the AWS services wired in each side's template, and whether the seed's are among them."""

from comparison.claims.base import SERVICES, TEMPLATES, Evidence, Measured, Reason, Service, Verdict, join, service
from comparison.summary import TITLES

_NAMED: dict[Service, tuple[str, ...]] = {
    "sagemaker": ("Comprehend", "Rekognition", "Forecast"),
    "emr": ("S3", "Redshift"),
}


def measure(evidence: Evidence) -> Measured:
    """Collect the services wired in on each side, on all of them, and on one alone."""
    wired = {side: template.services for side, template in evidence.templates.items()}
    common = frozenset.intersection(*map(frozenset, wired.values()))
    stack = evidence.template("sagemaker").stack
    return evidence.measured(
        {
            "wired": evidence.each("AWS services wired in", lambda side: tuple(sorted(wired[side])), TEMPLATES, stack),
            "common": evidence.run("On every side", tuple(sorted(common)), TEMPLATES, stack),
            "only": evidence.each(
                "Of its own, so not on every side",
                lambda side: tuple(sorted(wired[side] - common)),
                TEMPLATES,
                stack,
            ),
            "named": evidence.each(
                "Named by the claim, and wired in here",
                lambda side: tuple(name for name in _NAMED[service(side)] if name.lower() in wired[side]),
                TEMPLATES,
                stack,
            ),
        }
    )


def judge(measured: Measured) -> Verdict:
    """Holds if each service that is named is wired on its sides and on no other; with a condition if one is.

    A service that is wired on other sides too does not tell them apart, and one that is on no side says nothing.
    """
    right: list[str] = []
    shared: list[str] = []
    wrong: list[str] = []
    unwired: list[str] = []
    for of in SERVICES:
        for name in _NAMED[of]:
            sides = {side for side in measured.sides if name.lower() in measured.names("wired", side)}
            own = sides & set(measured.of(of))
            kind = unwired if not sides else wrong if not own else right if sides == own else shared
            kind.append(name)
    kinds = (
        ("on its side only", right),
        ("on other sides too", shared),
        ("on another side only", wrong),
        ("not wired in", unwired),
    )
    reasons = tuple(Reason(code, names=tuple(names)) for code, names in kinds if names)
    if not right and not shared and not wrong:
        return Verdict("not measured", reasons=reasons)
    if wrong or not right:
        return Verdict("does not hold", reasons=reasons)
    return Verdict("holds with a condition" if shared or unwired else "holds", reasons=reasons)


def word(measured: Measured, verdict: Verdict) -> str:
    """Count the services, and say of each that is named where it is wired in."""

    def names(code: str) -> str:
        reason = verdict.reason(code)
        return join(reason.names) if reason else ""

    counts = join([f"{len(measured.names('wired', side))} on {TITLES[side]}" for side in measured.sides])
    text = f"AWS services wired in: {counts}, {len(measured.names('common'))} of them on every side."
    right, shared, wrong = names("on its side only"), names("on other sides too"), names("on another side only")
    unwired = names("not wired in")
    if verdict.outcome == "not measured":
        return f"{text} None of those that the claim names is among them."
    if wrong:
        return f"{text} {wrong}: wired in on another side only."
    if not right:
        rest = f" {unwired}: not wired in, and so not measured." if unwired else ""
        return f"{text} Of those named, {shared}: on other sides as well, which does not tell them apart.{rest}"
    if verdict.outcome == "holds":
        return f"{text} Of those named, {right} each on its side only."
    details = [
        f"{names}: {what}"
        for names, what in (
            (right, "on its side only, as claimed"),
            (shared, "on other sides as well"),
            (unwired, "not wired in, and so not measured"),
        )
        if names
    ]
    return f"{text} Of those named, {'; '.join(details)}."
