"""The model server's application: what the toolkit's gunicorn imports in each of its workers."""

import functools
import importlib
import io
import os
from collections.abc import Callable, Iterable
from typing import Any, cast

from sagemaker_containers.beta.framework import env, transformer, worker

os.environ.setdefault("OMP_NUM_THREADS", "1")  # the workers are the parallelism, as the image has it


@functools.cache
def application() -> Callable[..., Iterable[bytes]]:
    """Import the user's script and load the model: on the first request, as the image's workers do."""
    name = env.ServingEnv().module_name
    script = importlib.import_module(name)
    functions = {part: getattr(script, part, None) for part in ("input_fn", "predict_fn", "output_fn")}
    transform = getattr(script, "transform_fn", None)
    if transform and any(functions.values()):
        raise TypeError("Cannot use transform_fn implementation with input_fn, predict_fn, and/or output_fn")
    made = transformer.Transformer(
        model_fn=getattr(script, "model_fn", transformer.default_model_fn),
        **({"transform_fn": transform} if transform else functions),
    )
    made.initialize()
    return cast("Callable[..., Iterable[bytes]]", worker.Worker(transform_fn=made.transform, module_name=name))


def main(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer a request (WSGI), once it is there as a whole: the image's nginx hands on no other."""
    try:
        body = environ["wsgi.input"].read()
        whole = len(body) == int(environ.get("CONTENT_LENGTH") or len(body))
    except OSError:  # as gunicorn's errors about chunks are
        whole = False
    if not whole:
        start_response("400 Bad Request", [("Content-Type", "application/json"), ("Connection", "close")])
        return [b'{"error": "the body is cut off or its chunks are broken"}']
    return application()({**environ, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}, start_response)
