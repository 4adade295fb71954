"""``Custom::Objects``, on moto's S3."""

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import boto3
import pytest
from moto.s3.models import s3_backends

from tests.stacks.handlers.support import ACCOUNT, Wire, event, run

BUCKET = "shop-data"
OTHER = "shop-two-data"


@pytest.fixture(autouse=True)
def buckets(handlers: ModuleType) -> None:
    """Two, with versions."""
    s3 = boto3.client("s3")
    for bucket in (BUCKET, OTHER):
        s3.create_bucket(Bucket=bucket)
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})


def delete(bucket: str = BUCKET, **more: Any) -> dict[str, Any]:
    return event("Objects", "Delete", {"BucketName": bucket}, **more)


def put(keys: list[str], bucket: str = BUCKET) -> None:
    """Quicker than a thousand requests."""
    for key in keys:
        s3_backends[ACCOUNT]["aws"].put_object(bucket, key, b"data")


def count(bucket: str = BUCKET) -> tuple[int, int, int]:
    """Versions, delete markers, unfinished uploads."""
    s3 = boto3.client("s3")
    pages = list(s3.get_paginator("list_object_versions").paginate(Bucket=bucket))
    versions = sum(len(page.get("Versions", [])) for page in pages)
    markers = sum(len(page.get("DeleteMarkers", [])) for page in pages)
    return versions, markers, len(s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []))


def test_versions_markers_and_uploads_are_removed(handlers: ModuleType) -> None:
    s3 = boto3.client("s3")
    put(["runs/one/a b+c=ü.csv", "runs/one/a b+c=ü.csv", "code/&<x>.zip"])
    put(["kept"], OTHER)
    s3.delete_object(Bucket=BUCKET, Key="runs/one/a b+c=ü.csv")
    for bucket in (BUCKET, OTHER):
        for key in ("one", "two"):
            s3.create_multipart_upload(Bucket=bucket, Key=key)
    assert count() == (3, 1, 2)
    assert run(handlers, delete()) == 1
    assert count() == (0, 0, 0)
    assert count(OTHER) == (1, 0, 2)
    s3.delete_bucket(Bucket=BUCKET)


def test_a_bucket_without_versions(handlers: ModuleType) -> None:
    boto3.client("s3").create_bucket(Bucket="plain")
    put(["one", "two"], "plain")
    run(handlers, delete("plain"))
    assert count("plain") == (0, 0, 0)


def test_an_empty_bucket_and_a_repeated_deletion(handlers: ModuleType) -> None:
    assert run(handlers, delete()) == 1
    assert run(handlers, delete()) == 1


def test_a_missing_bucket_is_fine(handlers: ModuleType) -> None:
    """By an id of CloudFormation's own: the bucket was never created either."""
    deleted = delete("nobody-has-this-bucket", PhysicalResourceId="shop-data-Objects-1ABC")
    assert run(handlers, deleted) == 1


@pytest.mark.parametrize("bucket", [BUCKET, "the-new-name-of-it"])
def test_an_update_deletes_nothing(handlers: ModuleType, bucket: str) -> None:
    put(["one"])
    put(["two"], OTHER)
    run(handlers, event("Objects", "Update", {"BucketName": bucket}, OldResourceProperties={"BucketName": BUCKET}))
    assert count() == (1, 0, 0)
    assert count(OTHER) == (1, 0, 0)


def test_a_thousand_a_request(handlers: ModuleType, wire: Callable[[str], Wire]) -> None:
    put([f"runs/{number:04}" for number in range(2001)])
    requests = wire("s3")
    assert run(handlers, delete()) == 1
    sizes = [body.count("<Object>") for body in requests.bodies["DeleteObjects"]]
    assert sizes == [1000, 1000, 1]
    assert count() == (0, 0, 0)


def test_a_call_ends_in_time_and_the_next_one_goes_on(handlers: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that says that ten minutes are over after each batch."""
    put([f"runs/{number:04}" for number in range(2001)])
    monkeypatch.setattr(sys.modules["objects"], "CALL_SECONDS", 0)
    first = handlers.is_complete(delete(), None)
    assert first["IsComplete"] is False
    assert first["Left"][0] == "s3://shop-data/runs/0000"
    assert count() == (1001, 0, 0)
    assert run(handlers, delete()) == 3
    assert count() == (0, 0, 0)


def test_a_call_takes_no_longer_than_its_function_may(handlers: ModuleType) -> None:
    """Fourteen minutes, less the last batch and its retries."""
    assert 0 < sys.modules["objects"].CALL_SECONDS <= 12 * 60


def test_what_s3_refuses_is_named(handlers: ModuleType, wire: Callable[[str], Wire]) -> None:
    """DeleteObjects answers 200 all the same."""
    put(["one", "two"])
    refused = "".join(
        f"<Error><Key>{key}</Key><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
        for key in ("one", "two")
    )
    wire("s3").answer("DeleteObjects", f"<DeleteResult>{refused}</DeleteResult>")
    expected = "2 objects in shop-data cannot be deleted, the first: one: AccessDenied: Access Denied"
    with pytest.raises(RuntimeError, match=expected):
        handlers.is_complete(delete(), None)


def test_an_upload_that_ends_meanwhile_is_no_failure(handlers: ModuleType, wire: Callable[[str], Wire]) -> None:
    boto3.client("s3").create_multipart_upload(Bucket=BUCKET, Key="one")
    wire("s3").fail("AbortMultipartUpload", "NoSuchUpload", status=404)
    run(handlers, delete())
    assert count() == (0, 0, 0)


def test_throttling_is_no_failure(handlers: ModuleType, wire: Callable[[str], Wire], pauses: list[float]) -> None:
    put(["one"])
    requests = wire("s3")
    for call in ("ListObjectVersions", "DeleteObjects"):
        requests.fail(call, "SlowDown", "Reduce your request rate.", status=503)
    run(handlers, delete())
    assert count() == (0, 0, 0)
    assert len(pauses) == 2
