"""The endpoint of a kept laptop run, answering as SageMaker's runtime API does.

So a client asks it in the very way it asks one in an account: the `sagemaker` package or boto3, ``InvokeEndpoint``.

    with endpoint(Path("build/compare/latest")) as session:
        Endpoint(endpoint_name="side-by-side").invoke(body="...", content_type="text/csv", session=session)
"""

import http.client
import json
import os
import re
import threading
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory

import boto3

from assembly.template import ACCOUNT, REGION, Assembly
from local.s3 import LocalS3
from local.sagemaker.service import SageMaker

_URL = "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME"
"""Where boto3 finds a service (docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html, 2026-11-22)."""

MAX_BODY_BYTES = 6_291_456
"""InvokeEndpoint's limit (botocore 1.44.5)."""

MAX_SERVERLESS_BODY_BYTES = 4 << 20
"""A serverless endpoint's (developer guide, serverless-endpoints-invoke; read 2026-11-22)."""

ANSWER_SECONDS = 60
"""How long a container may take (developer guide, your-algorithms-inference-code; archived copy of 2023)."""

_PASSED_ON = ("Content-Type", "Accept", "X-Amzn-SageMaker-Custom-Attributes")

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
    name = assembly.only("AWS::SageMaker::Endpoint")["EndpointName"]
    variant = assembly.only("AWS::SageMaker::EndpointConfig")["ProductionVariants"][0]
    limit = MAX_SERVERLESS_BODY_BYTES if "ServerlessConfig" in variant else MAX_BODY_BYTES
    with TemporaryDirectory() as work:
        sagemaker = SageMaker(LocalS3(run / "s3"), Path(work) / "logs", Path(work))
        with (
            sagemaker.serve(request) as url,
            runtime(url, name, variant["VariantName"], limit) as address,
            _environment(_URL, address),
        ):
            yield boto3.Session(aws_access_key_id="local", aws_secret_access_key="local", region_name=REGION)


@contextmanager
def runtime(container: str, name: str, variant: str, limit: int = MAX_BODY_BYTES) -> Iterator[str]:
    """Answer InvokeEndpoint as the service does, for what the container answers; bodies have up to ``limit`` bytes.

    Statuses and fields are the API's (botocore 1.44.5); the texts are quoted in
    github.com/aws/sagemaker-python-sdk/issues/2955 (2022-02-23) and /4271 (2023-11-23).
    """
    logs = f"log-group:/aws/sagemaker/Endpoints/{name}"

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            size = self.headers.get("Content-Length", "")
            if not (size.isascii() and size.isdigit()):
                self.close_connection = True
                return self._refuse("Validation", "The request has no Content-Length.")
            if int(size) > limit:
                for read in range(0, int(size), limit):  # unread, the client would not see the answer
                    self.rfile.read(min(limit, int(size) - read))
                return self._refuse("Validation", f"Request {uuid.uuid4()} has oversize body.")
            body = self.rfile.read(int(size))
            if not re.fullmatch(r"/endpoints/[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}/invocations", self.path):
                return self._answer(404, {"x-amzn-ErrorType": "UnknownOperationException"}, b"{}")
            headers = {header: self.headers[header] for header in _PASSED_ON if header in self.headers}
            try:
                with _open(
                    urllib.request.Request(f"{container}/invocations", body, headers), timeout=ANSWER_SECONDS
                ) as answer:
                    returned = {header: answer.headers[header] for header in _PASSED_ON if header in answer.headers}
                    returned["x-Amzn-Invoked-Production-Variant"] = variant
                    return self._answer(answer.status, returned, answer.read())
            except urllib.error.HTTPError as error:
                return self._refuse("Model", error.read().decode(errors="replace"), error.code)
            except (OSError, http.client.HTTPException):
                why = "Your invocation timed out while waiting for a response from container primary."
                return self._refuse("Model", why, 0)

        def _refuse(self, kind: str, message: str, status: int | None = None) -> None:
            content: dict[str, object] = {"Message": message}
            if status is not None:
                side = "client" if 400 <= status < 500 else "server"
                content = {
                    "Message": f'Received {side} error ({status}) from primary with message "{message}". See '
                    f"https://{REGION}.console.aws.amazon.com/cloudwatch/home?region={REGION}#logEventViewer:group="
                    f"/aws/sagemaker/Endpoints/{name} in account {ACCOUNT} for more information.",
                    "OriginalStatusCode": status,
                    "OriginalMessage": message,
                    "LogStreamArn": f"arn:aws:logs:{REGION}:{ACCOUNT}:{logs}",
                }
            headers = {"x-amzn-ErrorType": f"{kind}Error", "Content-Type": "application/json"}
            self._answer(400 if status is None else 424, headers, json.dumps(content).encode())

        def _answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
            self.send_response(status)
            for header, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(header, value)
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
