"""What a laptop run says while it works: a line a stage, with a spinner where somebody watches."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console


class Progress:
    """Prints to standard error, so that standard output stays free for results."""

    def __init__(self, console: Console | None = None) -> None:
        """Print to ``console``, by default standard error."""
        self.console = console or Console(stderr=True, highlight=False)
        self._lock = threading.Lock()

    @contextmanager
    def step(self, what: str, name: str) -> Iterator[None]:
        """A step that takes a while: announced, then reported with its seconds, or as failed."""
        started = time.monotonic()
        label = f"{what:<10} {name:<10}"
        try:
            with self.console.status(f"{label} ...") if self.console.is_terminal else _nothing():
                yield
        except BaseException:
            self._say(f"{label} [red]failed[/red] after {time.monotonic() - started:.1f} s")
            raise
        self._say(f"{label} [green]done[/green] {time.monotonic() - started:6.1f} s")

    def _say(self, text: str) -> None:
        with self._lock:
            self.console.print(text)


@contextmanager
def _nothing() -> Iterator[None]:
    yield
