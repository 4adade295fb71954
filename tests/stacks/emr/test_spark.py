"""The executor of every allowed instance type, against YARN's memory of that type."""

import pytest

from common.command import InputError
from stacks import instances
from stacks.emr import spark as emr_spark
from stacks.instances import sizes, sizes_from_moto
from stacks.settings import Settings

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


@pytest.mark.parametrize("instance_type", [name for name in DOCUMENTED if name in sizes()])
def test_yarn_memory_is_as_documented(instance_type: str) -> None:
    assert emr_spark.yarn_memory(instance_type) == DOCUMENTED[instance_type]


def test_sizes_are_those_of_ec2() -> None:
    """With a newer moto: make instances, and review the diff."""
    assert sizes() == sizes_from_moto()


def test_what_emr_does_not_run_is_no_node() -> None:
    """Types that EC2 has and EMR refuses (ListSupportedInstanceTypes)."""
    assert not {"t3.xlarge", "u-6tb1.112xlarge", "hpc6a.48xlarge", "p5.48xlarge", "m6g.xlarge"} & sizes().keys()
    assert {"m5.xlarge", "m5.24xlarge", "c6i.2xlarge", "r5a.2xlarge", "m7i-flex.4xlarge", "i3.xlarge"} <= sizes().keys()


def megabytes(settings: dict[str, str]) -> int:
    return sum(int(settings[f"spark.executor.{name}"].removesuffix("m")) for name in ("memory", "memoryOverhead"))


def test_an_executor_fits_its_node() -> None:
    """Of every type: beside the ApplicationMaster, with room for each core's Python worker, in units of YARN's."""
    for instance_type, (vcpus, _) in sizes().items():
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


def test_a_type_of_unknown_size_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instances, "sizes", dict)
    with pytest.raises(InputError, match=r"emr\.core\.instance_type=\"m5\.2xlarge\": is not in stacks/node_sizes"):
        Settings.from_context({"emr.core.instance_type": "m5.2xlarge"})
