"""The function that records a run: what it is made of, and how the comparison calls it."""

import importlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from assembly.template import REPOSITORY
from local.services import machine_name
from sides import SERVICES, SIDES
from stacks.settings import Settings
from tests.stacks.conftest import CONFIGURATIONS, Synthesised, synthesise
from tests.stacks.test_deletion import Order

# What Lambda's Python holds beside the standard library, and what the layer holds (workloads/collector).
ON_LAMBDA = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3")
IN_LAYER = ("annotated_types", "pydantic", "pydantic_core", "typing_extensions", "typing_inspection")

IMPORT = f"""
import sys
sys.path[:0] = sys.argv[1:]
import record.handler
import record.services
for service in {sorted(SERVICES)}:
    record.services.service(service)
for module in list(sys.modules.values()):
    print(getattr(module, "__file__", None) or "")
"""


def function(synthesised: Synthesised) -> tuple[str, dict[str, Any]]:
    ((logical_id, properties),) = [
        (logical_id, synthesised.assembly.properties(stack, logical_id))
        for stack, logical_id in synthesised.assembly.resources("AWS::Lambda::Function")
        if synthesised.assembly.properties(stack, logical_id)["Handler"] == "record.handler.handler"
    ]
    return logical_id, properties


def asset(synthesised: Synthesised) -> Path:
    _, properties = function(synthesised)
    return synthesised.assembly.asset(f"{properties['Code']['S3Bucket']}/{properties['Code']['S3Key']}")


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_asset_holds_what_the_handler_imports_and_nothing_else(synthesised: Synthesised, tmp_path: Path) -> None:
    """Imported as Lambda does, by a Python that sees nothing else that is installed here."""
    for name in (*ON_LAMBDA, *IN_LAYER):
        module = Path(str(importlib.import_module(name).__file__))
        at = module.parent if module.name == "__init__.py" else module
        (tmp_path / at.name).symlink_to(at)
    folder = asset(synthesised)
    # -I: nothing of this environment; -S: not what is installed here; -B: nothing is written beside the code.
    command = [sys.executable, "-I", "-S", "-B", "-c", IMPORT, str(folder), str(tmp_path)]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    imported = {Path(line) for line in result.stdout.splitlines() if line.startswith(str(folder))}
    assert imported == {path for path in folder.rglob("*") if path.is_file()}


def test_asset_is_the_code_of_this_repository(synthesised: Synthesised) -> None:
    found = content(asset(synthesised))
    assert "record/handler.py" in found
    assert found == {name: (REPOSITORY / name).read_bytes() for name in found}


@pytest.mark.slow
def test_two_syntheses_make_the_same_asset(synthesised: Synthesised, tmp_path: Path) -> None:
    again = synthesise(synthesised.name, CONFIGURATIONS[synthesised.name], tmp_path)
    assert asset(again).name == asset(synthesised).name
    assert content(asset(again)) == content(asset(synthesised))


def test_layer_is_what_is_published_for_the_function_s_python(synthesised: Synthesised) -> None:
    _, properties = function(synthesised)
    layer = synthesised.assembly.only("AWS::Lambda::LayerVersion")
    assert layer["CompatibleRuntimes"] == [properties["Runtime"]]
    assert layer["CompatibleArchitectures"] == properties["Architectures"] == ["x86_64"]
    script = (REPOSITORY / "workloads" / "wheels.sh").read_text()
    (python,) = re.findall(r"^  collector\) python=([\d.]+) ;;", script, re.MULTILINE)
    assert properties["Runtime"] == f"python{python}"
    targets = [
        setting["Value"]
        for machine in synthesised.assembly.state_machines().values()
        for state in machine["States"].values()
        for setting in state.get("Parameters", {}).get("EnvironmentVariablesOverride", [])
    ]
    layer_at = f"s3://{layer['Content']['S3Bucket']}/{layer['Content']['S3Key']}"
    # Another target of the build is that of the certificates, where there are some.
    assert [f"{target}/collector-layer.zip" for target in targets].count(layer_at) == 1


def test_comparison_records_both_sides_with_the_settings(synthesised: Synthesised) -> None:
    machines = synthesised.assembly.state_machines()
    states = next(machine["States"] for arn, machine in machines.items() if machine_name(arn) == "comparison")
    assert states["all sides"]["Next"] == "record"
    payload = states["record"]["Parameters"]["Payload"]
    context = {key: value for key, value in CONFIGURATIONS[synthesised.name].items() if not key.startswith("@")}
    settings = Settings.from_context(context)
    assert json.loads(payload["settings"]) == json.loads(json.dumps(settings.flat()))
    assert payload["dataset"]["name"] == settings.dataset.name
    generated = settings.dataset.location is None
    assert ("events" in payload["dataset"]) == generated
    assert payload["dataset"]["raw"].startswith("s3://")
    deployed = json.loads(payload["deployed"])
    assert list(deployed) == synthesised.sides
    assert {side["state_machine"] for side in deployed.values()} <= machines.keys()
    assert [side["engine"] for side in deployed.values()] == [SIDES[name].engine for name in synthesised.sides]


def test_machine_outlives_the_sides_and_their_record(synthesised: Synthesised) -> None:
    machines = synthesised.assembly.state_machines()
    machine = next(machine for arn, machine in machines.items() if machine_name(arn) == "comparison")
    states = machine["States"]
    sides = max(
        state["TimeoutSeconds"]
        for branch in states["all sides"]["Branches"]
        for state in branch["States"].values()
        if state["Type"] == "Task"
    )
    _, properties = function(synthesised)
    assert properties["Timeout"] < states["record"]["TimeoutSeconds"]
    assert sides + states["record"]["TimeoutSeconds"] < machine["TimeoutSeconds"]


def test_function_goes_after_the_executions_that_call_it_were_stopped(synthesised: Synthesised) -> None:
    order = Order(synthesised.templates()["comparison"])
    (stop,) = order.of_type("Custom::StopExecutions")
    logical_id, _ = function(synthesised)
    assert {logical_id, *order.of_type("AWS::Lambda::LayerVersion")} <= order.needs(stop)
    # With what it may do, which a policy of its own says.
    role = order.resources[logical_id]["Properties"]["Role"]["Fn::GetAtt"][0]
    policies = {
        name
        for name in order.of_type("AWS::IAM::Policy")
        if {"Ref": role} in order.resources[name]["Properties"]["Roles"]
    }
    assert len(policies) == 2
    assert policies <= order.needs(logical_id)


def test_one_side_alone_is_run_and_recorded(one_side: Synthesised) -> None:
    (side,) = one_side.sides
    machines = {machine_name(arn): arn for arn in one_side.assembly.state_machines()}
    states = one_side.assembly.state_machines()[machines["comparison"]]["States"]
    assert [branch["StartAt"] for branch in states["all sides"]["Branches"]] == [side]
    assert states["all sides"]["ResultSelector"] == {f"{side}.$": "$[0]"}
    deployed = json.loads(states["record"]["Parameters"]["Payload"]["deployed"])
    assert {name: each["state_machine"] for name, each in deployed.items()} == {side: machines[side]}
