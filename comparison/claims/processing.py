"""Claim 7: which data each side processed, with what, and whether the results are the same."""

import hashlib

from comparison.claims import code
from comparison.claims.base import CODE, TEMPLATES, Evidence, Measured, Reason, Verdict, join
from comparison.summary import TITLES, agreed, features_rows


def measure(evidence: Evidence) -> Measured:
    """Collect the raw tables, the SQL texts, the engines, and whether features and rejected lines are equal."""
    record = evidence.record
    folder = evidence.root / "workloads" / "datasets" / record.dataset.name
    texts = sorted(folder.glob("*.sql"))
    digest = hashlib.sha256(b"".join(text.read_bytes() for text in texts)).hexdigest()[:12] if texts else "not known"
    where = f"workloads/datasets/{record.dataset.name}/"
    return evidence.measured(
        {
            "tables": evidence.run("Raw tables", tuple(evidence.formats), CODE, f"{where}dataset.toml"),
            "formats": evidence.run(
                "Their formats", tuple(sorted(set(evidence.formats.values()))), CODE, f"{where}dataset.toml"
            ),
            "texts": evidence.run("SQL texts", tuple(text.name for text in texts), CODE, where),
            "digest": evidence.run("Their SHA-256 begins with", digest, CODE, where),
            "engine": evidence.each(
                "Engine", lambda side: code.engine(evidence.root, side) or "not known", CODE, "workloads/"
            ),
            "features_equal": evidence.run(
                "Features are equal", agreed(record, "features_equal"), evidence.origin, "#agreement"
            ),
            "features_rows": evidence.run(
                "Rows compared for that",
                features_rows(record),
                evidence.origin,
                "#agreement",
                unit="rows",
            ),
            "rejected_equal": evidence.run(
                "Rejected lines are equal",
                agreed(record, "rejected_equal"),
                evidence.origin,
                "#agreement",
            ),
            "programs": evidence.each(
                "Programs of the steps",
                lambda side: tuple(dict.fromkeys(evidence.templates[side].steps)),
                TEMPLATES,
                evidence.template("emr").machine,
            ),
        }
    )


def judge(measured: Measured) -> Verdict:
    """Does not hold where every side made equal features of equal raw tables, logs as well, with the same tools each.

    Not measured where the sides' results are not the same: that is a fault, and no wider variety of one side.
    """
    favours = data = measured.of("emr")
    if not measured.known("features_equal"):
        return Verdict("not measured", favours, (Reason("features not compared", measured.sides),))
    unequal = [key for key in ("features_equal", "rejected_equal") if measured.flag(key) is False]
    if unequal:
        return Verdict("not measured", favours, (Reason("not equal", measured.sides, tuple(unequal)),))
    if "text" not in measured.names("formats"):
        return Verdict("not measured", favours, (Reason("no raw text", names=measured.names("formats")),))
    more = tuple(
        Reason("more programs", (side,), others) for side in data if (others := measured.names("programs", side)[1:])
    )
    if more:
        return Verdict("holds with a condition", favours, more)
    return Verdict("does not hold", favours, (Reason("raw text on every side", measured.sides),))


def word(measured: Measured, verdict: Verdict) -> str:
    """Say of which data every side made the same, and with what."""
    if verdict.reason("features not compared"):
        return "The features of the sides were not compared."
    tables = measured.names("tables")
    what = f"{len(tables)} raw tables ({join(measured.names('formats'))})" if tables else "the raw tables"
    if unequal := verdict.reason("not equal"):
        wrong = "features" if "features_equal" in unequal.names else "rejected lines"
        return (
            f"From {what} and the same SQL texts the sides' {wrong} are not equal: they did not do the same work, on "
            "which a verdict would rest."
        )
    engines = join([f"{measured.text('engine', side)} on {TITLES[side]}" for side in measured.sides])
    text = f"Every side made equal features of {what} from the same SQL texts, {engines}"
    if verdict.reason("no raw text"):
        return f"{text}; but no raw text was among them, so nothing wider than tables was tried."
    if verdict.reason("more programs"):
        more = [f"{TITLES[reason.sides[0]]}'s steps also ran {join(reason.names)}" for reason in verdict.reasons]
        return f"{text}; {join(more)}."
    programs = "; ".join(
        f"{TITLES[side]}'s wider variety was not tried: its steps run {join(measured.names('programs', side))} only"
        for side in measured.of("emr")
    )
    return f"{text}. That includes raw text, so SageMaker is not limited to tables made for models; {programs}."
