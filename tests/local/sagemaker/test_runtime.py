"""What a client of the runtime API is told, by boto3."""

import http.server
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from local.sagemaker.runtime import MAX_BODY_BYTES, MAX_SERVERLESS_BODY_BYTES, runtime


class Container(http.server.BaseHTTPRequestHandler):
    """A container that answers with the status that it is sent, or not at all."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if body == b"dies":
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        status = int(body[:3])
        self.send_response(status)
        self.send_header("Content-Type", self.headers["Accept"] or "application/json")
        self.send_header("X-Amzn-SageMaker-Custom-Attributes", self.headers["X-Amzn-SageMaker-Custom-Attributes"] or "")
        self.end_headers()
        self.wfile.write(f'{{"error": "{len(body)} bytes"}}'.encode())

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served(limit: int) -> Iterator[Any]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Container) as container:
        threading.Thread(target=container.serve_forever, daemon=True).start()
        with runtime(f"http://127.0.0.1:{container.server_address[1]}", "side-by-side", "main", limit) as url:
            yield boto3.client(
                "sagemaker-runtime",
                endpoint_url=url,
                region_name="us-east-1",
                aws_access_key_id="local",
                aws_secret_access_key="local",
                config=Config(retries={"total_max_attempts": 1}),
            )
        container.shutdown()


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with served(MAX_BODY_BYTES) as client:
        yield client


def refused(client: Any, body: bytes) -> dict[str, Any]:
    with pytest.raises(ClientError) as raised:
        client.invoke_endpoint(EndpointName="side-by-side", Body=body)
    return dict(raised.value.response)


def test_an_answer(client: Any) -> None:
    answer = client.invoke_endpoint(
        EndpointName="side-by-side", Body=b"200" * 10, ContentType="text/csv", Accept="text/csv", CustomAttributes="c=1"
    )
    assert answer["Body"].read() == b'{"error": "30 bytes"}'
    assert (answer["ContentType"], answer["InvokedProductionVariant"]) == ("text/csv", "main")
    assert answer["CustomAttributes"] == "c=1"


@pytest.mark.parametrize(("status", "side"), [(400, "client"), (415, "client"), (500, "server")])
def test_an_error_of_the_model(client: Any, status: int, side: str) -> None:
    answer = refused(client, b"%d" % status)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert answer["Error"]["Code"] == "ModelError"
    said = f'Received {side} error ({status}) from primary with message "{{"error": "3 bytes"}}". See https://'
    assert answer["Error"]["Message"].startswith(said)
    assert (answer["OriginalStatusCode"], answer["OriginalMessage"]) == (status, '{"error": "3 bytes"}')
    assert answer["LogStreamArn"].endswith(":log-group:/aws/sagemaker/Endpoints/side-by-side")


def test_a_model_that_does_not_answer(client: Any) -> None:
    answer = refused(client, b"dies")
    assert (answer["Error"]["Code"], answer["OriginalStatusCode"]) == ("ModelError", 0)


@pytest.mark.parametrize("limit", [MAX_BODY_BYTES, MAX_SERVERLESS_BODY_BYTES])
def test_a_body_that_is_too_large(limit: int) -> None:
    largest = b"200" + b" " * (limit - 3)
    with served(limit) as client:
        assert client.invoke_endpoint(EndpointName="side-by-side", Body=largest)["Body"].read()
        for more in (1, limit):
            answer = refused(client, largest + b" " * more)
            assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == ("ValidationError", 400)
            assert answer["Error"]["Message"].endswith("has oversize body.")


def test_nothing_else_is_answered(client: Any) -> None:
    with pytest.raises(ClientError) as raised:
        client.invoke_endpoint_async(EndpointName="side-by-side", InputLocation="s3://lake/x")
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
