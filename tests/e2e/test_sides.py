"""Any set of sides: one alone, and one more that is a folder and a line in the registry, from the run to the report."""

import subprocess
import sys
from pathlib import Path

import pytest

from assembly.template import REPOSITORY
from record.schema import STAGES, Record, load
from sides import DEFAULT, SIDES
from tests.another_side import NAME, repository_with_another_side
from tests.e2e.conftest import SMALL

pytestmark = pytest.mark.full

ROOMS = ("stacks", "workloads", "record", "assembly", "comparison", "local", "cli")


def run(repository: Path, sides: str, output: Path) -> tuple[Record, str, str]:
    """A small run of these sides: its record, its page, and what was printed."""
    settings = {**SMALL, "dataset.events": "8000"}
    command = [sys.executable, "-m", "cli", "run", "--sides", sides, "--run-id", "some", "--output", str(output)]
    command += [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    ran = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    record = load(output / "some" / "comparison.json")
    assert list(record.sides) == sides.split(",")
    for side in record.sides.values():
        assert [stage.name for stage in side.stages if stage.status == "succeeded"] == list(STAGES)
    page = (output / "some" / "report.html").read_text()
    assert page.count('<section class="card ') == len(record.sides)
    return record, page, ran.stdout


@pytest.mark.parametrize("name", [*DEFAULT, "sagemaker-spark"])
def test_one_side_alone(name: str, tmp_path: Path) -> None:
    record, page, printed = run(REPOSITORY, name, tmp_path)
    assert record.agreement == ()
    assert f"{SIDES[name].title} finished" in printed
    # Only its own: "SageMaker" is also how "SageMaker Spark" begins.
    named = [side.title for side in SIDES.values() if f"US dollars on {side.title}" in page]
    assert max(named, key=len) == SIDES[name].title
    assert all(SIDES[name].title.startswith(title) for title in named)


def test_a_side_more(tmp_path: Path) -> None:
    repository = repository_with_another_side(tmp_path / "repository", ROOMS)
    for name in (".venv", ".cache", "node_modules"):
        (repository / name).symlink_to(REPOSITORY / name)
    record, page, printed = run(repository, f"sagemaker,emr,{NAME}", tmp_path / "runs")
    another = record.sides[NAME]
    assert (another.title, another.service, another.engine) == ("EMR again", "emr", "Spark")
    assert [(pair.first, pair.second) for pair in record.agreement] == [("sagemaker", "emr"), ("sagemaker", NAME)]
    assert all(pair.features_equal and pair.rejected_equal for pair in record.agreement)
    # The same engine on the same rows: the same model, but for the order in which a metric is summed.
    first, second = (side.metrics for side in (record.sides["emr"], another))
    assert first
    assert second
    assert second.auc == pytest.approx(first.auc, abs=1e-9)
    assert "US dollars on EMR again" in page
    assert "EMR again" in printed
