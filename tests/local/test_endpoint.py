"""The endpoint under load: how its times and failures are counted, with a server that is slow or wrong by design."""

import http.server
import threading
import time
from collections.abc import Iterator

import pytest

from local.endpoint import REQUESTS, Row, ask, load


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


def test_clients_at_once_wait_for_each_other(server: Server) -> None:
    """Four clients of a server that answers one at a time wait four times as long, and get no more done."""
    one, four = (load(lambda row: ask(server.url, row), [RIGHT], clients) for clients in (1, 4))
    for each in (one, four):
        assert (each.requests, each.failures) == (REQUESTS, 0)
        assert each.seconds >= REQUESTS * 0.002
        assert each.p50_milliseconds <= each.p90_milliseconds <= each.p99_milliseconds
    assert four.p50_milliseconds > 2 * one.p50_milliseconds


def test_failures_are_counted_and_not_timed(server: Server) -> None:
    found = load(lambda row: ask(server.url, row), [RIGHT, WRONG, RIGHT, BREAKS], 4)
    assert found.failures == REQUESTS / 2


def test_an_endpoint_that_answers_nothing_has_no_times(server: Server) -> None:
    with pytest.raises(ValueError, match=f"1 clients at once got 0 right answers to {REQUESTS} requests"):
        load(lambda row: ask(server.url, row), [BREAKS], 1)
