"""The seed's ten claims: for each what was measured on every side, whether it holds, and why in words.

    for each in claims(Evidence(record, assembly, posture, cost)):
        each.claim.name, each.outcome, each.because, each.verdict.reasons, each.measured.figures

A verdict is a rule over the figures, one module a claim: another template or another record gives another verdict.
"""

import tomllib
from dataclasses import asdict
from pathlib import Path
from typing import Any

from comparison.claims import (
    deployment,
    ease,
    functionality,
    integration,
    pricing,
    processing,
    purpose,
    scalability,
    tools,
    use_cases,
)
from comparison.claims.base import SERVICES, Claim, Evidence, JudgedClaim, Rule

__all__ = ["SEED", "Claim", "Evidence", "JudgedClaim", "as_json", "claims"]

SEED = Path(__file__).with_name("claims.toml")

# In the seed's order.
_RULES: tuple[Rule, ...] = (
    purpose,
    functionality,
    tools,
    ease,
    scalability,
    use_cases,
    processing,
    deployment,
    pricing,
    integration,
)


def claims(evidence: Evidence) -> tuple[JudgedClaim, ...]:
    """Measure, judge and word the ten claims, in the seed's order.

    Raises:
        UserError: the assembly lacks the stack or the state machine of a side.
    """
    found = []
    for claim, rule in zip(_seed(), _RULES, strict=True):
        measured = rule.measure(evidence)
        verdict = rule.judge(measured)
        found.append(JudgedClaim(claim, measured, verdict, rule.word(measured, verdict)))
    return tuple(found)


def as_json(judged: JudgedClaim) -> dict[str, Any]:
    """A claim as plain data, as `compare report --json` writes it (docs/compare.md)."""
    claim, verdict = judged.claim, judged.verdict
    return {
        "number": claim.number,
        "name": claim.name,
        "says": {name: {"cell": claim.cells[name], "detail": claim.details[name]} for name in SERVICES},
        "favours": list(verdict.favours),
        "outcome": verdict.outcome,
        "reasons": [asdict(reason) for reason in verdict.reasons],
        "because": judged.because,
        "figures": [{"key": key, **asdict(figure)} for key, figure in judged.measured.figures.items()],
    }


def _seed() -> list[Claim]:
    return [
        Claim(
            number,
            each["name"],
            {name: each[name] for name in SERVICES},
            {name: each[f"{name}_detail"] for name in SERVICES},
            each.get("chart"),
        )
        for number, each in enumerate(tomllib.loads(SEED.read_text(encoding="utf-8"))["claim"], 1)
    ]
