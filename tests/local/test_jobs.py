"""Requests are checked, processes end, reasons are found."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from local.jobs import JOBS, JobFailed, RequestRefused, check_request, reason_in, run_logged
from tests.local.conftest import processing

ENV = {"PATH": os.environ["PATH"]}

# A job at its worst: a child in its own session, a daemon, and all of them deaf to SIGTERM.
STUBBORN = """\
trap '' TERM
setsid sh -c "trap '' TERM; echo \\$\\$; sleep 300" &
(setsid sleep 300 & echo $!) &
sleep 300 & echo $! $$
wait
"""


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"ProcessingJobName": "a b"}, "ProcessingJobName"),
        ({"ProcessingJobName": "x" * 64}, "64"),
        ({"RoleArn": "role"}, "RoleArn"),
        ({"ProcessingResource": {}}, "ProcessingResource"),
        ({"AppSpecification": {}}, "ImageUri"),
        ({"StoppingCondition": {"MaxRuntimeInSeconds": 777601}}, "777601"),
        ({"ProcessingResources": {"ClusterConfig": {"InstanceType": "m5.large", "VolumeSizeInGB": 1}}}, "m5.large"),
        ({"Environment": {"A": 1}}, "Environment"),
    ],
)
def test_a_wrong_request_is_refused_with_its_parameter(change: dict[str, Any], named: str) -> None:
    check_request("sagemaker", "CreateProcessingJob", processing("good", ["python3", "x.py", "--a"]))
    with pytest.raises(RequestRefused, match=named):
        check_request("sagemaker", "CreateProcessingJob", processing("good", ["python3", "x.py", "--a"], **change))


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        ("error: a\nerror: rows.csv line 3: bad\nValueError: late\n", "rows.csv line 3: bad"),
        ("usage: x\ntrain.py: error: unrecognized arguments: --rounds\n", "unrecognized arguments: --rounds"),
        ("Traceback\n  File\nKeyError: 'k'\n\ndone\n", "KeyError: 'k'"),
        (
            'Exception in thread "main" org.apache.spark.SparkException: no\n\tat x\n',
            "org.apache.spark.SparkException: no",
        ),
        ("all good, no error: here\n", None),
    ],
)
def test_the_reason_is_in_the_log(tmp_path: Path, log: str, reason: str | None) -> None:
    (tmp_path / "log").write_text(log)
    assert reason_in(tmp_path / "log") == reason


def test_a_failing_command(tmp_path: Path) -> None:
    log = tmp_path / "logs/prepare.log"
    script = "for i in $(seq 100); do echo row $i; done; echo 'error: rows.csv: no rows' >&2; exit 2"
    with pytest.raises(JobFailed) as failed:
        run_logged(["sh", "-c", script], log=log, env=ENV)
    assert (failed.value.job, failed.value.reason, failed.value.exit_code) == ("prepare", "rows.csv: no rows", 2)
    assert failed.value.tail() == [*(f"row {i}" for i in range(82, 101)), "error: rows.csv: no rows"]
    assert str(log) in str(failed.value)
    with pytest.raises(JobFailed, match="nothing-of-that-name does not start"):
        run_logged(["nothing-of-that-name"], log=log, env=ENV)


def test_a_full_disk_is_the_reason_of_who_could_not_say_any(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=4096))
    with pytest.raises(JobFailed, match=f"{tmp_path}: No space left on device"):
        run_logged(["sh", "-c", "exit 1"], log=tmp_path / "job.log", env=ENV)
    with pytest.raises(JobFailed, match=r"job: rows\.csv: no rows"):
        run_logged(["sh", "-c", "echo error: rows.csv: no rows; exit 2"], log=tmp_path / "job.log", env=ENV)


def test_a_job_ends_with_everything_it_started(tmp_path: Path) -> None:
    log = tmp_path / "job.log"
    run_logged(["sh", "-c", "setsid sleep 300 & sleep 300 & echo $!"], log=log, env=ENV)
    assert alive(log) == []


def test_a_job_may_clean_up_before_it_ends(tmp_path: Path) -> None:
    log = tmp_path / "job.log"
    script = "trap 'echo cleaned up; exit' TERM; echo ready; while :; do sleep 0.1; done"
    with when(lambda: log.exists() and log.read_text() == "ready\n", JOBS.stop_all), pytest.raises(JobFailed):
        run_logged(["sh", "-c", script], log=log, env=ENV)
    assert log.read_text().splitlines()[-1] == "cleaned up"


def test_time_is_limited(tmp_path: Path) -> None:
    log = tmp_path / "job.log"
    with pytest.raises(JobFailed, match=r"\b3 s"):
        run_logged(["sh", "-c", "sleep 300 & echo $! $$; wait"], log=log, env=ENV, timeout=3)
    assert alive(log) == []


def test_stop_all_ends_stubborn_jobs_of_other_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local.jobs.STOP_SECONDS", 0.5)
    log, caught = tmp_path / "job.log", []

    def job() -> None:
        try:
            run_logged(["sh", "-c", STUBBORN], log=log, env=ENV)
        except JobFailed as failed:
            caught.append(failed.reason)

    thread = threading.Thread(target=job)
    thread.start()
    try:
        until(lambda: len(pids(log)) == 4)
        assert len(alive(log)) == 4
        JOBS.stop_all()
        thread.join(10)
        assert caught == ["stopped"]
        assert alive(log) == []
        with pytest.raises(JobFailed, match="stopped"):
            run_logged(["true"], log=log, env=ENV)
    finally:
        JOBS.resume()
        thread.join()


def test_ctrl_c_ends_the_job_of_the_main_thread(tmp_path: Path) -> None:
    log = tmp_path / "job.log"
    with (
        when(lambda: bool(JOBS._running) and len(pids(log)) == 2, lambda: os.kill(os.getpid(), signal.SIGINT)),
        pytest.raises(KeyboardInterrupt),
    ):
        run_logged(["sh", "-c", "sleep 300 & echo $! $$; wait"], log=log, env=ENV)
    assert alive(log) == []


def pids(log: Path) -> list[int]:
    return [int(word) for word in log.read_text().split()] if log.exists() else []


def alive(log: Path) -> list[int]:
    assert pids(log)
    return [pid for pid in pids(log) if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE]


@contextmanager
def when(condition: Callable[[], bool], act: Callable[[], object]) -> Iterator[None]:
    """Act from another thread as soon as the condition holds: however slow the machine is, not too early."""

    def wait() -> None:
        until(condition)
        act()

    thread = threading.Thread(target=wait)
    thread.start()
    try:
        yield
    finally:
        thread.join()
        JOBS.resume()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
