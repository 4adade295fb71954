"""Invented test data: records that look like a run. Nothing here was measured; do not quote a number from it."""

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from record.schema import Record
from sides import DEFAULT, SIDES

START = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)

# name, seconds on each side, rows in, rows out, bytes out
_STAGES: list[tuple[str, float, float, int, int, int]] = [
    ("prepare", 4.812, 41.377, 241_310, 31_204, 2_310_442),
    ("train", 3.094, 22.918, 15_602, 0, 412_873),
    ("evaluate", 1.207, 7.405, 15_602, 0, 3_911),
    ("score", 1.655, 6.093, 7_801, 7_801, 164_120),
]
_INSTANCES = {
    "sagemaker": [{"type": "ml.m5.xlarge", "count": 1}],
    "emr": [{"type": "m5.xlarge", "count": 1}, {"type": "m5.2xlarge", "count": 2}],
}
_REJECTED = {"logs": {"malformed": 203, "not ascii": 41, "duplicate": 612}, "orders": {"unknown customer": 4}}


def sample(where: Literal["local", "aws"] = "local") -> Record:
    """Return the record of an invented run in which both sides finished and agree."""
    return Record.model_validate(sample_data(where))


def failed_sample() -> Record:
    """Return the record of an invented run in which the EMR side failed in `train`."""
    data = sample_data()
    emr = data["sides"]["emr"]
    emr["status"] = "failed"
    emr["error"] = {
        "stage": "train",
        "message": "Job aborted due to stage failure: ExecutorLostFailure <executor 1 exited: exit code 137>",
        "log": "build/runs/20261122-093000/logs/emr-train.log",
    }
    emr["stages"][1] |= {"status": "failed", "rows_in": None, "rows_out": None, "bytes_out": None}
    for name, stage in zip(("evaluate", "score"), emr["stages"][2:], strict=True):
        stage.clear()
        stage |= {"name": name, "status": "skipped", "instances": _INSTANCES["emr"]}
    emr |= {"metrics": None, "validation": None}
    pair = {"first": "sagemaker", "second": "emr"}
    data["agreement"] = [pair | {"features_equal": True, "features_rows": 31_204, "rejected_equal": True}]
    return Record.model_validate(data)


def five_sample() -> Record:
    """Return the record of an invented run of five sides, of which this checkout knows two."""
    data = sample_data()
    for name in ("emr-large", "emr-spot", "sagemaker-distributed"):
        copied = data["sides"][name.split("-")[0]]
        data["sides"][name] = copied | {"title": name.replace("-", ", "), "serve": None}
        data["agreement"].append(data["agreement"][0] | {"second": name})
    return Record.model_validate(data)


def bare_sample() -> Record:
    """Return the smallest valid record: nothing but the failure of both sides."""
    error = {"message": "AccessDenied: states:StartExecution"}
    sides = {name: _described(name) | {"status": "failed", "error": error} for name in DEFAULT}
    return Record.model_validate(
        {
            "schema_version": 3,
            "run_id": "20261122-093000",
            "where": "aws",
            "dataset": {"name": "webshop"},
            "sides": sides,
        }
    )


def sample_data(where: Literal["local", "aws"] = "local") -> dict[str, Any]:
    """Return the input of `sample` as plain data, to be changed by a test before it is validated."""
    return {
        "schema_version": 3,
        "run_id": "20261122-093000",
        "where": where,
        "machine": {"cpus": 2, "memory_bytes": 8_214_700_032, "platform": "Linux-6.1-x86_64-with-glibc2.36"}
        if where == "local"
        else None,
        "dataset": {
            "name": "webshop",
            "events": 200_000,
            "rows": {"logs": 200_612, "customers": 8_000, "products": 500, "orders": 24_198, "reviews": 8_000},
            "bytes": 18_532_110,
        },
        "sides": {
            "sagemaker": _side("sagemaker", START, 0.0)
            | {"serve": {"status": "succeeded", "rows": 100, "p50_milliseconds": 1.84, "load": _load()}},
            "emr": _side("emr", START + timedelta(seconds=14), 0.00031),
        },
        "limits": {"auc": 0.8342, "average_precision": 0.4911, "log_loss": 0.3127, "brier": 0.0962, "roc": _roc(-0.02)},
        "agreement": [
            {
                "first": "sagemaker",
                "second": "emr",
                "features_equal": True,
                "features_rows": 31_204,
                "auc_difference": 0.00031,
                "predictions_max_difference": 0.0071,
                "cross_scoring_max_difference": {
                    "first_model_on_second_features": 0.0,
                    "second_model_on_first_features": 5.96e-08,
                },
                "rejected_equal": True,
            }
        ],
        "versions": {"duckdb": "2.0.0", "pyspark": "3.5.9", "xgboost": "3.2.0", "emr release": "emr-7.14.0"},
        "settings": {"events": 200_000, "seed": 7, "num_round": 120, "max_depth": 5, "eta": 0.1, "spot": False},
        "definitions": {"sagemaker": "3f" * 32, "emr": "a7" * 32},
    }


def _side(name: str, start: datetime, shift: float) -> dict[str, Any]:
    stages = []
    for stage, sagemaker, emr, rows_in, rows_out, bytes_out in _STAGES:
        seconds = sagemaker if name == "sagemaker" else emr
        stages.append(
            {
                "name": stage,
                "status": "succeeded",
                "started": start,
                "seconds": seconds,
                "instances": _INSTANCES[name],
                "rows_in": rows_in,
                "rows_out": rows_out,
                "bytes_out": bytes_out,
            }
        )
        start += timedelta(seconds=seconds + 0.12)
    return _described(name) | {
        "status": "succeeded",
        "stages": stages,
        "rejected": _REJECTED,
        "metrics": _metrics(0.8214 - shift, 0.4702, 0.3191, 0.0984, shift),
        "validation": _metrics(0.8239 - shift, 0.4764, 0.3178, 0.0979, shift),
    }


def _described(name: str) -> dict[str, str]:
    side = SIDES[name]
    return {"title": side.title, "service": side.service, "engine": side.engine}


def _load() -> list[dict[str, Any]]:
    return [
        {
            "clients": clients,
            "requests": 400,
            "failures": 0,
            "seconds": 0.75,
            "p50_milliseconds": 1.8 * clients,
            "p90_milliseconds": 2.1 * clients,
            "p99_milliseconds": 4.0 * clients,
        }
        for clients in (1, 4)
    ]


def _roc(shift: float) -> list[dict[str, float]]:
    return [{"false_positive_rate": i / 20, "true_positive_rate": (i / 20) ** (0.25 + shift)} for i in range(21)]


def _metrics(auc: float, average_precision: float, log_loss: float, brier: float, shift: float) -> dict[str, Any]:
    mean = [0.018, 0.041, 0.067, 0.094, 0.121, 0.153, 0.194, 0.251, 0.342, 0.561]
    rate = [0.015, 0.038, 0.071, 0.088, 0.128, 0.149, 0.203, 0.247, 0.358, 0.549]
    return {
        "rows": 7_801,
        "positives": 1_143,
        "auc": auc,
        "average_precision": average_precision,
        "log_loss": log_loss,
        "brier": brier,
        "calibration": [
            {"bin": i, "rows": 780, "mean_probability": mean[i] + shift * i, "positive_rate": rate[i]}
            for i in range(10)
        ],
        "roc": _roc(shift),
    }


def account_sample() -> Record:
    """Return the record of a run in an account with everything that `compare collect` finds there."""
    data = sample_data("aws")
    data["region"] = "eu-west-1"
    data["settings"] |= {f"sagemaker.{stage}.volume_gb": 30 for stage in ("prepare", "train", "evaluate")}
    for stage in data["sides"]["sagemaker"]["stages"]:
        stage |= {"billable_seconds": 90.0, "cpu_percent": 180.0, "memory_percent": 41.0}
    for stage in data["sides"]["emr"]["stages"]:
        stage["billable_seconds"] = 60.0
    # Its cluster took four minutes to start, and half a minute to end.
    first, last = data["sides"]["emr"]["stages"][0], data["sides"]["emr"]["stages"][-1]
    seconds = (last["started"] - first["started"]).total_seconds() + last["seconds"] + 240 + 30
    data["sides"]["emr"] |= {"started": first["started"] - timedelta(seconds=240), "seconds": seconds}
    data["sides"]["emr"]["cluster"] = {
        "id": "j-2AXXXXXXGAPLF",
        "own": True,
        "instance_seconds": {"m5.xlarge": 1_200.0, "m5.2xlarge": 1_800.0},
    }
    data["sides"]["sagemaker"]["serve"]["traffic"] = {
        "start": START,
        "hours": 2,
        "requests": 1_234,
        "failures": 5,
        "p50_milliseconds": 3.2,
        "p90_milliseconds": 4.5,
        "p99_milliseconds": 9.0,
    }
    return Record.model_validate(data)
