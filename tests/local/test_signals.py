"""Real signals to real processes."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from assembly.template import REPOSITORY
from local.signals import NUMBERS
from tests.listening import listening

ANY = [signal.Signals(number) for number in NUMBERS]


def started(code: str, before: Callable[[], object] = listening) -> "subprocess.Popen[str]":
    """A Python that has said that it is ready."""
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=before,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("number", ANY)
def test_while_it_loads_it_ends_at_once_and_says_nothing(number: signal.Signals) -> None:
    process = started(
        "from local import signals\nimport time\nsignals.end_at_once()\nprint('ready', flush=True)\ntime.sleep(60)"
    )
    process.send_signal(number)
    assert process.communicate(timeout=20) == ("", "")
    assert process.returncode == 128 + number


# What is cleaned up takes a moment, in which further signals come.
CLEANS = """
import os, time
from local import signals
signals.interrupt()
try:
    print('ready', flush=True)
    time.sleep(60)
except signals.Interrupted as error:
    print('cleaning', flush=True)
    until = time.monotonic() + 30
    while not signals.hurried() and time.monotonic() < until:
        time.sleep(0.01)
    print('clean', flush=True)
    os._exit(error.exit_code)
"""


@pytest.mark.parametrize("number", ANY)
def test_a_second_signal_hurries_the_clean_up_and_does_not_break_it(number: signal.Signals) -> None:
    process = started(CLEANS)
    process.send_signal(number)
    assert process.stdout is not None
    assert process.stdout.readline() == "cleaning\n"
    for again in (*ANY, *ANY):
        process.send_signal(again)
        time.sleep(0.01)
    assert process.communicate(timeout=20) == ("clean\n", "")
    assert process.returncode == 128 + number


def test_what_is_raised_in_a_finaliser_is_not_lost() -> None:
    process = started(
        "import os, signal, time\nfrom local import signals\nsignals.interrupt()\n"
        "class Ends:\n    def __del__(self): os.kill(os.getpid(), signal.SIGTERM); time.sleep(1)\n"
        "print('ready', flush=True)\n"
        "try:\n    Ends(); time.sleep(60)\nexcept signals.Interrupted as error:\n    raise SystemExit(error.exit_code)"
    )
    assert process.communicate(timeout=20) == ("", "")
    assert process.returncode == 143


def test_what_the_caller_has_ignored_stays_ignored() -> None:
    """As `nohup` does."""
    process = started(
        "import time\nfrom local import signals\nsignals.end_at_once()\nsignals.interrupt()\n"
        "print('ready', flush=True)\ntime.sleep(2)",
        lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )
    process.send_signal(signal.SIGHUP)
    assert process.communicate(timeout=20) == ("", "")
    assert process.returncode == 0


@pytest.mark.parametrize("arguments", [["--help"], ["runs", "--output", "none"], ["prices", "--json"]])
def test_nobody_reads_what_is_written(arguments: list[str], tmp_path: Path) -> None:
    """A closed pipe, a full disk, no standard output at all: no traceback, in the smallest terminal."""
    command = [sys.executable, "-m", "cli", *arguments]
    environment = {"PATH": "/usr/bin:/bin", "COLUMNS": "1", "LANG": "C", "NO_COLOR": "1", "PYTHONPATH": str(REPOSITORY)}
    for output in ("| true", "> /dev/full", ">&-", "<&- >&- 2>&-"):
        result = subprocess.run(
            ["/bin/sh", "-c", f'"$0" "$@" {output}', *command],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Traceback" not in result.stderr
        assert "Exception" not in result.stderr
        assert result.stderr.count("\n") <= 1


def test_a_terminal_without_columns_shows_all_the_same(tmp_path: Path) -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "cli", "prices", "ec2/m5.xlarge"],
        env={"PATH": "/usr/bin:/bin", "COLUMNS": "0", "PYTHONPATH": str(REPOSITORY)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "ec2/m5.xlarge" in shown.stdout, shown.stderr
