"""Evidence of an invented run, with the app's own templates."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assembly.template import Assembly
from comparison.claims import Evidence
from record.schema import Record
from tests.record.sample import sample
from tests.stacks.conftest import synthesise

Templates = Callable[..., Assembly]


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Templates:
    """The app's assembly with these settings, synthesised once."""
    known: dict[str, Assembly] = {}

    def of(**settings: Any) -> Assembly:
        key = json.dumps(settings)
        if key not in known:
            dotted = {name.replace("__", "."): value for name, value in settings.items()}
            known[key] = synthesise("claims", dotted, tmp_path_factory.mktemp("cdk")).assembly
        return copy.deepcopy(known[key])

    return of


@pytest.fixture
def evidence(templates: Templates) -> Callable[..., Evidence]:
    """Evidence of the sample's run of the default templates, or of others."""

    def of(record: Record | None = None, assembly: Assembly | None = None, **more: Any) -> Evidence:
        return Evidence(record or sample(), assembly or templates(), **more)

    return of


@pytest.fixture
def small_code(tmp_path: Path) -> Path:
    """A repository in which EMR takes more code than SageMaker."""
    for side, programs, lines in (("sagemaker", "single_node", 1), ("emr", "spark", 2)):
        for file in (f"workloads/{programs}/train.py", f"stacks/{side}/stack.py"):
            path = tmp_path / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("x = 1\n" * lines)
    return tmp_path
