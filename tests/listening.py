"""A child that hears signals, however the tests were started."""

import signal

from local.signals import NUMBERS


def listening() -> None:
    """Hear the signals again that whoever started the tests has them ignore: nohup, or a shell's &; a `preexec_fn`."""
    for number in NUMBERS:
        signal.signal(number, signal.SIG_DFL)
