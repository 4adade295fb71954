"""Fixtures of the workload tests: a Spark session and the small dataset, prepared on both sides."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from tests.engines import QUICK, local_spark
from tests.workloads import small

WORKLOADS = Path(__file__).parents[2] / "workloads"


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """Local Spark with two cores, as the EMR steps use it."""
    session = local_spark("local[2]", QUICK)
    yield session
    session.stop()


@dataclass(frozen=True)
class Place:
    """Folders of one dataset: its definition and its raw tables."""

    dataset: Path
    raw: Path


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The small dataset on disk."""
    folder = tmp_path_factory.mktemp("small")
    return Place(small.write_definition(folder / "dataset"), small.write_raw(folder / "raw"))
