"""The hosts of a job, and the rows that each of them takes."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from common import hyperparameters
from common.dataset import Dataset
from common.hosts import ALONE, Hosts, total
from tests.workloads.small import write_definition
from workloads.single_node.train import Batches


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
