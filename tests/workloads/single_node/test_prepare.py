"""The SageMaker side of prepare: what it refuses, and that it leaves nothing then."""

import shutil
from pathlib import Path

import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from common import duck
from common.command import InputError
from tests.workloads import small
from tests.workloads.bad_inputs import MISTAKES
from tests.workloads.conftest import Place
from workloads.single_node import prepare


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes(name: str, place: Place, tmp_path: Path) -> None:
    """The message names the place; the output is as empty as before."""
    mistake = MISTAKES[name]
    dataset = small.write_definition(tmp_path / "dataset", **mistake.changed)
    raw = shutil.copytree(place.raw, tmp_path / "raw")
    mistake.damage(raw)
    output = tmp_path / "output"
    output.mkdir()
    with duck.connect() as engine, pytest.raises(InputError, match=f"(?si){mistake.message}"):
        prepare.prepare(engine, dataset, raw, output)
    assert list(output.iterdir()) == []


def test_a_finished_result_is_not_replaced(place: Place, tmp_path: Path) -> None:
    """Leftovers of a run that was killed are; they have no _SUCCESS."""
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "old.parquet").touch()
    with duck.connect() as engine:
        prepare.prepare(engine, place.dataset, place.raw, tmp_path)
    assert not (tmp_path / "train" / "old.parquet").exists()
    with duck.connect() as engine, pytest.raises(InputError, match="holds a finished result"):
        prepare.prepare(engine, place.dataset, place.raw, tmp_path)
    assert (tmp_path / "_SUCCESS").exists()


def test_csv_for_batch_transform(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The CSV holds the rows of score without their label, floats to the last bit, in files of a limited size."""
    monkeypatch.setattr(prepare, "CSV_FILE_BYTES", 4096)
    raw = small.write_raw(tmp_path / "raw", visitors=5000)
    with duck.connect() as engine:
        prepare.prepare(engine, place.dataset, raw, tmp_path / "output")
    files = sorted((tmp_path / "output" / "score-csv").glob("*.csv"))
    table = pq.read_table(tmp_path / "output" / "score")
    assert len(files) > 1
    names = [name for name in table.column_names if name != "bought"]
    rows = []
    for file in files:
        options = pacsv.ReadOptions(column_names=names)
        types = pacsv.ConvertOptions(column_types={name: table.schema.field(name).type for name in names})
        rows += pacsv.read_csv(file, options, convert_options=types).to_pylist()
    key = "visitor_id"
    # One order, whatever the threads do: training depends on it.
    assert table[key].to_pylist() == sorted(table[key].to_pylist())
    assert sorted(rows, key=lambda row: row[key]) == table.select(names).sort_by(key).to_pylist()


def test_spills_to_disk(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit on memory is a limit on DuckDB, not on the data: the result is the same."""
    with duck.connect() as engine:
        prepare.prepare(engine, place.dataset, place.raw, tmp_path / "much")
    monkeypatch.setenv("DUCKDB_MEMORY_LIMIT", "30MB")
    with duck.connect() as engine:
        assert duck.rows_of(engine, "SELECT current_setting('memory_limit')") == [("28.6 MiB",)]
        prepare.prepare(engine, place.dataset, place.raw, tmp_path / "little")
    for split in ("train", "validation", "test", "score"):
        assert pq.read_table(tmp_path / "little" / split) == pq.read_table(tmp_path / "much" / split)
    monkeypatch.setenv("DUCKDB_MEMORY_LIMIT", "much")
    with pytest.raises(InputError, match="DUCKDB_MEMORY_LIMIT = 'much'"), duck.connect():
        pass


def test_command_line(place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line on stderr and exit code 2."""
    from common.command import run

    def main(argv: object) -> None:
        prepare.main(["--dataset", str(tmp_path / "none"), "--raw", str(place.raw), "--output", str(tmp_path / "out")])

    with pytest.raises(SystemExit) as raised:
        run(main)
    assert raised.value.code == 2
    assert capsys.readouterr().err == f"error: {tmp_path / 'none'}: no such dataset folder\n"
    with pytest.raises(InputError, match="unrecognized arguments: --bogus 1"):
        prepare.main(["--bogus", "1"])
