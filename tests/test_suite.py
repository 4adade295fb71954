"""The tests themselves: every process finds the same ones, under the same names."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from assembly.template import REPOSITORY


@pytest.mark.full
def test_every_process_collects_the_same_tests_in_the_same_order(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Other hashes, later, another day, another folder: a difference aborts a run before its first test."""
    collected = subprocess.run(
        [sys.executable, "-m", "pytest", "tests", "--collect-only", "-q", "--numprocesses=0", "--snapshot-warn-unused"],
        cwd=REPOSITORY,
        env={
            **os.environ,
            "PYTEST_ADDOPTS": "",
            "TMPDIR": str(tmp_path),
            "PYTHONHASHSEED": "1",
            "TZ": "Pacific/Kiritimati",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert collected.returncode == 0, collected.stdout[-2000:]
    tests = [line for line in collected.stdout.splitlines() if "::" in line]
    chosen = [item.nodeid for item in request.session.items]
    assert [test for test in tests if test in set(chosen)] == chosen
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
