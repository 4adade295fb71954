"""Spark on every service: its programs with their arguments, its executors' memory, and what its jobs may do."""

from abc import ABC, abstractmethod
from collections.abc import Mapping

from aws_cdk import aws_iam as iam
from aws_cdk import aws_stepfunctions as sfn

from stacks.settings import Settings
from stacks.shared.data import Data
from stacks.shared.layout import CODE, LOGS, OUTPUTS, RUNS
from stacks.shared.pipeline import StageRun
from stacks.shared.states import allow, run_location

PYTHON = "/usr/bin/python3.11"
"""The release's Python for which the wheels are published (workloads/wheels.sh)."""

_JVM_MB, _PYTHON_MB = 512, 320
"""Outside of the heap: what a JVM takes, and a Python worker, of which each core has one in evaluate and score.

Four workers took 920 MB there (the steps on Hadoop 3.4.1's YARN, 2026-11-26): 40 percent come on top.
"""

_LEAST_HEAP_MB = 1024


class SparkStages(ABC):
    """The stages as programs of ``workloads/spark``; a side says how one of them is run."""

    def __init__(self, settings: Settings, data: Data, side: str, workers: int) -> None:
        """``workers`` train together: as many as there are executors at least."""
        self._settings = settings
        self._data = data
        self._side = side
        self._workers = workers

    @abstractmethod
    def _job(self, stage: str, arguments: Mapping[str, str]) -> StageRun:
        """A job of the stage's program, with these options (see `options`)."""

    @property
    def model(self) -> str:
        """The location of the trained model."""
        return self._run("train")

    def prepare(self) -> StageRun:
        """From the raw tables to the features."""
        return self._program("prepare", {"raw": _raw(), "output": self._run("prepare")})

    def train(self) -> StageRun:
        """Trains on the features, with executors of their own shape."""
        return self._program(
            "train",
            {
                "features": self._run("prepare"),
                "output": self._run("train"),
                "workers": str(self._workers),
                **self._settings.hyperparameter_texts,
            },
        )

    def evaluate(self) -> StageRun:
        """Writes the metrics."""
        truth = self._data.dataset.definition.truth
        return self._program(
            "evaluate",
            {
                "features": self._run("prepare"),
                "model": self._run("train"),
                **({} if truth is None else {"truth": sfn.JsonPath.format(f"{{}}{truth}", _raw())}),
                "output": self._run("evaluate"),
            },
        )

    def score(self) -> StageRun:
        """Predicts every customer."""
        return self._program(
            "score",
            {"features": self._run("prepare"), "model": self._run("train"), "output": self._run("score")},
        )

    def _program(self, stage: str, arguments: Mapping[str, str]) -> StageRun:
        dataset = f"{self._data.code}/workloads/datasets/{self._settings.dataset.name}/"
        return self._job(stage, {"dataset": dataset, **arguments})

    def _run(self, stage: str) -> str:
        """The location of a stage's output of the running execution."""
        return run_location(self._data.bucket.bucket_name, self._side, f"{OUTPUTS[stage]}/")


def options(arguments: Mapping[str, str]) -> list[str]:
    """Options ``--name=value`` of a program; of values that states compute, as states compute them."""
    return [
        sfn.JsonPath.format(f"--{name}={{}}", value)
        if sfn.JsonPath.is_encoded_json_path(value)
        else f"--{name}={value}"
        for name, value in arguments.items()
    ]


def _raw() -> str:
    """The raw data's prefix, an input of the execution."""
    return sfn.JsonPath.string_at("$.raw")


def executor(cores: int, memory: int) -> dict[str, str]:
    """An executor of so much memory in all, in MiB: up to so many cores, with room for a Python worker each."""
    cores = min(cores, (memory - _JVM_MB - _LEAST_HEAP_MB) // _PYTHON_MB)
    overhead = _JVM_MB + cores * _PYTHON_MB
    return {"spark.executor.cores": str(cores)} | executor_memory(memory - overhead, overhead)


def training_memory(memory: int) -> dict[str, str]:
    """The memory of an executor that trains: XGBoost holds the rows outside of the heap, in one Python worker."""
    heap = max(_LEAST_HEAP_MB, memory // 4)
    return executor_memory(heap, memory - heap)


def executor_memory(heap: int, overhead: int) -> dict[str, str]:
    """An executor's heap and what it has beside that, in MiB."""
    return {"spark.executor.memory": f"{heap}m", "spark.executor.memoryOverhead": f"{overhead}m"}


def allow_runs(role: iam.Role, data: Data, side: str) -> None:
    """What Spark's jobs of a side do in the bucket: they read data, code and their runs, and write runs and logs."""
    allow(role, ["s3:GetObject"], data.raw_objects, data.objects(CODE), data.objects(f"{RUNS}/*/{side}"))
    allow(role, ["s3:PutObject"], data.objects(f"{LOGS}/{side}"))
    allow_writing(role, data, side)
    allow(role, ["s3:ListBucket"], *data.listed_buckets)


def allow_writing(role: iam.Role, data: Data, side: str) -> None:
    """How Spark writes runs: its committer removes its own temporary files."""
    writing = ["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
    allow(role, writing, data.objects(f"{RUNS}/*/{side}"))
    allow(role, ["s3:ListBucketMultipartUploads"], data.bucket.bucket_arn)
