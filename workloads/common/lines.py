"""Text tables as Arrow: exactly the lines that Spark's text reader gives, at the speed of the decompression.

DuckDB's own CSV reader cannot do it: it splits at a lone carriage return, turns empty lines into NULL and drops NUL
bytes (measured with 2.0.0).
"""

import queue
import threading
import zlib
from collections.abc import Iterator, Sequence
from io import BufferedReader
from pathlib import Path

import numpy as np
import pyarrow as pa

from common.command import InputError
from common.raw import GZIP, RawFile, damaged, number

SCHEMA = pa.schema([("line", pa.large_string()), ("file", pa.int64())])
"""A line, and the number of the file that it is in (`common.raw.number`)."""

CHUNK_BYTES = 1 << 22
"""Bytes of text read at a time; with the queue below it bounds the memory, but for a line that is longer."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_NEWLINE = 10


class Lines:
    """The lines of files, for DuckDB to scan as often as it likes, in no particular order.

    A line ends at a newline or at the end of its file; one carriage return before that end is dropped, and so is a
    UTF-8 byte order mark at the start of a file. Bytes are ISO-8859-1: every sequence of bytes is a line.
    """

    def __init__(self, files: Sequence[RawFile | Path], threads: int) -> None:
        """Take the files (gzip, by their first bytes, is decompressed) and how many to read at the same time."""
        self.files = [file if isinstance(file, RawFile) else RawFile(str(file), str(file), 0) for file in files]
        self.threads = threads
        self.problem: InputError | None = None
        """Why a scan ended early; DuckDB's own message has it amid a traceback."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Start a scan: the Arrow PyCapsule interface, which DuckDB calls once per scan."""
        reader = pa.RecordBatchReader.from_batches(SCHEMA, self.batches())
        return reader.__arrow_c_stream__(requested_schema)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the lines as record batches; threads read ahead a little.

        Raises:
            InputError: a file is not readable or its gzip data is damaged.
        """
        todo: queue.SimpleQueue[RawFile] = queue.SimpleQueue()
        for file in self.files:
            todo.put(file)
        done: queue.Queue[pa.RecordBatch | BaseException | None] = queue.Queue(self.threads * 2)
        stop = threading.Event()

        def put(item: pa.RecordBatch | BaseException | None) -> None:
            while not stop.is_set():
                try:
                    return done.put(item, timeout=0.2)
                except queue.Full:
                    continue

        def work() -> None:
            try:
                while not stop.is_set():
                    try:
                        file = todo.get_nowait()
                    except queue.Empty:
                        break
                    for batch in read(Path(file.place), file.name):
                        put(batch)
                        if stop.is_set():
                            break
                put(None)
            except BaseException as problem:  # handed to the reader, who raises it
                put(problem)

        workers = [threading.Thread(target=work, daemon=True) for _ in range(min(self.threads, len(self.files)))]
        for worker in workers:
            worker.start()
        try:
            running = len(workers)
            while running:
                item = done.get()
                if item is None:
                    running -= 1
                elif isinstance(item, BaseException):
                    if isinstance(item, InputError):
                        self.problem = item
                    raise item
                else:
                    yield item
        finally:
            stop.set()


def read(path: Path, name: str = "") -> Iterator[pa.RecordBatch]:
    """Yield the lines of one file, which messages call `name`.

    Raises:
        InputError: the file is not readable or its gzip data is damaged.
    """
    try:
        with path.open("rb") as stream:
            pending: list[bytes] = []
            first = True
            for chunk in _chunks(stream):
                if first:
                    chunk = chunk.removeprefix(_BYTE_ORDER_MARK)
                    first = False
                end = chunk.rfind(b"\n") + 1
                if end:
                    yield _batch(b"".join((*pending, chunk[:end])), number(name))
                    pending = []
                pending.append(chunk[end:])
            rest = b"".join(pending)
            if rest:
                yield _batch(rest + b"\n", number(name))
    except (EOFError, zlib.error):
        raise damaged(name or str(path)) from None
    except OSError as problem:
        raise InputError(f"{name or path}: not readable: {problem.strerror}") from None


def _chunks(stream: BufferedReader) -> Iterator[bytes]:
    """The file's text, decompressed when it begins as gzip does.

    After a member of gzip comes another or the end: padding is damage, as it is to Hadoop (`gzip.open` skips zeros).

    Raises:
        EOFError, zlib.error: gzip data that is cut off or damaged.
    """
    packed = stream.peek(len(GZIP)).startswith(GZIP)
    data = stream.read(CHUNK_BYTES)
    if not packed:
        while data:
            yield data
            data = stream.read(CHUNK_BYTES)
        return
    while data:
        member = zlib.decompressobj(16 + zlib.MAX_WBITS)
        while not member.eof:
            if not data:
                raise EOFError("its gzip data is cut off")
            text = member.decompress(data, CHUNK_BYTES)
            data = member.unused_data if member.eof else member.unconsumed_tail or stream.read(CHUNK_BYTES)
            if text:
                yield text
        data = data or stream.read(CHUNK_BYTES)


def _batch(text: bytes, file: int) -> pa.RecordBatch:
    """Turn whole lines, each with its newline, into a record batch without making a Python object of any."""
    text = text.replace(b"\r\n", b"\n")
    if not text.isascii():
        text = text.decode("iso-8859-1").encode()
    characters = np.frombuffer(text, np.uint8)
    newline = characters == _NEWLINE
    ends = np.flatnonzero(newline)
    # Arrow's strings lie end to end: without the newlines, line i ends i places earlier.
    offsets = np.zeros(len(ends) + 1, np.int64)
    offsets[1:] = ends - np.arange(len(ends))
    data = characters[~newline]
    lines = pa.Array.from_buffers(
        pa.large_string(), len(ends), [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(data))]
    )
    return pa.record_batch([lines, np.full(len(ends), file, np.int64)], schema=SCHEMA)
