"""The tests themselves: every process finds the same ones, under the same names."""

import os
import re
import subprocess
import sys
import time
import tomllib
from pathlib import Path

from comparison.template import REPOSITORY


def collecting(folder: Path, **environment: str) -> "subprocess.Popen[str]":
    """A process of its own that lists the tests, in an environment of its own."""
    folder.mkdir()
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", "tests", "--collect-only", "-q", "--numprocesses=0", "--snapshot-warn-unused"],
        cwd=REPOSITORY,
        env={**os.environ, "PYTEST_ADDOPTS": "", "TMPDIR": str(folder), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_every_process_collects_the_same_tests_in_the_same_order(tmp_path: Path) -> None:
    """Other hashes, another second, another day, other folders: a difference aborts a run before its first test."""
    one = collecting(tmp_path / "one", PYTHONHASHSEED="1", TZ="Etc/GMT+12")
    time.sleep(1.1)
    two = collecting(tmp_path / "two", PYTHONHASHSEED="2", TZ="Pacific/Kiritimati")
    (first, _), (second, _) = one.communicate(), two.communicate()
    assert (one.returncode, two.returncode) == (0, 0), first[-2000:] + second[-2000:]
    tests = [line for line in first.splitlines() if "::" in line]
    assert tests == [line for line in second.splitlines() if "::" in line]
    files = {line.split("::")[0] for line in tests}
    assert files == {str(path.relative_to(REPOSITORY)) for path in (REPOSITORY / "tests").rglob("test_*.py")}


def test_the_type_checker_reads_every_part_of_the_cdk_that_is_used() -> None:
    """What it does not read could be called with anything."""
    config = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["mypy"]
    (read,) = (each["module"] for each in config["overrides"] if "aws_cdk" in each["module"])
    used = {
        f"aws_cdk.{name}"
        for folder in config["files"]
        for file in ([REPOSITORY / folder] if folder.endswith(".py") else (REPOSITORY / folder).rglob("*.py"))
        for name in re.findall(r"\baws_cdk(?: import |[.])([a-z]\w+)", file.read_text())
    }
    assert used
    assert used <= set(read)
