"""The driver and executors of every instance type that a Spark job may run on."""

from stacks.instances import sizes
from stacks.sagemaker_spark.spark import properties


def test_an_executor_and_the_driver_fit_an_instance() -> None:
    """Of every type: beside the ApplicationMaster and the daemons, with room for each core's Python worker."""
    for name, (vcpus, memory) in sizes().items():
        found = properties(f"ml.{name}", 2)
        heap, overhead, driver = (
            int(found[f"spark.{each}"].removesuffix("m"))
            for each in ("executor.memory", "executor.memoryOverhead", "driver.memory")
        )
        cores = int(found["spark.executor.cores"])
        assert 1 <= cores <= vcpus, name
        assert cores == vcpus or memory < 8192, f"{name}: all of the instance"
        assert heap >= 1024 or memory < 7680, name
        assert overhead >= cores * 230 * 1.3 + 384, name
        assert heap + overhead + 896 + driver + 512 + 2048 <= memory, name


def test_an_instance_has_an_executor() -> None:
    assert properties("ml.m5.xlarge", 3)["spark.executor.instances"] == "3"
