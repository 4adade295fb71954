"""The dashboard: both sides in the same layout."""

import json
from typing import Any

import pytest

from sides import SIDES
from tests.stacks.conftest import Synthesised


@pytest.fixture
def widgets(synthesised: Synthesised) -> list[dict[str, Any]]:
    body = synthesised.assembly.only("AWS::CloudWatch::Dashboard")["DashboardBody"]
    found: list[dict[str, Any]] = json.loads(body)["widgets"]
    return found


def test_both_sides_have_the_same_layout(widgets: list[dict[str, Any]]) -> None:
    left = [(w["y"], w["width"], w["height"], w["type"]) for w in widgets if w["x"] == 0]
    right = [(w["y"], w["width"], w["height"], w["type"]) for w in widgets if w["x"] == 12]
    assert left == right
    assert len(left) + len(right) == len(widgets)


def test_one_side_alone_has_the_whole_width(one_side: Synthesised) -> None:
    found = json.loads(one_side.assembly.only("AWS::CloudWatch::Dashboard")["DashboardBody"])["widgets"]
    assert {(widget["x"], widget["width"]) for widget in found} == {(0, 24)}
    (text,) = (widget["properties"]["markdown"] for widget in found if widget["type"] == "text")
    assert text.startswith(f"# {SIDES[one_side.sides[0]].title}\n")


def test_everything_that_is_asked_for_is_on_it(widgets: list[dict[str, Any]], synthesised: Synthesised) -> None:
    text = json.dumps(widgets)
    for wanted in (
        "ExecutionsFailed",
        "seconds by stage",
        "ModelLatency",
        "Invocations",
        "Invocation5XXErrors",
        "YARNMemoryAvailablePercentage",
        "EstimatedCharges",
        {"default": "TotalNodesRunning", "changed": "TotalUnitsRunning"}[synthesised.name],
    ):
        assert wanted in text


def test_stage_durations_come_from_the_logs_that_the_machines_write(
    widgets: list[dict[str, Any]], synthesised: Synthesised
) -> None:
    groups = {
        str(synthesised.assembly.properties(stack, name)["LogGroupName"])
        for stack, name in synthesised.assembly.resources("AWS::Logs::LogGroup")
        if "LogGroupName" in synthesised.assembly.properties(stack, name)
    }
    asked = [w["properties"]["query"].split("'")[1] for w in widgets if w["type"] == "log"]
    assert len(asked) == 2
    assert set(asked) <= groups
