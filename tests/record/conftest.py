"""What every test of the record needs."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from botocore.stub import Stubber

from record.clients import client


@pytest.fixture
def stubbed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Stubber]]:
    """The client of a service gives the answers that a test adds, in their order, each of which has to be asked for."""
    for name, value in (
        ("DEFAULT_REGION", "us-east-1"),
        ("ACCESS_KEY_ID", "testing"),
        ("SECRET_ACCESS_KEY", "testing"),
    ):
        monkeypatch.setenv(f"AWS_{name}", value)
    client.cache_clear()
    stubs: list[Stubber] = []
    with ExitStack() as opened:

        def of(service: str) -> Stubber:
            stubs.append(opened.enter_context(Stubber(client(service))))
            return stubs[-1]

        yield of
        for stub in stubs:
            stub.assert_no_pending_responses()
    client.cache_clear()
