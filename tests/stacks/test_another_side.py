"""Another side is a folder and a line in the registry: made of a copy of an existing one, it is synthesised."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from assembly.template import Assembly, app_context
from local.services import machine_name
from tests.another_side import NAME, repository_with_another_side

# Without the CDK's validator, which takes longer than all the rest (see tests/stacks/conftest.py).
SYNTHESISE = """
import json, sys
from aws_cdk import App
from app import build
app = App(context=json.loads(sys.argv[1]), outdir=sys.argv[2], builtin_cloud_formation_validation=False)
build(app)
app.synth()
"""


@pytest.mark.slow
@pytest.mark.full
def test_a_copied_side_is_synthesised_beside_another(tmp_path: Path) -> None:
    repository = repository_with_another_side(tmp_path / "repository", ("stacks", "workloads", "record"))
    context = json.dumps(app_context({"sides": f"sagemaker,{NAME}"}))
    output = tmp_path / "cdk.out"
    command = [sys.executable, "-c", SYNTHESISE, context, str(output)]
    subprocess.run(command, cwd=repository, check=True, capture_output=True)
    assembly = Assembly(output)
    stacks = ("network", "data", "sagemaker", NAME, "comparison")
    assert set(assembly.templates) == {f"side-by-side-{stack}" for stack in stacks}
    machines = assembly.state_machines()
    (arn,) = (arn for arn in machines if arn.endswith(f"-{NAME}"))
    assert f"/runs/{{}}/{NAME}/features/" in json.dumps(machines[arn])
    assert "/runs/{}/emr/" not in json.dumps(machines[arn])
    comparison = next(each for each in machines if machine_name(each) == "comparison")
    # A name with a hyphen is a field of the state all the same.
    condition = machines[comparison]["States"]["did a side fail"]["Choices"][0]["Or"]
    assert [each["Variable"] for each in condition] == ["$.sides.sagemaker.status", f"$.sides['{NAME}'].status"]
    assert "# EMR again" in json.dumps(assembly.templates["side-by-side-comparison"])
