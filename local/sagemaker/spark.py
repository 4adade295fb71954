"""What SageMaker's Spark image has beside its packages: Spark and Java, which are this machine's here.

The image's `smspark-submit` is a stand-in (`local/environments`), which finds in `spark.json` of its environment how
Spark is started on a laptop: variables, the settings that describe machines which are not here, and where S3 is.
"""

import json
from pathlib import Path

from local.container import Container
from local.s3 import LocalS3
from local.spark import ELSEWHERE, Host


def host_with_spark(name: str, scratch: Path, s3: LocalS3) -> Host:
    """A job's host, whose container has its files in `scratch`."""
    return Host(name, scratch / "spark", s3.root, packages=scratch / "venv")


def provide(host: Host, container: Container, s3: LocalS3) -> None:
    """Leave what the stand-in finds."""
    host.folder.mkdir()
    started = {
        "variables": host.environment(s3, {}, {}, container.scratch / "venv" / "bin" / "python3"),
        "elsewhere": ELSEWHERE.pattern,
        "buckets": str(host.seen(s3.root)),
    }
    (container.scratch / "venv" / "spark.json").write_text(json.dumps(started))
