"""Runs in a bucket, as a team shares them: below ``runs/<run id>/`` the record, the page and what it was made from.

Calls s3: ListBucket, GetObject, PutObject, each below ``runs/``.
"""

import os
import re
import tempfile
from pathlib import Path, PurePosixPath

from botocore.exceptions import ClientError

from record.account import S3Storage
from record.clients import client
from record.errors import UserError
from record.files import MAX_BYTES, read_bytes
from record.runs.folders import RECORD, REPORT, RULES, TEMPLATES, check_place, extends, run_folder
from record.schema import Record, load, save

# What lies beside a record, with the templates; the logs and the data stay where the run was.
_BESIDE = (REPORT, RULES)

_TYPES = {".json": "application/json", ".html": "text/html; charset=utf-8"}
# How S3 answers a conditional write that is not to be, and one that came second
# (AmazonS3/latest/userguide/conditional-writes.html, read 2026-11-22).
_NOT_WRITTEN = ("PreconditionFailed", "ConditionalRequestConflict")


def push(folder: Path, bucket: str) -> str:
    """Write a run's folder to the bucket and return where it is; what is there already and equal stays.

    Raises:
        UserError: the bucket holds another record of this id; it stays as it is.
        RecordError: there is no record in the folder, or it cannot be read.
        ClientError, BotoCoreError: S3 refuses.
    """
    record = load(folder / RECORD)
    if record.run_id != folder.resolve().name:
        raise UserError(f"{folder / RECORD}: run_id: {record.run_id!r} is not its folder's name, {folder.name!r}")
    place = f"s3://{bucket}/runs/{record.run_id}"
    _claim(folder / RECORD, record, bucket)
    # The record comes first: whoever wrote it may write the rest, and a second push completes a first one.
    others = [*(folder / name for name in _BESIDE), *sorted((folder / TEMPLATES).rglob("*"))]
    for file in (file for file in others if file.is_file()):
        key = f"runs/{record.run_id}/{file.relative_to(folder).as_posix()}"
        if re.search("[\ud800-\udfff]", key):
            raise UserError(f"{str(file)!r}: its name is no text in UTF-8, which S3 needs")
        client("s3").put_object(Bucket=bucket, Key=key, Body=read_bytes(file), ContentType=_type(file))
    return place


def pull(run_id: str, bucket: str, output: Path) -> Path:
    """Fetch a run into its folder and return that; a folder that is there gets what it does not have yet.

    It has no page where the bucket has none: a run that the account's own function recorded.

    Raises:
        UserError: there is no such run, or another record is in its folder; that stays as it is.
        RecordError: the record there or here cannot be read.
        ClientError, BotoCoreError: S3 refuses.
    """
    folder = run_folder(output, run_id)
    storage = S3Storage(f"s3://{bucket}/runs/{run_id}")
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output, prefix=f".{run_id}-") as scratch:
        fetched = Path(scratch) / "run"
        fetched.mkdir()
        try:
            _fetch(storage, RECORD, fetched)
        except FileNotFoundError:
            raise UserError(f"no record of run {run_id!r} in s3://{bucket}/runs/{run_id}/") from None
        record = load(fetched / RECORD)
        if record.run_id != run_id:
            raise UserError(f"s3://{bucket}/runs/{run_id}/{RECORD}: is the record of run {record.run_id!r}")
        if (folder / RECORD).exists() and extends(load(folder / RECORD), record):
            return folder
        check_place(folder, record)
        for name in [*_BESIDE, *(name for name, _ in storage.files(TEMPLATES))]:
            if _is_below(name):
                try:
                    _fetch(storage, name, fetched)
                except FileNotFoundError:
                    continue
        if not folder.exists():
            fetched.rename(folder)
            return folder
        # A page of the older record would say less than the new one.
        (folder / REPORT).unlink(missing_ok=True)
        for part in (TEMPLATES, *_BESIDE):
            if (fetched / part).exists():
                _replace(fetched / part, folder / part)
        save(record, folder / RECORD)
    return folder


def shared_runs(bucket: str) -> list[str]:
    """The ids of all runs in the bucket that have a record."""
    pages = client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="runs/", Delimiter="/")
    found = [each["Prefix"].split("/")[1] for page in pages for each in page.get("CommonPrefixes", [])]
    return [run_id for run_id in found if _has_record(bucket, run_id)]


def _has_record(bucket: str, run_id: str) -> bool:
    listed = client("s3").list_objects_v2(Bucket=bucket, Prefix=f"runs/{run_id}/{RECORD}", MaxKeys=1)
    return any(each["Key"] == f"runs/{run_id}/{RECORD}" for each in listed.get("Contents", []))


def _claim(file: Path, record: Record, bucket: str) -> None:
    """Write the record where there is none, or where there is one that says less of the same run.

    The conditions make it safe against others who write at the same time.
    """
    key = f"runs/{record.run_id}/{RECORD}"
    condition = {"IfNoneMatch": "*"}
    with tempfile.TemporaryDirectory() as scratch:
        for _ in range(2):
            try:
                client("s3").put_object(
                    Bucket=bucket, Key=key, Body=read_bytes(file), ContentType="application/json", **condition
                )
                return
            except ClientError as error:
                if error.response["Error"]["Code"] not in _NOT_WRITTEN:
                    raise
            answer = client("s3").get_object(Bucket=bucket, Key=key)
            there = Path(scratch) / RECORD
            there.write_bytes(answer["Body"].read(MAX_BYTES + 1))
            known = load(there)
            if extends(known, record):
                return
            if not extends(record, known):
                break
            condition = {"IfMatch": answer["ETag"]}
    raise UserError(f"s3://{bucket}/{key} holds another record; it stays as it is")


def _fetch(storage: S3Storage, name: str, folder: Path) -> None:
    """Write an object into a folder. FileNotFoundError if there is no such object."""
    with storage.open(name) as content:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as file:
            # As much as will be read again, and a byte by which that is told.
            while (left := MAX_BYTES + 1 - file.tell()) and (block := content.read(min(left, 1 << 20))):
                file.write(block)
            if file.tell() > MAX_BYTES:
                raise UserError(f"{name}: is larger than {MAX_BYTES >> 20} MiB, the most that a run has")


def _is_below(name: str) -> bool:
    """Whether a key stays below the run's folder when it becomes a path."""
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and not name.endswith("/")


def _replace(new: Path, old: Path) -> None:
    """Put a file or folder into the place of another one."""
    if new.is_dir():
        aside = new.with_name(f".old-{os.getpid()}")
        if old.exists():
            old.rename(aside)
        new.rename(old)
    else:
        new.replace(old)


def _type(file: Path) -> str:
    return _TYPES.get(file.suffix, "application/octet-stream")
