"""Requests are checked, and job processes run and end, the same way for every service."""

import errno
import functools
import os
import re
import shutil
import signal
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from botocore.loaders import create_loader
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape
from botocore.validate import ParamValidator

from local import processes, signals

STOP_SECONDS = 5.0
"""How long a process may take to end after SIGTERM before SIGKILL (SageMaker gives 120 s)."""

TOKEN = "LOCAL_JOB_TOKEN"
"""Inherited by every process of a job, so that those which left its session are found too."""

_TAIL_BYTES = 64 * 1024
_FULL_BYTES = 1 << 20
_ERROR_LINE = re.compile(r"^(?:[\w./-]+: )?error: (?P<reason>.+)$", re.MULTILINE)
_PIP_LINE = re.compile(r"^ERROR: (?P<reason>.+)$", re.MULTILINE)
_EXCEPTION_LINE = re.compile(
    r"^(?:Exception in thread \"[^\"]*\" )?(?P<reason>(?:\w+\.)*(?:[A-Z]\w*(?:Error|Exception|Interrupt|Exit)|gaierror)"
    r"(?::(?: .*)?(?:(?<=:)\n+.+|(?<=: )\n+.+)?)?)$",
    re.MULTILINE,
)


class RequestRefused(ValueError):
    """A request that the service would refuse (ValidationException), or that the laptop cannot carry out."""


class SetupError(Exception):
    """What a deployment runs before the pipelines failed; the message ends with the log's tail."""


class JobFailed(Exception):
    """A job that started and did not succeed."""

    def __init__(self, job: str, reason: str, log: Path, exit_code: int | None = None) -> None:
        """`reason` is one line; `exit_code` is None when no process ended by itself."""
        super().__init__(job, reason, log, exit_code)
        self.job = job
        self.reason = reason
        self.log = log
        self.exit_code = exit_code
        self.answer: dict[str, Any] = {}
        """What Describe would answer, status Failed; filled in by the executors."""

    def __str__(self) -> str:
        """Name the job, the reason as it is known by now, the exit code and the log."""
        code = f" (exit code {self.exit_code})" if self.exit_code else ""
        return f"{self.job}: {self.reason}{code}; log: {self.log}"

    def tail(self, lines: int = 20) -> list[str]:
        """The last lines of the log."""
        return _end_of(self.log).splitlines()[-lines:]


def check_request(service: str, operation: str, request: Mapping[str, Any]) -> None:
    """Check a request against the service's own API model (botocore), offline.

    Raises RequestRefused naming every missing, unknown, mistyped or out of range parameter. botocore itself leaves
    enumerations, patterns and maxima to the service; they are checked here as well.
    """
    shape = _service_model(service).operation_model(operation).input_shape
    assert shape is not None
    report = ParamValidator().validate(request, shape)
    problems = [report.generate_report()] if report.has_errors() else list(_violations(request, shape, ""))
    if problems:
        raise RequestRefused(f"{operation}: " + "; ".join(problems))


def api_spelling(service: str, operation: str, request: Mapping[str, Any]) -> Any:
    """A request of a state machine with its fields' names as the API spells them: with a small letter first.

    Step Functions writes every field's first letter as a capital; the keys of maps, tags for one, stay as they are.
    """
    return _spelled(request, _service_model(service).operation_model(operation).input_shape)


def _spelled(value: Any, shape: Shape | None) -> Any:
    if isinstance(shape, StructureShape) and isinstance(value, Mapping):
        fields = {f"{name[0].lower()}{name[1:]}": item for name, item in value.items()}
        return {name: _spelled(item, shape.members.get(name)) for name, item in fields.items()}
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_spelled(item, shape.member) for item in value]
    if isinstance(shape, MapShape) and isinstance(value, Mapping):
        return {name: _spelled(item, shape.value) for name, item in value.items()}
    return value


@functools.cache
def _service_model(service: str) -> ServiceModel:
    return ServiceModel(create_loader().load_service_model(service, "service-2"), service_name=service)


def _violations(value: Any, shape: Shape, where: str) -> Iterator[str]:
    limits = shape.metadata
    if isinstance(shape, StructureShape):
        for name, item in value.items():
            yield from _violations(item, shape.members[name], f"{where}.{name}" if where else name)
    elif isinstance(shape, ListShape):
        for number, item in enumerate(value):
            yield from _violations(item, shape.member, f"{where}[{number}]")
    elif isinstance(shape, MapShape):
        for name, item in value.items():
            yield from _violations(name, shape.key, f"{where} key")
            yield from _violations(item, shape.value, f"{where}.{name}")
    if "max" in limits and not isinstance(shape, StructureShape):
        size = value if isinstance(value, int | float) else len(value)
        if size > limits["max"]:
            yield f"{where} is {size}, more than the allowed {limits['max']}"
    if isinstance(value, str):
        if limits.get("enum") and value not in limits["enum"]:
            allowed = [choice for choice in limits["enum"] if choice] if len(limits["enum"]) < 20 else "API reference"
            yield f"{where} is {value!r}, allowed: {allowed}"
        # Some patterns use Java's regular expressions, which `re` cannot compile.
        with suppress(re.error):
            if "pattern" in limits and not re.fullmatch(limits["pattern"], value, re.DOTALL):
                yield f"{where} is {value!r}, which does not match {limits['pattern']}"


class Registry:
    """The job processes that run now. `stop_all` may be called from any thread."""

    def __init__(self) -> None:
        """Nothing runs yet."""
        self._lock = threading.Lock()
        self._running: dict[int, str] = {}  # process id of the leader -> token
        self.stopped = False

    def start(self, command: Sequence[str], env: Mapping[str, str], **popen: Any) -> "subprocess.Popen[bytes]":
        """Start a command as the leader of its own session. Raises RuntimeError after `stop_all`."""
        token = uuid.uuid4().hex
        with self._lock:
            if self.stopped:
                raise RuntimeError("stopped")
            mark = {name: os.environ[name] for name in (processes.MARK,) if name in os.environ}
            process = subprocess.Popen(
                command,
                env={**env, **mark, TOKEN: token},
                stdin=subprocess.DEVNULL,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **popen,
            )
            self._running[process.pid] = token
        return process

    def check(self, job: str, log: Path) -> None:
        """Raise JobFailed after `stop_all`: for work between processes, so that it does not go on or leave traces."""
        if self.stopped:
            raise JobFailed(job, "stopped", log)

    def end(self, process: "subprocess.Popen[bytes]") -> None:
        """End whatever is left of a started command: its whole session, and processes that left the session."""
        with self._lock:
            token = self._running.get(process.pid)
        if token is not None:
            try:
                _end({process.pid: token}, process)
            finally:
                with self._lock:
                    self._running.pop(process.pid, None)

    def stop_all(self) -> None:
        """End every running job (SIGTERM, then SIGKILL) and let no further one start until `resume`."""
        with self._lock:
            self.stopped = True
            running = dict(self._running)
        if running:
            _end(running)

    def resume(self) -> None:
        """Allow jobs again after `stop_all`."""
        self.stopped = False


JOBS = Registry()
"""The registry that the executors use."""

stop_all = JOBS.stop_all


def _end(jobs: Mapping[int, str], leader: "subprocess.Popen[bytes] | None" = None) -> None:
    """SIGTERM, up to STOP_SECONDS of patience, SIGKILL; an interrupt, or another one, goes to SIGKILL at once."""
    deadline = time.monotonic() + STOP_SECONDS
    try:
        left = _signal(jobs, signal.SIGTERM)
        while left and time.monotonic() < deadline and not signals.hurried():
            time.sleep(0.05)
            if leader is not None:
                leader.poll()  # reaps it
            left = _members(jobs)
    finally:
        # A process can fork between the listing and the signal: repeat until nothing is found.
        while _signal(jobs, signal.SIGKILL):
            time.sleep(0.01)
            if leader is not None:
                leader.poll()
        if leader is not None:
            leader.wait()


def _signal(jobs: Mapping[int, str], number: signal.Signals) -> list[int]:
    members = _members(jobs)
    processes.signal_all(members, number)
    return members


def _members(jobs: Mapping[int, str]) -> list[int]:
    """Living processes of the jobs: by session, or by the token in the environment of those that left it."""
    tokens = set(jobs.values())
    return processes.members(lambda each: os.getsid(each.pid) in jobs or each.environ().get(TOKEN) in tokens)


@contextmanager
def running(
    command: Sequence[str],
    *,
    job: str,
    log: Path,
    env: Mapping[str, str],
    cwd: Path | None = None,
    append: bool = False,
    pass_fds: Sequence[int] = (),
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a command in the background, its output going to `log`; on leaving, no process of it lives.

    Raises JobFailed when jobs were stopped, or when the command cannot be started.
    """
    JOBS.check(job, log)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab" if append else "wb") as output:
        try:
            process = JOBS.start(command, env, stdout=output, cwd=cwd, pass_fds=pass_fds)
        except RuntimeError:
            raise JobFailed(job, "stopped", log) from None
        except OSError as error:
            output.write(f"{error}\n".encode())
            raise JobFailed(job, f"{command[0]} does not start: {error.strerror}", log, 127) from None
    try:
        yield process
    finally:
        JOBS.end(process)


def run_logged(
    command: Sequence[str],
    *,
    job: str | None = None,
    log: Path,
    env: Mapping[str, str],
    cwd: Path | None = None,
    timeout: float | None = None,
    append: bool = False,
) -> None:
    """Run a command to its end, its output going to `log`. Whatever happens, no process of it is left.

    `job` names it in messages (default: the log's name), `timeout` is in seconds. Raises JobFailed when the exit
    code is not 0, the time is over, or `stop_all` was called.
    """
    job = job or log.stem
    with running(command, job=job, log=log, env=env, cwd=cwd, append=append) as process:
        try:
            exit_code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise JobFailed(job, f"still running after the allowed {timeout:g} s", log) from None
        if exit_code:
            raise failure(job, log, exit_code)


def failure(job: str, log: Path, exit_code: int | None) -> JobFailed:
    """The failure of a process that ended, its reason taken from its log."""
    if JOBS.stopped:
        return JobFailed(job, "stopped", log, exit_code)
    reason = reason_in(log)
    # On a full disk a process cannot even say why it ends.
    if not reason and shutil.disk_usage(log.parent).free < _FULL_BYTES:
        reason = f"{log.parent}: {os.strerror(errno.ENOSPC)}"
    return JobFailed(job, reason or f"ended with exit code {exit_code}", log, exit_code)


def reason_in(log: Path) -> str | None:
    """The last `error: ...` line of a log, else the last line that names an exception, else pip's last, else None."""
    text = _end_of(log)
    for pattern in (_ERROR_LINE, _EXCEPTION_LINE, _PIP_LINE):
        found = [" ".join(match["reason"].split()) for match in pattern.finditer(text)]
        if found:
            return found[-1]
    return None


def _end_of(log: Path) -> str:
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
        return file.read().decode("utf-8", "replace").replace("\r\n", "\n")
