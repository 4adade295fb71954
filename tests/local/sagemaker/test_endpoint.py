"""The endpoint under load: how its times and failures are counted, with a server that is slow or wrong by design."""

import http.server
import threading
import time
from collections.abc import Iterator

import pytest

from local.sagemaker.endpoint import REQUESTS, Row, ask, load


class Server(http.server.ThreadingHTTPServer):
    """Answers 1 to everything, one request at a time, each in two milliseconds."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.one_at_a_time = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.one_at_a_time:
            time.sleep(0.002)
        self.send_response(500 if body == b"breaks" else 200)
        self.end_headers()
        self.wfile.write(b"1\n")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as started:
        threading.Thread(target=started.serve_forever, daemon=True).start()
        yield started
        started.shutdown()


RIGHT, WRONG, BREAKS = Row("a", "fine", 1.0), Row("b", "fine", 0.5), Row("c", "breaks", 1.0)


def test_a_request_is_timed_and_its_answer_compared(server: Server) -> None:
    assert ask(server.url, RIGHT) >= 2
    with pytest.raises(ValueError, match=r"b: the endpoint answers 1, the batch job 0\.5"):
        ask(server.url, WRONG)
    with pytest.raises(OSError, match="500"):
        ask(server.url, BREAKS)


def test_all_requests_are_counted_and_timed(server: Server) -> None:
    found = load(lambda row: ask(server.url, row), [RIGHT], 4)
    assert (found.clients, found.requests, found.failures) == (4, REQUESTS, 0)
    assert found.seconds >= REQUESTS * 0.002
    assert 2 <= found.p50_milliseconds <= found.p90_milliseconds <= found.p99_milliseconds


def test_so_many_clients_ask_at_once_and_no_more() -> None:
    """Each waits until all of them ask, which three clients or one after the other never do."""
    here, asking, most = threading.Barrier(4, timeout=60), threading.Semaphore(4), []

    def answer(row: Row) -> float:
        most.append(asking.acquire(blocking=False))
        here.wait()
        asking.release()
        here.wait()
        return row.batch

    assert load(answer, [RIGHT], 4).failures == 0
    assert all(most)
    assert len(most) == REQUESTS


def test_times_are_those_of_the_answers() -> None:
    """Ninety-nine hundredths of 1, 2, ... 400 milliseconds."""
    answers = iter(range(1, REQUESTS + 1))
    found = load(lambda _: float(next(answers)), [RIGHT], 1)
    assert (found.p50_milliseconds, found.p90_milliseconds, found.p99_milliseconds) == pytest.approx(
        (200.5, 360.1, 396.01)
    )


def test_failures_are_counted_and_not_timed(server: Server) -> None:
    found = load(lambda row: ask(server.url, row), [RIGHT, WRONG, RIGHT, BREAKS], 4)
    assert found.failures == REQUESTS / 2


def test_an_endpoint_that_answers_nothing_has_no_times(server: Server) -> None:
    with pytest.raises(ValueError, match=f"1 clients at once got 0 right answers to {REQUESTS} requests"):
        load(lambda row: ask(server.url, row), [BREAKS], 1)


def test_an_interrupt_waits_for_no_answer() -> None:
    """Of a server that hangs, which is ended next."""
    hangs = threading.Event()

    def answer(row: Row) -> float:
        if row is WRONG:
            raise KeyboardInterrupt
        hangs.wait(20)
        return 1.0

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        load(answer, [WRONG, RIGHT], 2)
    assert time.monotonic() - started < 10
    hangs.set()
