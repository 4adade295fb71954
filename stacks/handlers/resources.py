"""The entry points of every custom resource: the CDK's provider framework calls them, the event says which kind it is.

``on_event`` is called once an event, ``is_complete`` after it and then every 15 seconds until it says so, for an hour
at the most. What is_complete answers as Data is added to on_event's Data, it does not replace it
(aws-cdk-lib/custom-resources, provider-framework/runtime/framework.js, 2.275.0).
"""

from typing import Protocol

import emr_cleanup
import emr_serverless_cleanup
import execution
import objects
import s3_prefix_list
import sagemaker_cleanup
import stop_executions
import time_to_live
from events import Answer, Event


class Kind(Protocol):
    """The module of a kind."""

    def on_event(self, event: Event) -> Answer:
        """Begin with the event; the answer holds ``PhysicalResourceId``, and ``Data`` if the kind has attributes."""

    def is_complete(self, event: Event) -> Answer:
        """Say whether the event is dealt with, ``IsComplete``; called repeatedly, it may work a part of it off."""


KINDS: dict[str, Kind] = {
    "Custom::EmrLeftovers": emr_cleanup,
    "Custom::Execution": execution,
    "Custom::Objects": objects,
    "Custom::S3PrefixList": s3_prefix_list,
    "Custom::SageMakerLeftovers": sagemaker_cleanup,
    "Custom::StopExecutions": stop_executions,
    "Custom::StoppedApplication": emr_serverless_cleanup,
    "Custom::TimeToLive": time_to_live,
}


def on_event(event: Event, _context: object) -> Answer:
    """Lambda's handler of events. ValueError if the type is none of ours."""
    return _kind(event).on_event(event)


def is_complete(event: Event, _context: object) -> Answer:
    """Lambda's handler of the questions whether it is done. ValueError if the type is none of ours."""
    return _kind(event).is_complete(event)


def _kind(event: Event) -> Kind:
    kind = KINDS.get(event["ResourceType"])
    if kind is None:
        raise ValueError(f"{event['ResourceType']} is none of the types here: {', '.join(KINDS)}")
    return kind
