"""Job runs of EMR Serverless on local Spark."""

import gzip
import importlib
import socket
import threading
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from local.container import container_mode
from local.emr_serverless import packages
from local.emr_serverless.service import EmrServerless
from local.jobs import JOBS, JobFailed, RequestRefused
from local.spark import Host, installed
from tests.local.conftest import Account
from tests.local.emr.test_service import PREPARE
from tests.local.sagemaker.test_service import stop_when

APPLICATION = "00f1a2b3c4d5e6f7"
LOGS = "s3://lake/logs/emr-serverless/"
PROPERTIES = {
    "MaximumCapacity": {"Cpu": "16 vCPU", "Memory": "64 GB"},
    "MonitoringConfiguration": {"S3MonitoringConfiguration": {"LogUri": LOGS}},
}
PYTHON = "spark.emr-serverless.driverEnv.PYSPARK_PYTHON=/usr/bin/python3.11"
SIZES = {
    "spark.driver.cores": "4",
    "spark.driver.memory": "14g",
    "spark.executor.cores": "4",
    "spark.executor.memory": "14g",
    "spark.executor.instances": "1",
}


@pytest.fixture
def serverless(account: Account) -> EmrServerless:
    account.put("s3://lake/code/spark/prepare.py", PREPARE)
    return EmrServerless(account.s3, account.logs, account.work, {APPLICATION: PROPERTIES})


def parameters(*more: str, **sizes: str) -> str:
    named = {**SIZES, **{f"spark.{name.replace('_', '.')}": value for name, value in sizes.items()}}
    words = [PYTHON, *(f"{name}={value}" for name, value in named.items()), *more]
    return " ".join(f"--conf {word}" for word in words)


def job(raw: str = "s3://lake/raw/", spark: str | None = None, **changes: Any) -> dict[str, Any]:
    submit = {
        "EntryPoint": "s3://lake/code/spark/prepare.py",
        "EntryPointArguments": [f"--raw={raw}", "--output=s3://lake/runs/1/emr-serverless/"],
        "SparkSubmitParameters": parameters() if spark is None else spark,
    }
    return {
        "ApplicationId": APPLICATION,
        "ClientToken": "run-1-prepare",
        "Name": "prepare",
        "ExecutionRoleArn": "arn:aws:iam::123456789012:role/job",
        "JobDriver": {"SparkSubmit": submit},
        "Tags": {"project": "shop"},
        **changes,
    }


SETTINGS = ("spark.sql.ansi.enabled=true", "spark.sql.shuffle.partitions=3", "spark.app.name=prepare")
STAGE = "spark.emr-serverless.driverEnv.STAGE=test"


def test_a_job_runs_with_its_parameters_and_its_answer_is_flat(account: Account, serverless: EmrServerless) -> None:
    account.put("s3://lake/raw/a.csv", "1,2\n3,4\n")
    answer = serverless.start_job_run(job(spark=parameters(STAGE, *SETTINGS)))
    assert (answer["State"], answer["Name"], answer["ApplicationId"]) == ("SUCCESS", "prepare", APPLICATION)
    assert answer["Arn"].endswith(f":/applications/{APPLICATION}/jobruns/{answer['JobRunId']}")
    written = account.keys("s3://lake/runs/")
    assert [uri.rsplit("/", 1)[1].split("-")[0] for uri in written] == ["_SUCCESS", "part"]
    # The number of partitions is the laptop's.
    assert account.get(written[1]).startswith("test true ")
    assert account.get(written[1]).endswith(" UTC prepare [3, 7]\n")
    assert account.left_behind() == []


def test_a_failed_job_says_why_and_leaves_its_log_where_the_service_keeps_it(
    account: Account, serverless: EmrServerless
) -> None:
    account.put("s3://lake/raw/a.csv", "fail")
    with pytest.raises(JobFailed) as failed:
        serverless.start_job_run(job())
    assert (failed.value.job, failed.value.reason) == ("prepare", "ValueError: row 1: not a number")
    answer = failed.value.answer
    assert (answer["State"], answer["StateDetails"]) == ("FAILED", "ValueError: row 1: not a number")
    (kept,) = account.keys(LOGS)
    assert kept == f"{LOGS}applications/{APPLICATION}/jobs/{answer['JobRunId']}/SPARK_DRIVER/stderr.gz"
    assert "row 1: not a number" in gzip.decompress(account.s3.path(kept).read_bytes()).decode()
    assert account.keys("s3://lake/runs/") == []
    assert account.left_behind() == []


@pytest.mark.full
@pytest.mark.parametrize("module", ["numpy", "pandas", "duckdb", "pydantic"])
def test_a_job_finds_no_package_that_it_does_not_bring(serverless: EmrServerless, module: str) -> None:
    """What the release has on its Python 3.11 AWS does not publish: nothing relies on that."""
    importlib.import_module(module)
    with pytest.raises(JobFailed) as failed:
        serverless.start_job_run(job(f"import {module}"))
    assert failed.value.reason == f"ModuleNotFoundError: No module named '{module}'"


ARCHIVE = "spark.archives=s3://lake/code/packages/emr.zip#libs"


def test_a_job_finds_the_packages_of_its_archive_where_it_looks_for_them(
    account: Account, serverless: EmrServerless, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.put("s3://lake/code/packages/emr.zip", "stands for the archive")
    monkeypatch.setattr(packages, "_differing", lambda *_: "")
    there = parameters(ARCHIVE, "spark.emr-serverless.driverEnv.PYTHONPATH=./libs")
    with pytest.raises(JobFailed, match=r"a\.csv"):  # past its import
        serverless.start_job_run(job("import numpy", there))
    for elsewhere in ((ARCHIVE,), (ARCHIVE, "spark.emr-serverless.driverEnv.PYTHONPATH=./other")):
        with pytest.raises(JobFailed, match="No module named 'numpy'"):
            serverless.start_job_run(job("import numpy", parameters(*elsewhere)))


def test_an_archive_that_is_not_published_fails_the_job(serverless: EmrServerless) -> None:
    with pytest.raises(JobFailed, match=r"No such file or directory: s3://lake/code/packages/emr\.zip"):
        serverless.start_job_run(job(spark=parameters(ARCHIVE)))


@pytest.mark.parametrize(
    ("content", "named"),
    [({}, "no package is in it"), ({"six-1.17.0.dist-info/METADATA": "", "six.py": ""}, r"numpy-2\.1\.0")],
)
def test_an_archive_with_something_else_is_told(
    content: dict[str, str], named: str, account: Account, serverless: EmrServerless
) -> None:
    archive = account.put("s3://lake/code/packages/emr.zip", "")
    with zipfile.ZipFile(archive, "w") as made:
        for name, text in content.items():
            made.writestr(name, text)
    with pytest.raises(RequestRefused, match=rf"does not hold what emr\.zip does: .*{named}"):
        serverless.start_job_run(job(spark=parameters(ARCHIVE)))


def test_an_archive_is_looked_at_file_by_file(tmp_path: Path) -> None:
    """All packages as they are installed, one file of them with another content."""
    archive = tmp_path / "emr.zip"
    site = packages._packages(installed().folder)
    files = [file for pattern in ("*.dist-info/METADATA", "numpy/*.py") for file in site.glob(pattern)]
    for changed in (False, True):
        with zipfile.ZipFile(archive, "w") as made:
            for file in files:
                name = file.relative_to(site).as_posix()
                other = changed and name == "numpy/version.py"
                made.writestr(name, "other" if other else file.read_bytes())
        same = installed().python.startswith(f"{installed().wanted_python}.")
        found = packages._differing(archive, archive.stat().st_mtime_ns)
        assert found == ("numpy/version.py" if changed and same else "")


@pytest.mark.skipif(container_mode() == "directory", reason="the network is this machine's, as the README says")
def test_a_job_has_no_network(serverless: EmrServerless) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server, pytest.raises(JobFailed) as failed:
        serverless.start_job_run(job(f"port {server.getsockname()[1]}"))
    assert failed.value.reason == "ConnectionRefusedError: [Errno 111] Connection refused"


@pytest.mark.full
def test_a_stopped_job_leaves_nothing(account: Account, serverless: EmrServerless) -> None:
    account.put("s3://lake/raw/a.csv", "wait")
    before = account.keys()
    started = account.s3.path("s3://lake/runs/1/emr-serverless/features/_temporary/0/part-0")
    stopper = threading.Thread(target=stop_when, args=(started,))
    stopper.start()
    try:
        with pytest.raises(JobFailed, match="stopped") as failed:
            serverless.start_job_run(job())
    finally:
        stopper.join()
        JOBS.resume()
    assert failed.value.answer["State"] == "CANCELLED"
    assert [uri for uri in account.keys("s3://lake/") if not uri.startswith(LOGS)] == before
    assert account.left_behind() == []


@pytest.mark.parametrize(
    ("sizes", "needed"),
    [
        ({"executor_instances": "4"}, "5 workers take 20 vCPU, and the application's maximum capacity is 16 vCPU"),
        ({"executor_memory": "26g", "driver_memory": "26g", "executor_instances": "2"}, "take 87 GB, .* is 64 GB"),
    ],
)
def test_a_job_larger_than_its_application_never_starts(
    sizes: dict[str, str], needed: str, account: Account, serverless: EmrServerless
) -> None:
    with pytest.raises(JobFailed, match=f"ApplicationMaxCapacityExceededException: .*{needed}") as failed:
        serverless.start_job_run(job(spark=parameters(**sizes)))
    assert failed.value.answer["State"] == "FAILED"
    assert not (account.logs / "prepare.log").exists()


def test_the_services_own_sizes_count_where_none_are_given(serverless: EmrServerless) -> None:
    """One job without sizes takes a new account's whole quota: a driver and three executors of four vCPUs."""
    serverless.applications = {APPLICATION: {"MaximumCapacity": {"Cpu": "15 vCPU", "Memory": "64 GB"}}}
    with pytest.raises(JobFailed, match="4 workers take 16 vCPU"):
        serverless.start_job_run(job(spark=f"--conf {PYTHON}"))


@pytest.mark.parametrize(
    ("request_", "named"),
    [
        (job(ApplicationId="00unknown"), "Application 00unknown does not exist"),
        (job(ApplicationId="not-one"), "applicationId"),
        (job(ClientToken="a b"), "clientToken"),
        (job(ExecutionRoleArn="job"), "executionRoleArn"),
        (job(Mode="EVER"), "mode is 'EVER'"),
        (job(JobDriver={"SparkSubmit": {}}), "entryPoint"),
        (job(JobDriver={"Hive": {"Query": "SELECT 1"}}), "only SparkSubmit"),
        (job(Unknown=1), "unknown"),
        (job(spark=parameters("spark.master=yarn")), "spark.master is the service's own"),
        (job(spark=parameters() + " --deploy-mode cluster"), "--deploy-mode: only --conf and --py-files"),
        (job(spark=parameters("spark.sql.ansi.enabled")), "must be name=value"),
        (job(spark=parameters(executor_cores="3")), "no worker of 3 vCPU"),
        (job(spark=parameters(executor_memory="40g")), "no worker of 4 vCPU and 44 GB"),
        (job(spark=parameters(executor_memory="much")), "'much' is no size of memory"),
        (job(spark="--conf spark.executor.instances=1"), "only /usr/bin/python3.11 of the release is here"),
    ],
)
def test_refuses(serverless: EmrServerless, request_: dict[str, Any], named: str) -> None:
    with pytest.raises(RequestRefused, match=named):
        serverless.start_job_run(request_)


def test_nothing_is_on_its_way_and_so_nothing_to_cancel(serverless: EmrServerless) -> None:
    listed = serverless.list_job_runs({"ApplicationId": APPLICATION, "States": ["RUNNING"]})
    assert listed == {"JobRuns": []}
    with pytest.raises(RequestRefused, match="00ours is not active"):
        serverless.cancel_job_run({"ApplicationId": APPLICATION, "JobRunId": "00ours"})
    with pytest.raises(RequestRefused, match="states"):
        serverless.list_job_runs({"ApplicationId": APPLICATION, "States": ["ACTIVE"]})


def test_python_of_a_job_has_nothing_but_its_own_library(tmp_path: Path, account: Account) -> None:
    python = packages.bare_python(Host("host", tmp_path, account.s3.root))
    assert python.read_text().endswith(' -S "$@"\n')
