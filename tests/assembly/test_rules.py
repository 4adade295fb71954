"""The security rules: no finding in any configuration, and every acknowledged one known."""

from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from app import build
from assembly.rules import check
from assembly.template import app_context
from tests.stacks.conftest import CONFIGURATIONS, ONE_SIDE, OTHERS
from tests.stacks.test_templates import without_generator_hash

PACKS = {"AwsSolutions", "NIST.800.53.R5"}


@pytest.fixture(
    scope="module", params=[*CONFIGURATIONS, *(pytest.param(name, marks=pytest.mark.full) for name in OTHERS)]
)
def outcome(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    settings = {**CONFIGURATIONS, **OTHERS}[request.param]
    return request.param, check(build, app_context(settings), tmp_path_factory.mktemp("rules"))


def test_no_finding(outcome: tuple[str, dict[str, Any]]) -> None:
    _, report = outcome
    assert report["findings"] == []
    assert set(report["packs"]) == PACKS


@pytest.mark.parametrize("name", ONE_SIDE)
def test_no_finding_with_one_side_alone(name: str, tmp_path: Path) -> None:
    assert check(build, app_context(ONE_SIDE[name]), tmp_path)["findings"] == []


def test_acknowledged_findings_are_known(outcome: tuple[str, dict[str, Any]], snapshot: SnapshotAssertion) -> None:
    """A new, a changed or a lost one shows in the diff; each has a reason of some words."""
    name, report = outcome
    found: dict[str, dict[str, str]] = {}
    for each in report["acknowledged"]:
        found.setdefault(each["resource"], {})[each["rule"]] = each["reason"]
    assert all(len(reason.split()) >= 3 for rules in found.values() for reason in rules.values())
    assert without_generator_hash(found) == snapshot(name=name)


def test_rules_run_and_find_what_is_not_acknowledged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the acknowledgements both packs report: neither a lost pack nor a lost rule stays silent."""
    for module in ("network.stack", "data.stack", "emr.cluster", "shared.functions", "shared.custom_resources"):
        monkeypatch.setattr(f"stacks.{module}.acknowledge", lambda *_: None)
    rules = {finding["rule"] for finding in check(build, app_context({}), tmp_path)["findings"]}
    assert {
        "AwsSolutions-EC23",
        "AwsSolutions-EMR4",
        "AwsSolutions-EMR5",
        "AwsSolutions-EMR6",
        "AwsSolutions-SF2",
        "NIST.800.53.R5-LambdaDLQ",
        "NIST.800.53.R5-LambdaInsideVPC",
        "NIST.800.53.R5-S3BucketReplicationEnabled",
        "NIST.800.53.R5-VPCDefaultSecurityGroupClosed",
    } <= rules
    assert {rule.rsplit("-", 1)[0] for rule in rules} == PACKS
