"""EC2's instance types: a family's processor, accelerators and disks of its own, and a node's size.

SageMaker's types are EC2's with ``ml.`` before them. ``instance_families.json`` and ``node_sizes.csv`` are written from
EC2's own answer (DescribeInstanceTypes, API_InstanceTypeInfo) and EMR's as moto keeps copies of them, so that nothing
is looked up while synthesising:

    python -m stacks.instances    # or: make instances
"""

import csv
import gzip
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("instance_families.json")
SIZES = Path(__file__).with_name("node_sizes.csv")

_ACCELERATORS = ("GpuInfo", "InferenceAcceleratorInfo", "NeuronInfo", "FpgaInfo", "MediaAcceleratorInfo")


@dataclass(frozen=True)
class Family:
    """A family of instance types, for instance ``m5``."""

    x86: bool
    accelerator: bool
    local_disks: bool


def family_name(instance_type: str) -> str:
    """``m5`` of ``m5.xlarge`` and of ``ml.m5.xlarge``."""
    return instance_type.removeprefix("ml.").split(".")[0]


def family(instance_type: str) -> Family | None:
    """The traits of a type's family; None if it is not in the data."""
    return families().get(family_name(instance_type))


def has_local_disks(instance_type: str) -> bool:
    """True if the type has disks of its own beside its EBS volumes; a type that is not known may have."""
    known = family(instance_type)
    return known is None or known.local_disks


@cache
def families() -> Mapping[str, Family]:
    """Every family of the data, by its name."""
    return {name: Family(**traits) for name, traits in json.loads(FILE.read_text())["families"].items()}


@cache
def sizes() -> Mapping[str, tuple[int, int]]:
    """vCPUs and memory in MiB of every type that may be a node of a cluster."""
    with SIZES.open(encoding="utf-8", newline="") as file:
        return {row["type"]: (int(row["vcpus"]), int(row["memory_mib"])) for row in csv.DictReader(file)}


def sizes_from_moto() -> dict[str, tuple[int, int]]:
    """The sizes of moto's copy of EC2's answer: what EMR 7 runs, of x86 without an accelerator, xlarge and larger."""
    possible = {name for name in _run_by_emr() if name.endswith("xlarge")}
    return {
        name: (described["VCpuInfo"]["DefaultVCpus"], described["MemoryInfo"]["SizeInMiB"])
        for name, described in sorted(_described().items())
        if name in possible and _traits(described).x86 and not _traits(described).accelerator
    }


def _run_by_emr() -> set[str]:
    """The types that a release of EMR 7 runs, by moto's copies of EMR's own answer (ListSupportedInstanceTypes)."""
    lists = (files("moto") / "emr" / "resources").iterdir()
    packed = [each.read_bytes() for each in lists if each.name.startswith("instance-types-emr-7.")]
    return {name for each in packed for name in json.loads(gzip.decompress(each))}


def _described() -> dict[str, Any]:
    packed = (files("moto") / "ec2" / "resources" / "instance_types.json.gz").read_bytes()
    answer: dict[str, Any] = json.loads(gzip.decompress(packed))
    return answer


def read_from_moto() -> dict[str, Family]:
    """The families of moto's copy of EC2's answer. ValueError if the types of one differ in what matters here."""
    found: dict[str, Family] = {}
    for name, described in _described().items():
        traits = _traits(described)
        if found.setdefault(family_name(name), traits) != traits:
            raise ValueError(f"{name}: other traits than the rest of its family")
    return dict(sorted(found.items()))


def _traits(described: Mapping[str, Any]) -> Family:
    return Family(
        x86="x86_64" in described["ProcessorInfo"]["SupportedArchitectures"],
        accelerator=any(kind in described for kind in _ACCELERATORS),
        local_disks=described["InstanceStorageSupported"],
    )


def main() -> None:
    """Write the data anew."""
    lines = [f'    "{name}": {json.dumps(asdict(traits))}' for name, traits in read_from_moto().items()]
    FILE.write_text(
        '{\n  "source": "EC2 DescribeInstanceTypes, as kept in moto '
        f'{version("moto")} (ec2/resources/instance_types.json.gz)",\n'
        f'  "read": "{datetime.now(UTC).date()}",\n  "families": {{\n' + ",\n".join(lines) + "\n  }\n}\n"
    )
    rows = [f"{name},{vcpus},{memory}\n" for name, (vcpus, memory) in sizes_from_moto().items()]
    SIZES.write_text("type,vcpus,memory_mib\n" + "".join(rows))


if __name__ == "__main__":
    main()
