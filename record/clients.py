"""AWS as the collector calls it in an account: one client a service.

Every call is written ``client("<service>").<method>(...)`` or ``client("<service>").get_paginator("<method>")``, and so
what a module calls can be read from its code. ``stacks/handlers`` has its own, since its functions are other assets.
"""

from functools import cache
from typing import Any

# boto3 is imported where it is used: what reads a record asks AWS nothing, and need not wait for it to load.
_RETRIES = {"mode": "standard", "max_attempts": 10}
"""A throttled call is tried again, up to ten times within about two minutes (botocore's standard mode)."""


def use(profile: str | None, region: str | None) -> None:
    """Take another profile and region than the environment's, for all clients from now on.

    Raises botocore's ProfileNotFound.
    """
    import boto3

    boto3.setup_default_session(profile_name=profile, region_name=region)
    client.cache_clear()


@cache
def client(service: str) -> Any:
    """The client of a service, by boto3's name for it (``stepfunctions``), made at its first use."""
    import boto3
    from botocore.config import Config

    return boto3.client(service, config=Config(retries=_RETRIES))
