"""What the laptop asks of a side's service: each has a folder here, and in its `side.py` a class like this one."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from local.progress import Progress
from record.schema import Serve


class ServiceSide(Protocol):
    """Made of the templates, the side's stack and its state machine's definition; S3's, the logs' and a work folder."""

    @property
    def actions(self) -> Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]]:
        """Who carries out which call of the side's state machine.

        They raise RequestRefused and JobFailed (`local.jobs`).
        """

    def deploy(self, progress: Progress) -> None:
        """Start what a deployment starts before the pipeline. Raises SetupError if it does not."""

    @property
    def serves(self) -> bool:
        """True if the stack has an endpoint."""

    def serve(self, run: Path, output: dict[str, Any]) -> Serve | None:
        """Try what serves the model that the pipeline's output names; None if nothing does."""
