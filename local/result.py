"""The record of a laptop run: what the histories and the files below the run's prefix say."""

import gzip
import os
import platform
import zlib
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from common import dataset as definitions
from local.container import CHECKED, container_mode
from local.endpoint import try_endpoint
from local.environments import DEFAULT, environment
from local.jobs import JobFailed
from local.services import Services, machine_name
from record.collector import (
    Folder,
    attainable,
    cluster_instances,
    collect_side,
    digest,
    requested_instances,
)
from record.runs.agreement import compare_sides
from record.schema import (
    SIDES,
    Dataset,
    Instances,
    Limits,
    Machine,
    Record,
    Side,
    SideName,
    Sides,
    StageName,
)
from stacks.settings import DATASETS, Settings
from stacks.shared.layout import RUNS

_PACKAGES = ("aws-cdk-lib", "duckdb", "moto", "pyspark", "xgboost-cpu")


def build_record(run_id: str, services: Services, settings: Settings) -> Record:
    """Everything that is known of a laptop run, both sides compared, the endpoint tried."""
    run = services.s3.path(f"s3://{services.bucket}/{RUNS}/{run_id}")
    with services.progress.step("comparison", "agreement"):
        sides = {side: _side(side, run / side, services) for side in SIDES}
        agreement = compare_sides(run, sides)
    truth = next((found for side in SIDES if (found := attainable(Folder(run / side)))), None)
    if sides["sagemaker"].status == "succeeded":
        with services.progress.step("sagemaker", "endpoint"):
            serve = try_endpoint(run / "sagemaker", services)
        sides["sagemaker"] = sides["sagemaker"].model_copy(update={"serve": serve})
    return Record(
        schema_version=2,
        run_id=run_id,
        where="local",
        machine=Machine(
            cpus=len(os.sched_getaffinity(0)),
            memory_bytes=psutil.virtual_memory().total,
            platform=f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        ),
        dataset=_dataset(services, settings),
        sides=Sides(**sides),
        limits=Limits.of(truth),
        agreement=agreement,
        versions={
            **{package: version(package) for package in _PACKAGES},
            "emr": services.cluster["ReleaseLabel"],
            **{f"Python of {name}": environment(name).python for name in DEFAULT},
            "containers": CHECKED[container_mode()],
        },
        settings=settings.flat(),
        definitions={
            side: digest(definition)
            for side in SIDES
            for arn, definition in services.definitions.items()
            if machine_name(arn) == side
        },
    )


def _side(side: SideName, folder: Path, services: Services) -> Side:
    """One side, from its execution's history and its files."""

    def instances(request: Mapping[str, Any]) -> tuple[Instances, ...]:
        return requested_instances(request) if side == "sagemaker" else cluster_instances(services.cluster)

    def log(stage: StageName) -> str | None:
        failure = services.failure(side, stage)
        return str(failure.log) if isinstance(failure, JobFailed) else None

    history = services.machines.history(services.sides[side].arn)
    return collect_side(history, Folder(folder), instances, log)


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
