"""A node of an EMR cluster on the laptop: where its bootstrap actions and its steps run.

It has no network but a loopback device, as a subnet without a way out, and the Python packages that the bootstrap
action installs (`local/environments/emr`). Those were installed once, by `make`; at a cluster's creation the action
itself runs, with pip told (by its own variables) to find out what it would install, on the cluster's Python and
platform: the published wheels are looked up and checked by their hashes, and what comes out must be what is there.

Where user namespaces are not allowed, the network is this machine's: that nothing reaches for it is not checked then.
"""

import json
import os
import platform
import re
import shlex
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from local.build import STAND_INS, WHEELS
from local.container import base_environment, container_mode, scratch
from local.environments import Environment
from local.jobs import JOBS, JobFailed, RequestRefused, reason_in, run_logged
from local.s3 import LocalS3
from local.spark import installed, on_host

INSTANCE = "i-0a1b2c3d4e5f60718"
"""The primary node's id in messages."""

HOST = "ip-10-0-0-10"
"""The primary node's name."""
# pip's options, as its environment variables: only look, as if nothing was there, for a node of emr-7 (x86_64, glibc
# 2.34; the same as workloads/wheels.sh).
_LOOK = {
    "PIP_DRY_RUN": "1",
    "PIP_IGNORE_INSTALLED": "1",
    "PIP_PYTHON_VERSION": "3.11",
    "PIP_IMPLEMENTATION": "cp",
    "PIP_ONLY_BINARY": ":all:",
    "PIP_PLATFORM": "manylinux_2_28_x86_64 manylinux_2_27_x86_64 manylinux_2_17_x86_64 manylinux2014_x86_64",
}


class BootstrapFailed(JobFailed):
    """A bootstrap action that did not succeed: EMR ends the cluster."""


def bootstrap(actions: Sequence[Mapping[str, Any]], s3: LocalS3, logs: Path, work: Path) -> None:
    """Run a cluster's bootstrap actions, one after the other, each with a log of its own below `logs`.

    Raises BootstrapFailed with EMR's own reason, followed by what the log says; JobFailed when jobs are stopped; and
    RequestRefused when the steps' packages are not those that the actions would install.
    """
    for number, action in enumerate(actions, 1):
        script = action["ScriptBootstrapAction"]
        log = logs / f"bootstrap-{number}.log"
        with scratch("bootstrap", work) as folder:
            env = _environment(folder, s3)
            source = s3.path(script["Path"])
            if not source.is_file():
                what = f"failed attempting to download bootstrap action {number} file from S3"
                raise BootstrapFailed("bootstrap", f"Master instance ({INSTANCE}) {what}", log)
            command = on_host(HOST, ["/bin/bash", str(source), *script.get("Args", [])], folder, {})
            try:
                run_logged(command, job="bootstrap", log=log, env=env, cwd=folder / "home")
            except JobFailed as failed:
                if failed.exit_code is None or JOBS.stopped:
                    raise
                reason = (
                    f"On the master instance ({INSTANCE}), bootstrap action {number} returned a non-zero return code"
                )
                said = reason_in(log)
                raise BootstrapFailed(
                    "bootstrap", f"{reason}: {said}" if said else reason, log, failed.exit_code
                ) from None
            report = folder / "report.json"
            if report.exists():
                _compare(json.loads(report.read_text())["install"], installed())


def _environment(folder: Path, s3: LocalS3) -> dict[str, str]:
    """A node's environment before its software is there: `aws`, `sudo` and `dnf` are stand-ins, Python has only pip."""
    for name in ("bin", "home", "tmp"):
        (folder / name).mkdir()
    python = folder / "bin" / "python3.11"
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    python.chmod(0o755)
    env = base_environment(folder)
    if container_mode() == "namespace":
        del env["PIP_NO_INDEX"]  # the action must not need an index: nobody helps it
    return {
        **env,
        "PATH": os.pathsep.join([str(folder / "bin"), str(STAND_INS), env["PATH"]]),
        "LOCAL_S3": str(s3.root),
        "PIP_CONFIG_FILE": os.devnull,
        **_LOOK,
        "PIP_REPORT": str(folder / "report.json"),
    }


def _compare(install: Sequence[Mapping[str, Any]], there: Environment) -> None:
    """Refuse to go on where the steps' packages are not those that pip would install from the published wheels.

    File by file, by the hashes in the wheels; on another Python or processor than a node's, by name and version.
    """
    (packages,) = (there.folder / "lib").glob("python3.*/site-packages")
    found = dict(_project(folder.name) for folder in packages.glob("*.dist-info"))
    wanted = dict(_project("{name}-{version}".format(**item["metadata"])) for item in install)
    differing = sorted(name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name))
    node = there.python.startswith(f"{there.wanted_python}.") and (sys.platform, platform.machine()) == (
        "linux",
        "x86_64",
    )
    if node and not differing:
        wheels = [WHEELS / unquote(urlsplit(item["download_info"]["url"]).path).rsplit("/", 1)[1] for item in install]
        differing = [wheel.name for wheel in wheels if not _holds(packages, wheel)]
    if differing:
        raise RequestRefused(
            f"{there.folder} does not hold what the bootstrap action installs: {', '.join(differing)}; run `make clean`"
        )


def _project(name: str) -> tuple[str, str]:
    """Name and version of `name-version(.dist-info)`, the name as indexes know it."""
    project, version = name.removesuffix(".dist-info").rsplit("-", 1)
    return re.sub(r"[-_.]+", "-", project).lower(), version


def _holds(packages: Path, wheel: Path) -> bool:
    """Whether every file of a wheel is installed, by name and hash; scripts, which are made anew, left aside."""
    if not wheel.is_file():
        return False
    with zipfile.ZipFile(wheel) as archive:
        record = next(name for name in archive.namelist() if re.fullmatch(r"[^/]+\.dist-info/RECORD", name))
        lines = archive.read(record).decode().splitlines()
    wanted = {line for line in lines if "sha256=" in line and ".data/" not in line.split(",")[0]}
    return (packages / record).is_file() and wanted <= set((packages / record).read_text().splitlines())
