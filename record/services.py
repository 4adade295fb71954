"""What the record asks of a service: one module here answers for each, with the functions of `Service`."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from typing import Any, Protocol, cast

from botocore.exceptions import ClientError

from record.schema import Cluster, Instances, StageName, Utilization

_REFUSED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Billed:
    """What is billed for a stage; None where the service does not say."""

    seconds: float | None
    utilization: Utilization | None = None
    """Of a service that bills for workers by what they have."""


class Service(Protocol):
    """A module of this folder, by the service's name.

    ``definition`` is that of the state machine that was executed, empty if it is not known; ``request`` what a stage's
    state sent last, empty if it sent nothing; ``history`` the execution's events, oldest first.
    """

    @staticmethod
    def instances(definition: Mapping[str, Any], request: Mapping[str, Any]) -> tuple[Instances, ...]:
        """The instances that a stage asks for."""

    @staticmethod
    def log(history: list[dict[str, Any]], definition: Mapping[str, Any], request: Mapping[str, Any]) -> str | None:
        """Where the log of a stage is, in an account."""

    @staticmethod
    def billed(
        history: list[dict[str, Any]], started: Mapping[StageName, Mapping[str, Any]], *, strict: bool
    ) -> Mapping[StageName, Billed]:
        """What the service bills for the stages, by their requests."""

    @staticmethod
    def cluster(history: list[dict[str, Any]], *, strict: bool) -> Cluster | None:
        """The cluster that a run used, None where the service has none."""

    @staticmethod
    def versions(definition: Mapping[str, Any]) -> dict[str, str]:
        """The release, or the image, that the service runs."""


def service(name: str) -> Service:
    """The module of a service. ModuleNotFoundError if there is none."""
    return cast(Service, import_module(f"record.{name.replace('-', '_')}"))


@contextmanager
def not_measured(what: str, strict: bool) -> Iterator[None]:
    """What a service does not say of its jobs costs what it would have said, and not the record.

    ``strict``: that it refuses to say is raised, as ClientError.
    """
    try:
        yield
    except ClientError as error:
        if strict and error.response["Error"]["Code"] in _REFUSED:
            raise
        _log.warning("%s: not measured: %s", what, error)


def seconds_between(start: datetime | None, end: datetime | None) -> float | None:
    """From start to end, None if one of them is not known; nothing if the end comes first."""
    return None if start is None or end is None else max((end - start).total_seconds(), 0.0)


def sum_of(values: list[float | None]) -> float | None:
    """The sum, None if there are none or one of them is not known."""
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None
