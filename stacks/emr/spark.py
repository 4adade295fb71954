"""The sizes of Spark's executors, from the sizes of the nodes that they run on: one takes a node."""

from collections.abc import Iterable

from stacks.instances import sizes
from stacks.shared import spark

_MASTER_MB = 1024
"""Left free on every node, since on one of them runs Spark's ApplicationMaster: 512 MiB and 384 MiB of overhead."""


def yarn_memory(instance_type: str) -> int:
    """The memory that YARN hands out of a node without HBase, in MiB: all but a quarter, within 2 and 8 GiB.

    The rule behind yarn.nodemanager.resource.memory-mb of every type from 7 to 244 GiB in EMR's release guide
    (ReleaseGuide/emr-hadoop-task-config.html, as of github.com/awsdocs/amazon-emr-release-guide, read 2026-11-27).
    """
    memory = sizes()[instance_type][1]
    return memory - max(2048, min(memory // 4, 8192))


def executor(instance_types: Iterable[str]) -> dict[str, str]:
    """The executor that fits every one of the types: all cores of the smallest, with a Python worker each."""
    types = set(instance_types)
    # Types of a fleet may differ: few cores here, little memory there.
    return spark.executor(min(sizes()[each][0] for each in types), _executor_memory(types))


def training_memory(instance_types: Iterable[str]) -> dict[str, str]:
    """The same executor for training."""
    return spark.training_memory(_executor_memory(set(instance_types)))


def _executor_memory(types: set[str]) -> int:
    return min(yarn_memory(each) for each in types) - _MASTER_MB
