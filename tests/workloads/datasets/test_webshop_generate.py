"""The generator of the webshop: the same bytes whoever makes them, and numbers that a model can be measured against."""

import hashlib
import os
import signal
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path
from typing import Any

import duckdb
import pytest
from sklearn.metrics import roc_auc_score

from common.command import InputError
from common.dataset import Dataset
from tests.listening import listening
from workloads.datasets.webshop import generate

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "workloads/datasets/webshop/generate.py"
SMALL = 6_000


def make(output: Path, events: int = SMALL, seed: int = 7, processes: int = 2, host: int = 0, hosts: int = 1) -> Path:
    generate.generate(generate.Plan.of(events, seed, output), processes, host, hosts)
    return output


def query(sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect() as connection:
        return connection.execute(sql).fetchall()


def digests(*folders: Path) -> dict[str, str]:
    """Relative path to digest, over several folders that share no file."""
    found: dict[str, str] = {}
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file():
                name = str(path.relative_to(folder))
                assert name not in found
                found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default scale: what the documented figures are about."""
    return make(tmp_path_factory.mktemp("webshop"), events=200_000)


def test_bytes_depend_on_seed_and_scale_only(tmp_path: Path) -> None:
    """Processes, hosts and a second run change nothing; the seed changes every log file."""
    one = digests(make(tmp_path / "one", processes=1))
    assert digests(make(tmp_path / "two", processes=2)) == one
    hosts = [make(tmp_path / f"host{host}", processes=1, host=host, hosts=2) for host in range(2)]
    assert digests(*hosts) == one
    other = digests(make(tmp_path / "other", seed=8))
    assert other.keys() == one.keys()
    assert not [name for name in one if one[name] == other[name]]


def test_files(raw: Path) -> None:
    """One folder a day, few parts in each, nothing half-written; the columns are those of dataset.toml."""
    days = sorted((raw / "logs").iterdir())
    assert [day.name for day in days][::90] == ["date=2026-01-01", "date=2026-04-01"]
    assert len(days) == 91
    for day in days:
        assert sorted(part.name for part in day.iterdir()) == [f"part-{part:05d}.log.gz" for part in range(4)]
    assert not list(raw.rglob(".*"))
    for table in Dataset.load(SCRIPT.parent).tables:
        if table.format == "parquet":
            described = query(f"DESCRIBE SELECT * FROM '{raw}/{table.location}*.parquet'")
            assert {row[0]: row[1] for row in described} == table.columns


def test_tables_fit_together(raw: Path) -> None:
    """Keys are unique and lead somewhere; money adds up; nothing happens before its time."""
    tables = {name: f"'{raw}/{name}/*.parquet'" for name in ("customers", "products", "orders", "reviews")}

    def one(sql: str) -> int:
        return int(query(sql.format(**tables))[0][0])

    for table, key in (("customers", "customer_id"), ("products", "product_id"), ("orders", "order_id")):
        assert one(f"SELECT COUNT(*) - COUNT(DISTINCT {key}) FROM {{{table}}}") == 0
    orders = one("SELECT COUNT(*) FROM {orders}")
    fitting = """SELECT COUNT(*) FROM {orders} o JOIN {customers} USING (customer_id) JOIN {products} USING (product_id)
        WHERE total_cents = quantity * price_cents AND ordered_at > registered_at"""
    assert one(fitting) == orders
    reviews = one("SELECT COUNT(*) FROM {reviews}")
    assert 0.1 < reviews / orders < 0.5
    fitting = """SELECT COUNT(*) FROM {reviews} r JOIN {orders} o
        ON r.review_id = o.order_id AND r.customer_id = o.customer_id AND r.product_id = o.product_id
        WHERE reviewed_at > ordered_at AND rating BETWEEN 1 AND 5 AND LENGTH(text) > 10"""
    assert one(fitting) == reviews


def test_pictures(raw: Path) -> None:
    """Every picture is a PNG: signature, checked parts, and as many pixels as the header says."""
    pictures = query(f"SELECT picture FROM '{raw}/products/*.parquet'")
    assert len({picture for (picture,) in pictures}) > len(pictures) * 0.9
    for (picture,) in pictures:
        assert picture[:8] == b"\x89PNG\r\n\x1a\n"
        parts, at = {}, 8
        while at < len(picture):
            (length,) = struct.unpack(">I", picture[at : at + 4])
            kind, body = picture[at + 4 : at + 8], picture[at + 8 : at + 8 + length]
            assert picture[at + 8 + length : at + 12 + length] == struct.pack(">I", zlib.crc32(kind + body))
            parts[kind], at = body, at + 12 + length
        width, height = struct.unpack(">II", parts[b"IHDR"][:8])
        assert len(zlib.decompress(parts[b"IDAT"])) == height * (1 + 3 * width)
        assert at == len(picture)
        assert list(parts) == [b"IHDR", b"IDAT", b"IEND"]


def test_truth(raw: Path) -> None:
    """The probabilities are those of the orders that follow: in the mean, in every tenth, and in their order."""
    cutoffs = Dataset.load(SCRIPT.parent).cutoffs
    for split in ("train", "validation", "test"):
        found = query(f"""
            SELECT probability, MAX(COALESCE(ordered_at BETWEEN {cutoffs[split]} AND {cutoffs[split]} + 604799, FALSE))
            FROM '{raw}/truth/*.parquet' LEFT JOIN '{raw}/orders/*.parquet' USING (customer_id)
            WHERE split = '{split}' GROUP BY customer_id, probability ORDER BY probability""")
        probability, bought = [row[0] for row in found], [bool(row[1]) for row in found]
        assert 0.08 < sum(bought) / len(bought) < 0.20
        assert 0.75 < roc_auc_score(bought, probability) < 0.90
        tenth = len(found) // 10
        for start in range(0, tenth * 10, tenth):
            expected = probability[start : start + tenth]
            # The number of buyers is a sum of independent draws: four deviations are one failure in thousands of seeds.
            deviation = sum(p * (1 - p) for p in expected) ** 0.5
            assert abs(sum(bought[start : start + tenth]) - sum(expected)) < 4 * deviation
    eligible = query(f"""SELECT COUNT(*) FROM '{raw}/customers/*.parquet'
        WHERE registered_at < {cutoffs["score"]}""")
    assert query(f"SELECT COUNT(*) FROM '{raw}/truth/*.parquet' WHERE split = 'score'") == eligible


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--events", "999"], "--events 999: must be from 1000 to"),
        (["--events", "many"], "argument --events: invalid int value: 'many'"),
        (["--seed", "-1"], "--seed -1: must be from 0 to"),
        (["--processes", "0"], "--processes 0: must be from 1 to"),
        (["--host", "2", "--hosts", "2"], "--host 2: must be from 0 to 1"),
        (["--output", __file__], "is not a folder"),
        (["--events", "1000", "--evens", "1"], "unrecognized arguments: --evens 1"),
    ],
)
def test_wrong_arguments(arguments: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        generate.main(arguments)


def run(*arguments: str) -> "subprocess.Popen[str]":
    """The script as the services start it, in a process group of its own."""
    command = [sys.executable, str(SCRIPT), *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "workloads")}
    return subprocess.Popen(
        command, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=listening
    )


def test_command_line(tmp_path: Path) -> None:
    """Progress in tenths; a second run into the same folder is refused with one line and exit code 2."""
    arguments = ("--events", "1000", "--output", str(tmp_path))
    process = run(*arguments)
    progress = process.communicate()[1].splitlines()
    assert process.returncode == 0
    assert progress[-1].startswith("generated 100 % in ")
    assert all(line.startswith("generated ") for line in progress)
    process = run(*arguments)
    message = process.communicate()[1]
    assert process.returncode == 2
    assert message == f"error: --output {tmp_path}: logs/ is not empty; name a new folder\n"


@pytest.mark.full
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_ends_the_children(stop: signal.Signals, tmp_path: Path) -> None:
    """Ctrl-C goes to the whole group, a service's SIGTERM to the parent alone; nothing stays behind either way."""
    process = run("--events", "20000000", "--processes", "2", "--output", str(tmp_path))
    try:
        deadline = time.monotonic() + 300
        while not list(tmp_path.glob("logs/*/*.log.gz")):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.1)
        if stop == signal.SIGINT:
            os.killpg(process.pid, stop)
        else:
            process.send_signal(stop)
        assert process.communicate(timeout=300)[1].splitlines()[-1] == "interrupted"
        assert process.returncode == 130
        # multiprocessing's own helper ends when it notices that the parent is gone.
        while group_exists(process.pid):
            assert time.monotonic() < deadline + 60
            time.sleep(0.1)
    finally:
        if group_exists(process.pid):
            os.killpg(process.pid, signal.SIGKILL)


def group_exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
