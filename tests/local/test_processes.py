"""What a run started ends with it, whatever ended it."""

import fcntl
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from assembly.template import REPOSITORY
from local import processes
from tests.listening import listening

# A run in small: its folder, a job that starts a daemon deaf to SIGTERM, and a child that is no job.
RUN = """
import os, subprocess, sys, time
from pathlib import Path
from local import signals
from local.jobs import JOBS
from local.run import _folder
signals.interrupt()
try:
    with _folder(Path(sys.argv[1]) / "runs" / "one") as folder:
        deaf = "trap '' TERM; echo $$; (setsid sleep 300 & echo $!); sleep 300"
        job = JOBS.start(["sh", "-c", deaf], {"PATH": "/usr/bin:/bin"}, stdout=sys.stdout)
        child = subprocess.Popen(["sleep", "300"], stdout=subprocess.DEVNULL)
        # At once, since the job writes to the same pipe: print may write a line and its end apart.
        os.write(1, f"{child.pid}\\n".encode())
        time.sleep(300)
except signals.Interrupted as error:
    raise SystemExit(error.exit_code)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_no_process_and_no_folder_is_left(number: signal.Signals, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, str(tmp_path)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=listening,
    )
    assert process.stdout is not None
    pids = [int(process.stdout.readline()) for _ in range(3)]
    assert all(map(psutil.pid_exists, pids))
    process.send_signal(number)
    # A second one, when it is about to clean up.
    time.sleep(0.2)
    process.send_signal(number)
    process.wait(timeout=60)
    assert process.returncode == (-9 if number == signal.SIGKILL else 128 + number)
    if number == signal.SIGKILL:
        deadline = time.monotonic() + 60
        while (tmp_path / "runs").exists() and time.monotonic() < deadline:
            time.sleep(0.1)
    assert list(tmp_path.iterdir()) == []
    assert [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"] == []


def test_a_folder_goes_whose_lock_outlives_the_pipe_for_a_moment(tmp_path: Path) -> None:
    """In which order the kernel closes what a killed process had open is not said."""
    folder = tmp_path / "run"
    folder.mkdir()
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        watcher = processes.watch("nobody's", folder)
        assert watcher.stdin is not None
        watcher.stdin.close()
        with pytest.raises(subprocess.TimeoutExpired):
            watcher.wait(timeout=1)
        assert folder.exists()
    watcher.wait(timeout=20)
    assert not folder.exists()
