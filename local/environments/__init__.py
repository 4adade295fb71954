"""The Python environments that jobs run in on the laptop: what a service's image holds, and nothing else.

A folder beside this file defines one, by the image's name and tag:

    image.toml           the image's Python and its environment variables, and patches that the image makes
    requirements.txt     its packages, and where that list comes from
    requirements.lock    the same with hashes, which is what is installed; `requirements` in image.toml names another
    *.py, */             modules that stand for what no index has; copied beside the packages
    bin/                 the same for commands

They are built once, by `make` or `python -m local.environments NAME`, never by a run, and no job writes to one: it gets
a layer of its own on top (`Environment.layer`).
"""

import fcntl
import functools
import glob
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from record.errors import UserError
from sides import SIDES

DEFINITIONS = Path(__file__).resolve().parent
REPOSITORY = DEFINITIONS.parents[1]
BUILT = REPOSITORY / ".venv" / "environments"
_STAMP = "built.json"
_WHEELS = "wheels"
# No package here needs a compiler, but sagemaker-containers declares a C extension, which only its MPI runner uses: a
# compiler that does nothing makes it without one, and without Python's headers (gethostname.py stands for it).
_NO_COMPILER = {"CC": "true", "CXX": "true", "LDSHARED": "true", "LDCXXSHARED": "true"}
_DESCRIBE = "import json, ssl, sys, zlib; print(json.dumps([sys._base_executable, sys.version.split()[0]]))"


class BuildError(Exception):
    """An environment cannot be built; the message ends with what the installer said."""


@dataclass(frozen=True)
class Environment:
    """A built environment. `folder` is a virtual environment, `python` the version of its Python."""

    name: str
    folder: Path
    python: str
    wanted_python: str
    variables: Mapping[str, str]
    engine: str | None = None
    """What computes in the image, where not every side needs it."""

    @property
    def wheels(self) -> Path | None:
        """The published wheels for this Python, where it is another than the image's, which those are for."""
        folder = self.folder / _WHEELS
        return folder if folder.is_dir() else None

    def layer(self, folder: Path) -> Path:
        """Make `folder` a virtual environment on top of this one: what is installed there stays there.

        Its Python finds the packages of this one after its own, and its commands (pip, gunicorn) start its Python.
        """
        shutil.copytree(self.folder / "bin", folder / "bin", symlinks=True)
        shutil.copy(self.folder / "pyvenv.cfg", folder)
        packages = folder / _packages(self.folder).relative_to(self.folder)
        packages.mkdir(parents=True)
        (folder / "lib64").symlink_to("lib")
        below = ascii(str(_packages(self.folder)))
        (packages / "environment.pth").write_text(f"import site; site.addsitedir({below})\n")
        return folder


def environment(name: str) -> Environment:
    """The environment of an image, given as repository-tag. Raises UserError."""
    image = _definition(name)
    built = _stamp(name)
    if built.get("definition") != _digest(name):
        raise UserError(
            f"environment {name}: {'is of an older definition' if built else 'is not built, or no longer whole'}; "
            f"run `make .venv/installed` or `python -m local.environments {name}`"
        )
    variables, engine = image.get("variables", {}), image.get("engine")
    return Environment(name, BUILT / name, built["python"], image["python"], variables, engine)


def names() -> list[str]:
    """The environments that are defined."""
    return sorted(file.parent.name for file in DEFINITIONS.glob("*/image.toml"))


def needed(sides: Iterable[str]) -> list[str]:
    """The environments that a run of these sides needs: `service` and `engine` of image.toml say which sides' only."""
    wanted = {(SIDES[side].service, SIDES[side].engine) for side in sides}
    every = {name: _definition(name) for name in names()}
    return [
        name for name, image in every.items() if "engine" not in image or (image["service"], image["engine"]) in wanted
    ]


def build(name: str) -> bool:
    """Build an environment, unless it is there already: then False.

    Raises UserError for one that is not defined, and BuildError.
    """
    image = _definition(name)
    BUILT.mkdir(parents=True, exist_ok=True)
    with (BUILT / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _stamp(name).get("definition") == _digest(name):
            return False
        folder = BUILT / name
        shutil.rmtree(folder, ignore_errors=True)
        executable, version = interpreter(image["python"])
        _uv("venv", "--relocatable", "--python", executable, str(folder))
        requirements = str(_requirements(name))
        _uv(
            *("pip", "install", "--python", str(folder / "bin" / "python"), "--no-deps", "--require-hashes"),
            # The image has hardly any compiled files and spends seconds on it in each job; those are no part of a job.
            *("--compile-bytecode", "--build-constraints", requirements, "--requirements", requirements),
        )
        packages = _packages(folder)
        for patch in image.get("patches", []):
            file = packages / patch["file"]
            text = file.read_text()
            file.unlink()  # it may be a hard link into the installer's cache
            file.write_text(text.replace(patch["from"], patch["to"]))
        for module in (DEFINITIONS / name).iterdir():
            if module.suffix == ".py":
                shutil.copy(module, packages)
            elif module.name == "bin":
                shutil.copytree(module, folder / "bin", dirs_exist_ok=True)
            elif module.is_dir() and module.name != "__pycache__":
                shutil.copytree(module, packages / module.name, ignore=shutil.ignore_patterns("__pycache__"))
        if "published" in image and not version.startswith(f"{image['python']}."):
            _download(folder, REPOSITORY / image["published"])
        (folder / _STAMP).write_text(json.dumps({"definition": _digest(name), "python": version}))
        return True


def _download(folder: Path, lock: Path) -> None:
    """Fetch the wheels of what is published for the image's Python, for the Python that stands for it."""
    command = [str(folder / "bin" / "python"), "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    done = subprocess.run(
        [*command, "--only-binary=:all:", f"--requirement={lock}", f"--dest={folder / _WHEELS}"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise BuildError(f"pip download failed:\n{done.stdout.strip()}")


def interpreter(wanted: str) -> tuple[str, str]:
    """A Python of the wanted minor version with its whole version, else the project's own."""
    found = [
        *glob.glob(f"{os.environ.get('PYENV_ROOT', Path.home() / '.pyenv')}/versions/{wanted}.*/bin/python{wanted}"),
        *filter(None, [shutil.which(f"python{wanted}")]),
    ]
    with_uv = subprocess.run(
        [_uv_path(), "python", "find", "--system", "--no-python-downloads", wanted],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    for candidate in [*found, with_uv.stdout.strip(), sys.executable]:
        with_version = _describe(candidate)
        if with_version and (candidate == sys.executable or with_version[1].startswith(f"{wanted}.")):
            return with_version
    raise BuildError(f"{sys.executable} does not start")


def _describe(executable: str) -> tuple[str, str] | None:
    """The installation behind an executable, and its version; None where it does not start or is not whole."""
    try:
        done = subprocess.run([executable, "-I", "-c", _DESCRIBE], capture_output=True, text=True, check=False)
        path, version = json.loads(done.stdout)
    except (OSError, ValueError):
        return None
    return str(path), str(version)


@functools.cache
def _uv_path() -> str:
    from uv import find_uv_bin

    return str(find_uv_bin())


def _uv(*arguments: str) -> None:
    environ = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    done = subprocess.run(
        [_uv_path(), *arguments, "--quiet", "--no-config"],
        env={**environ, **_NO_COMPILER}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise BuildError(f"uv {' '.join(arguments[:2])} failed:\n{done.stdout.strip()}")


def _packages(folder: Path) -> Path:
    return next((folder / "lib").glob("python3.*/site-packages"))


def _definition(name: str) -> dict[str, Any]:
    if name not in names():
        raise UserError(f"environment {name}: is not defined; there are: {', '.join(names())}")
    return tomllib.loads((DEFINITIONS / name / "image.toml").read_text())


def _requirements(name: str) -> Path:
    named = _definition(name).get("requirements")
    return REPOSITORY / named if named else DEFINITIONS / name / "requirements.lock"


def _digest(name: str) -> str:
    digest = hashlib.sha256(_requirements(name).read_bytes())
    for file in sorted((DEFINITIONS / name).rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            digest.update(f"{file.relative_to(DEFINITIONS)}\n".encode() + file.read_bytes())
    return digest.hexdigest()


def _stamp(name: str) -> dict[str, str]:
    """What is known of a built environment: nothing where its Python or its packages are gone."""
    folder = BUILT / name
    if not os.access(folder / "bin" / "python", os.X_OK) or not any((folder / "lib").glob("python3.*/site-packages/*")):
        return {}
    try:
        return dict(json.loads((folder / _STAMP).read_text()))
    except (OSError, ValueError):
        return {}
