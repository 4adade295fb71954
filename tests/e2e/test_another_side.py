"""A side that is a folder and a line in the registry goes through everything: run, record, report."""

import subprocess
import sys
from pathlib import Path

import pytest

from assembly.template import REPOSITORY
from record.schema import STAGES, load
from tests.another_side import NAME, repository_with_another_side
from tests.e2e.conftest import SMALL

ROOMS = ("stacks", "workloads", "record", "assembly", "comparison", "local", "cli")


@pytest.mark.full
def test_three_sides_are_run_recorded_and_shown(tmp_path: Path) -> None:
    repository = repository_with_another_side(tmp_path / "repository", ROOMS)
    for name in (".venv", ".cache", "node_modules"):
        (repository / name).symlink_to(REPOSITORY / name)
    settings = {**SMALL, "dataset.events": "8000", "sides": f"sagemaker,emr,{NAME}"}
    command = [sys.executable, "-m", "cli", "run", "--run-id", "three", "--output", str(tmp_path / "runs")]
    command += [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    ran = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    record = load(tmp_path / "runs" / "three" / "comparison.json")
    assert list(record.sides) == ["sagemaker", "emr", NAME]
    for side in record.sides.values():
        assert [stage.name for stage in side.stages if stage.status == "succeeded"] == list(STAGES)
    another = record.sides[NAME]
    assert (another.title, another.service, another.engine) == ("EMR again", "emr", "Spark")
    assert [(pair.first, pair.second) for pair in record.agreement] == [("sagemaker", "emr"), ("sagemaker", NAME)]
    assert all(pair.features_equal and pair.rejected_equal for pair in record.agreement)
    # The same engine on the same rows: the very same model.
    assert another.metrics == record.sides["emr"].metrics
    page = (tmp_path / "runs" / "three" / "report.html").read_text()
    assert page.count('class="card ') == 3
    assert "US dollars on EMR again" in page
    assert "EMR again" in ran.stdout
