"""The model server of a SageMaker endpoint or transform job: GET /ping and POST /invocations, on gunicorn.

Started as a script inside the container (`python3 -P serving.py <listening socket's file descriptor>`), so it imports
nothing of this project. AWS's own `sagemaker_inference` loads the script named by SAGEMAKER_PROGRAM and calls its
functions (model_fn, and transform_fn or input_fn, predict_fn, output_fn).

As in the XGBoost image in script mode there is no /execution-parameters (2026-11-22, sagemaker-xgboost-container
cb8df91): a function may return a Flask response, which goes out as it is.
"""

import os
import sys
import traceback
from collections.abc import Callable, Iterable
from http import HTTPStatus
from pathlib import Path
from typing import Any

MIB = 1024 * 1024
MAX_BODY_BYTES = 6 * MIB
"""InvokeEndpoint's limit, and the default of SageMaker's own images (MAX_CONTENT_LENGTH)."""

StartResponse = Callable[[str, list[tuple[str, str]]], object]


class Context:
    """What `sagemaker_inference` asks about a request and says about its response."""

    def __init__(self, model_dir: str, headers: dict[str, str]) -> None:
        """One context belongs to one request."""
        self.system_properties = {"model_dir": model_dir}
        self.request_processor = [self]
        self.headers = headers
        self.status = HTTPStatus.OK.value
        self.content_type = "application/json"

    def get_request_properties(self) -> dict[str, str]:
        """The request's headers."""
        return self.headers

    def set_response_status(self, code: int, phrase: str | None = None) -> None:
        """Called for errors."""
        self.status = code

    def set_response_content_type(self, _: int, content_type: str) -> None:
        """Called for results."""
        self.content_type = content_type


class ModelServer:
    """The WSGI application. The model is loaded when it is made, so a script that cannot load ends the server."""

    def __init__(self) -> None:
        """Import the user's script and load the model.

        Raises FileNotFoundError when the script is not there, and whatever the script raises.
        """
        from sagemaker_inference import environment
        from sagemaker_inference.transformer import Transformer

        self.model_dir: str = environment.model_dir
        code = Path(os.environ.get("SAGEMAKER_SUBMIT_DIRECTORY", environment.code_dir))
        program = code / os.environ["SAGEMAKER_PROGRAM"]
        if not program.is_file():
            raise FileNotFoundError(f"SAGEMAKER_PROGRAM {program.name} is not in {code}")
        sys.path.insert(0, str(code))
        payload = int(os.environ.get("SAGEMAKER_MAX_PAYLOAD_IN_MB", 0)) * MIB
        self.max_body_bytes = max(int(os.environ.get("MAX_CONTENT_LENGTH", MAX_BODY_BYTES)), payload)
        self.transformer = Transformer()
        self.transformer.validate_and_initialize(model_dir=self.model_dir, context=Context(self.model_dir, {}))

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        try:
            status, content_type, body = self.answer(environ)
        except Exception:
            status, content_type, body = 500, "text/plain", traceback.format_exc().encode()
        if status >= HTTPStatus.BAD_REQUEST:
            sys.stderr.write(f"{status} {body.decode(errors='replace')}\n")
        headers = [("Content-Type", content_type), ("Content-Length", str(len(body)))]
        start_response(f"{status} {HTTPStatus(status).phrase}", headers)
        return [body]

    def answer(self, environ: dict[str, Any]) -> tuple[int, str, bytes]:
        """Status, content type and body for a WSGI request."""
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        if path == "/ping":
            return (200, "text/plain", b"") if method == "GET" else _refused(HTTPStatus.METHOD_NOT_ALLOWED)
        if path != "/invocations":
            return _refused(HTTPStatus.NOT_FOUND)
        if method != "POST":
            return _refused(HTTPStatus.METHOD_NOT_ALLOWED)
        body = environ["wsgi.input"].read(self.max_body_bytes + 1)
        if len(body) > self.max_body_bytes:
            # Read on: closing a connection with unread data resets it, and the client never sees the answer.
            while environ["wsgi.input"].read(MIB):
                pass
            return _refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {self.max_body_bytes} bytes")
        context = Context(self.model_dir, _headers(environ))
        result = self.transformer.transform([{"body": body}], context)[0]
        if hasattr(result, "get_data"):
            return result.status_code, result.mimetype, result.get_data()
        if context.status >= HTTPStatus.BAD_REQUEST:
            return context.status, "text/plain", str(result).encode()
        if isinstance(result, str):
            result = result.encode()
        if not isinstance(result, bytes):
            raise TypeError(f"the script answered {type(result).__name__}, not str, bytes or a Flask response")
        return context.status, context.content_type, result


def _refused(status: HTTPStatus, detail: str = "") -> tuple[int, str, bytes]:
    return status, "text/plain", (f"{status.phrase}: {detail}" if detail else status.phrase).encode()


def _headers(environ: dict[str, Any]) -> dict[str, str]:
    headers = {name[5:].replace("_", "-").title(): value for name, value in environ.items() if name.startswith("HTTP_")}
    # Without a type the inference toolkits of the images take JSON.
    return {**headers, "Content-Type": environ.get("CONTENT_TYPE") or "application/json"}


def main(descriptor: int) -> None:
    """Serve on a socket that listens already, until SIGTERM."""
    from gunicorn.app.base import BaseApplication

    os.environ.setdefault("OMP_NUM_THREADS", "1")  # as the XGBoost image does: its processes are the parallelism

    class Server(BaseApplication):  # type: ignore[misc]
        def load_config(self) -> None:
            settings = {
                "bind": f"fd://{descriptor}",
                "workers": int(os.environ.get("SAGEMAKER_MODEL_SERVER_WORKERS", "1")),
                "timeout": int(os.environ.get("SAGEMAKER_MODEL_SERVER_TIMEOUT", "60")),
                "graceful_timeout": 2,
                "control_socket_disable": True,
            }
            for name, value in settings.items():
                if name in self.cfg.settings:
                    self.cfg.set(name, value)

        def load(self) -> ModelServer:
            return ModelServer()

    Server().run()


if __name__ == "__main__":
    main(int(sys.argv[1]))
