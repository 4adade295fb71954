import shutil
from pathlib import Path

import pytest

import stacks.settings
import stacks.shared.dataset
from common.command import InputError
from stacks.settings import DATASETS, Settings
from stacks.shared.dataset import RawDataset


@pytest.fixture
def datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A datasets folder of its own, with webshop in it."""
    shutil.copytree(DATASETS / "webshop", tmp_path / "webshop")
    for module in (stacks.shared.dataset, stacks.settings):
        monkeypatch.setattr(module, "DATASETS", tmp_path)
    return tmp_path


@pytest.mark.parametrize("part", ["dataset.toml", "features.sql", "logs.sql", "generate.py"])
def test_folder_without_a_part_is_named(part: str, datasets: Path) -> None:
    (datasets / "webshop" / part).unlink()
    with pytest.raises(InputError, match=part) as error:
        RawDataset(Settings(), "bucket")
    assert "\n" not in str(error.value)


def test_own_data_needs_no_generator(datasets: Path) -> None:
    (datasets / "webshop" / "generate.py").unlink()
    raw = RawDataset(Settings.from_context({"dataset.location": "s3://theirs/shop/"}), "bucket")
    assert (raw.generated, raw.raw) == (False, "s3://theirs/shop/")


def test_what_decides_the_content_decides_the_folder(datasets: Path) -> None:
    """Another scale, seed or generator never writes into a folder that an earlier run reads."""
    folders = {
        RawDataset(Settings.from_context(context), "b").folder
        for context in ({}, {"dataset.seed": 8}, {"dataset.events": 9000})
    }
    with (datasets / "webshop" / "generate.py").open("a") as generator:
        generator.write("# changed\n")
    folders.add(RawDataset(Settings(), "b").folder)
    assert len(folders) == 4
