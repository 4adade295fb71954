"""What every test of the record needs."""

from collections.abc import Iterator
from functools import cache

import pytest
from moto.stepfunctions.parser.models import StepFunctionsParserBackend


@pytest.fixture(scope="session", autouse=True)
def _definitions_are_checked_once() -> Iterator[None]:
    """Moto parses a state machine when it is made, half a second each, and again for every execution."""
    check = cache(StepFunctionsParserBackend._validate_definition)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StepFunctionsParserBackend, "_validate_definition", staticmethod(check))
        yield
