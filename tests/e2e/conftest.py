"""Whole runs on real engines, shared by the tests that look at them."""

import json
from pathlib import Path

import pytest

from cli.run import point_latest, write_page
from local.preflight import Options
from local.progress import Progress
from local.run import run
from record.schema import Record, load, save

SMALL = {"dataset.events": "20000", "hyperparameters.num_round": "20"}


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Record, Path]:
    """Both pipelines over 20,000 log events: the record as it was written, and the run's folder."""
    output = tmp_path_factory.mktemp("runs")
    with run(Options("small", SMALL, output), Progress()) as result:
        save(result.record, result.folder / "comparison.json")
        assert write_page(result.record, result.folder) is None
    point_latest(result.record, result.folder)
    assert json.loads((result.folder / "comparison.json").read_text())["run_id"] == "small"
    return load(output / "latest" / "comparison.json"), result.folder
