"""How far the sides of a run agree, computed from the files that they wrote."""

import glob
import tarfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import xgboost

from common.duck import literal, parquet
from record.collector import agreement_of
from record.schema import Agreement, CrossScoring, Side, SideName

_SPLITS = ("train", "validation", "test", "score")


def compare_sides(run: Path, sides: dict[SideName, Side]) -> tuple[Agreement, ...]:
    """Compare what each other side wrote below ``run``, the folder that holds one of each side, with the first's.

    What a failed side did not write is not measured, and None. Features, predictions and models are streamed; nothing
    grows with the data.
    """
    with TemporaryDirectory() as scratch, duckdb.connect(config={"temp_directory": scratch}) as engine:
        return tuple(
            pair.model_copy(update=_compare(engine, run, (pair.first, pair.second), sides, Path(scratch)))
            for pair in agreement_of(sides)
        )


def _compare(
    engine: duckdb.DuckDBPyConnection,
    run: Path,
    pair: tuple[SideName, SideName],
    sides: dict[SideName, Side],
    scratch: Path,
) -> dict[str, Any]:
    """The fields of a pair that are read from its files."""
    compared: dict[str, Any] = {}
    if all(_succeeded(sides[side], "prepare") for side in pair):
        rows, equal = _compare_features(engine, run, pair)
        compared |= {"features_rows": rows, "features_equal": equal}
    if all(_succeeded(sides[side], "score") for side in pair):
        first, second = pair
        compared |= {
            "predictions_max_difference": _largest_difference(engine, _scores(run, first), _scores(run, second)),
            "cross_scoring_max_difference": CrossScoring(
                first_model_on_second_features=_cross_score(engine, run, first, second, scratch),
                second_model_on_first_features=_cross_score(engine, run, second, first, scratch),
            ),
        }
    return compared


def _succeeded(side: Side, stage: str) -> bool:
    return any(each.name == stage and each.status == "succeeded" for each in side.stages)


def _features(run: Path, side: SideName, split: str) -> str:
    return parquet(sorted((run / side / "features" / split).glob("*.parquet")))


def _compare_features(
    engine: duckdb.DuckDBPyConnection, run: Path, pair: tuple[SideName, SideName]
) -> tuple[int, bool]:
    """Rows compared over all splits, and whether every row, column name and type is the same on the two sides."""
    rows, equal = 0, True
    for split in _SPLITS:
        first, second = (_features(run, side, split) for side in pair)
        columns = [
            engine.execute(f"SELECT column_name, column_type FROM (DESCRIBE FROM {table})").fetchall()
            for table in (first, second)
        ]
        rows += int(_number(engine, f"SELECT count(*) FROM {first}"))
        equal = equal and columns[0] == columns[1]
        for left, right in ((first, second), (second, first)):
            equal = equal and _number(engine, f"SELECT count(*) FROM (FROM {left} EXCEPT ALL FROM {right})") == 0
    return rows, equal


def _scores(run: Path, side: SideName) -> str:
    # Batch Transform names its files .out, Spark .csv.
    files = sorted(path for path in (run / side / "predictions").iterdir() if path.suffix in {".out", ".csv"})
    names = ", ".join(literal(glob.escape(str(file))) for file in files)
    # Nothing is guessed: an id keeps its white space, its quotes and its zeros, and may be empty.
    return (
        f"read_csv([{names}], hive_partitioning=false, auto_detect=false, header=false, delim=',', quote='\"', "
        "escape='\"', force_not_null=['entity'], columns={'entity': 'VARCHAR', 'probability': 'DOUBLE'})"
    )


def _largest_difference(engine: duckdb.DuckDBPyConnection, left: str, right: str) -> float:
    """The largest difference of an entity's probability; an entity that only one of them has differs by 1."""
    return _number(
        engine,
        f"SELECT coalesce(max(coalesce(abs(a.probability - b.probability), 1)), 0) "
        f"FROM {left} AS a FULL JOIN {right} AS b ON a.entity = b.entity",
    )


def _cross_score(engine: duckdb.DuckDBPyConnection, run: Path, side: SideName, other: SideName, scratch: Path) -> float:
    """How far a side's model predicts on another side's features from what it predicted on its own."""
    crossed = scratch / f"{side}-on-{other}.parquet"
    _predict(_model(run, side, scratch), run / other / "features" / "score", crossed)
    return _largest_difference(engine, parquet([crossed]), _scores(run, side))


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
