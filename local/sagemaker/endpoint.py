"""The endpoint that the template describes, with the trained model behind it: a smoke test, then load."""

import csv
import statistics
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from local.jobs import JobFailed
from record.schema import Load, Serve

_SMOKE_ROWS = 20
_ROWS = 200
_CLIENTS = (1, 2, 4, 8)
REQUESTS = 400
"""Requests at each number of clients: four beyond the 99th percentile, some seconds in all."""

_open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open  # never through the machine's proxy


@dataclass(frozen=True)
class Row:
    """A row to ask for, and what Batch Transform answered."""

    entity: str
    features: str
    batch: float


def try_endpoint(run: Path, serve: Callable[[], AbstractContextManager[str]]) -> Serve:
    """Ask for predictions, one row a request, one client and then several at once.

    Each answer must be what Batch Transform wrote for the same customer. ``run`` is the side's run prefix; ``serve``
    starts the model server and gives its address.
    """
    try:
        rows = _rows(run)
        with serve() as url:
            # The first calls find caches cold, which no client sees that comes later.
            milliseconds = [ask(url, row) for row in rows[:_SMOKE_ROWS]]
            loads = tuple(load(lambda row: ask(url, row), rows, clients) for clients in _CLIENTS)
    except (JobFailed, OSError, ValueError, KeyError) as error:
        return Serve(status="failed", message=f"{type(error).__name__}: {error}")
    return Serve(
        status="succeeded", rows=len(milliseconds), p50_milliseconds=statistics.median(milliseconds), load=loads
    )


def load(ask: Callable[[Row], float], rows: list[Row], clients: int) -> Load:
    """So many clients at once, each sending its next request when the last is answered."""

    def tried(number: int) -> float | None:
        try:
            return ask(rows[number % len(rows)])
        except (OSError, ValueError):
            return None

    started = time.perf_counter()
    pool = ThreadPoolExecutor(clients)
    try:
        answers = list(pool.map(tried, range(REQUESTS)))
    finally:
        # An interrupt does not wait for answers that may never come: what it ends next is the server.
        pool.shutdown(wait=False, cancel_futures=True)
    seconds = time.perf_counter() - started
    right = [answer for answer in answers if answer is not None]
    if len(right) < 2:
        raise ValueError(f"{clients} clients at once got {len(right)} right answers to {REQUESTS} requests")
    hundredths = statistics.quantiles(right, n=100, method="inclusive")
    return Load(
        clients=clients,
        requests=len(answers),
        failures=len(answers) - len(right),
        seconds=seconds,
        p50_milliseconds=hundredths[49],
        p90_milliseconds=hundredths[89],
        p99_milliseconds=hundredths[98],
    )


def ask(url: str, row: Row) -> float:
    """One request, in milliseconds. OSError if it is not answered, ValueError if the answer is not the batch job's."""
    request = urllib.request.Request(
        f"{url}/invocations", data=row.features.encode(), headers={"Content-Type": "text/csv", "Accept": "text/csv"}
    )
    started = time.perf_counter()
    with _open(request, timeout=60) as response:
        answer = response.read().decode().strip()
    milliseconds = 1000 * (time.perf_counter() - started)
    if float(answer) != row.batch:
        raise ValueError(f"{row.entity}: the endpoint answers {answer}, the batch job {row.batch}")
    return milliseconds


def _rows(run: Path) -> list[Row]:
    records = list(islice(_records(run / "features" / "score-csv", "*.csv"), _ROWS))
    wanted = {record[0] for record in records}
    batch = {}
    for entity, probability in _records(run / "predictions", "*.out"):
        if entity in wanted:
            batch[entity] = float(probability)
    return [Row(entity, ",".join(features), batch[entity]) for entity, *features in records]


def _records(folder: Path, pattern: str) -> Iterator[list[str]]:
    for file in sorted(folder.glob(pattern)):
        with file.open(encoding="utf-8", newline="") as stream:
            yield from csv.reader(stream, strict=True)
