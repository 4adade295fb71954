"""The command that makes a run again."""

import shlex
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.terminal import settings_of
from common.command import InputError
from comparison.report.reproduce import OWN_DATA, command
from stacks.settings import Settings
from tests.record.sample import sample
from tests.stacks.conftest import CHANGED

CHANGES = {key: value for key, value in CHANGED.items() if not key.startswith("@") and key != "dataset.location"}


def of(changes: dict[str, Any]) -> str:
    settings = Settings.from_context(changes).flat()
    dataset = sample().dataset.model_copy(update={"events": settings["dataset.events"]})
    return command(sample().model_copy(update={"settings": settings, "dataset": dataset}))


def test_default_settings_need_no_option() -> None:
    assert of({}) == "make compare EVENTS=200000"
    assert of({"dataset.events": 5_000_000}) == "make compare EVENTS=5000000"


@given(st.sets(st.sampled_from(sorted(CHANGES)), max_size=6))
def test_the_command_gives_the_same_settings(names: set[str]) -> None:
    """What it sets is what was set: text goes through the command line's own reader."""
    changes = {name: CHANGES[name] for name in names}
    try:
        wanted = Settings.from_context(changes)
    except InputError:  # some settings need others
        return
    words = shlex.split(of(changes))
    if words[:2] == ["make", "compare"]:
        said = {"dataset.events": words[2].removeprefix("EVENTS=")}
    else:
        assert words[:3] == ["compare", "run", "--events"]
        said = {"dataset.events": words[3]}
        said |= settings_of([word for before, word in pairwise(words) if before == "--set"])
    assert Settings.from_context(dict(said)) == wanted


@pytest.mark.parametrize(
    ("location", "option"),
    [(OWN_DATA, "--raw FOLDER"), ("s3://theirs/shop/", "--set dataset.location=s3://theirs/shop/")],
)
def test_own_data_is_named(location: str, option: str) -> None:
    assert of({"dataset.location": location}).endswith(option)
