"""Entry point of the Processing and Training jobs: install the published wheels that the image lacks, run a script.

usage: run.py SCRIPT [ARGUMENT ...]     SCRIPT is a file beside this one

Why a job failed is left where SageMaker takes it from: DescribeProcessingJob shows `message`, DescribeTrainingJob
`failure`, and nothing else of a container but its exit code (developer guide, read 2026-11-22). So the toolkit of the
image has no part in it: as AWS's SDK does for training, the request names this entry point (sagemaker-train 1.27.0,
ModelTrainer, read 2026-11-26).
"""

import importlib
import runpy
import subprocess
import sys
import traceback
from pathlib import Path

WHEELS = Path("/opt/ml/processing/input/wheels")
OUTPUT = Path("/opt/ml/output")


def main(script: str, *arguments: str) -> None:
    """Run the script in this process, so that it gets the signals and its exit code is the job's."""
    sys.argv = [str(Path(__file__).with_name(script)), *arguments]
    OUTPUT.mkdir(parents=True, exist_ok=True)
    try:
        if WHEELS.is_dir():
            install()
        runpy.run_path(sys.argv[0], run_name="__main__")
    except Exception as problem:
        traceback.print_exc()
        for name in ("message", "failure"):
            (OUTPUT / name).write_text(f"{type(problem).__name__}: {problem}"[:1000], "utf-8")
        raise SystemExit(1) from None


def install() -> None:
    """Install what the lock beside the wheels names, from them alone: the subnets have no way to a package index.

    Raises:
        ImportError: with what pip says.
    """
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    source = ["--root-user-action=ignore", "--no-index", f"--find-links={WHEELS}"]
    done = subprocess.run(
        [*command, *source, f"--requirement={WHEELS}/requirements.lock"], stderr=subprocess.PIPE, text=True, check=False
    )
    sys.stderr.write(done.stderr)
    if done.returncode:
        raise ImportError((done.stderr.strip() or "pip failed").splitlines()[-1].removeprefix("ERROR: "))
    importlib.invalidate_caches()


if __name__ == "__main__":
    main(*sys.argv[1:])
