"""There is no second description: what a template says is what runs, and a mistake in it breaks the laptop run."""

import copy
import errno
import json
import os
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
import xgboost

from assembly.template import Assembly
from local.progress import Progress
from local.s3 import LocalS3
from local.services import Services, machine_name
from local.states import Execution, engine
from record.schema import STAGES
from tests.e2e.conftest import SMALL
from tests.stacks.conftest import synthesise

pytestmark = pytest.mark.full

Change = Callable[[str], str]


@pytest.fixture(scope="module")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    settings = {**SMALL, "dataset.events": "8000"}
    return synthesise("definitions", settings, tmp_path_factory.mktemp("cdk.out")).assembly


def run_sagemaker(assembly: Assembly, folder: Path, change: Change = lambda text: text) -> tuple[Services, Execution]:
    """The SageMaker pipeline alone, its definition changed as a stack might have written it."""
    services = Services(assembly, LocalS3(folder / "s3"), folder / "logs", folder / "work", Progress())
    arn = next(arn for arn in services.definitions if machine_name(arn) == "sagemaker")
    definitions = copy.deepcopy(services.definitions)
    text = json.dumps(definitions[arn])
    definitions[arn] = json.loads(change(text))
    with engine(services.answer, definitions) as machines:
        services.machines = machines
        services.prepare_account()
        return services, machines.execute(arn, "one", {"run_id": "one", "raw": services.raw})


def test_hyperparameter_of_the_definition_decides_the_model(assembly: Assembly, tmp_path: Path) -> None:
    def fewer_rounds(text: str) -> str:
        assert '"num_round": "20"' in text
        return text.replace('"num_round": "20"', '"num_round": "3"')

    services, execution = run_sagemaker(assembly, tmp_path, fewer_rounds)
    assert execution.status == "SUCCEEDED", execution.cause
    archive = services.s3.path(execution.output["model"])
    with tarfile.open(archive) as tar:
        model = tar.extractfile("xgboost-model.json")
        assert model is not None
        booster = xgboost.Booster(model_file=bytearray(model.read()))
    assert booster.num_boosted_rounds() == 3


@pytest.mark.parametrize(
    ("right", "wrong", "stage", "message"),
    [
        ("features/train/", "features/trained/", "train", "features/trained/"),
        (
            "--output=/opt/ml/processing/output/features",
            "--outputs=/opt/ml/processing/output/features",
            "prepare",
            "--outputs",
        ),
    ],
)
def test_wrong_prefix_or_argument_breaks_the_run(
    right: str, wrong: str, stage: str, message: str, assembly: Assembly, tmp_path: Path
) -> None:
    def misspelt(text: str) -> str:
        assert right in text
        return text.replace(right, wrong)

    _, execution = run_sagemaker(assembly, tmp_path, misspelt)
    assert execution.status == "FAILED"
    assert execution.error == f"{stage.capitalize()}Failed"
    assert message in execution.cause
    reached = [folder.name for folder in (tmp_path / "s3").glob("*/runs/one/sagemaker/*")]
    assert len(reached) == STAGES.index(stage)


def test_a_full_disk_fails_the_stage_and_says_so(
    assembly: Assembly, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = LocalS3.upload

    def full(self: LocalS3, files: Iterable[tuple[str, Path]]) -> None:
        files = list(files)
        if any("/runs/one/" in uri for uri, _ in files):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/full/disk")
        upload(self, files)

    monkeypatch.setattr(LocalS3, "upload", full)
    services, execution = run_sagemaker(assembly, tmp_path)
    assert (execution.status, execution.error) == ("FAILED", "PrepareFailed")
    assert "/full/disk: No space left on device" in execution.cause
    assert "No space left" in str(services.failure("sagemaker", "prepare"))
