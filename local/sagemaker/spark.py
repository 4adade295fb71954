"""What SageMaker's Spark image has beside its packages: Spark and Java, which are this machine's here.

The image's `smspark-submit` is a stand-in (`local/environments`), which finds in `spark.json` of its environment how
Spark is started on a laptop: variables, the settings that describe machines which are not here, and where S3 is.
"""

import json
from pathlib import Path

from local.container import Container
from local.s3 import LocalS3
from local.spark import ELSEWHERE, SETTINGS, Host

_PRIMARY = "127.0.0.1"


def host_with_spark(name: str, scratch: Path, s3: LocalS3) -> Host:
    """A job's host, whose container has its files in `scratch`."""
    return Host(name, scratch / "spark", s3.root, packages=scratch / "venv")


def provide(host: Host, container: Container, s3: LocalS3) -> None:
    """Leave what the stand-in finds."""
    host.folder.mkdir()
    started = {
        "variables": host.environment(s3, hdfs(host), {}, container.scratch / "venv" / "bin" / "python3"),
        "elsewhere": ELSEWHERE.pattern,
        "buckets": str(host.seen(s3.root)),
        "settings": str(host.seen(host.folder / SETTINGS)),
    }
    (container.scratch / "venv" / "spark.json").write_text(json.dumps(started))


def hdfs(host: Host) -> dict[str, str]:
    """Settings by which a path without a scheme is one of the cluster's own HDFS, which is empty and goes with the job.

    As in the image (hadoop-config/core-site.xml, where the first instance's address is the name): its HDFS is a folder.
    """
    folder = host.folder / "hdfs"
    folder.mkdir()
    return {
        "spark.hadoop.fs.defaultFS": f"hdfs://{_PRIMARY}",
        "spark.hadoop.fs.hdfs.impl": "org.apache.hadoop.fs.viewfs.ViewFileSystemOverloadScheme",
        f"spark.hadoop.fs.viewfs.mounttable.{_PRIMARY}.linkFallback": f"file://{host.seen(folder)}",
    }
