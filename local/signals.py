"""An end from outside: Ctrl-C, SIGTERM and SIGHUP are one thing, whenever they come.

Three phases, in the order in which a command goes through them (`cli.__main__`):

`end_at_once()`  nothing has been written yet (imports), or all of it (the end): the process ends there and then.
`interrupt()`    the first signal raises Interrupted in the main thread, which unwinds: jobs are ended, folders removed.
(unwinding)      begins with that first signal; further ones only make it impatient (`hurried`), they interrupt nothing.

A signal that the caller has this process ignore stays ignored: `nohup`, and Ctrl-C for what a script runs with `&`.

Imports nothing but what the interpreter has loaded anyway, so that handlers are there within milliseconds.
"""

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_received = 0


class Interrupted(KeyboardInterrupt):
    """A signal came; as with Ctrl-C, only what must be put in order may catch it."""

    def __init__(self, number: int = signal.SIGINT) -> None:
        """Signal ``number`` came."""
        super().__init__(signal.Signals(number).name)
        self.exit_code = 128 + number


def end_at_once() -> None:
    """End the process at the next signal, with its exit code and without a word."""
    _handle(lambda number, _frame: os._exit(128 + number))


def interrupt() -> None:
    """Raise Interrupted at the next signal."""
    global _received
    _received = 0
    sys.unraisablehook = _lost
    _handle(_raise)


def hurried() -> bool:
    """Whether a second signal came: whoever still waits for something, ends it."""
    return _received > 1


def interrupted() -> bool:
    """Whether a signal ended what was to be done: whatever comes now, the exit code is that signal's."""
    return _received > 0


def _raise(number: int, _frame: FrameType | None) -> None:
    global _received
    _received += 1
    if _received == 1:
        raise Interrupted(number)


def _lost(unraisable: Any) -> None:
    """What was raised where nothing can be (a finaliser, a C library's callback) is raised again a moment later."""
    global _received
    if not isinstance(unraisable.exc_value, Interrupted):
        sys.__unraisablehook__(unraisable)
        return
    _received = 0
    number = unraisable.exc_value.exit_code - 128
    signal.signal(signal.SIGALRM, lambda *_: _raise(number, None))
    signal.setitimer(signal.ITIMER_REAL, 0.05)


def _handle(handler: Callable[[int, FrameType | None], None]) -> None:
    for number in NUMBERS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)
