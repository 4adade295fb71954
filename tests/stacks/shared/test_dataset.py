import shutil
from pathlib import Path

import botocore.loaders
import pytest

import stacks.settings
import stacks.shared.dataset
from common.command import InputError
from stacks.settings import DATASETS, Settings
from stacks.shared.dataset import RawDataset
from stacks.shared.sagemaker.stages import LONGEST_ARGUMENT, LONGEST_URI
from tests.stacks.conftest import synthesise


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


@pytest.mark.slow
@pytest.mark.parametrize(
    ("side", "longest"),
    [
        # --truth=, and truth/ after the location, in the 256 characters of an argument.
        ("sagemaker-spark", 256 - 8 - 6),
        # customers/ after it, the longest of the tables, in the 1,024 of an input.
        ("sagemaker", 1024 - 10),
    ],
)
def test_a_location_that_a_request_cannot_name_is_refused(side: str, longest: int, tmp_path: Path) -> None:
    model = botocore.loaders.Loader().load_service_model("sagemaker", "service-2")["shapes"]
    assert (model["ContainerArgument"]["max"], model["S3Uri"]["max"]) == (LONGEST_ARGUMENT, LONGEST_URI)
    location = f"s3://theirs/{'a' * (longest - 13)}/"
    synthesise("fits", {"sides": side, "dataset.location": location}, tmp_path / "fits")
    message = f"dataset.location=.* has {longest + 1} characters; a SageMaker job takes {longest}, since [a-z]+/ comes"
    with pytest.raises(InputError, match=message):
        synthesise("long", {"sides": side, "dataset.location": f"{location[:-1]}b/"}, tmp_path / "long")
