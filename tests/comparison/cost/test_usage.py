from pathlib import Path

import pytest

from comparison.cost.usage import Usage
from record.errors import UserError


def test_texts_go_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "usage.toml"
    file.write_text("runs_per_day = 4\nevents_per_run = 1e6\n")
    usage = Usage.of(["runs_per_day=8", "cluster_hours_per_day=none"], file)
    assert (usage.runs_per_day, usage.events_per_run, usage.cluster_hours_per_day) == (8, 1e6, None)
    file = tmp_path / "usage.json"
    file.write_text('{"spot_share": 0.5}')
    assert Usage.of(file=file).spot_share == 0.5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("runs_per_day", "--usage 'runs_per_day': must be key=value"),
        ("runs_per_day=-1", "--usage runs_per_day=-1: must be a number from 0"),
        ("runs_per_day=many", "--usage runs_per_day=many: must be a number from 0"),
        ("events_per_run=nan", "--usage events_per_run=nan: must be a number"),
        ("endpoint_hours_per_day=25", "--usage endpoint_hours_per_day=25: input should be less than or equal to 24"),
        ("spot_share=1.1", "--usage spot_share=1.1: input should be less than or equal to 1"),
        ("run_per_day=1", "--usage run_per_day: unknown; did you mean runs_per_day? (allowed: runs_per_day, "),
    ],
)
def test_impossible_texts(text: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        Usage.of([text])
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("usage.toml", "runs_per_day = ", "not TOML (JSON ends with .json)"),
        ("usage.json", "[1]", "must hold keys and values, not list"),
        ("usage.json", '{"keep_days": -1}', "keep_days=-1: input should be"),
        ("usage.txt", "\x00", "not TOML (JSON ends with .json)"),
        ("missing.toml", None, "cannot be read: No such file or directory"),
    ],
)
def test_impossible_files(name: str, text: str | None, message: str, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(UserError) as caught:
        Usage.of(file=tmp_path / name)
    assert str(caught.value).startswith(f"{tmp_path / name}: {message}")
    assert "\n" not in str(caught.value)
