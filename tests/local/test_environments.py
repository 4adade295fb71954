"""What is there of the environments that jobs run in."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from assembly.template import REPOSITORY
from local import environments
from local.environments import environment
from record.errors import UserError


@pytest.mark.parametrize("gone", ["built.json", "bin", "bin/python", "lib", "lib/python3.11/site-packages", ""])
def test_one_that_is_not_whole_is_not_there(gone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environments, "BUILT", tmp_path)
    folder = tmp_path / "emr"
    (folder / "lib" / "python3.11" / "site-packages" / "numpy").mkdir(parents=True)
    (folder / "bin").mkdir()
    (folder / "bin" / "python").symlink_to(sys.executable)
    stamp = {"definition": environments._digest("emr"), "python": "3.11.0"}
    (folder / "built.json").write_text(json.dumps(stamp))
    assert environment("emr").python == "3.11.0"
    if (folder / gone).is_dir():
        shutil.rmtree(folder / gone)
    else:
        (folder / gone).unlink()
    with pytest.raises(UserError, match="environment emr: is not built, or no longer whole; run `make"):
        environment("emr")


@pytest.mark.parametrize("gone", ["", ".cache/wheels", ".venv/environments", "node_modules/aws-cdk", "node_modules"])
def test_make_installs_again_what_was_taken_away(gone: str, tmp_path: Path) -> None:
    parts = [".cache/wheels", ".venv/environments", "node_modules/aws-cdk", "node_modules/plotly.js-basic-dist-min"]
    for part in parts:
        (tmp_path / part).mkdir(parents=True)
    shutil.copy(REPOSITORY / "Makefile", tmp_path)
    needed = ["install.py", "requirements.txt", "requirements.lock", "package.json", "package-lock.json"]
    for name in [*needed, ".venv/installed", "workloads/wheels.sh"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / ".venv" / "installed").touch()
    if gone:
        shutil.rmtree(tmp_path / gone)
    made = subprocess.run(
        ["make", "--question", ".venv/installed"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert made.returncode == (1 if gone else 0), made.stderr
