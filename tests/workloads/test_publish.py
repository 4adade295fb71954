"""Publishing: the script that puts code and wheels into the bucket, with the wheels fetched for real."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
WORKLOADS = REPOSITORY / "workloads"
PYTHONS = {"sagemaker": "3.12", "emr": "3.11"}


def pins(lock: Path) -> set[tuple[str, str]]:
    """Name and version; a name may come twice, for different versions of Python."""
    return set(re.findall(r"^([a-z0-9-]+)==([^ ;\\\n]+)", lock.read_text(), re.MULTILINE))


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    bucket = tmp_path_factory.mktemp("s3")
    tools = f"{REPOSITORY / 'local' / 'bin'}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(
        ["bash", str(WORKLOADS / "publish.sh"), "s3://data/code/one"],
        env={**os.environ, "PATH": tools, "LOCAL_S3": str(bucket)},
        check=True,
    )
    return bucket / "data" / "code" / "one"


@pytest.mark.parametrize("side", PYTHONS)
def test_wheels_install_without_an_index_on_the_services_python(side: str, published: Path) -> None:
    """pip finds every pinned package, and all that they need, among the wheels, for that Python and platform."""
    wheels = published / "wheels" / side
    assert len(list(wheels.glob("*.whl"))) == len(pins(wheels / "requirements.lock"))
    options = ["--dry-run", "--no-index", f"--find-links={wheels}", "--target=unused", "--only-binary=:all:"]
    platforms = [f"--platform=manylinux_2_{minor}_x86_64" for minor in (17, 27, 28)]
    subprocess.run(
        [
            *[sys.executable, "-m", "pip", "install", *options, *platforms, "--platform=manylinux2014_x86_64"],
            *[f"--python-version={PYTHONS[side]}", f"--requirement={wheels / 'requirements.lock'}"],
        ],
        check=True,
        capture_output=True,
    )


def test_code_is_published_as_folder_and_as_archive(published: Path) -> None:
    files = {path.relative_to(published / "workloads").as_posix() for path in (published / "workloads").rglob("*.py")}
    with zipfile.ZipFile(published / "workloads.zip") as archive:
        assert files <= set(archive.namelist())
    assert {"common/dataset.py", "emr/prepare.py", "sagemaker/prepare.py"} <= files


@pytest.mark.parametrize("side", PYTHONS)
def test_laptop_and_service_run_the_same_versions(side: str) -> None:
    assert pins(WORKLOADS / side / "requirements.lock") <= pins(REPOSITORY / "requirements.lock")
