"""Entry point of the Spark image's Processing jobs, on every host: install the published wheels, submit a script.

usage: submit.py [--conf NAME=VALUE ...] [SMSPARK OPTION ...] SCRIPT [ARGUMENT ...]

The image's own smspark-submit takes no settings of Spark but from a file, which is written here, and knows no packages
(github.com/aws/sagemaker-spark-container at 7d90eeb1, read 2026-11-28). What it takes stays as it is.
"""

import json
import signal
import subprocess
import sys
from pathlib import Path

from common.command import SAGEMAKER_OUTPUT, failed
from common.packages import install

CONFIGURATION = Path("/opt/ml/processing/input/conf/configuration.json")
_CONF = "--conf="


def main(*arguments: str) -> int:
    """Prepare the host, then work as one of the cluster until its application has ended; returns the exit code."""
    SAGEMAKER_OUTPUT.mkdir(parents=True, exist_ok=True)
    try:
        install()
        settings = [each.removeprefix(_CONF).split("=", 1) for each in arguments if each.startswith(_CONF)]
        configure(dict(settings))
    except Exception as problem:
        return failed(problem)
    submitted = ["smspark-submit", *(each for each in arguments if not each.startswith(_CONF))]
    with subprocess.Popen(submitted) as process:
        # As the first process of a container it would not hear of a stopped job otherwise.
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        code = process.wait()
    # smspark writes over what the script has said of itself that spark-submit failed; the script has said it twice.
    said = SAGEMAKER_OUTPUT / "failure"
    if code and said.is_file():
        said.with_name("message").write_text(said.read_text("utf-8"), "utf-8")
    return code if code >= 0 else 128 - code


def configure(settings: dict[str, str]) -> None:
    """Leave Spark's settings where smspark-submit finds them; of what it has set itself they win."""
    CONFIGURATION.parent.mkdir(parents=True, exist_ok=True)
    CONFIGURATION.write_text(json.dumps([{"Classification": "spark-defaults", "Properties": settings}]), "utf-8")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
