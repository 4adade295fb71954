"""The record of a laptop run: what the histories and the files below the run's prefix say."""

import gzip
import os
import platform
import zlib
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from common import dataset as definitions
from local.container import CHECKED, container_mode
from local.environments import environment, needed
from local.jobs import JobFailed
from local.services import Services
from record.collector import Folder, attainable, collect_side, digest
from record.runs.agreement import compare_sides
from record.schema import Dataset, Limits, Machine, Record, Side, SideName, StageName
from record.services import service
from stacks.settings import DATASETS, Settings
from stacks.shared.layout import RUNS

_PACKAGES = ("aws-cdk-lib", "duckdb", "moto", "pyspark", "xgboost-cpu")


def build_record(run_id: str, services: Services, settings: Settings) -> Record:
    """Everything that is known of a laptop run, its sides compared, their endpoints tried."""
    run = services.s3.path(f"s3://{services.bucket}/{RUNS}/{run_id}")
    with services.progress.step("comparison", "agreement"):
        sides = {name: _side(name, run / name, services) for name in services.sides}
        agreement = compare_sides(run, sides)
    truth = next((found for name in sides if (found := attainable(Folder(run / name)))), None)
    definitions = {name: services.definitions[side.state_machine] for name, side in services.sides.items()}
    for name, side in sides.items():
        if side.status == "succeeded" and services.serves(name):
            with services.progress.step(name, "endpoint"):
                sides[name] = side.model_copy(update={"serve": services.serve(name, run / name)})
    return Record(
        schema_version=3,
        run_id=run_id,
        where="local",
        machine=Machine(
            cpus=len(os.sched_getaffinity(0)),
            memory_bytes=psutil.virtual_memory().total,
            platform=f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        ),
        dataset=_dataset(services, settings),
        sides=sides,
        limits=Limits.of(truth),
        agreement=agreement,
        versions={
            **{package: version(package) for package in _PACKAGES},
            **{
                what: version
                for name, side in sides.items()
                for what, version in service(side.service).versions(definitions[name]).items()
            },
            **{f"Python of {name}": environment(name).python for name in needed(sides)},
            "containers": CHECKED[container_mode()],
        },
        settings=settings.flat(),
        definitions={name: digest(definition) for name, definition in definitions.items()},
    )


def _side(name: SideName, folder: Path, services: Services) -> Side:
    """One side, from its execution's history and its files."""
    side = services.sides[name]
    definition = services.definitions[side.state_machine]

    def log(stage: StageName) -> str | None:
        failure = services.failure(name, stage)
        return str(failure.log) if isinstance(failure, JobFailed) else None

    return collect_side(
        services.machines.history(services.executions[name].arn),
        Folder(folder),
        side,
        instances=lambda request: service(side.service).instances(definition, request),
        log=log,
    )


def _dataset(services: Services, settings: Settings) -> Dataset:
    chosen = settings.dataset
    definition = definitions.Dataset.load(DATASETS / chosen.name)
    rows = {}
    size = 0
    for table in definition.tables:
        files = [file for _, file in services.s3.objects(f"{services.raw}{table.location}")]
        size += sum(file.stat().st_size for file in files)
        count = _lines if table.format == "text" else _parquet_rows
        # A damaged table has no number of rows; the stage that read it says what is wrong with it.
        with suppress(pa.ArrowException, OSError, EOFError, zlib.error):
            rows[table.name] = sum(count(file) for file in files)
    return Dataset(name=chosen.name, events=chosen.events if chosen.location is None else None, rows=rows, bytes=size)


def _parquet_rows(file: Path) -> int:
    return int(pq.read_metadata(file).num_rows)


def _lines(file: Path) -> int:
    with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as stream:
        return sum(block.count(b"\n") for block in iter(lambda: stream.read(1 << 20), b""))
