"""``Custom::Objects``: an empty bucket, so that CloudFormation can delete it after this resource.

Property: ``BucketName``. The work is done in ``is_complete``, for ten minutes a call, and only when the stack itself
is deleted: no Update empties a bucket, not even one that takes this resource away or is rolled back.
Calls s3: ListBucketVersions, ListBucketMultipartUploads (on the bucket), DeleteObject, DeleteObjectVersion,
AbortMultipartUpload (on its objects).
"""

import time

from clients import client, suppress_client_errors
from events import CALL_SECONDS, Answer, Event, complete, is_stack_deletion, named

# As many as ListObjectVersions lists and DeleteObjects takes (API_DeleteObjects, botocore 1.44.5).
_BATCH = 1000


on_event = named


def is_complete(event: Event) -> Answer:
    """Remove versions when the stack goes, delete markers and unfinished uploads; complete once the bucket is empty.

    RuntimeError with the first key that S3 refuses to delete, and its reason.
    """
    if not is_stack_deletion(event):
        return complete()
    left: list[str] = []
    with suppress_client_errors("NoSuchBucket"):
        left += _empty(event["ResourceProperties"]["BucketName"], time.monotonic() + CALL_SECONDS)
    return complete(left)


def _empty(bucket: str, deadline: float) -> list[str]:
    """Remove a batch at a time until none is left or the time is over; the keys of the last batch in that case."""
    while True:
        # Always the first page: the objects of the one before are gone.
        listed = client("s3").list_object_versions(Bucket=bucket, MaxKeys=_BATCH)
        versions = listed.get("Versions", []) + listed.get("DeleteMarkers", [])
        uploads = client("s3").list_multipart_uploads(Bucket=bucket).get("Uploads", [])
        if versions:
            _delete(bucket, [{"Key": version["Key"], "VersionId": version["VersionId"]} for version in versions])
        for upload in uploads:
            with suppress_client_errors("NoSuchUpload"):
                client("s3").abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
        removed = [f"s3://{bucket}/{found['Key']}" for found in versions + uploads]
        if not removed or time.monotonic() >= deadline:
            return removed


def _delete(bucket: str, versions: list[dict[str, str]]) -> None:
    answer = client("s3").delete_objects(Bucket=bucket, Delete={"Objects": versions, "Quiet": True})
    errors = answer.get("Errors", [])
    if errors:
        first = errors[0]
        raise RuntimeError(
            f"{len(errors)} objects in {bucket} cannot be deleted, the first: "
            f"{first['Key']}: {first['Code']}: {first.get('Message', '')}"
        )
