"""``python -m cli``, and the ``compare`` script.

Handlers of signals come first: everything else takes long to load.
"""

from local import signals


def main() -> None:
    """Run the command line; ends the process."""
    signals.end_at_once()
    # Here, behind the handlers.
    import os
    import sys
    from contextlib import suppress

    _open_streams()
    # What is installed with this Python (node, this Python itself) is found, also where it is not activated.
    os.environ["PATH"] = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", os.defpath)])
    # Of a terminal that does not know its width: at no column at all, nothing would be shown.
    if not os.environ.get("COLUMNS", "80").strip("0"):
        del os.environ["COLUMNS"]
    try:
        from cli.main import app
    except ModuleNotFoundError as error:
        sys.exit(f"error: package {error.name}: is not installed in {sys.prefix}; `make compare` installs it")
    if sys.stdout is not None:
        # A terminal that cannot show a character gets its number.
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # it is the interpreter's own
    signals.interrupt()
    code = 1
    try:
        app(prog_name="compare")
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    finally:
        if not signals.interrupted():
            signals.end_at_once()
    try:
        sys.stdout.flush()
    except (OSError, ValueError, AttributeError):
        # Nobody reads, or the disk is full: the interpreter would only try again, and complain.
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        code = code or 1
    if signals.interrupted():
        # All is in order. The interpreter would wait for threads, and take its handlers away before it ends.
        os._exit(code)
    sys.exit(code)


def _open_streams() -> None:
    """Point closed standard streams at the null device, or the next file that is opened would take their place."""
    import os

    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


if __name__ == "__main__":
    main()
