"""The handlers as Lambda imports them, in an account of moto's."""

import importlib
import sys
from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws

from tests.stacks.handlers.support import HANDLERS, REGION, Wire, stack, start_at_once

MODULES = sorted(path.stem for path in HANDLERS.glob("*.py"))


@pytest.fixture
def moto_config() -> dict[str, Any]:
    """Moto's configuration; test modules that need another one override this."""
    return {}


@pytest.fixture(scope="session")
def boto_session() -> boto3.Session:
    """One for all tests: a session reads a service's description once, EC2's takes a third of a second."""
    return boto3.Session()


@pytest.fixture
def handlers(monkeypatch: pytest.MonkeyPatch, moto_config: Any, boto_session: boto3.Session) -> Iterator[ModuleType]:
    """The module ``resources``, imported anew, with its folder on the path as in Lambda."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.syspath_prepend(str(HANDLERS))
    _forget()
    with mock_aws(config=moto_config), monkeypatch.context() as inside:
        inside.setattr("boto3.DEFAULT_SESSION", boto_session)
        start_at_once(inside)
        cloudformation = Wire("cloudformation", monkeypatch)
        cloudformation.answer("DescribeStacks", stack("DELETE_IN_PROGRESS"), times=1_000)
        yield importlib.import_module("resources")
    _forget()


@pytest.fixture
def wire(handlers: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Wire]:
    """Takes hold of the wire to a service."""
    return lambda service: Wire(service, monkeypatch)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long botocore would have waited before each retry, in seconds; it does not wait."""
    taken: list[float] = []
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=taken.append))
    return taken


def _forget() -> None:
    for module in MODULES:
        sys.modules.pop(module, None)
