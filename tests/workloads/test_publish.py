"""Publishing: the script that puts code and wheels into the bucket."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from local.emr_serverless.packages import _differing
from tests.published import publish

REPOSITORY = Path(__file__).resolve().parents[2]
WORKLOADS = REPOSITORY / "workloads"
PYTHONS = {"sagemaker-xgboost": "3.12", "emr": "3.11"}
ON_LAMBDA = "3.14"


def pins(lock: Path) -> set[tuple[str, str]]:
    """Name and version; a name may come twice, for different versions of Python."""
    return set(re.findall(r"^([a-z0-9-]+)==([^ ;\\\n]+)", lock.read_text(), re.MULTILINE))


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return publish(tmp_path_factory.mktemp("s3"))


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
    assert {"common/dataset.py", "single_node/prepare.py", "spark/prepare.py"} <= files


def test_published_code_asks_pip_for_nothing(published: Path) -> None:
    """No file that makes pip fetch something: SageMaker runs `pip install . -r requirements.txt` over code."""
    asking = {"requirements.txt", "setup.py", "setup.cfg", "pyproject.toml", "Pipfile", "environment.yml"}
    with zipfile.ZipFile(published / "workloads.zip") as archive:
        names = archive.namelist()
    names += [path.as_posix() for path in (published / "workloads").rglob("*")]
    assert [name for name in names if Path(name).name in asking] == []
    assert any(name.endswith("single_node/run.py") for name in names)


def test_layer_holds_what_the_collector_imports_for_lambda_s_python(published: Path) -> None:
    """Every pinned package, and all that they need, where Lambda looks for them; compiled code for its own Python."""
    with zipfile.ZipFile(published / "collector-layer.zip") as archive:
        names = archive.namelist()
        metadata = {
            name.split("/")[1]: archive.read(name).decode() for name in names if name.endswith(".dist-info/METADATA")
        }
    assert {name.split("/")[0] for name in names} == {"python"}
    pinned = pins(WORKLOADS / "packages" / "collector" / "requirements.lock")
    assert {re.sub("[-_.]+", "-", name).lower() for name in metadata} == {
        f"{name}-{version.replace('.', '-')}-dist-info" for name, version in pinned
    }
    required = {
        re.split(r"[^\w-]", line.removeprefix("Requires-Dist: "))[0].replace("_", "-")
        for text in metadata.values()
        for line in text.splitlines()
        if line.startswith("Requires-Dist: ") and "extra ==" not in line
    }
    assert required
    # What only other Pythons or systems need is not among them.
    assert {name for name in required if name not in {pin for pin, _ in pinned}} <= {"tzdata"}
    compiled = [name for name in names if name.endswith(".so")]
    assert compiled
    assert all(f"cpython-{ON_LAMBDA.replace('.', '')}-x86_64-linux-gnu" in name for name in compiled)


def test_layer_is_no_larger_than_lambda_takes(published: Path) -> None:
    with zipfile.ZipFile(published / "collector-layer.zip") as archive:
        assert sum(file.file_size for file in archive.infolist()) < 250 << 20


def test_layer_is_the_same_every_time(published: Path, tmp_path: Path) -> None:
    again = publish(tmp_path)
    assert (again / "collector-layer.zip").read_bytes() == (published / "collector-layer.zip").read_bytes()


@pytest.mark.full
def test_archive_holds_what_is_installed_for_spark_and_is_the_same_every_time(tmp_path: Path) -> None:
    """Each file of every pinned package, as the laptop's job runs find it."""
    archives = [publish(tmp_path / name, "archives.sh") / "packages" / "emr.zip" for name in ("one", "two")]
    assert archives[0].read_bytes() == archives[1].read_bytes()
    assert _differing(archives[0], 0) == ""
    with zipfile.ZipFile(archives[0]) as archive:
        compiled = [name for name in archive.namelist() if re.search(r"\.cpython-\d+", name) and name.endswith(".so")]
    assert compiled
    assert all(f"cpython-{PYTHONS['emr'].replace('.', '')}-x86_64-linux-gnu" in name for name in compiled)


@pytest.mark.parametrize("side", [*PYTHONS, "collector"])
def test_laptop_and_service_run_the_same_versions(side: str) -> None:
    assert pins(WORKLOADS / "packages" / side / "requirements.lock") <= pins(REPOSITORY / "requirements.lock")
