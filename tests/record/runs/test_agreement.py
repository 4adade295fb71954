"""How far the sides agree, from the files of a run."""

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from record.runs.agreement import _SPLITS, _compare_features, _largest_difference, _scores


@pytest.mark.parametrize("name", ["a b'%#é{x}$y&", "[1]"])
def test_the_name_of_the_runs_folder_is_a_name(tmp_path: Path, name: str) -> None:
    """It ends no text of SQL, and is no pattern."""
    run = Path(f"{tmp_path}/{name}", "x")
    pair = ("sagemaker", "emr")
    for side in pair:
        for split in _SPLITS:
            (run / side / "features" / split).mkdir(parents=True)
            pq.write_table(pa.table({"entity": ["a", "b"]}), run / side / "features" / split / "part-0.parquet")
        predictions = run / side / "predictions" / {"sagemaker": "a.out", "emr": "a.csv"}[side]
        predictions.parent.mkdir()
        predictions.write_text(f"a,0.5\nb,{0.25 if side == 'emr' else 0.5}\n")
    with duckdb.connect() as engine:
        assert _compare_features(engine, run, pair) == (8, True)
        assert _largest_difference(engine, *(_scores(run, side) for side in pair)) == 0.25
        other = run / "emr" / "features" / "score" / "part-0.parquet"
        pq.write_table(pa.table({"entity": ["a", "c"]}), other)
        assert _compare_features(engine, run, pair) == (8, False)
