"""Bootstrap actions: the project's own, on what was really published, and others that fail."""

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from local.container import container_mode
from local.emr.node import BootstrapFailed, bootstrap
from local.emr.service import Emr
from local.jobs import RequestRefused
from local.s3 import LocalS3
from local.spark import installed
from tests.local.conftest import Account
from tests.published import CODE, publish

ACTION = {
    "Name": "Install the wheels",
    "ScriptBootstrapAction": {"Path": f"{CODE}/workloads/spark/bootstrap.sh", "Args": [f"{CODE}/wheels/emr/"]},
}
NON_ZERO = r"On the master instance \(i-\w+\), bootstrap action 1 returned a non-zero return code"


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("s3")
    publish(folder)
    return folder


@pytest.fixture
def s3(bucket: Path, tmp_path: Path) -> LocalS3:
    shutil.copytree(bucket, tmp_path / "account" / "s3")
    return LocalS3(tmp_path / "account" / "s3")


def run(s3: LocalS3, action: dict[str, Any] = ACTION) -> None:
    bootstrap([action], s3, s3.root / "../logs", s3.root / "../work")


def own(s3: LocalS3, script: str) -> dict[str, Any]:
    s3.path("s3://data/own.sh").write_text(script)
    return {"Name": "own", "ScriptBootstrapAction": {"Path": "s3://data/own.sh"}}


def test_the_action_installs_exactly_what_steps_find(s3: LocalS3) -> None:
    run(s3)
    assert not list((s3.root / "../work").iterdir())


@pytest.mark.parametrize("damage", ["missing", "other content"])
def test_a_wheel_that_is_not_the_locks_ends_the_cluster(s3: LocalS3, damage: str) -> None:
    (wheel,) = s3.path(f"{CODE}/wheels/emr").glob("pandas-*.whl")
    wheel.unlink()
    if damage != "missing":
        wheel.write_bytes(b"PK")
    said = "No matching distribution found for pandas==2.2.3" if damage == "missing" else "DO NOT MATCH THE HASHES"
    with pytest.raises(BootstrapFailed, match=rf"{NON_ZERO}: .*{said}"):
        run(s3)


def test_an_action_that_is_not_published_ends_the_cluster(s3: LocalS3) -> None:
    action = {"Name": "x", "ScriptBootstrapAction": {"Path": "s3://data/none.sh"}}
    with pytest.raises(BootstrapFailed, match=r"failed attempting to download bootstrap action 1 file from S3"):
        run(s3, action)


def test_an_action_that_needs_an_index_or_a_repository_fails(s3: LocalS3) -> None:
    with pytest.raises(BootstrapFailed, match=rf"{NON_ZERO}: .*numpy"):
        run(s3, own(s3, "python3.11 -m pip install --retries=0 numpy==2.1.0"))
    with pytest.raises(BootstrapFailed, match=NON_ZERO):
        run(s3, own(s3, "sudo dnf -y install python3.11-pip"))


def test_an_action_that_installs_something_else_is_told(s3: LocalS3) -> None:
    lock = s3.path(f"{CODE}/wheels/emr/requirements.lock")
    lock.write_text("six==1.17.0\n")
    with pytest.raises(RequestRefused, match=r"does not hold what the bootstrap action installs: .*numpy"):
        run(s3)


def test_what_is_installed_is_looked_at_file_by_file(s3: LocalS3, tmp_path: Path) -> None:
    """The environment is not written to: a copy of it, with one file of another content, stands for it."""
    shutil.copytree(installed().folder, tmp_path / "emr", symlinks=True, copy_function=os.link)
    (record,) = (tmp_path / "emr" / "lib").glob("python3*/site-packages/numpy-*.dist-info/RECORD")
    text = record.read_text()
    record.unlink()
    record.write_text(text.replace("numpy/__init__.py,sha256=", "numpy/__init__.py,sha256=0"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("local.environments.BUILT", tmp_path)
        with pytest.raises(RequestRefused, match=r"numpy-2\.1\.0-.*\.whl"):
            run(s3)


def test_a_failed_action_is_what_describing_the_cluster_tells(account: Account, s3: LocalS3) -> None:
    emr = Emr(s3, account.logs, account.work)
    request = {
        "Name": "own",
        "Instances": {"KeepJobFlowAliveWhenNoSteps": True},
        "BootstrapActions": [own(s3, "exit 3")],
    }
    cluster = emr.run_job_flow(request)["JobFlowId"]
    status = emr.describe_cluster({"ClusterId": cluster})["Cluster"]["Status"]
    assert status["State"] == "TERMINATED_WITH_ERRORS"
    assert status["StateChangeReason"]["Code"] == "BOOTSTRAP_FAILURE"
    assert "bootstrap action 1 returned a non-zero return code" in status["StateChangeReason"]["Message"]


@pytest.fixture
def listening() -> Iterator[int]:
    """The port of a server of this machine."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield server.getsockname()[1]


@pytest.mark.skipif(container_mode() == "directory", reason="the network is this machine's, as the README says")
def test_an_action_has_no_network(s3: LocalS3, listening: int) -> None:
    action = own(s3, f"exec 3<>/dev/tcp/127.0.0.1/{listening} && exit 0")
    with pytest.raises(BootstrapFailed, match=NON_ZERO):
        run(s3, action)
