"""AWS as the collector calls it in an account: one client a service.

Every call is written ``client("<service>").<method>(...)`` or ``client("<service>").get_paginator("<method>")``, and so
what a module calls can be read from its code. ``stacks/handlers`` has its own, since its functions are other assets.
"""

from functools import cache
from typing import Any

import boto3
from botocore.config import Config

# A throttled call is tried again, up to ten times within about two minutes (botocore's standard mode).
_CONFIG = Config(retries={"mode": "standard", "max_attempts": 10})


def use(profile: str | None, region: str | None) -> None:
    """Take another profile and region than the environment's, for all clients from now on.

    Raises botocore's ProfileNotFound.
    """
    boto3.setup_default_session(profile_name=profile, region_name=region)
    client.cache_clear()


@cache
def client(service: str) -> Any:
    """The client of a service, by boto3's name for it (``stepfunctions``), made at its first use."""
    return boto3.client(service, config=_CONFIG)
