"""The seed's ten rows, measured: for each its claim, what was measured on both sides, and a verdict computed from that.

    for row in rows(Evidence(record, assembly, posture, cost)):
        row.name, row.claim.sagemaker, row.verdict, row.because, row.measures

A verdict is a rule over the measures, one function a row: another template or another record gives another verdict.
"""

import tomllib
from collections.abc import Callable
from pathlib import Path

from comparison.claims.base import Claim, Evidence, Finding, Measure, Row, Verdict
from comparison.claims.deployment import deployment
from comparison.claims.ease import ease
from comparison.claims.functionality import functionality
from comparison.claims.integration import integration
from comparison.claims.pricing import pricing
from comparison.claims.processing import processing
from comparison.claims.purpose import purpose
from comparison.claims.scalability import scalability
from comparison.claims.tools import tools
from comparison.claims.use_cases import use_cases

__all__ = ["Claim", "Evidence", "Measure", "Row", "Verdict", "rows"]

SEED = Path(__file__).with_name("seed.toml")

# In the seed's order.
_RULES: tuple[Callable[[Evidence], Finding], ...] = (
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


def rows(evidence: Evidence) -> tuple[Row, ...]:
    """Measure the ten rows, in the seed's order.

    Raises:
        UserError: the assembly lacks the stack or the state machine of a side.
    """
    found = []
    claims = tomllib.loads(SEED.read_text(encoding="utf-8"))["row"]
    for number, (claim, rule) in enumerate(zip(claims, _RULES, strict=True), 1):
        name = claim.pop("name")
        finding = rule(evidence)
        found.append(
            Row(number, name, Claim(**claim), finding.measures, finding.verdict, finding.because, finding.chart)
        )
    return tuple(found)
