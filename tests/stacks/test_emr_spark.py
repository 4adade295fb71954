"""The executor of every allowed instance type, against YARN's memory of that type."""

import gzip
import json
from importlib.resources import files

import pytest

from stacks import emr_spark
from stacks.settings import Settings, SettingsError

# yarn.nodemanager.resource.memory-mb without HBase (ReleaseGuide/emr-hadoop-task-config.html,
# as of github.com/awsdocs/amazon-emr-release-guide, read 2026-11-27).
DOCUMENTED = {
    "c1.xlarge": 5120,
    "c3.xlarge": 5632,
    "c3.2xlarge": 11520,
    "c3.8xlarge": 53248,
    "c4.4xlarge": 23040,
    "d2.xlarge": 23424,
    "d2.2xlarge": 54272,
    "d2.4xlarge": 116736,
    "d2.8xlarge": 241664,
    "i2.xlarge": 23424,
}


@pytest.mark.parametrize("instance_type", [name for name in DOCUMENTED if name in emr_spark.sizes()])
def test_yarn_memory_is_as_documented(instance_type: str) -> None:
    assert emr_spark.yarn_memory(instance_type) == DOCUMENTED[instance_type]


def test_sizes_are_those_of_ec2() -> None:
    """moto carries EC2's own answer."""
    with gzip.open(str(files("moto").joinpath("ec2/resources/instance_types.json.gz"))) as file:
        known = json.load(file)
    answered = {
        name: (each["VCpuInfo"]["DefaultVCpus"], each["MemoryInfo"]["SizeInMiB"])
        for name, each in known.items()
        if "x86_64" in each["ProcessorInfo"]["SupportedArchitectures"] and name.endswith("xlarge")
    }
    assert emr_spark.sizes() == answered


def megabytes(settings: dict[str, str]) -> int:
    return sum(int(settings[f"spark.executor.{name}"].removesuffix("m")) for name in ("memory", "memoryOverhead"))


def test_an_executor_fits_its_node() -> None:
    """Of every type: beside the ApplicationMaster, with room for each core's Python worker, in units of YARN's."""
    for instance_type, (vcpus, _) in emr_spark.sizes().items():
        settings = emr_spark.executor([instance_type])
        assert settings["spark.executor.cores"] == str(vcpus), "all of the node"
        heap, overhead = (int(settings[f"spark.executor.{name}"][:-1]) for name in ("memory", "memoryOverhead"))
        assert overhead >= vcpus * 230 * 1.3 + 384, instance_type
        assert heap >= 1024, instance_type
        allocated = -(-(heap + overhead) // 32) * 32
        assert allocated + 896 <= emr_spark.yarn_memory(instance_type)
        training = emr_spark.training_memory([instance_type])
        assert megabytes(training) == megabytes(settings)
        assert int(training["spark.executor.memory"][:-1]) >= 1024


def test_an_executor_fits_every_type_of_a_fleet() -> None:
    """Few cores of one, little memory of the other."""
    fleet = ["c1.xlarge", "m5.4xlarge", "r5.8xlarge"]
    settings = emr_spark.executor(fleet)
    assert settings["spark.executor.cores"] == "8"
    assert megabytes(settings) + 1024 == min(map(emr_spark.yarn_memory, fleet))


def test_a_type_of_unknown_size_is_refused() -> None:
    """Retired ones, of which EC2 says nothing any more."""
    with pytest.raises(
        SettingsError, match=r"emr\.core\.instance_type=\"p2\.xlarge\": is not a type whose size is known"
    ):
        Settings.from_context({"emr.core.instance_type": "p2.xlarge"})
