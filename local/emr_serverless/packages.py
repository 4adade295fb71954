"""The Python of a job run on the laptop, and the packages that it finds: those of the archive that the request names.

A job run has the release's Python and nothing of ours on it; a worker unpacks archives into its working folder. Here
that folder gets what the archive holds, as `make` has installed it: the archive is looked at file by file first.
"""

import platform
import shlex
import sys
import zipfile
import zlib
from functools import cache
from pathlib import Path

from local.jobs import RequestRefused
from local.spark import Host, installed

# Of a wheel: what installing it writes anew, or puts elsewhere.
_OWN = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json", ".pyc")


def bare_python(host: Host) -> Path:
    """A Python without any package beside those on its path, in the host's own folder."""
    python = host.folder / "bin" / "python3.11"
    python.parent.mkdir()
    base = (installed().folder / "bin" / "python").resolve()
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(str(base))} -S "$@"\n')
    python.chmod(0o755)
    return python


def unpack(archive: Path, target: Path, host: Host) -> None:
    """Let the host see the archive's content at `target`. Raises RequestRefused where it is not what is installed."""
    there = installed().folder
    differing = _differing(archive, archive.stat().st_mtime_ns)
    if differing:
        raise RequestRefused(f"{there} does not hold what {archive.name} does: {differing}; run `make clean`")
    target.symlink_to(host.seen(_packages(there)))


@cache
def _differing(archive: Path, _changed: int) -> str:
    """Some names of what an archive holds and an environment does not, empty if there are none.

    By the files' sizes and check sums; on another Python or processor than the service's, by the packages' versions.
    """
    there = installed()
    packages = _packages(there.folder)
    same = there.python.startswith(f"{there.wanted_python}.") and sys.platform == "linux" and _is_x86()
    with zipfile.ZipFile(archive) as content:
        files = {item.filename: item for item in content.infolist() if not item.is_dir()}
    if not any(name.endswith(".dist-info/METADATA") for name in files):
        return "no package is in it"
    projects = {name.split("/")[0] for name in files if name.endswith(".dist-info/METADATA")}
    others = {folder.name for folder in packages.glob("*.dist-info")} ^ projects
    if others or not same:
        return ", ".join(sorted(others)[:5])
    looked_at = {name: item for name, item in files.items() if ".data/" not in name and not name.endswith(_OWN)}
    return ", ".join([name for name, item in sorted(looked_at.items()) if not _is(packages / name, item)][:5])


def _is(file: Path, item: zipfile.ZipInfo) -> bool:
    return file.is_file() and file.stat().st_size == item.file_size and zlib.crc32(file.read_bytes()) == item.CRC


def _packages(there: Path) -> Path:
    return next((there / "lib").glob("python3.*/site-packages"))


def _is_x86() -> bool:
    return platform.machine() == "x86_64"
