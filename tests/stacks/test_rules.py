"""The security rules: no finding in any configuration, and every acknowledged one known."""

import json
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, CfnElement, Validations
from cdk_nag import AwsSolutionsChecks, NIST80053R5Checks
from syrupy.assertion import SnapshotAssertion

from app import build
from comparison.template import app_context
from tests.stacks.conftest import CONFIGURATIONS, OTHERS
from tests.stacks.test_templates import without_generator_hash

PACKS = {"AwsSolutions", "NIST.800.53.R5"}


def checked(settings: dict[str, Any], folder: Path) -> tuple[list[str], dict[str, dict[str, str]]]:
    """The findings of both packs, and what is acknowledged: reason by rule by resource."""
    app = App(context=app_context(settings), outdir=str(folder))
    build(app)
    Validations.of(app).add_plugins(AwsSolutionsChecks(app), NIST80053R5Checks(app))
    # With findings the synthesis ends in an error, but not before it wrote the report.
    try:
        app.synth()
    except RuntimeError as error:
        assert "ValidationFailed" in str(error)
    report = folder / "validation-report.json"
    plugins = json.loads(report.read_text())["pluginReports"] if report.exists() else []
    findings = [
        f"{violation['ruleName']} {construct['constructPath']}"
        for plugin in plugins
        if plugin["pluginName"] != "Construct Annotations"
        for violation in plugin["violations"]
        for construct in violation["violatingConstructs"]
    ]
    return findings, acknowledged(app)


def acknowledged(app: App) -> dict[str, dict[str, str]]:
    key = Validations.ACKNOWLEDGED_RULES_METADATA_KEY
    found: dict[str, dict[str, str]] = {}
    for construct in app.node.find_all():
        for entry in construct.node.metadata:
            if entry.type != key:
                continue
            rules = {rule.removeprefix("Annotation::"): reason for rule, reason in entry.data.items()}
            rules = {rule: reason for rule, reason in rules.items() if rule.startswith(tuple(PACKS))}
            if rules:
                assert isinstance(construct, CfnElement), f"{construct.node.path}: acknowledged on more than a resource"
                found.setdefault(construct.node.path, {}).update(rules)
    return found


@pytest.fixture(scope="module", params=[*CONFIGURATIONS, *OTHERS])
def outcome(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, list[str], dict[str, dict[str, str]]]:
    settings = {**CONFIGURATIONS, **OTHERS}[request.param]
    return request.param, *checked(settings, tmp_path_factory.mktemp("rules"))


def test_no_finding(outcome: tuple[str, list[str], dict[str, dict[str, str]]]) -> None:
    _, findings, _ = outcome
    assert findings == []


def test_acknowledged_findings_are_known(
    outcome: tuple[str, list[str], dict[str, dict[str, str]]], snapshot: SnapshotAssertion
) -> None:
    """A new, a changed or a lost one shows in the diff; each has a reason of some words."""
    name, _, found = outcome
    assert all(len(reason.split()) >= 3 for rules in found.values() for reason in rules.values())
    assert without_generator_hash(found) == snapshot(name=name)


def test_rules_run_and_find_what_is_not_acknowledged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the acknowledgements both packs report: neither a lost pack nor a lost rule stays silent."""
    for module in ("network_stack", "data_stack", "emr_stack", "functions", "custom_resources"):
        monkeypatch.setattr(f"stacks.{module}.acknowledge", lambda *_: None)
    findings, _ = checked({}, tmp_path)
    rules = {finding.split(" ")[0] for finding in findings}
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
