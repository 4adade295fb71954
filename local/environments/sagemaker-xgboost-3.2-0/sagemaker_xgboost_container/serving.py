"""The model server's application: what the toolkit's gunicorn imports, and the command that starts that."""

import functools
import importlib
import os
from collections.abc import Callable, Iterable
from typing import Any, cast

from sagemaker_containers.beta.framework import env, server, transformer, worker


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
    """Answer a request (WSGI)."""
    return application()(environ, start_response)


def serve() -> None:
    """Start the server, in front of which the image has nginx."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ["SAGEMAKER_USE_NGINX"] = "false"
    server.start(env.ServingEnv().framework_module)
