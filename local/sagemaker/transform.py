"""What Batch Transform does to the data between S3 and the model server: records, batches, filters, joins.

Sources: the CreateTransformJob and DataProcessing API pages and the guide "Associate Prediction Results with Input
Records" (2026-11-22). Only text/csv can be filtered and joined here; SageMaker also does JSON.
"""

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from local.jobs import RequestRefused

_INDEX = r"-?\d+"
_SUBSET = re.compile(rf"\$\[(?:(?P<list>{_INDEX}(?:,{_INDEX})*)|(?P<start>{_INDEX})?:(?P<stop>{_INDEX})?)\]")


class RecordRefused(Exception):
    """A record that cannot be sent, or whose answer cannot be used."""


@dataclass(frozen=True)
class ColumnFilter:
    """The JSONPath subset that selects CSV columns: `$`, `$[i]`, `$[i,j]`, `$[a:b]`; negative counts from the end."""

    expression: str

    def __post_init__(self) -> None:
        """Raise RequestRefused when the expression is not one of the forms."""
        if self.expression != "$" and not _SUBSET.fullmatch(self.expression):
            raise RequestRefused(f"{self.expression!r} does not select CSV columns: use $, $[1], $[0,-1] or $[1:]")

    def __call__(self, fields: Sequence[str]) -> list[str]:
        """The selected fields; a range takes what there is. Raises RecordRefused when a listed column is not there."""
        match = _SUBSET.fullmatch(self.expression)
        if not match:
            return list(fields)
        if not match["list"]:
            start, stop = (int(match[name]) if match[name] else None for name in ("start", "stop"))
            return list(fields[start:stop])
        try:
            return [fields[int(index)] for index in match["list"].split(",")]
        except IndexError:
            raise RecordRefused(f"{self.expression} selects a column that a record of {len(fields)} lacks") from None


@dataclass(frozen=True)
class Transform:
    """How the objects of one transform job are cut into requests, and the answers put together."""

    split_lines: bool
    multi_record: bool
    max_bytes: int | None
    assemble_lines: bool
    input_filter: ColumnFilter
    output_filter: ColumnFilter
    join: bool

    @property
    def _by_record(self) -> bool:
        return self.join or self.output_filter.expression != "$"

    def run(self, source: BinaryIO, invoke: Callable[[bytes], bytes]) -> Iterator[bytes]:
        """Send an object's records to `invoke`, one request at a time, and yield what belongs into its output.

        Holds one request and its answer in memory. Raises RecordRefused.
        """
        for batch in self.batches(source):
            sent = batch if self.input_filter.expression == "$" else _map_lines(batch, self.input_filter)
            answer = invoke(sent)
            if self._by_record:
                yield self._processed(batch, answer) + (b"\n" if self.assemble_lines else b"")
            else:
                yield answer + (b"\n" if self.assemble_lines and not answer.endswith(b"\n") else b"")

    def batches(self, source: BinaryIO) -> Iterator[bytes]:
        """The bodies of the requests for one object, before the input filter; the last newline of each is left out."""
        limit = self.max_bytes
        if not self.split_lines:
            body = source.read() if limit is None else source.read(limit + 1)
            self._check(len(body))
            if body:
                yield body
            return
        batch: list[bytes] = []
        size = 0
        while line := source.readline() if limit is None else source.readline(limit + 2):
            record = line.removesuffix(b"\n").removesuffix(b"\r")
            self._check(len(record))
            if batch and (not self.multi_record or (limit is not None and size + 1 + len(record) > limit)):
                yield b"\n".join(batch)
                batch, size = [], 0
            size += len(record) + bool(batch)
            batch.append(record)
        if batch:
            yield b"\n".join(batch)

    def _check(self, size: int) -> None:
        if self.max_bytes is not None and size > self.max_bytes:
            raise RecordRefused(f"a record is larger than MaxPayloadInMB ({self.max_bytes} bytes)")

    def _processed(self, batch: bytes, answer: bytes) -> bytes:
        results = answer.removesuffix(b"\n").split(b"\n")
        records = batch.split(b"\n")
        if self.join:
            if len(records) != len(results):
                raise RecordRefused(
                    "Fail to join data: mismatched line count between the input and the output "
                    f"({len(records)} and {len(results)})"
                )
            results = [record + b"," + result for record, result in zip(records, results, strict=True)]
        joined = b"\n".join(results)
        return joined if self.output_filter.expression == "$" else _map_lines(joined, self.output_filter)


def _map_lines(text: bytes, columns: ColumnFilter) -> bytes:
    return b"\n".join(_csv_line(columns(_csv_fields(line))) for line in text.split(b"\n"))


def _csv_fields(line: bytes) -> list[str]:
    try:
        return next(csv.reader([line.decode()], strict=True), [])
    except (csv.Error, UnicodeDecodeError) as error:
        raise RecordRefused(f"not a CSV record: {error}") from None


def _csv_line(fields: Sequence[str]) -> bytes:
    line = io.StringIO()
    # A single empty field would be written as "": SageMaker's missing value is nothing at all.
    if list(fields) != [""]:
        csv.writer(line, lineterminator="").writerow(fields)
    return line.getvalue().encode()
