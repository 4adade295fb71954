"""The run record: what is saved is what is loaded, and a bad file says what is wrong with it."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from common import metrics
from record.schema import (
    Agreement,
    CalibrationBin,
    Limits,
    Metrics,
    Record,
    RecordError,
    RocPoint,
    describe,
    load,
    save,
)
from tests.record.sample import bare_sample, failed_sample, sample, sample_data


@pytest.mark.parametrize("record", [sample(), sample("aws"), failed_sample(), bare_sample()])
def test_round_trip(tmp_path: Path, record: Record) -> None:
    """What is saved is what is loaded."""
    path = tmp_path / "runs" / "1" / "comparison.json"
    save(record, path)
    assert load(path) == record
    assert [file.name for file in path.parent.iterdir()] == ["comparison.json"], "no temporary file is left"


def test_a_record_of_an_earlier_version_says_the_same_in_this_one(tmp_path: Path) -> None:
    """Two sides by name, in any order, and one object for the pair; a version 1 has nothing that this one has not."""
    expected = sample()
    data = json.loads(expected.model_dump_json())
    for side in data["sides"].values():
        for field in ("title", "service", "engine"):
            del side[field]
    data["sides"] = dict(reversed(data["sides"].items()))
    (pair,) = data["agreement"]
    del pair["first"], pair["second"]
    crossed = pair["cross_scoring_max_difference"]
    crossed["sagemaker_model_on_emr_features"] = crossed.pop("first_model_on_second_features")
    crossed["emr_model_on_sagemaker_features"] = crossed.pop("second_model_on_first_features")
    path = tmp_path / "comparison.json"
    for version in (1, 2):
        path.write_text(json.dumps(data | {"schema_version": version, "agreement": pair}))
        assert load(path) == expected
        assert list(load(path).sides) == ["sagemaker", "emr"]
        path.write_text(json.dumps(data | {"schema_version": version, "agreement": None}))
        assert load(path).agreement == ()


@pytest.mark.parametrize("part", ["sides", "agreement"])
@pytest.mark.parametrize("value", [[], "x", 3, {}, {"emr": None}, {"cross_scoring_max_difference": 1}])
def test_a_damaged_record_of_an_earlier_version_is_one_line(tmp_path: Path, part: str, value: object) -> None:
    path = tmp_path / "comparison.json"
    path.write_text(json.dumps(json.loads(sample().model_dump_json()) | {"schema_version": 2, part: value}))
    if (part, value) == ("agreement", {}):
        assert load(path).agreement == (Agreement(first="sagemaker", second="emr"),)
        return
    with pytest.raises(RecordError) as caught:
        load(path)
    assert "\n" not in str(caught.value)


def test_times_are_utc_whatever_zone_they_came_in() -> None:
    """A time with a zone becomes UTC; one without is refused."""
    data = sample_data()
    data["sides"]["sagemaker"]["stages"][0]["started"] = "2026-11-22T04:30:00-05:00"
    assert Record.model_validate(data).started == datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
    assert '"2026-11-22T09:30:00Z"' in Record.model_validate(data).model_dump_json()
    data["sides"]["sagemaker"]["stages"][0]["started"] = "2026-11-22T04:30:00"
    with pytest.raises(ValidationError, match="timezone"):
        Record.model_validate(data)


def _change(data: dict[str, Any], *path: Any, value: Any) -> None:
    for part in path[:-1]:
        data = data[part]
    data[path[-1]] = value


@pytest.mark.parametrize(
    ("change", "field", "expected"),
    [
        (lambda d: _change(d, "schema_version", value=4), "schema_version", "4 is newer than this program reads"),
        (lambda d: _change(d, "schema_version", value=0), "schema_version", "should be 3, not 0"),
        (lambda d: d.pop("schema_version"), "schema_version", "Field required"),
        (lambda d: _change(d, "colour", value=1), "colour", "is not a field of this schema"),
        (lambda d: _change(d, "where", value="moon"), "where", "'local' or 'aws', not \"moon\""),
        (lambda d: _change(d, "dataset", "bytes", value="18"), "dataset.bytes", 'valid integer, not "18"'),
        (
            lambda d: _change(d, "sides", "emr", "metrics", "auc", value=1.5),
            "sides.emr.metrics.auc",
            "less than or equal to 1, not 1.5",
        ),
        (
            lambda d: _change(d, "sides", "emr", "stages", 1, "seconds", value=-1),
            "sides.emr.stages.1.seconds",
            "greater than or equal to 0, not -1",
        ),
        (
            lambda d: _change(d, "sides", "emr", "stages", 1, "seconds", value=float("nan")),
            "sides.emr.stages.1.seconds",
            "finite number",
        ),
        (lambda d: d["sides"]["emr"]["stages"].reverse(), "sides.emr", "in the order prepare, train, evaluate, score"),
        (lambda d: _change(d, "sides", "emr", "status", value="failed"), "sides.emr", "a failed side has an `error`"),
        (lambda d: _change(d, "sides", "a b", value=d["sides"]["emr"]), "sides.a b.[key]", "should match pattern"),
        (lambda d: _change(d, "sides", value={}), "sides", "at least 1 item"),
        (lambda d: d["sides"].pop("emr"), "record", "compares each other side with the first"),
        (lambda d: _change(d, "definitions", "other", value="3f" * 32), "record", "'other', which is no side"),
        (lambda d: d["sides"]["emr"].pop("engine"), "sides.emr.engine", "Field required"),
        (lambda d: _change(d, "machine", value=None), "record", "`machine` is there when `where` is local"),
        (lambda d: _change(d, "definitions", "emr", value="abc"), "definitions.emr", "should match pattern"),
    ],
)
def test_one_line_names_file_field_and_what_is_expected(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], field: str, expected: str
) -> None:
    """Each broken field is named, with what it should be."""
    data = json.loads(sample().model_dump_json())
    change(data)
    path = tmp_path / "comparison.json"
    path.write_text(json.dumps(data))
    with pytest.raises(RecordError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: {field}: "), message
    assert expected in message
    assert "Value error" not in message
    assert not re.search(r", not [\[{]", message) or expected.startswith("at least"), message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (sample().model_dump_json(indent=1).encode()[:2000], "not JSON, or cut off"),
        (b"", "not JSON, or cut off"),
        (b"\xff\xfe", "cannot be read"),
        (b"[1]", "record: "),
        (b"null", "record: "),
        (b"[" * 100_000, "nested deeper than 100 levels"),
        (None, "cannot be read: "),
    ],
)
def test_what_is_no_record_at_all(tmp_path: Path, content: bytes | None, expected: str) -> None:
    """Cut off, empty, binary, another JSON, absurdly deep, missing: one line each."""
    path = tmp_path / "comparison.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RecordError) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_failed_save_keeps_the_old_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk costs the new record, not the old one."""
    path = tmp_path / "comparison.json"
    save(sample(), path)

    def full(self: Path, *_: object, **__: object) -> None:
        self.touch()
        raise OSError("No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        save(failed_sample(), path)
    assert load(path) == sample()
    assert list(tmp_path.iterdir()) == [path]


def test_metrics_are_those_of_evaluation_json() -> None:
    """What `evaluate` writes fits the record as it is."""
    assert list(Metrics.model_fields) == [*metrics.NAMES, "calibration", "roc"]
    assert list(CalibrationBin.model_fields) == list(metrics.KEYS)
    assert list(RocPoint.model_fields) == list(metrics.POINT_KEYS)
    attainable = sample().sides["emr"].metrics
    assert attainable is not None
    assert Limits.of(attainable).auc == attainable.auc
    assert Limits.of(None) == Limits()


def test_the_reference_is_up_to_date() -> None:
    """docs/record.md is the schema's own text."""
    text = (Path(__file__).parents[2] / "docs" / "record.md").read_text(encoding="utf-8")
    assert text == describe(), "write it again: python -m record.schema > docs/record.md"
