"""The hosts of a job, and the rows that each of them takes."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from common import hyperparameters
from common.command import InputError
from common.dataset import Dataset
from common.hosts import ALONE, Hosts, total
from tests.workloads.small import write_definition
from workloads.single_node.train import Batches, train


def test_hosts_are_what_sagemaker_says(tmp_path: Path) -> None:
    file = tmp_path / "resourceconfig.json"
    assert Hosts.of_job(file) == ALONE
    file.write_text(
        json.dumps({"current_host": "algo-2", "hosts": ["algo-2", "algo-1"], "network_interface_name": "lo"})
    )
    hosts = Hosts.of_job(file)
    assert (hosts.names, hosts.index, hosts.count) == (("algo-1", "algo-2"), 1, 2)


def test_one_host_works_without_a_collective() -> None:
    with ALONE.together():
        assert total(5) == 5


@pytest.mark.parametrize("count", [1, 2, 3, 11])
def test_each_row_is_one_host_s(count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hyperparameters, "BATCH_ROWS", 4)
    files = []
    for number, rows in enumerate([range(7), range(7, 8), range(8, 23)]):
        files.append(tmp_path / f"{number}.parquet")
        pq.write_table(pa.table({"bought": list(rows), "age": list(rows)}), files[-1])
    dataset, shares = Dataset.load(write_definition(tmp_path / "dataset")), []
    for index in range(count):
        names = tuple(f"algo-{number:02}" for number in range(count))
        batches = Batches(dataset, ["age"], files, Hosts(names, names[index]))
        shares.append([row for batch in batches.batches for row in batch.column("age").to_pylist()])
    assert sorted(row for share in shares for row in share) == list(range(23))
    assert {len(share) for share in shares} <= {23 // count, -(-23 // count)}


@pytest.mark.parametrize(
    ("rows", "count", "message"),
    [
        ({"train": 2, "validation": 9}, 3, "train: holds 2 rows for 3 hosts, which share them out; allowed are at lea"),
        ({"train": 9, "validation": 2}, 3, "validation: holds 2 rows for 3 hosts"),
        ({"train": 9, "validation": 0}, 1, "validation: holds 0 rows for 1 host,"),
    ],
)
def test_a_host_without_rows_is_refused_before_hosts_wait_for_each_other(
    rows: dict[str, int], count: int, message: str, tmp_path: Path
) -> None:
    for split, number in rows.items():
        for part in ("a", "b"):
            # The last file of each is empty.
            values = list(range(number if part == "a" else 0))
            (tmp_path / split).mkdir(exist_ok=True)
            table = pa.table({"visitor_id": values, "bought": values, "age": values})
            pq.write_table(table, tmp_path / split / f"{part}.parquet")
    names = tuple(f"algo-{number}" for number in range(count))
    dataset = write_definition(tmp_path / "dataset")
    places = (tmp_path / "train", tmp_path / "validation", tmp_path / "model")
    with pytest.raises(InputError, match=message):
        train(dataset, *places, {}, Hosts(names, names[-1]))
    assert not (tmp_path / "model").exists()
