"""How far the two sides of a run agree, computed from the files that both wrote."""

import glob
import tarfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import xgboost

from common.duck import literal, parquet
from record.collector import agreement_of
from record.schema import SIDES, Agreement, CrossScoring, Side, SideName

_SPLITS = ("train", "validation", "test", "score")
_OTHER: dict[SideName, SideName] = {"sagemaker": "emr", "emr": "sagemaker"}


def compare_sides(run: Path, sides: dict[SideName, Side]) -> Agreement:
    """Compare what both sides wrote below ``run`` (the folder that holds sagemaker/ and emr/).

    What a failed side did not write is not measured, and None. Features, predictions and models are streamed; nothing
    grows with the data.
    """
    with TemporaryDirectory() as scratch, duckdb.connect(config={"temp_directory": scratch}) as engine:
        features = all(_succeeded(sides[side], "prepare") for side in SIDES)
        predictions = all(_succeeded(sides[side], "score") for side in SIDES)
        rows, equal = _compare_features(engine, run) if features else (None, None)
        return agreement_of(sides).model_copy(
            update={
                "features_equal": equal,
                "features_rows": rows,
                "predictions_max_difference": _predictions(engine, run) if predictions else None,
                "cross_scoring_max_difference": _cross_scoring(engine, run, Path(scratch)) if predictions else None,
            }
        )


def _succeeded(side: Side, stage: str) -> bool:
    return any(each.name == stage and each.status == "succeeded" for each in side.stages)


def _features(run: Path, side: SideName, split: str) -> str:
    return parquet(sorted((run / side / "features" / split).glob("*.parquet")))


def _compare_features(engine: duckdb.DuckDBPyConnection, run: Path) -> tuple[int, bool]:
    """Rows compared over all splits, and whether every row, column name and type is the same on both sides."""
    rows, equal = 0, True
    for split in _SPLITS:
        sagemaker, emr = (_features(run, side, split) for side in SIDES)
        columns = [
            engine.execute(f"SELECT column_name, column_type FROM (DESCRIBE FROM {table})").fetchall()
            for table in (sagemaker, emr)
        ]
        rows += int(_number(engine, f"SELECT count(*) FROM {sagemaker}"))
        equal = equal and columns[0] == columns[1]
        for left, right in ((sagemaker, emr), (emr, sagemaker)):
            equal = equal and _number(engine, f"SELECT count(*) FROM (FROM {left} EXCEPT ALL FROM {right})") == 0
    return rows, equal


def _scores(run: Path, side: SideName) -> str:
    pattern = {"sagemaker": "*.out", "emr": "*.csv"}[side]
    files = sorted((run / side / "predictions").glob(pattern))
    names = ", ".join(literal(glob.escape(str(file))) for file in files)
    # Nothing is guessed: an id keeps its white space, its quotes and its zeros, and may be empty.
    return (
        f"read_csv([{names}], hive_partitioning=false, auto_detect=false, header=false, delim=',', quote='\"', "
        "escape='\"', force_not_null=['entity'], columns={'entity': 'VARCHAR', 'probability': 'DOUBLE'})"
    )


def _predictions(engine: duckdb.DuckDBPyConnection, run: Path) -> float:
    sagemaker, emr = (_scores(run, side) for side in SIDES)
    return _largest_difference(engine, sagemaker, emr)


def _largest_difference(engine: duckdb.DuckDBPyConnection, left: str, right: str) -> float:
    """The largest difference of an entity's probability; an entity that only one of them has differs by 1."""
    return _number(
        engine,
        f"SELECT coalesce(max(coalesce(abs(a.probability - b.probability), 1)), 0) "
        f"FROM {left} AS a FULL JOIN {right} AS b ON a.entity = b.entity",
    )


def _cross_scoring(engine: duckdb.DuckDBPyConnection, run: Path, scratch: Path) -> CrossScoring:
    differences = {}
    for side in SIDES:
        crossed = scratch / f"{side}.parquet"
        _predict(_model(run, side, scratch), run / _OTHER[side] / "features" / "score", crossed)
        differences[side] = _largest_difference(engine, parquet([crossed]), _scores(run, side))
    return CrossScoring(
        sagemaker_model_on_emr_features=differences["sagemaker"], emr_model_on_sagemaker_features=differences["emr"]
    )


def _model(run: Path, side: SideName, scratch: Path) -> xgboost.Booster:
    """A side's model, read by plain XGBoost."""
    file = run / side / "model" / "xgboost-model.json"
    if not file.exists():
        archive = next((run / side / "model").rglob("model.tar.gz"))
        with tarfile.open(archive) as tar:
            member = tar.extractfile("xgboost-model.json")
            assert member is not None
            file = scratch / f"{side}-model.json"
            file.write_bytes(member.read())
    return xgboost.Booster(model_file=str(file))


def _predict(model: xgboost.Booster, features: Path, target: Path) -> None:
    """Score a folder of Parquet features; the first column is the entity, the second the label."""
    schema = pa.schema([("entity", pa.string()), ("probability", pa.float64())])
    with pq.ParquetWriter(target, schema) as writer:
        for batch in _batches(features):
            entities = batch.column(0).cast(pa.string())
            values = np.column_stack(
                [
                    batch.column(name).cast(pa.float64()).to_numpy(zero_copy_only=False)
                    for name in model.feature_names or []
                ]
            )
            data = xgboost.DMatrix(values, feature_names=model.feature_names)
            writer.write_table(
                pa.table({"entity": entities, "probability": model.predict(data).astype("float64")}, schema=schema)
            )


def _batches(folder: Path) -> Iterator[pa.RecordBatch]:
    for file in sorted(folder.glob("*.parquet")):
        yield from pq.ParquetFile(file).iter_batches(batch_size=50_000)


def _number(engine: duckdb.DuckDBPyConnection, query: str) -> float:
    row = engine.execute(query).fetchone()
    assert row is not None
    return float(row[0])
