"""The model server that the image's toolkit starts, with the script that travels with our models."""

import http.client
import io
import json
import socket
import tarfile
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest
import xgboost

from local.jobs import JobFailed
from tests.local.conftest import Account, model
from workloads.single_node import score

NAMES = ["visits", "days", "age"]
CSV, JSON, HTML = "text/csv", "application/json", "text/html; charset=utf-8"
MIB = 1024 * 1024


def put_model(account: Account, **files: str | bytes) -> str:
    """Put a model.tar.gz with these files, named with __ for a slash."""
    file = account.put("s3://lake/model.tar.gz", "")
    with tarfile.open(file, "w:gz") as archive:
        for name, content in files.items():
            data = content if isinstance(content, bytes) else content.encode()
            member = tarfile.TarInfo(name.replace("__", "/"))
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return "s3://lake/model.tar.gz"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running server with a trained model, in a namespace where there are any."""
    rows = np.random.default_rng(1).normal(size=(500, 3))
    label = (rows[:, 0] > 0).astype(int)
    booster = xgboost.train({"objective": "binary:logistic"}, xgboost.DMatrix(rows, label, feature_names=NAMES), 5)
    account = Account(tmp_path_factory.mktemp("account"))
    script = Path(score.__file__).read_text()
    files: dict[str, str | bytes] = {score.MODEL: bytes(booster.save_raw("json")), "code__score.py": script}
    archive = put_model(account, **files)
    with account.sagemaker.serve(model(archive)) as url:
        yield url
    assert account.left_behind() == []


def call(url: str, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, str | None, bytes]:
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=120)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    response = connection.getresponse()
    return response.status, response.headers["Content-Type"], response.read()


def invoke(url: str, body: bytes, form: str | None = CSV, **headers: str) -> tuple[int, str | None, bytes]:
    return call(url, "POST", "/invocations", body, **({"Content_Type": form} if form else {}), **headers)


@pytest.mark.parametrize(
    ("form", "body", "accept", "answer"),
    [
        *[(form, b"1,2,3\n", None, JSON) for form in (CSV, f"{CSV}; charset=utf-8", "Text/CSV; charset=UTF-8")],
        (f"{CSV}; charset=latin-1", b"1,2,3", "*/*", JSON),
        (CSV, b"1,2,3", CSV, f"{CSV}; charset=utf-8"),
        (CSV, b"1,2,3\r\n", "text/*", f"{CSV}; charset=utf-8"),
        (CSV, b",,", None, JSON),
        (JSON, b'{"instances": [[1, 2, 3]]}', None, JSON),
        (JSON, b"[[1, 2, 3]]", None, JSON),
        (JSON, b"[1, 2, null]", None, JSON),
        (JSON, b'{"instances": [{"visits": 1, "days": 2, "age": 3}]}', None, JSON),
        (f"{JSON}; charset=utf-8", b'{"instances": [{"features": [1, 2, 3]}]}', CSV, f"{CSV}; charset=utf-8"),
        (None, b"[1, 2, 3]", None, JSON),
    ],
)
def test_what_it_takes(url: str, form: str | None, body: bytes, accept: str | None, answer: str) -> None:
    """As the real container answers the same requests (tried 2026-11-26)."""
    status, content_type, text = invoke(url, body, form, **({"Accept": accept} if accept else {}))
    assert (status, content_type) == (200, answer), text
    value = json.loads(text)["predictions"][0] if answer == JSON else float(text)
    assert 0 < value < 1


REFUSED = [
    (CSV, b"1,2,3", 406, {"Accept": "application/jsonlines"}),
    (None, b"1,2,3", 400, {}),
    *[(form, b"1,2,3", 415, {}) for form in ("application/octet-stream", "text/libsvm", "text/x-libsvm")],
    *[(CSV, body, 400, {}) for body in (b"", b"\n \n", b"1,2", b"1,2,x", b'1,2,"3', b"\xef\xbb\xbf1,2,3", b"1,2,\xff")],
    *[(f"{CSV}; charset=utf-8", body, 400, {}) for body in (b"1,2,\xff", b"\x80")],
    *[
        (JSON, body, 400, {})
        for body in (
            *(
                b"",
                b"  ",
                b"{",
                b"[1, 2, NaN]",
                b"[1, 2]",
                b'{"rows": []}',
                b"\xef\xbb\xbf[1, 2, 3]",
                b'[1, 2, "\xff"]',
            ),
            *(b'{"instances": [[1, 2, 3]], "instances": [[1, 2, 3]]}', b'[{"visits": 1, "visits": 1, "days": 2}]'),
            *(b"[" * depth + b"1" + b"]" * depth for depth in (2, 200, 990, 5000, 3 * MIB)),
            *(b"[1, 2, " + b"[" * depth + b"]" * depth + b"]" for depth in (200, 990)),
            *(b'{"a":' * depth for depth in (200, 990, MIB)),
            b"[1, 2, 1" + b"0" * 5000 + b"]",
        )
    ],
]


@pytest.mark.parametrize(("form", "body", "status", "headers"), REFUSED, ids=range(len(REFUSED)))
def test_what_it_refuses(url: str, form: str | None, body: bytes, status: int, headers: dict[str, str]) -> None:
    """A reason as JSON, without where in the program it arose."""
    found = invoke(url, body, form, **headers)
    assert found[:2] == (status, JSON), found
    error = json.loads(found[2])
    assert list(error) == ["error"]
    assert not {"Traceback", ".py", "/opt", "site-packages"} & set(error["error"].split())


@pytest.mark.parametrize(
    ("method", "path", "status", "content_type"),
    [
        ("GET", "/ping", 200, JSON),
        ("HEAD", "/ping", 200, JSON),
        ("POST", "/ping", 405, HTML),
        ("GET", "/invocations", 405, HTML),
        # The real container's nginx answers these two with 404 and a page of its own, and / and /models with {}.
        ("GET", "/execution-parameters", 404, HTML),
        ("GET", "/pingx", 404, HTML),
    ],
)
def test_other_routes(url: str, method: str, path: str, status: int, content_type: str) -> None:
    found = call(url, method, path)
    assert found[:2] == (status, content_type)
    assert status != 200 or found[2] == b""


HEAD = b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (CHUNKED + b"5\r\n1,2,3\r\n0\r\n\r\n", 200),
        (CHUNKED + b"3\r\n1,2\r\n2\r\n,3\r\n0\r\n\r\n", 200),
        (HEAD + b"Content-Length: 100\r\n\r\n1,2,3", 400),
        (CHUNKED + b"zz\r\n1,2,3\r\n0\r\n\r\n", 400),
        (CHUNKED + b"5\r\n1,2,3XX0\r\n\r\n", 400),
        (CHUNKED + b"5\r\n1,2", 400),
        (CHUNKED + b"5\r\n1,2,3\r\n", 400),
        (CHUNKED, 400),
        (HEAD + b"Content-Length: -5\r\n\r\n1,2,3", 400),
        (HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n1,2,3\r\n0\r\n\r\n", 400),
        (b"\x00\x01\x02\r\n\r\n", 400),
    ],
)
def test_bodies_in_parts(url: str, request_bytes: bytes, status: int) -> None:
    with opened(url) as connection:
        connection.sendall(request_bytes)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while data := connection.recv(65536):
            answer += data
    assert answer.startswith(b"HTTP/1.1 %d " % status), answer


def test_slow_and_half_open_connections_block_nobody(url: str) -> None:
    halves = [HEAD + b"Content-Length: 100\r\n\r\n1,2", b"GET /pi", b"", CHUNKED + b"5\r\n1"]
    connections = [opened(url) for _ in range(100)]
    try:
        for number, connection in enumerate(connections):
            connection.sendall(halves[number % len(halves)])
        started = time.monotonic()
        assert [invoke(url, b"1,2,3")[0] for _ in range(20)] == [200] * 20
        assert time.monotonic() - started < 5
    finally:
        for connection in connections:
            connection.close()


@pytest.mark.parametrize("size", [6 * MIB, 6 * MIB + 1, 12 * MIB])
def test_script_mode_has_no_limit_of_its_own(url: str, size: int) -> None:
    line = b"1.00000,22.000000,3333333.000000\n"
    body = line * (size // len(line)) + b",,1" + b"0" * (size % len(line))
    status, _, text = invoke(url, body)
    assert (status, len(json.loads(text)["predictions"])) == (200, size // len(line) + 1)


@pytest.mark.parametrize(
    ("form", "body"),
    [(CSV, b"1\n" * (3 * MIB)), (CSV, b"," * (6 * MIB)), (JSON, b"[" + b"1," * (3 * MIB - 2) + b"1]")],
    ids=["one column", "one row", "one row of JSON"],
)
def test_many_values_in_the_wrong_shape_are_refused_at_once(url: str, form: str, body: bytes) -> None:
    before = cpu_seconds()
    status, _, text = invoke(url, body, form)
    assert status == 400
    assert "row 1: " in json.loads(text)["error"]
    assert cpu_seconds() - before < 1  # not time: this machine may be busy


def servers() -> list[psutil.Process]:
    """gunicorn and its workers, of this test session."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if "sagemaker_xgboost_container.serving:main" in process.cmdline() and is_ours(process):
                found.append(process)
    return found


def is_ours(process: psutil.Process) -> bool:
    return psutil.Process().pid in [parent.pid for parent in process.parents()]


def cpu_seconds() -> float:
    """What the server's processes have computed so far."""
    return sum(sum(process.cpu_times()[:2]) for process in servers())


def opened(url: str) -> socket.socket:
    parts = urllib.parse.urlsplit(url)
    return socket.create_connection((str(parts.hostname), parts.port or 0), timeout=30)


def test_the_server_is_the_toolkits_and_nobody_else_reaches_it(url: str) -> None:
    """gunicorn with gevent, a worker for each CPU; on this machine only the relay listens, on 127.0.0.1."""
    assert all({"-k", "gevent"} <= set(process.cmdline()) for process in servers())
    assert len(servers()) == 1 + (psutil.cpu_count() or 1)
    port = urllib.parse.urlsplit(url).port
    listening = [each.laddr for each in psutil.net_connections("tcp") if each.status == psutil.CONN_LISTEN]
    assert ("127.0.0.1", port) in listening
    assert not [address for address in listening if address.port == 8080]


SCRIPT = """\
import flask, os

def model_fn(folder):
    return open(os.path.join(folder, "model.txt")).read()

def transform_fn(model, body, content_type, accept):
    return f"{model} {body} {accept} {os.environ['GREETING']}", "text/csv"
"""


def test_a_script_of_ones_own_where_there_are_no_namespaces(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_CONTAINER", "directory")
    archive = put_model(account, **{"model.txt": "model", "code__score.py": SCRIPT})
    with account.sagemaker.serve(model(archive, GREETING="hello")) as url:
        assert invoke(url, b"1", Accept=CSV) == (200, f"{CSV}; charset=utf-8", b"model 1 text/csv hello")
    assert account.left_behind() == []


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        (
            {"code__score.py": "def model_fn(folder): raise OSError('no such model')"},
            "ping health check: .*no such model",
        ),
        ({"code__score.py": "import duckdb"}, "ImportModuleError: No module named 'duckdb'"),
        (
            {"code__score.py": "", "code__requirements.txt": "duckdb==2.0.0"},
            "InstallModuleError: Command .*pip install",
        ),
    ],
    ids=["no model", "an import that the image lacks", "requirements.txt"],
)
def test_a_server_that_cannot_start_says_why(account: Account, files: dict[str, str], reason: str) -> None:
    """As the real container: what fails at its start ends it, a model that cannot be loaded fails its /ping."""
    with pytest.raises(JobFailed, match=reason), account.sagemaker.serve(model(put_model(account, **files))):
        pytest.fail("it started")
    assert account.left_behind() == []
