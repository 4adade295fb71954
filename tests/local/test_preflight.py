"""What is looked at before a run starts."""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from common.dataset import Dataset
from local import preflight
from local.preflight import check_machine, check_raw
from record.errors import UserError
from stacks.settings import DATASETS, Settings


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Own data that may be read: a folder a table, with a file in it."""
    folder = tmp_path / "raw"
    for table in Dataset.load(DATASETS / "webshop").tables:
        (folder / table.location).mkdir(parents=True)
        (folder / table.location / "part").write_text("anything")
    return folder


def test_links_to_other_data_are_followed(raw: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "part").write_text("anything")
    (raw / "logs" / "part").unlink()
    (raw / "logs" / "more").symlink_to(tmp_path / "elsewhere")
    check_raw(raw, Settings(), raw / "runs")


def around(logs: Path) -> str:
    # Two of them: a walk along them has 2^40 ways before the system ends it.
    for name in ("a", "b"):
        (logs / name).symlink_to(".")
    return "is a link to a folder that it is in"


def through_another(logs: Path) -> str:
    other = logs.parents[1] / "other"
    other.mkdir()
    for name in ("a", "b"):
        (logs / name).symlink_to(other)
        (other / name).symlink_to(logs)
    return "is a link to a folder that it is in"


def above(logs: Path) -> str:
    (logs / "all").symlink_to(logs.parents[1])
    return "is a link to a folder that it is in"


def to_nothing(logs: Path) -> str:
    (logs / "gone.gz").symlink_to("nowhere")
    return "gone.gz: is a link to what is not there"


def pipe(logs: Path) -> str:
    os.mkfifo(logs / "pipe")
    return "pipe: is not a regular file"


def to_itself(logs: Path) -> str:
    (logs / "loop").symlink_to("loop")
    return "loop: is a link to what is not there"


@pytest.mark.parametrize("make", [around, through_another, above, to_nothing, to_itself, pipe])
def test_what_cannot_be_read_to_its_end_is_refused_beside_good_files(make: Callable[[Path], str], raw: Path) -> None:
    said = make(raw / "logs")
    with pytest.raises(UserError, match=rf"^--raw .*/logs/.*{said}"):
        check_raw(raw, Settings(), raw / "runs")


def test_runs_are_not_written_where_data_is_read(raw: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(raw / "logs")
    for output in (raw / "logs", raw / "logs" / "runs" / "new", tmp_path / "link" / "runs"):
        with pytest.raises(UserError, match=rf"^--output {output}: is in .*/logs/?, which is read: table logs"):
            check_raw(raw, Settings(), output)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it is Linux's")
def test_a_machine_without_shared_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_machine(tmp_path / "runs", Settings())
    monkeypatch.setattr(preflight, "SHARED_MEMORY", str(tmp_path / "none"))
    with pytest.raises(UserError, match="none: is not there, or cannot be written to"):
        check_machine(tmp_path / "runs", Settings())
    monkeypatch.undo()
    usage = shutil.disk_usage
    full = usage(tmp_path)._replace(free=4096)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: full if place == "/dev/shm" else usage(place))
    with pytest.raises(UserError, match="/dev/shm: 4 KiB are free there, and 1 MiB is needed"):
        check_machine(tmp_path / "runs", Settings())
    assert not (tmp_path / "runs").exists()


def test_a_path_that_leaves_no_room_for_files_below_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^--output '/.*: its path has 40\d\d bytes; up to 3400 are allowed$"):
        check_machine(Path("/" + "d/" * 2010), Settings())
