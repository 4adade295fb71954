"""The workloads and wheels, published as the laptop's build does it."""

import subprocess
from pathlib import Path

from assembly.template import REPOSITORY
from local.build import environment
from local.container import scratch
from local.s3 import LocalS3

CODE = "s3://data/code/one"


def publish(bucket: Path, script: str = "publish.sh") -> Path:
    """Publish to CODE, where the buckets are below a folder: the wheels come from where `make` fetched them."""
    s3 = LocalS3(bucket)
    with scratch("build", bucket / ".work") as folder:
        file = REPOSITORY / "workloads" / script
        subprocess.run(["bash", str(file), CODE], env=environment(folder, s3), check=True)
    return s3.path(CODE)
