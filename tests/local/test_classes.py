"""The archive of Spark's classes: the JVM takes it, or would not start."""

import subprocess
from pathlib import Path

import pytest

from local.container import container_mode
from local.s3 import LocalS3
from local.spark import CLASSES, Host, installed


@pytest.mark.parametrize("disturbed", [False, True])
def test_spark_starts_with_its_classes(disturbed: bool, tmp_path: Path) -> None:
    if container_mode() == "directory":
        pytest.skip("user namespaces are blocked on this machine: jobs have other paths each time")
    assert CLASSES.exists()
    host = Host("host", tmp_path, tmp_path)
    env = host.environment(LocalS3(tmp_path), {}, {}, installed().folder / "bin" / "python")
    env["SPARK_SUBMIT_OPTS"] += " -Xshare:on"
    program = tmp_path / "program.py"
    program.write_text(
        "from pyspark.sql import SparkSession\nprint(SparkSession.builder.getOrCreate().range(9).count())"
    )
    if disturbed:
        # Why settings lie elsewhere: a folder of the class path that holds something makes the archive useless.
        (tmp_path / "conf" / "spark-defaults.conf").touch()
    command = host.submit([str(host.seen(program))])
    done = subprocess.run(command, env=env, check=False, capture_output=True, text=True)
    assert (done.stdout.strip() == "9") is not disturbed, done.stderr
