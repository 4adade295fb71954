"""Every process that a run started, found and ended; also when the run itself was killed.

A run marks itself in the environment (`MARK`), and every process inherits that: those which left their session, or
whose parent died, are found by it. `watch` starts a process that does nothing until its parent is gone: it ends what
the parent could not end, because it was killed (SIGKILL, out of memory), and removes the folder that has no owner now,
with those above it that were made for it.

    python local/processes.py <mark> <folder> ...    # the watching process; its input is a pipe from the run
"""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

MARK = "COMPARE_PROCESS"

_LOCK_SECONDS = 10.0
"""A process that is killed may close its pipes before its locks; who has one for longer made another run there."""


def members(belongs: Callable[[psutil.Process], bool]) -> list[int]:
    """The living processes, other than this one, of which something is true; those that vanish meanwhile are none."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and belongs(process) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
    return found


def marked(mark: str, but: Collection[int] = ()) -> list[int]:
    """The living processes that carry a mark."""
    return members(lambda process: process.pid not in but and process.environ().get(MARK) == mark)


def signal_all(pids: Collection[int], number: signal.Signals) -> None:
    """Send a signal to each process that is still there."""
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def end_marked(mark: str, patience: float, hurried: Callable[[], bool], but: Collection[int] = ()) -> None:
    """End the processes that carry a mark: SIGTERM, up to ``patience`` seconds, SIGKILL until there are none."""
    left = marked(mark, but)
    signal_all(left, signal.SIGTERM)
    deadline = time.monotonic() + patience
    while left and time.monotonic() < deadline and not hurried():
        time.sleep(0.05)
        left = marked(mark, but)
    # A process can fork between the listing and the signal: repeat until nothing is found.
    deadline = time.monotonic() + 10
    while (left := marked(mark, but)) and time.monotonic() < deadline:
        signal_all(left, signal.SIGKILL)
        time.sleep(0.01)


def watch(mark: str, folder: Path, above: Sequence[Path] = ()) -> "subprocess.Popen[bytes]":
    """Watch over this process; the answer's `stdin`, once it is closed without a word, is the end of it.

    ``above``: the folders that go too once they are empty, the lowest first.
    """
    return subprocess.Popen(
        [sys.executable, "-I", __file__, mark, *map(str, (folder, *above))],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd="/",
    )


def unwatch(watcher: "subprocess.Popen[bytes]") -> None:
    """End a watching process: all is in order."""
    with suppress(OSError):
        watcher.communicate(b"done")


def _watch(mark: str, folder: Path, *above: Path) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if sys.stdin.buffer.read() == b"done":
        return
    end_marked(mark, 0, lambda: True)
    deadline = time.monotonic() + _LOCK_SECONDS
    with suppress(OSError):  # no lock: no folder, or one with its result
        while not _removed(folder, above) and time.monotonic() < deadline:
            time.sleep(0.05)


def _removed(folder: Path, above: Sequence[Path]) -> bool:
    """Remove a folder, with those above it that are empty then, unless somebody has its lock."""
    with (folder / ".lock").open("r+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        shutil.rmtree(folder, ignore_errors=True)
        for each in above:
            each.rmdir()
    return True


if __name__ == "__main__":
    _watch(sys.argv[1], *map(Path, sys.argv[2:]))
