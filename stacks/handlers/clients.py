"""AWS as the modules here call it: one client a service, and those errors of theirs that are none to us.

Every call is written ``client("<service>").<method>(...)`` or ``client("<service>").get_paginator("<method>")``, and so
what a module calls can be read from its code.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

# An error that reaches the provider framework fails the whole stack operation, so a throttled call is tried again, up
# to ten times within about two minutes (botocore's standard mode: pauses of up to 1, 2, 4 ... 20 seconds).
_CONFIG = Config(retries={"mode": "standard", "max_attempts": 10})


@cache
def client(service: str) -> Any:
    """The client of a service, by boto3's name for it (``emr``), made at its first use."""
    return boto3.client(service, config=_CONFIG)


@contextmanager
def suppress_client_errors(*errors: str) -> Iterator[None]:
    """Leave the block at a service's error, without raising it, if ``<code>: <message>`` begins with one of these.

    For instance ``"NoSuchBucket"`` or ``"ValidationException: Could not find"``. Every other error is raised.
    """
    try:
        yield
    except ClientError as error:
        answer = error.response["Error"]
        if not f"{answer['Code']}: {answer.get('Message', '')}".startswith(errors):
            raise
