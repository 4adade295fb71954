"""Packages that a SageMaker image lacks, from the wheels that are published: its subnets have no way to an index."""

import importlib
import subprocess
import sys
from pathlib import Path

WHEELS = Path("/opt/ml/processing/input/wheels")


def install() -> None:
    """Install what the lock beside the wheels names, from them alone; nothing where there are no wheels.

    Raises:
        ImportError: with what pip says.
    """
    if not WHEELS.is_dir():
        return
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    source = ["--root-user-action=ignore", "--no-index", f"--find-links={WHEELS}"]
    done = subprocess.run(
        [*command, *source, f"--requirement={WHEELS}/requirements.lock"], stderr=subprocess.PIPE, text=True, check=False
    )
    sys.stderr.write(done.stderr)
    if done.returncode:
        raise ImportError((done.stderr.strip() or "pip failed").splitlines()[-1].removeprefix("ERROR: "))
    importlib.invalidate_caches()
