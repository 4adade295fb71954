"""The rules for raw files, one for both engines: which files are data, how they are packed, what their columns are.

`common.local` and `common.hadoop` list and read files; everything that is decided about them is decided here, so that
all sides accept the same files and refuse the others in the same words. Files are named as below the raw prefix.
"""

import contextlib
import hashlib
import io
import string
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from common.command import InputError
from common.dataset import DEFINITION, Table
from common.features import Columns, check_types

Read = Callable[[int, int], bytes]
"""Reads so many bytes of a file from an offset."""

NOT_LINES = (".bz2", ".deflate", ".lz4", ".lzo", ".lzo_deflate", ".snappy", ".xz", ".zip", ".zst")
"""Endings that one engine would unpack and the other read as lines."""

GZIP = b"\x1f\x8b"
HEAD_BYTES = 4096
"""Bytes of a text file that are looked at; packed ones too hold the header of a tar."""

_ARCHIVES = {
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x04\x22\x4d\x18": "lz4",
    b"\xff\x06\x00\x00sNaPpY": "snappy",
    b"\x1f\x9d": "compress",
    b"LZIP": "lzip",
    b"7z\xbc\xaf\x27\x1c": "7-Zip",
    b"Rar!\x1a\x07": "RAR",
    b"PAR1": "Parquet",
    b"Obj\x01": "Avro",
    b"ORC": "ORC",
    b"\x89LZO": "lzo",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
"""First bytes of what is neither lines nor gzip; bzip2 and ORC have letters only and are looked at more closely."""

_URI_CHARACTERS = frozenset(string.ascii_letters + string.digits + "_-!.~'()*,;:$&+=@/")

_TAIL_BYTES = 1 << 16
_MAGIC = b"PAR1"

_TYPES = {
    ("BOOLEAN", "NONE"): "BOOLEAN",
    ("INT32", "NONE"): "INTEGER",
    ("INT32", "INT(32,signed)"): "INTEGER",
    ("INT32", "DATE"): "DATE",
    ("INT64", "NONE"): "BIGINT",
    ("INT64", "INT(64,signed)"): "BIGINT",
    ("FLOAT", "NONE"): "FLOAT",
    ("DOUBLE", "NONE"): "DOUBLE",
    ("BYTE_ARRAY", "STRING"): "VARCHAR",
    ("BYTE_ARRAY", "ENUM"): "VARCHAR",
    ("BYTE_ARRAY", "NONE"): "BLOB",
    ("FIXED_LEN_BYTE_ARRAY", "NONE"): "BLOB",
}
"""Parquet's physical and logical types under SQL's names."""

_NOT_READ_BY_SPARK = {"BYTE_STREAM_SPLIT", "BROTLI", "LZO"}
"""Encodings and compressions of Parquet that DuckDB reads and Spark 3.5.9 does not."""

_ALSO_READABLE = ("INT(", "DECIMAL(", "TIMESTAMP(MILLI", "TIMESTAMP(MICRO", "INT96", "JSON", "BSON")
"""Other types that every reader of these files knows, by their beginnings; Spark 3.5 reads no schema with another."""


@dataclass(frozen=True)
class RawFile:
    """A file of a raw table: its name below the raw prefix, where it lies (path or URI), and its size in bytes."""

    name: str
    place: str
    size: int


@dataclass(frozen=True)
class ParquetFile:
    """What the footer of a Parquet file says; equal digests and sizes are a sign of equal files.

    `written` has the compressions and encodings of each column.
    """

    file: RawFile
    columns: Columns
    written: Mapping[str, Set[str]]
    rows: int
    digest: bytes


def is_data(name: str, size: int) -> bool:
    """Whether a file is data, by its name below the folder that was asked for.

    Names that start with _ or . (at any depth), the markers of folders that S3 browsers and Hadoop leave, what Hadoop
    was copying when it stopped, and empty objects are not.
    """
    parts = name.split("/")
    return size > 0 and not any(
        part.startswith(("_", ".")) or part.endswith(("$folder$", "._COPYING_")) for part in parts
    )


def choose(found: Iterable[RawFile], where: str, text: bool = False) -> list[RawFile]:
    """Sort out what is data from a listing of `where`, in the order of the names.

    Raises:
        InputError: there is none; a name has a backslash, which DuckDB cannot be told, or a colon, which Hadoop takes
            for the end of a URI's scheme; a text file's name promises a compression that is not gzip.
    """
    files = sorted(found, key=lambda file: file.name)
    if not files:
        raise InputError(f"{where}: holds no data file")
    for file in files:
        if "\\" in file.name or ":" in file.name:
            raise InputError(f"{file.name}: a file's name must not hold a backslash or a colon")
        if text and file.name.lower().endswith(NOT_LINES):
            raise InputError(f"{file.name}: a text table's files must be plain or gzip (.gz)")
    return files


def number(name: str) -> int:
    """The number of a file in the view `lines`: CRC-32 of its name as Java writes it in a URI. Spark can compute it."""
    written = "".join(
        letter if letter in _URI_CHARACTERS or ord(letter) > 127 else f"%{ord(letter):02X}" for letter in name
    )
    return zlib.crc32(written.encode("utf-8", "surrogateescape"))


def is_gzip(head: bytes, name: str) -> bool:
    """Tell gzip from plain lines by the first bytes, whatever the name says.

    Raises:
        InputError: the file is packed in another way, or is no text at all.
    """
    packed = head.startswith(GZIP)
    if packed:
        with contextlib.suppress(zlib.error):  # damaged gzip is found by who reads it
            head = zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(head, HEAD_BYTES)
            if head.startswith(GZIP):
                raise InputError(f"{name}: is gzip within gzip; a text table's files must be plain or gzip")
    if head[257:262] == b"ustar":
        raise InputError(f"{name}: is tar; a text table's files must be plain or gzip")
    for magic, kind in _ARCHIVES.items():
        if head.startswith(magic):
            # Lines may begin with these letters; bzip2 goes on with a level and the digits of pi, ORC with binary data.
            if kind == "bzip2" and head[4:10] not in (b"\x31\x41\x59\x26\x53\x59", b"\x17\x72\x45\x38\x50\x90"):
                continue
            if kind == "ORC" and head[:16].isascii() and head[:16].decode().isprintable():
                continue
            raise InputError(f"{name}: is {kind}; a text table's files must be plain or gzip")
    return packed


def damaged(name: str) -> InputError:
    """The error for gzip data that an engine could not read to its end."""
    return InputError(f"{name}: not readable: its gzip data is cut off or damaged, or something follows it")


def damaged_parquet(name: str) -> InputError:
    """The error for a Parquet file whose footer is well and whose rows an engine could not read."""
    return InputError(f"{name}: not readable: its Parquet data is damaged")


def parquet_file(file: RawFile, read: Read) -> ParquetFile:
    """Read the footer of a Parquet file.

    Raises:
        InputError: the file is not Parquet, is encrypted or is damaged.
    """
    tail = read(max(0, file.size - _TAIL_BYTES), min(file.size, _TAIL_BYTES))
    if tail[-4:] == b"PARE":
        raise InputError(f"{file.name}: not readable: its footer is encrypted")
    length = int.from_bytes(tail[-8:-4], "little")
    if file.size < 12 or tail[-4:] != _MAGIC or length + 12 > file.size:
        raise InputError(f"{file.name}: not a Parquet file")
    if length + 8 > len(tail):
        tail = read(file.size - length - 8, length + 8)
    footer = tail[-length - 8 :]
    try:
        metadata = pq.read_metadata(io.BytesIO(_MAGIC + footer))
        schema = metadata.schema
        columns: list[tuple[str, str]] = []
        group = None
        for number in range(len(schema)):
            column = schema.column(number)
            leaf = _type_of(column)
            if column.path == column.name:
                columns.append((column.name, leaf))
                group = None
                continue
            # A group, a list or a map has several leaves, or one at another path; only the first unreadable one counts.
            leaf = "a nested type" if _is_readable(leaf) else leaf
            name = column.path.split(".")[0]
            if name != group:
                columns.append((name, leaf))
            elif _is_readable(columns[-1][1]):
                columns[-1] = name, leaf
            group = name
        written: dict[str, set[str]] = defaultdict(set)
        for row_group in map(metadata.row_group, range(metadata.num_row_groups)):
            for chunk in map(row_group.column, range(row_group.num_columns)):
                written[chunk.path_in_schema] |= {chunk.compression, *chunk.encodings}
    except (pa.ArrowException, OSError, UnicodeDecodeError) as problem:
        raise InputError(f"{file.name}: not readable: {problem}") from None
    return ParquetFile(file, columns, written, metadata.num_rows, hashlib.sha256(footer).digest())


def _type_of(column: pq.ColumnSchema) -> str:
    """SQL's name of a leaf's type where there is one, Parquet's otherwise."""
    text = str(column.logical_type)
    kind, _, details = text.partition("(")
    given = dict(part.split("=") for part in details.rstrip(")").split(", ") if "=" in part)
    logical = kind.upper()
    if logical == "INT":
        logical = f"INT({given['bitWidth']},{'signed' if given['isSigned'] == 'true' else 'unsigned'})"
    elif logical == "DECIMAL":
        logical = f"DECIMAL({given['precision']},{given['scale']})"
    elif logical in ("TIMESTAMP", "TIME"):
        logical = f"{logical}({given['timeUnit'].upper()})"
    if logical == "NONE" and column.converted_type not in ("NONE", None):
        logical = column.converted_type  # INTERVAL has no logical type
    known = _TYPES.get((column.physical_type, logical))
    return known or (column.physical_type if logical == "NONE" else logical)


def _is_readable(type_name: str) -> bool:
    return type_name in _TYPES.values() or type_name == "a nested type" or type_name.startswith(_ALSO_READABLE)


def check_parquet(table: Table, files: Sequence[ParquetFile]) -> int:
    """Check the columns of every file of a table; return the number of rows.

    Raises:
        InputError: in one of the files a column is missing, has another type, is written in a way that not every engine
            reads, or has a type that not every engine can read past; two columns differ in nothing but their case.
    """
    by = f"[tables.{table.name}.columns] of {DEFINITION}"
    for found in files:
        names: dict[str, str] = {}
        for name, type_name in found.columns:
            if name not in table.columns and not _is_readable(type_name):
                raise InputError(
                    f"{found.file.name}: column {name!r} has type {type_name}, which not every engine can read past; "
                    f"leave it out, or write it as one of {', '.join(sorted({*_TYPES.values()}))}"
                )
            if name in names.values():
                raise InputError(f"{found.file.name}: column {name!r} comes twice")
            if name.lower() in names:
                raise InputError(
                    f"{found.file.name}: columns {names[name.lower()]!r} and {name!r} differ in nothing but their case"
                )
            names[name.lower()] = name
        check_types(table.columns, found.columns, found.file.name, by)
        for name in table.columns:
            for way in sorted(found.written.get(name, set()) & _NOT_READ_BY_SPARK):
                raise InputError(
                    f"{found.file.name}: column {name!r} is written as {way}, which not every engine can read; "
                    "allowed: dictionary, plain and delta encodings, and snappy, gzip, zstd, lz4 or no compression"
                )
    return sum(found.rows for found in files)


def check_copies(files: Sequence[ParquetFile], equal: Callable[[str, str], bool]) -> None:
    """Refuse a file that was shipped twice: `equal` compares the bytes of two places.

    Raises:
        InputError: names both files.
    """
    alike: dict[tuple[int, bytes], list[RawFile]] = defaultdict(list)
    for found in files:
        for other in alike[found.file.size, found.digest]:
            if found.rows and equal(found.file.place, other.place):
                raise InputError(
                    f"{found.file.name}: the same bytes as {other.name}; rows that were shipped twice count twice"
                )
        alike[found.file.size, found.digest].append(found.file)
