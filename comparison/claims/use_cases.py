"""Claim 6: log analysis and model building on every side, by rows a second."""

from functools import partial

from comparison.claims.base import TEMPLATES, Evidence, Measured, Outcome, Reason, Verdict, join, number
from comparison.summary import TITLES, agreed, seconds, size, total_rejected
from record.schema import SideName, StageName

_STAGES: tuple[StageName, ...] = ("prepare", "train", "score")
_JUDGED = _STAGES[:2]
_LEAST_SECONDS = 30
"""A stage that took less, on any side, was mostly the start of its processes: its rate says little of the engine."""


def measure(evidence: Evidence) -> Measured:
    """Collect lines, rows a second, and what says whether these may be compared."""
    record = evidence.record
    texts = [name for name, form in evidence.formats.items() if form == "text"]
    known = [record.dataset.rows[name] for name in texts if name in record.dataset.rows]
    lines = sum(known) if known and len(known) == len(texts) else None
    equal = agreed(record, "features_equal")
    figures = {
        "lines": evidence.run("Lines of raw text, e.g. logs", lines, evidence.origin, "#made", unit="lines"),
        "bytes": evidence.run("Raw data", record.dataset.bytes, evidence.origin, "#made", unit="bytes"),
        "rejected": evidence.each(
            "Lines rejected, with a reason",
            lambda side: total_rejected(evidence.sides[side]),
            evidence.origin,
            "#agreement",
            unit="lines",
        ),
        "features_equal": evidence.run("Features are equal", equal, evidence.origin, "#agreement"),
    }
    for stage in _STAGES:
        figures[f"rate_{stage}"] = evidence.each(
            f"Rows a second, {stage}",
            partial(evidence.rate, stage=stage),
            evidence.origin,
            "#stages",
            unit="rows/s",
        )
    for stage in _JUDGED:
        figures[f"engine_{stage}"] = evidence.each(
            f"Engine of {stage}", partial(_engine, evidence, stage=stage), TEMPLATES, evidence.template("emr").machine
        )
        figures[f"seconds_{stage}"] = evidence.each(
            f"Time of {stage}",
            partial(evidence.seconds, stage=stage),
            evidence.origin,
            "#stages",
            unit="s",
        )
    return evidence.measured(figures)


def judge(measured: Measured) -> Verdict:
    """Holds if EMR is faster with the logs and SageMaker with the model; with a condition if one of these is so.

    Only sides of one engine tell services apart: where no two of them share that of a stage, it is not measured. Nor is
    it by stages of a few seconds, nor where the sides did not make the same features.
    """
    compared = {stage: _same_engine(measured, stage) for stage in _JUDGED}
    of = {stage: (*ml, *data) or measured.sides for stage, (ml, data) in compared.items()}
    for stage in _JUDGED:
        if unknown := tuple(side for side in of[stage] if not measured.number(f"rate_{stage}", side)):
            return Verdict("not measured", reasons=(Reason("rate not measured", unknown, (stage,)),))
    if apart := tuple(stage for stage, (ml, _) in compared.items() if not ml):
        return Verdict("not measured", reasons=(Reason("engines differ", measured.sides, apart),))
    short = tuple(
        Reason("too short", (side,), (stage,))
        for stage in _JUDGED
        for side in of[stage]
        if (taken := measured.number(f"seconds_{stage}", side)) is not None and taken < _LEAST_SECONDS
    )
    if short:
        return Verdict("not measured", reasons=short)
    if measured.flag("features_equal") is False:
        return Verdict("not measured", reasons=(Reason("features not equal", measured.sides),))
    wrong = []
    ml, data = compared["train"]
    if not _faster(measured, "train", ml, data):
        wrong.append(Reason("not faster", ml, ("train",)))
    ml, data = compared["prepare"]
    if not _faster(measured, "prepare", data, ml):
        wrong.append(Reason("not faster", data, ("prepare",)))
    outcomes: tuple[Outcome, ...] = ("holds", "holds with a condition", "does not hold")
    return Verdict(outcomes[len(wrong)], reasons=tuple(wrong))


def word(measured: Measured, verdict: Verdict) -> str:
    """Say how many rows a second each side read, and why that decides nothing where it does not."""
    if unknown := verdict.reason("rate not measured"):
        return f"Rows a second of {unknown.names[0]} were not measured on every side."
    ml, data = measured.of("sagemaker"), measured.of("emr")
    text = (
        f"A second of prepare read {_rates(measured, 'prepare', (*data, *ml))}; of train "
        f"{_rates(measured, 'train', (*ml, *data), rows='')}."
    )
    if verdict.reason("features not equal"):
        return f"{text} But the sides' features are not equal."
    known = measured.number("bytes")
    scale = " That is" if known is None else f" That is at {size(int(known))} of raw data"
    scale += " on one machine; at large scale nothing was measured." if measured.where == "local" else "."
    if verdict.reason("too short"):
        short = [
            f"{stage} on {TITLES[side]} ({seconds(measured.number(f'seconds_{stage}', side))})"
            for reason in verdict.reasons
            for side, stage in zip(reason.sides, reason.names, strict=True)
        ]
        why = f"But {join(short)} took less than {_LEAST_SECONDS} s, which is mostly the start of processes: "
        return f"{text}{scale} {why}no verdict rests on these rates."
    if apart := verdict.reason("engines differ"):
        engines = "; ".join(_engines(measured, stage, (*ml, *data)) for stage in apart.names)
        return f"{text}{scale} But {engines}: the services do not share an engine there, and are not compared."
    if verdict.outcome == "holds with a condition":
        models = verdict.reasons[0].names != ("train",)
        half = "the models, not for the logs" if models else "the logs, not for the models"
        return f"The claim holds for {half}. {text}{scale}"
    return text + scale


def _engine(evidence: Evidence, side: SideName, *, stage: StageName) -> str:
    """The engine of a stage: a side's own, but a Training job is XGBoost without it, on a side of Spark too."""
    training = "AlgorithmSpecification" in evidence.templates[side].request(stage)[1]
    return "XGBoost alone" if training else evidence.sides[side].engine


def _same_engine(measured: Measured, stage: StageName) -> tuple[tuple[SideName, ...], tuple[SideName, ...]]:
    """The sides of each service whose engine of a stage a side of the other one has as well."""
    key = f"engine_{stage}"
    ml, data = measured.of("sagemaker"), measured.of("emr")
    shared = {measured.text(key, side) for side in ml} & {measured.text(key, side) for side in data}
    of = [tuple(side for side in sides if measured.text(key, side) in shared) for sides in (ml, data)]
    return of[0], of[1]


def _faster(measured: Measured, stage: StageName, these: tuple[SideName, ...], those: tuple[SideName, ...]) -> bool:
    """Tell whether each of some sides read more rows a second than each of others."""
    least = min(measured.number(f"rate_{stage}", side) or 0 for side in these)
    return least > max(measured.number(f"rate_{stage}", side) or 0 for side in those)


def _engines(measured: Measured, stage: str, sides: tuple[SideName, ...]) -> str:
    key = f"engine_{stage}"
    return f"{stage} is {join([f'{measured.text(key, side)} on {TITLES[side]}' for side in sides])}"


def _rates(measured: Measured, stage: StageName, sides: tuple[SideName, ...], rows: str = "rows ") -> str:
    known = [side for side in sides if measured.known(f"rate_{stage}", side)]
    first, *others = (f"{number(measured.number(f'rate_{stage}', side))} {{}}on {TITLES[side]}" for side in known)
    return join([first.format(rows), *(each.format("") for each in others)])
