"""Row 7: which data each side processed, with what, and whether the results are the same."""

import hashlib

from comparison.claims import code
from comparison.claims.base import CODE, TEMPLATES, Evidence, Finding, Measure, join, listed, measure
from comparison.summary import NOT_MEASURED


def processing(evidence: Evidence) -> Finding:
    """Not confirmed where both made equal features of equal raw tables, logs as well, with the same tools each.

    Not measured where the sides' results are not the same: that is a fault, and no wider variety of one side.
    """
    record = evidence.record
    folder = evidence.root / "workloads" / "datasets" / record.dataset.name
    tables = evidence.formats
    texts = sorted(folder.glob("*.sql"))
    digest = hashlib.sha256(b"".join(text.read_bytes() for text in texts)).hexdigest()[:12] if texts else None
    same = f"{listed(text.name for text in texts)} ({digest})" if digest else "not known"
    agreement = record.agreement
    equal = agreement.features_equal if agreement else None
    rejected = agreement.rejected_equal if agreement else None
    programs = list(dict.fromkeys(evidence.templates["emr"].steps))
    engines = [code.engine(evidence.root, name) or "not known" for name, _ in record.both()]
    rows = agreement.features_rows if agreement else None
    outcome = (
        NOT_MEASURED if equal is None else f"{'equal' if equal else 'not equal'}{f', {rows:,} rows' if rows else ''}"
    )
    lines = NOT_MEASURED if rejected is None else "equal" if rejected else "not equal"
    where = f"workloads/datasets/{record.dataset.name}/"
    measures = (
        measure(
            "Raw tables",
            [listed(f"{name}: {form}" for name, form in tables.items())] * 2,
            CODE,
            f"{where}dataset.toml",
        ),
        measure("SQL texts", [same] * 2, CODE, where),
        measure("Engine", engines, CODE, "workloads/"),
        measure("Features against the other side's", [outcome] * 2, evidence.measured, "#agreement"),
        measure("Rejected lines against the other side's", [lines] * 2, evidence.measured, "#agreement"),
        Measure("Programs of the steps", "no steps", listed(programs), TEMPLATES, evidence.templates["emr"].machine),
    )
    if equal is None:
        return Finding(measures, "not measured", "The features of the two sides were not compared.")
    forms = sorted(set(tables.values()))
    what = f"{len(tables)} raw tables ({join(forms)})" if tables else "the raw tables"
    if not equal or rejected is False:
        wrong = "features" if not equal else "rejected lines"
        return Finding(
            measures,
            "not measured",
            f"From {what} and the same SQL texts the sides' {wrong} are not equal: they did not do the same work, on "
            "which a verdict would rest.",
        )
    text = (
        f"Both sides made equal features of {what} from the same SQL texts, {engines[0]} on SageMaker and {engines[1]} "
        "on EMR"
    )
    if "text" not in forms:
        return Finding(
            measures, "not measured", f"{text}; but no raw text was among them, so nothing wider than tables was tried."
        )
    if len(programs) > 1:
        return Finding(measures, "confirmed with a condition", f"{text}; EMR's steps also ran {join(programs[1:])}.")
    return Finding(
        measures,
        "not confirmed here",
        f"{text}. That includes raw text, so SageMaker is not limited to tables made for models; EMR's wider variety "
        f"was not tried: its steps run {join(programs)} only.",
    )
