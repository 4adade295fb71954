"""What this project costs on top of the engines that it runs on: ``make bench``.

Each figure is a ratio against the bare engine, the medians of runs that alternate, so that a machine's speed and other
load cancel out. Synthesis has a limit: above it the exit code is 1. The other ratios are there to be read.

Both apps are as they come: the CDK checks the templates with a validator of its own, which takes most of ours.
"""

import contextlib
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb
from pyspark.sql import SparkSession
from rich.console import Console
from rich.table import Table

from assembly.template import REPOSITORY, app_context
from common import duck
from common.dataset import Dataset
from common.local import table_files
from tests.engines import local_spark
from workloads.single_node import prepare as on_duck
from workloads.spark import prepare as on_spark

SYNTH_LIMIT = 5
EMPTY_APP = ["-c", "import aws_cdk; aws_cdk.App().synth()"]
WEBSHOP = REPOSITORY / "workloads" / "datasets" / "webshop"
EVENTS = 200_000


def main() -> int:
    """Measure, print, and return the exit code."""
    table = Table("", "ours", "bare engine", "ratio", "limit", title="Medians of alternating runs")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        synth = alternate(lambda: synthesise(["app.py"], folder), lambda: synthesise(EMPTY_APP, folder), runs=5)
        add(table, "synth of the app / of an empty CDK app", synth, str(SYNTH_LIMIT))
        raw = generate(folder)
        dataset = Dataset.load(WEBSHOP)
        outputs = (folder / f"output-{number}" for number in range(100))
        ours = alternate(
            lambda: our_duck(raw, next(outputs)), lambda: bare_duck(dataset, raw, next(outputs)), runs=5, warm=1
        )
        add(table, f"prepare on DuckDB / its SQL on DuckDB ({EVENTS:,} events)", ours)
        engine = local_spark("local[*]")
        ours = alternate(
            lambda: our_spark(engine, raw, next(outputs)),
            lambda: bare_spark(engine, dataset, raw, next(outputs)),
            runs=3,
            warm=1,
        )
        engine.stop()
        add(table, f"prepare on Spark / its SQL on Spark ({EVENTS:,} events)", ours)
    Console().print(table)
    return int(synth[0] / synth[1] > SYNTH_LIMIT)


def alternate(ours: Callable[[], None], bare: Callable[[], None], runs: int, warm: int = 0) -> tuple[float, float]:
    """Median seconds of both, run in turns; the first ``warm`` turns do not count."""
    seconds = [(clock(ours), clock(bare)) for _ in range(warm + runs)][warm:]
    return statistics.median(turn[0] for turn in seconds), statistics.median(turn[1] for turn in seconds)


def clock(action: Callable[[], None]) -> float:
    """Seconds that an action takes."""
    start = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):  # the stages say how far they are
        action()
    return time.perf_counter() - start


def add(table: Table, name: str, seconds: tuple[float, float], limit: str = "") -> None:
    """Add a row to the table."""
    ours, bare = seconds
    table.add_row(name, f"{ours:.2f} s", f"{bare:.2f} s", f"{ours / bare:.2f}", limit)


def synthesise(python: Sequence[str], folder: Path) -> None:
    """Run an app in a process of its own, as the CDK CLI does."""
    place = {"CDK_OUTDIR": str(folder / "cdk.out"), "CDK_CONTEXT_JSON": json.dumps(app_context({}))}
    subprocess.run(
        [sys.executable, *python], cwd=REPOSITORY, env={**os.environ, **place}, capture_output=True, check=True
    )


def generate(folder: Path) -> Path:
    """Generate the webshop's raw tables."""
    raw = folder / "raw"
    command = [sys.executable, str(WEBSHOP / "generate.py"), f"--events={EVENTS}", f"--output={raw}"]
    subprocess.run(command, capture_output=True, check=True)
    return raw


def our_duck(raw: Path, output: Path) -> None:
    """The SageMaker side's stage."""
    with duck.connect() as engine:
        on_duck.prepare(engine, WEBSHOP, raw, output)


def bare_duck(dataset: Dataset, raw: Path, output: Path) -> None:
    """The same SQL texts with what DuckDB itself has: its own reader of lines, no check, no count."""
    output.mkdir()
    with duckdb.connect() as engine:
        engine.execute(f"CREATE VIEW cutoffs AS {dataset.cutoffs_sql}")
        for table in dataset.tables:
            files = [file.place for file in table_files(raw, table)]
            if table.format == "text":
                engine.execute(
                    "CREATE VIEW lines AS SELECT line, 0 AS file "
                    f"FROM read_csv({files}, columns = {{'line': 'VARCHAR'}}, header = false, "
                    "delim = '\x01', quote = '', escape = '', "
                    "auto_detect = false, strict_mode = false, ignore_errors = true)"
                )
                engine.execute(f"CREATE TABLE {table.name} AS FROM ({table.clean}) WHERE reject IS NULL")
            else:
                engine.execute(f"CREATE VIEW {table.name} AS FROM read_parquet({files}, hive_partitioning = false)")
        engine.execute(f"CREATE TABLE features AS {dataset.features}")
        for split in dataset.cutoffs:
            rows = f"FROM features WHERE split = '{split}' ORDER BY {dataset.entity}"
            engine.execute(f"COPY ({rows}) TO '{output}/{split}.parquet'")


def our_spark(engine: SparkSession, raw: Path, output: Path) -> None:
    """The EMR side's stage."""
    on_spark.prepare(engine, WEBSHOP.as_uri(), raw.as_uri(), output.as_uri())
    engine.catalog.clearCache()


def bare_spark(engine: SparkSession, dataset: Dataset, raw: Path, output: Path) -> None:
    """The same SQL texts with what Spark itself has, kept in memory as they need it; no check, no count."""
    engine.sql(dataset.cutoffs_sql).createOrReplaceTempView("cutoffs")
    for table in dataset.tables:
        files = [file.place for file in table_files(raw, table)]
        if table.format == "text":
            engine.read.text(files).selectExpr("value AS line", "0 AS file").createOrReplaceTempView("lines")
            cleaned = engine.sql(table.clean).cache()
            cleaned.count()  # or Spark plans what follows without knowing how little it is
            cleaned.where("reject IS NULL").createOrReplaceTempView(table.name)
        else:
            engine.read.parquet(*files).createOrReplaceTempView(table.name)
    features = engine.sql(dataset.features).cache()
    features.count()
    for split in dataset.cutoffs:
        features.where(features.split == split).drop("split").write.parquet((output / split).as_uri())
    engine.catalog.clearCache()


if __name__ == "__main__":
    sys.exit(main())
