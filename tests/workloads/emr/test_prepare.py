"""The EMR side of prepare: what it refuses, and that it leaves nothing then."""

import shutil
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from common.command import InputError
from tests.workloads import small
from tests.workloads.bad_inputs import MISTAKES
from tests.workloads.conftest import Place
from workloads.emr import prepare


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes(name: str, place: Place, tmp_path: Path, spark: SparkSession) -> None:
    """The same mistakes, the same messages; nothing is left at the output's place."""
    mistake = MISTAKES[name]
    dataset = small.write_definition(tmp_path / "dataset", **mistake.changed)
    raw = shutil.copytree(place.raw, tmp_path / "raw")
    mistake.damage(raw)
    output = tmp_path / "output"
    with pytest.raises(InputError, match=f"(?si){mistake.message}"):
        prepare.prepare(spark, dataset.as_uri(), raw.as_uri(), output.as_uri())
    assert not output.exists()


def test_a_finished_result_is_not_replaced(place: Place, tmp_path: Path, spark: SparkSession) -> None:
    """Whoever wants to repeat a run gives it another place."""
    (tmp_path / "_SUCCESS").touch()
    with pytest.raises(InputError, match="holds a finished result"):
        prepare.prepare(spark, place.dataset.as_uri(), place.raw.as_uri(), tmp_path.as_uri())
    assert (tmp_path / "_SUCCESS").exists()


def test_unknown_places(tmp_path: Path, spark: SparkSession) -> None:
    """A place that does not exist, and one on a file system that is not there."""
    for uri, message in ((tmp_path.as_uri() + "/none", "no such dataset folder"), ("s9://bucket/a", "not a place")):
        with pytest.raises(InputError, match=message):
            prepare.prepare(spark, uri, uri, tmp_path.as_uri())
