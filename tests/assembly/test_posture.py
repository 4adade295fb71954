"""The security posture: what the rules left in a folder, and what they leave there."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from assembly.posture import checking, posture
from assembly.template import app_context
from record.errors import UserError
from record.runs.folders import RULES

_REPORT: dict[str, Any] = {
    "version": "3.0.2",
    "packs": ["AwsSolutions", "NIST.800.53.R5"],
    "findings": [{"rule": "AwsSolutions-EMR4", "resource": "shop-emr/Security"}],
    "acknowledged": [
        {"rule": "NIST.800.53.R5-LambdaDLQ", "resource": "shop-sagemaker/Function/Resource", "reason": "a reason"},
        {"rule": "AwsSolutions-IAM5[Resource::*]", "resource": "shop-sagemaker/Role/Policy", "reason": "a reason"},
        {"rule": "NIST.800.53.R5-LambdaDLQ", "resource": "shop-data/Function/Resource", "reason": "a reason"},
    ],
}


def test_by_side_and_pack(tmp_path: Path) -> None:
    (tmp_path / RULES).write_text(json.dumps(_REPORT))
    found = posture(tmp_path)
    assert found is not None
    assert [len(found.of(side).acknowledged) for side in ("sagemaker", "emr", None)] == [2, 0, 1]
    assert [each.rule for each in found.of("emr").findings] == ["AwsSolutions-EMR4"]
    assert found.of("sagemaker").findings == ()
    assert [each.pack for each in found.acknowledged] == ["NIST.800.53.R5", "AwsSolutions", "NIST.800.53.R5"]
    assert found.sentence == (
        "cdk-nag 3.0.2's packs AwsSolutions and NIST.800.53.R5 ran over every stack: 1 finding; 3 more, on 3 "
        "resources, are acknowledged with a reason each."
    )


def test_without_a_report_nothing_is_known(tmp_path: Path) -> None:
    assert posture(tmp_path) is None


@pytest.mark.parametrize("text", ["{", '{"version": "3.0.2"}', json.dumps(_REPORT | {"findings": [{"rule": ""}]})])
def test_a_damaged_report_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / RULES).write_text(text)
    with pytest.raises(UserError) as error:
        posture(tmp_path)
    assert str(error.value).startswith(f"{tmp_path / RULES}: ")
    assert "\n" not in str(error.value)


@pytest.mark.full
def test_check_leaves_the_report_of_the_app_and_nothing_at_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rules themselves are in tests/stacks/shared/test_rules.py."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    with checking(app_context({"project": "other"}), tmp_path) as wait:
        wait()
    assert [file.name for file in tmp_path.iterdir()] == [RULES]
    found = posture(tmp_path)
    assert found is not None
    assert found.findings == ()
    assert {each.stack for each in found.acknowledged} > {"other-sagemaker", "other-emr"}
    assert all(found.of(side).acknowledged for side in ("sagemaker", "emr", None))


def test_an_app_that_cannot_be_checked_leaves_nothing(tmp_path: Path) -> None:
    with (
        checking(app_context({"nonsense": 1}), tmp_path) as wait,
        pytest.raises(UserError, match=r"could not be run: .*unknown setting nonsense"),
    ):
        wait()
    assert list(tmp_path.iterdir()) == []


def test_a_check_that_nobody_waits_for_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = tmp_path / "python"
    slow.write_text(f"#!/bin/sh\nsleep 2\ntouch {tmp_path}/ended\n")
    slow.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(slow))
    with checking({}, tmp_path):
        pass
    assert [file.name for file in tmp_path.iterdir()] == ["python"]
