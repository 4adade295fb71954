"""The prefixes in the bucket, and the names by which a state machine's states are found: the one place for both.

A record is read from both, by the room ``record``, which has the same names: a test compares.

::

    raw/<dataset>/<table>/...            every side reads, none writes
    code/<hash>/...                      the workloads, as deployed
    runs/<run id>/<side>/<output>/...    what a run writes
    certificates/<hash>/emr.zip          the key and certificate of the cluster's nodes, where they are not EMR's own
    logs/<side>/...                      a cluster's logs
    capture/...                          requests and answers that the endpoint keeps, where that is set
"""

import re

CAPTURE = "capture"
CERTIFICATES = "certificates"
CODE = "code"
LOGS = "logs"
RAW = "raw"
RUNS = "runs"

STAGES = ("prepare", "train", "evaluate", "score")
"""The stages in their order; each is the name of the state that runs it, too."""

RECORD_STATE = "record"
"""The comparison's state that records a run: its payload has what was deployed, ``dataset`` and ``settings``."""

# What a stage writes, below runs/<run id>/<side>/.
OUTPUTS = {"prepare": "features", "train": "model", "evaluate": "evaluation", "score": "predictions"}

# Long enough to name a run, short enough that <project>-<run id>-<stage>-<attempt> stays within the 63 characters of a
# SageMaker job name (API_CreateTrainingJob, read 2026-11-22). `latest` is what the link to the newest run is called.
RUN_ID_LENGTH = 26
RUN_ID = re.compile(rf"(?!latest\Z)[a-z0-9](?:[a-z0-9-]{{0,{RUN_ID_LENGTH - 2}}}[a-z0-9])?\Z")
RUN_ID_ALLOWED = (
    f"allowed are 1 to {RUN_ID_LENGTH} lower-case letters, digits and hyphens, the first and the last no hyphen, "
    "but not 'latest'"
)


def ended_state(side: str) -> str:
    """The comparison's state that a side leads to which ended well."""
    return f"{side} ended"


def failed_state(side: str) -> str:
    """The comparison's state that a side leads to which did not end well; its output has the ``cause``."""
    return f"{side} failed"


def raw_prefix(bucket: str, dataset: str) -> str:
    """The S3 URI of a dataset's raw tables."""
    return f"s3://{bucket}/{RAW}/{dataset}/"


def code_prefix(bucket: str, code_hash: str) -> str:
    """The S3 URI of the published workloads of one version."""
    return f"s3://{bucket}/{CODE}/{code_hash}"


def wheels_prefix(code: str, image: str) -> str:
    """The S3 URI of the wheels that jobs install on an image: ``workloads/packages/<image>``, for its Python."""
    return f"{code}/wheels/{image}/"


def archive(code: str, image: str) -> str:
    """The S3 URI of the packages of an image, unpacked and packed into one archive (workloads/archives.sh)."""
    return f"{code}/packages/{image}.zip"


def certificates_prefix(bucket: str, code_hash: str) -> str:
    """The S3 URI of the certificates that were made with one version of the workloads."""
    return f"s3://{bucket}/{CERTIFICATES}/{code_hash}/"
