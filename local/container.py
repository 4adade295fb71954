"""A private /opt/ml for one command, as a SageMaker container has it, without docker.

Two ways, chosen by `container_mode`:

`namespace`   `unshare -rm` and a bind mount: a real /opt/ml that only the command sees. Works as root and as an
              ordinary user; the mounts end with the command; the host's /opt is not touched.
`directory`   where user namespaces are blocked or do not exist (macOS, most containers): the folder itself is used.
              Every `/opt/ml` in the command, the environment, the configuration files and the container's copies of
              scripts is rewritten to it, and SAGEMAKER_BASE_DIR names it for AWS's toolkits. Output folders get
              their scripts (code that travels with a model) back as they were.
"""

import functools
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from local.jobs import RequestRefused

Mode = Literal["namespace", "directory"]

BASE = "/opt/ml"

# $1: the folder to show as /opt/ml, $2: an empty folder for mounts, then the command. Without an /opt/ml on the host,
# /opt is rebuilt on a tmpfs from its own entries (Python may live there) with `ml` added.
_MOUNT = r"""
set -e
ml=$1; new=$2; shift 2
if [ ! -d /opt/ml ]; then
  mount -t tmpfs tmpfs "$new"
  for entry in /opt/* /opt/.[!.]*; do
    name=$new/${entry##*/}
    if [ -L "$entry" ]; then cp -P "$entry" "$name"
    elif [ -d "$entry" ]; then mkdir "$name"; mount --rbind "$entry" "$name"
    elif [ -e "$entry" ]; then : > "$name"; mount --bind "$entry" "$name"
    fi
  done
  mkdir "$new/ml"
  mount --rbind "$new" /opt
fi
mount --rbind "$ml" /opt/ml
exec "$@"
"""

_BASE_IN_TEXT = re.compile(r"(?<![\w.-])/opt/ml(?![\w.-])")


def container_mode() -> Mode:
    """How containers run here. The environment variable LOCAL_CONTAINER (namespace, directory) decides, else a probe.

    Raises ValueError when the variable has another value.
    """
    chosen = os.environ.get("LOCAL_CONTAINER")
    if chosen in ("namespace", "directory"):
        return chosen  # type: ignore[return-value]
    if chosen:
        raise ValueError(f"LOCAL_CONTAINER is {chosen!r}, allowed: namespace, directory")
    return "namespace" if _namespaces_work() else "directory"


@functools.cache
def _namespaces_work() -> bool:
    if not sys.platform.startswith("linux") or not shutil.which("unshare"):
        return False
    with scratch("probe", Path(tempfile.gettempdir())) as folder:
        container = Container(folder / "ml", folder, "namespace")
        (container.root / "probe").touch()
        command, env = container.command(["test", "-f", f"{BASE}/probe"], {})
        probe = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=10, check=False)
        return probe.returncode == 0


@dataclass(frozen=True)
class Container:
    """What one command sees as /opt/ml is the folder `root`; `scratch` holds its home and temporary files."""

    root: Path
    scratch: Path
    mode: Mode

    def __post_init__(self) -> None:
        """Make the folders."""
        for folder in (self.root, self.scratch / "home", self.scratch / "tmp", self.scratch / "mnt"):
            folder.mkdir(parents=True, exist_ok=True)

    def path(self, inside: str) -> Path:
        """The file on this machine that the command sees as `inside`. Raises RequestRefused outside /opt/ml."""
        parts = inside.rstrip("/").split("/")
        if parts[:3] != ["", "opt", "ml"] or any(part in ("", ".", "..") for part in parts[3:]):
            raise RequestRefused(f"{inside!r} is not a path below {BASE}")
        return self.root.joinpath(*parts[3:])

    def seen(self, text: str) -> str:
        """`text` as it must read so that its /opt/ml paths work for the command."""
        return text if self.mode == "namespace" else _BASE_IN_TEXT.sub(lambda _: str(self.root), text)

    def adapt(self, folder: str) -> None:
        """Make the /opt/ml paths in the scripts of a folder (`/opt/ml/...`) work for the command."""
        self._rewrite(folder, self.seen)

    def restore(self, folder: str) -> None:
        """Undo `adapt` in a folder whose files leave the container."""
        self._rewrite(folder, lambda text: text.replace(str(self.root), BASE))

    def _rewrite(self, folder: str, change: Callable[[str], str]) -> None:
        if self.mode == "namespace":
            return
        for file in self.path(folder).rglob("*"):
            if file.suffix in (".py", ".sh") and file.is_file() and not file.is_symlink():
                text = file.read_bytes().decode("utf-8", "surrogateescape")
                file.write_bytes(change(text).encode("utf-8", "surrogateescape"))

    def command(self, command: Sequence[str], environment: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
        """The command and the whole environment to start it with, on top of nothing else.

        As in a container, the caller's environment (credentials, PYTHONPATH) is not inherited; `python3` is the
        Python that runs this, standing for the image's.
        """
        env = {**base_environment(self.scratch), **{name: self.seen(value) for name, value in environment.items()}}
        if self.mode == "directory":
            return [self.seen(argument) for argument in command], {**env, "SAGEMAKER_BASE_DIR": str(self.root)}
        arguments = [str(self.root), str(self.scratch / "mnt"), *command]
        return ["unshare", "--map-root-user", "--mount", "/bin/sh", "-c", _MOUNT, "sh", *arguments], env


def base_environment(scratch: Path) -> dict[str, str]:
    """What every job's environment starts from: nothing of the caller's but the search paths."""
    inherited = {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH") if name in os.environ}
    return {
        **inherited,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        "HOME": str(scratch / "home"),
        "TMPDIR": str(scratch / "tmp"),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "PYTHONUNBUFFERED": "1",
        # The toolkits install a script's requirements.txt: here they are met already, and nothing may change them.
        "PIP_NO_INDEX": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_ROOT_USER_ACTION": "ignore",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@contextmanager
def scratch(name: str, below: Path) -> Iterator[Path]:
    """A new folder for one job; it is gone afterwards, whatever the job did."""
    below.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=below)).absolute()
    try:
        yield folder
    finally:
        try:
            shutil.rmtree(folder)
        except FileNotFoundError:  # someone else is removing it or what it is in
            shutil.rmtree(folder, ignore_errors=True)
        except OSError:  # folders that the job made read-only
            for current, folders, _ in os.walk(folder):
                for path in [current, *(os.path.join(current, name) for name in folders)]:
                    if not os.path.islink(path):
                        os.chmod(path, stat.S_IRWXU)
            shutil.rmtree(folder)
