"""What holds for every test: names that are given, no clock in Hypothesis, progress by area, and what was left out."""

import time
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from functools import cache
from typing import Any

import pytest
from botocore.loaders import JSONFileLoader
from hypothesis import HealthCheck, settings

# Neither a slow machine nor chance fails a test: no time limits, and the same examples every time.
# `pytest --hypothesis-profile=default` draws others.
settings.register_profile("repeatable", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("repeatable")

# The longest files first: what is left at the end is short, and no core waits for another.
AREAS = ("e2e", "workloads", "local", "cli", "record", "comparison", "assembly", "stacks")


def area_of(nodeid: str) -> str:
    """The folder below tests/ that a test is in; the tests of the suite itself are in none."""
    parts = nodeid.split("::")[0].split("/")
    return parts[1] if len(parts) > 2 else "suite"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--areas", action="store_true", help="say how far each area of the tests is, instead of dots")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--areas") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Progress(config), "progress")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name no test by bytes that nobody can read: a gzip holds the time at which it was made."""
    if isinstance(val, bytes) and not all(32 <= byte < 127 or byte in b"\r\n\t" for byte in val):
        return f"{argname} of {len(val)} bytes"
    return None


@pytest.fixture(scope="session", autouse=True)
def _models_are_read_once() -> Iterator[None]:
    """Botocore reads a service's model again for every session: most of the time of a test that asks moto something."""
    read = cache(JSONFileLoader().load_file)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JSONFileLoader, "load_file", lambda _, path: read(path))
        yield


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: AREAS.index(area) if (area := area_of(item.nodeid)) in AREAS else len(AREAS))


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    """A worker's share of Progress: the process that writes the summary collects no tests."""
    for item in items:
        if hasattr(item.config, "workeroutput"):
            item.config.workeroutput.setdefault("left_out", []).append(item.nodeid)


class Progress:
    """Lines instead of dots: each failure when it happens, each area at its end, and all every half minute.

    At the end the tests that were left out, by name: nobody takes a part for the whole.
    """

    EVERY_SECONDS = 30

    def __init__(self, config: pytest.Config) -> None:
        self._plugins = config.pluginmanager
        self._started = self._said = time.monotonic()
        self._all: Counter[str] = Counter()
        self._done: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._left_out: set[str] = set()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Without workers: the tests are here."""
        self._all = self._all or Counter(area_of(item.nodeid) for item in session.items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        """With workers: each has collected them all."""
        self._all = Counter(map(area_of, ids))

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Without workers."""
        self._left_out |= {item.nodeid for item in items}

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """With workers; one that died tells nothing, and fails the run."""
        self._left_out |= set(getattr(node, "workeroutput", {}).get("left_out", []))

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self._left_out:
            terminalreporter.section("left out; `make test FULL=1` has them", sep="=")
            for nodeid in sorted(self._left_out):
                terminalreporter.line(nodeid)

    @pytest.hookimpl(wrapper=True)
    def pytest_report_teststatus(self) -> Generator[None, tuple[str, str, str], tuple[str, str, str]]:
        """Write no dots and letters."""
        category, _, word = yield
        return category, "", word

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        area = area_of(report.nodeid)
        if report.failed:
            self._failed[area] += 1
            self._say(f"FAILED ({report.when}) {report.nodeid}")
        if report.when == "teardown":
            self._done[area] += 1
            if self._done[area] == self._all[area]:
                self._say(f"{area}: {self._all[area]} tests, {self._failed[area] or 'none'} failed")
        if time.monotonic() > self._said + self.EVERY_SECONDS:
            running = (name for name in self._all if self._done[name] < self._all[name])
            self._say(", ".join(f"{name} {self._done[name]} of {self._all[name]}" for name in running))

    def _say(self, text: str) -> None:
        self._said = time.monotonic()
        terminal = self._plugins.getplugin("terminalreporter")
        terminal.ensure_newline()
        terminal.write_line(f"{self._said - self._started:4.0f} s  {text}", flush=True)
