"""A container for one command, as SageMaker starts one, without docker.

The command runs with an image's environment (see `environments`): its Python and packages, its environment variables,
a layer of its own to install into, and nothing of the caller. Two ways, chosen by `container_mode`:

`namespace`   namespaces of its own (see `namespace`): a real /opt/ml and /opt/venv that only the command sees, the host
              name that SageMaker gives, the built environment read-only, and no network but a loopback device. Works as
              root and as an ordinary user; it ends with the command; the host is not touched.
`directory`   where user namespaces are blocked or do not exist (macOS, most containers): the folder itself is used.
              Every `/opt/ml` in the command, the environment, the configuration files and the container's copies of
              scripts is rewritten to it, and SAGEMAKER_BASE_DIR names it for AWS's toolkits. Output folders get
              their scripts (code that travels with a model) back as they were. Not checked then: that a job needs no
              network, that its host name resolves, and that it leaves the environment as it is. Hosts of one job are
              called by addresses of this machine, whose ports they share with everything else on it.
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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from local import hosts, namespace, processes
from local.environments import Environment
from local.jobs import TOKEN, RequestRefused

Mode = Literal["namespace", "directory"]

CHECKED: Mapping[Mode, str] = {
    "namespace": "namespaces: no network, own host name, environment read-only",
    "directory": "no namespaces: that jobs need no network, resolve their host and leave the environment is unchecked",
}
"""What a record says of the jobs' containers."""

BASE = "/opt/ml"
_VENV = "/opt/venv"
_SEARCH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

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
        (ml := folder / "ml").mkdir()
        (ml / "seen").touch()
        command = namespace.command(
            ["test", "-f", f"{BASE}/seen"], scratch=folder, host="algo-1", mounts={BASE: ml}, read_only=[ml]
        )
        try:
            probe = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
        except subprocess.TimeoutExpired:
            return False
        return probe.returncode == 0


@dataclass(frozen=True)
class Container:
    """What one command sees as /opt/ml is the folder `root`; `scratch` holds its home, what it installs, its tmp."""

    root: Path
    scratch: Path
    mode: Mode
    environment: Environment
    host: str = "algo-1"
    all_hosts: Sequence[str] = ()
    """The hosts of a job that has several, this one too; they must be started in one network (`together`)."""

    mounts: Mapping[str, Path] = field(default_factory=dict)
    """What else of this machine the command sees, in a namespace, by its absolute path."""

    def __post_init__(self) -> None:
        """Make the folders."""
        for folder in (self.root, self.scratch / "home", self.scratch / "tmp"):
            folder.mkdir(parents=True, exist_ok=True)
        self.environment.layer(self.scratch / "venv")

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

    def command(
        self, command: Sequence[str], variables: Mapping[str, str], listener: int | None = None
    ) -> tuple[list[str], dict[str, str]]:
        """The command and the whole environment to start it with, on top of nothing else.

        As in a container, the caller's environment (credentials, PYTHONPATH) is not inherited. What connects to the
        socket of the file descriptor `listener` reaches port 8080 of the container, in a namespace.
        """
        venv = _VENV if self.mode == "namespace" else str(self.scratch / "venv")
        cores = len(os.sched_getaffinity(0))
        env = {
            # Where this machine's own Python finds its libraries, if it was told so.
            **{name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ},
            "HOME": str(self.scratch / "home"),
            "TMPDIR": str(self.scratch / "tmp"),
            "TZ": "UTC",
            "AWS_EC2_METADATA_DISABLED": "true",  # this machine may have credentials of its own, if it is in EC2
            # Hosts that work at the same time share this machine's cores; each would start threads for all of them.
            **({"OMP_NUM_THREADS": str(max(1, cores // len(self.all_hosts)))} if self.all_hosts else {}),
            **{name: self.seen(value) for name, value in {**self.environment.variables, **variables}.items()},
            "PATH": f"{venv}/bin:{_SEARCH}",
        }
        if self.mode == "directory":
            # No namespace keeps pip from the package index.
            env |= {"SAGEMAKER_BASE_DIR": str(self.root), "PIP_NO_INDEX": "1"}
            return [self.seen(argument) for argument in command], env
        wrapped = namespace.command(
            command,
            scratch=self.scratch,
            host=self.host,
            mounts={BASE: self.root, _VENV: self.scratch / "venv", **self.mounts},
            read_only=[self.environment.folder],
            listener=listener,
            addresses=dict(zip(self.all_hosts, addresses(len(self.all_hosts)), strict=True)),
        )
        return wrapped, env


def addresses(count: int) -> list[str]:
    """The addresses of so many hosts on the loopback device."""
    return [f"127.0.0.{number}" for number in range(1, count + 1)]


def host_names(count: int, mode: Mode) -> list[str]:
    """The names of a job's hosts, as SageMaker gives them; where several would not resolve, their addresses."""
    if mode == "directory" and count > 1:
        return addresses(count)
    return [f"algo-{number}" for number in range(1, count + 1)]


def together(starts: Sequence[hosts.Start], failed: Path, mode: Mode) -> list[str]:
    """The command that starts the hosts of one job in one network; see `hosts.command`."""
    command = hosts.command(starts, failed, inherited=[processes.MARK, TOKEN])
    return namespace.shared_network(command) if mode == "namespace" else command


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
        # Steps, bootstrap actions and builds have what is published, and no index.
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
