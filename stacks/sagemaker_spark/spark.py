"""The sizes of Spark's driver and executors on a job's instances: an executor on each, the driver beside one.

The image's own settings give an executor all of an instance's memory, that of the driver too, and its JVMs options of
older Javas, one of which writes every collection of garbage to the log: github.com/aws/sagemaker-spark-container at
7d90eeb1, src/smspark/bootstrapper.py (read 2026-11-28). So all are set here.
"""

from stacks.instances import sizes
from stacks.shared import spark

_SYSTEM_MB = 2048
"""Assumed: for the system and Hadoop's daemons, of which the first instance has four; AWS names no number."""

_MASTER_MB = 1024
"""Spark's ApplicationMaster: 512 MiB and 384 MiB of overhead, on one of the instances."""

_DRIVER_OVERHEAD_MB = 512

_JVM = "-XX:+ExitOnOutOfMemoryError"


def properties(instance_type: str, count: int) -> dict[str, str]:
    """The settings of a job on so many instances of a type; ``ml.m5.xlarge``, one of `stacks.instances.sizes`."""
    vcpus, memory = sizes()[instance_type.removeprefix("ml.")]
    driver = max(1024, memory // 8)
    left = memory - _SYSTEM_MB - _MASTER_MB - driver - _DRIVER_OVERHEAD_MB
    return {
        "spark.driver.memory": f"{driver}m",
        "spark.driver.defaultJavaOptions": _JVM,
        "spark.executor.defaultJavaOptions": _JVM,
        "spark.executor.instances": str(count),
        **spark.executor(vcpus, left),
        # An empty object that stands for a folder would be one of a training channel, and one to score.
        "spark.hadoop.fs.s3a.directory.marker.retention": "delete",
        "spark.sql.session.timeZone": "UTC",
        # A stage that failed is started again by whoever starts runs, never behind their back.
        "spark.yarn.maxAppAttempts": "1",
    }
