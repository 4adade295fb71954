"""Files that others wrote, and what may be in them."""

import json
import os
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from cli.main import app
from record.errors import UserError
from record.files import read_json, write_text
from record.schema import Record
from record.text import clean, one_line
from tests.record.sample import failed_sample, sample

# Whatever JSON can hold, and Python's reader takes beyond it.
HOSTILE = st.recursive(
    st.none()
    | st.booleans()
    | st.sampled_from([10**400, -1, 2**63, 1e308, float("nan"), float("inf"), "", "\x1b[2J", "\u202e", "[red]", "../x"])
    | st.integers()
    | st.floats()
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{" * 50, "not JSON, or cut off"),
        ("[" * 200 + "]" * 200, "nested deeper than 100 levels"),
        ("[" * 100_000, "nested deeper than 100 levels"),
        ('{"a": 1, "a": 2}', '"a" comes twice'),
        ('{"a": [NaN]}', "a.0: Input should be a finite number"),
        ('{"a": 1e999}', "a: Input should be a finite number"),
        ('{"a": -' + "9" * 100_000 + "}", "a: Input should be a finite number of up to 64 bits"),
        ('{"a": "\\ud800"}', "is half a character"),
        ("\ufeff{}", "not JSON"),
        ("<!DOCTYPE html><html>sign in", "begins with '<!DOCTYPE html><html>sign in', as HTML does"),
        ("{} {}", "not JSON, or cut off"),
    ],
)
def test_what_is_no_json_is_one_line(content: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(UserError) as caught:
        read_json(tmp_path / "a.json")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_pipes_devices_folders_and_gigabytes_are_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(1 << 40)
    for path in (tmp_path / "pipe", Path("/dev/zero"), Path("/proc/kmsg"), tmp_path, tmp_path / "huge"):
        with pytest.raises(UserError):
            read_json(path)


def test_a_text_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(tmp_path / "a", "\ud800")
    assert (tmp_path / "a").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


@given(st.text() | st.text(st.characters(codec=None, categories=["Cc", "Cf", "Zl", "Zp", "Cs"])))
def test_nothing_that_a_terminal_obeys_is_left(text: str) -> None:
    bidirectional = {"LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI"}
    for shown in (clean(text), one_line(text)):
        assert not {unicodedata.bidirectional(each) for each in shown} & bidirectional
        assert not [each for each in shown if unicodedata.category(each) in ("Cc", "Cs") and each not in "\n\t"]
        assert clean(shown) == shown
    assert not set(one_line(text)) & set("\n\t\r\u2028\u2029")


def _places(value: object, *place: object) -> list[tuple[object, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return (
        [place, *(each for name, item in items for each in _places(item, *place, name))]
        if place
        else [each for name, item in items for each in _places(item, name)]
    )


RECORDS = [json.loads(each.model_dump_json()) for each in (sample(), sample("aws"), failed_sample())]


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_record_of_anybody_is_shown_or_refused_in_a_line(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """One value replaced by another: never a traceback, and never a character that a terminal obeys."""
    record = json.loads(json.dumps(data.draw(st.sampled_from(RECORDS))))
    *above, last = data.draw(st.sampled_from(_places(record)))
    inner = record
    for name in above:
        inner = inner[name]
    inner[last] = data.draw(HOSTILE)
    output = tmp_path_factory.mktemp("runs")
    (output / "a").mkdir()
    (output / "a" / "comparison.json").write_text(json.dumps(record))
    for arguments in (["runs"], ["runs", "--json"], ["diff", "a", "a"], ["diff", "a", "a", "--json"]):
        result = CliRunner().invoke(app, [*arguments, "--output", str(output)])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert result.exit_code in (0, 2)
        assert "\x1b" not in result.output
        assert "\u202e" not in result.output
        assert result.stderr.count("\n") == (1 if result.exit_code else 0)


@pytest.mark.parametrize("run_id", ["../up", "/etc", "a/b", "", ".", "..", "a\n", "\x1b[2J", "é", "x" * 81])
def test_an_id_that_is_a_path_or_more_is_in_no_record(run_id: str) -> None:
    with pytest.raises(ValueError, match="run_id"):
        Record.model_validate(sample().model_dump() | {"run_id": run_id})
