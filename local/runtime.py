"""The endpoint of a kept laptop run, answering as SageMaker's runtime API does.

So a client asks it in the very way it asks one in an account: the `sagemaker` package or boto3, ``InvokeEndpoint``.

    with endpoint(Path("build/compare/latest")) as session:
        Endpoint(endpoint_name="side-by-side").invoke(body="...", content_type="text/csv", session=session)
"""

import os
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory

import boto3

from comparison.template import REGION, Assembly
from local.s3 import LocalS3
from local.sagemaker import SageMaker

_URL = "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME"
"""Where boto3 finds a service (docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html, 2026-11-22)."""

_open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open  # never through the machine's proxy


@contextmanager
def endpoint(run: Path) -> Iterator[boto3.Session]:
    """Serve the model that a run trained; gives a session whose clients find the endpoint, whatever name they ask for.

    ``run`` is the run's folder, as `make compare` leaves it. The server ends on leaving.

    Raises:
        FileNotFoundError: the folder holds no model of SageMaker's side.
        JobFailed: the model server does not start.
    """
    model_data = next(run.glob("s3/*/runs/*/sagemaker/model/**/model.tar.gz"), None)
    if model_data is None:
        raise FileNotFoundError(f"{run}: holds no model of SageMaker's side; needs a run of `make compare`")
    assembly = Assembly(run / "templates")
    (stack, first_run) = next(
        (stack, name) for stack, name in assembly.resources("Custom::Execution") if stack.endswith("-sagemaker")
    )
    location = model_data.relative_to(run / "s3").as_posix()
    assembly.attributes[first_run] = {"model": f"s3://{location}"}
    request = {"ModelName": stack, **assembly.only("AWS::SageMaker::Model")}
    with TemporaryDirectory() as work:
        sagemaker = SageMaker(LocalS3(run / "s3"), Path(work) / "logs", Path(work))
        with sagemaker.serve(request) as url, _runtime(url) as address, _environment(_URL, address):
            yield boto3.Session(aws_access_key_id="local", aws_secret_access_key="local", region_name=REGION)


@contextmanager
def _runtime(container: str) -> Iterator[str]:
    """Hand what is posted to ``/endpoints/<name>/invocations`` to the container, as the service does."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if not re.fullmatch(r"/endpoints/[^/]+/invocations", self.path):
                self._answer(404, "text/plain", b"no such operation here")
                return
            headers = {name: self.headers[name] for name in ("Content-Type", "Accept") if name in self.headers}
            try:
                with _open(urllib.request.Request(f"{container}/invocations", body, headers), timeout=60) as answer:
                    self._answer(answer.status, answer.headers["Content-Type"], answer.read())
            except urllib.error.HTTPError as error:
                self._answer(error.code, error.headers["Content-Type"], error.read())

        def _answer(self, status: int, content_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing: the model server keeps a log."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
