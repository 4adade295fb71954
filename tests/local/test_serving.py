"""The model server, as an endpoint starts it."""

import http.client
import io
import tarfile
import urllib.parse
from collections.abc import Iterator

import pytest

from local.jobs import JobFailed
from local.serving import MAX_BODY_BYTES
from tests.local.conftest import Account, model

SCRIPT = """\
import flask, os
from sagemaker_inference.errors import GenericInferenceToolkitError

def model_fn(folder):
    return open(os.path.join(folder, "model.txt")).read()

def transform_fn(model, body, content_type, accept):
    if content_type != "text/csv":
        return flask.Response(f"{content_type} is not text/csv", status=415, mimetype="text/plain")
    if body == "crash":
        raise RuntimeError("out of memory")
    if body == "object":
        return 42
    if "x" in body:
        raise GenericInferenceToolkitError(400, f"{body!r} is not a number")
    return f"{model} {body} {accept} {os.environ['GREETING']}", "text/csv"
"""


def artifact(account: Account, script: str = SCRIPT) -> str:
    """Put a model.tar.gz with this inference script."""
    file = account.put("s3://lake/model.tar.gz", "")
    with tarfile.open(file, "w:gz") as archive:
        for name, text in {"model.txt": "model", "code/score.py": script}.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return "s3://lake/model.tar.gz"


@pytest.fixture
def url(account: Account) -> Iterator[str]:
    with account.sagemaker.serve(model(artifact(account), GREETING="hello")) as url:
        yield url
    assert account.left_behind() == []


def call(url: str, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, str | None, str]:
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=120)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    response = connection.getresponse()
    return response.status, response.headers["Content-Type"], response.read().decode()


def test_answers(url: str) -> None:
    csv = {"Content_Type": "text/csv"}
    assert url.startswith("http://127.0.0.1:")
    assert call(url, "GET", "/ping")[0] == 200
    assert call(url, "POST", "/invocations", b"1", **csv, Accept="text/csv") == (
        200, "text/csv", "model 1 text/csv hello",
    )  # fmt: skip
    status, _, text = call(url, "POST", "/invocations", b"x", **csv)
    assert (status, text.splitlines()[0]) == (400, "'x' is not a number")
    assert call(url, "POST", "/invocations", b"1", Content_Type="text/html") == (
        415, "text/plain", "text/html is not text/csv",
    )  # fmt: skip
    status, _, text = call(url, "POST", "/invocations", b"crash", **csv)
    assert (status, text.splitlines()[0]) == (500, "out of memory")
    assert call(url, "POST", "/invocations", b"object", **csv)[0] == 500
    assert call(url, "POST", "/invocations", b"\xff", **csv)[0] == 500
    assert call(url, "POST", "/invocations", b"1" * MAX_BODY_BYTES, **csv)[0] == 200
    for size in (MAX_BODY_BYTES + 1, 4 * MAX_BODY_BYTES):
        status, _, text = call(url, "POST", "/invocations", b"1" * size, **csv)
        assert (status, text) == (413, f"Request Entity Too Large: more than {MAX_BODY_BYTES} bytes")
    assert call(url, "GET", "/invocations")[0] == 405
    assert call(url, "GET", "/execution-parameters")[0] == 404
    assert call(url, "GET", "/ping")[0] == 200


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("def model_fn(folder): raise OSError('no such model')", "OSError: no such model"),
        ("import nothing_like_that", "ModuleNotFoundError: No module named 'nothing_like_that'"),
        ("", "NotImplementedError"),
    ],
)
def test_a_server_that_cannot_start_says_why(account: Account, script: str, reason: str) -> None:
    with pytest.raises(JobFailed) as failed, account.sagemaker.serve(model(artifact(account, script))):
        pytest.fail("it started")
    assert reason in failed.value.reason
    assert account.left_behind() == []


def test_a_missing_script_is_named(account: Account) -> None:
    request = model(artifact(account), SAGEMAKER_PROGRAM="inference.py")
    with pytest.raises(JobFailed, match=r"SAGEMAKER_PROGRAM inference\.py is not in /opt/ml/model/code"):
        account.sagemaker.serve(request).__enter__()
