"""The README's figures and the picture of the sides: what `make readme` writes is what stands there."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from cli.readme import PICTURE, README, files
from record.schema import STAGES
from sides import SIDES


@pytest.fixture(scope="module")
def made() -> dict[Path, str]:
    """What the files have to hold."""
    return files()


@pytest.mark.full
def test_readme_and_picture_are_those_of_the_templates_the_prices_and_the_kept_run(made: dict[Path, str]) -> None:
    stale = [path.name for path, text in made.items() if path.read_text(encoding="utf-8") != text]
    assert stale == [], "run `make readme`"


@pytest.mark.full
def test_readme_answers_for_every_side(made: dict[Path, str]) -> None:
    (header,) = (line for line in made[README].splitlines() if all(side.title in line for side in SIDES.values()))
    assert header == f"|  | {' | '.join(side.title for side in SIDES.values())} |"
    assert "**not equal**" not in made[README]


@pytest.mark.full
def test_picture_says_what_runs_on_every_side_in_both_schemes(made: dict[Path, str]) -> None:
    picture = ElementTree.fromstring(made[PICTURE])
    space = "{http://www.w3.org/2000/svg}"
    texts = [text.text for text in picture.iter(f"{space}text")]
    assert {side.title for side in SIDES.values()} | set(STAGES) <= set(texts)
    assert texts.count("Step") == len(STAGES), "each stage of EMR is one"
    assert texts.count("Training job") >= 1
    (style,) = picture.iter(f"{space}style")
    for side in SIDES.values():
        light, dark = (f".{side.name} {{ fill: {colour}; }}" for colour in side.colours)
        before, after = str(style.text).split("prefers-color-scheme: dark")
        assert light in before
        assert dark in after
