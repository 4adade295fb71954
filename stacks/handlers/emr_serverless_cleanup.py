"""``Custom::StoppedApplication``: an EMR Serverless application that is stopped, so that it can be changed or deleted.

Properties: ``ApplicationName``; ``StateMachineArn``, whose executions use it (none, if it is missing);
``SecurityGroupIds``, whose network interfaces go with the stack (none, if it is missing); and any other, whose change
stops the application. The work is done in ``is_complete``, which finds the application by its name each time anew.
Calls emr-serverless: ListApplications (has no resource-level permissions), ListJobRuns, StopApplication (on
applications), CancelJobRun (on job runs), and what ``executions`` and ``interfaces`` call.
"""

import executions
import interfaces
from clients import client, suppress_client_errors
from events import Answer, Event, complete, deletes, is_stack_deletion, is_update_rollback, named

# What of an application holds up its change or deletion, which want CREATED or STOPPED, and is gone by itself or by a
# stop (API_Application, botocore 1.44.5).
_ON_ITS_WAY, _STARTED = ("CREATING", "STOPPING"), ("STARTING", "STARTED")

# A job run that has not ended (API_JobRun); one that is being cancelled will end.
_ACTIVE = ("SUBMITTED", "QUEUED", "PENDING", "SCHEDULED", "RUNNING")
_ENDING = "CANCELLING"


on_event = named


def is_complete(event: Event) -> Answer:
    """Stop the application: on Update once nothing runs in it, when the stack goes at once; then free the groups.

    A run that goes on while its application is about to change is not cut off, nor stopped between two of its stages,
    of which the next would start the application again: its end is waited for. But for a rollback, mostly of an update
    that waited too long for that end: it finds the application as it was, and must not fail as well.
    """
    properties = event["ResourceProperties"]
    name = properties["ApplicationName"]
    if event["RequestType"] == "Update":
        pipelines = [properties["StateMachineArn"]] if "StateMachineArn" in properties else []
        running = [each for pipeline in pipelines for each in executions.found(pipeline, "RUNNING")]
        if running and is_update_rollback(event):
            return complete()
        return complete(running or _stopped(name, cancel=False))
    if not deletes(event) or not is_stack_deletion(event):
        return complete()
    return complete(_stopped(name, cancel=True) or interfaces.remove(properties.get("SecurityGroupIds", [])))


def _stopped(name: str, *, cancel: bool) -> list[str]:
    """Stop the applications of exactly this name; those that are not yet stopped, and their job runs."""
    paginator = client("emr-serverless").get_paginator("list_applications")
    pages = paginator.paginate(states=[*_ON_ITS_WAY, *_STARTED])
    left: list[str] = []
    for application in (each for page in pages for each in page["applications"] if each.get("name") == name):
        left.append(f"{application['id']} ({application['state']})")
        if application["state"] in _STARTED:
            runs = _runs(application["id"], cancel=cancel)
            left += runs
            if not runs:
                # It may have begun to stop by itself, or a job run may have begun: the next look tells.
                with suppress_client_errors("ConflictException", "ValidationException"):
                    client("emr-serverless").stop_application(applicationId=application["id"])
    return left


def _runs(application: str, *, cancel: bool) -> list[str]:
    """The job runs that have not ended, as ``<id> (<state>)``; they are cancelled if that is asked for."""
    runs = []
    with suppress_client_errors("ResourceNotFoundException"):  # the application is gone by now
        paginator = client("emr-serverless").get_paginator("list_job_runs")
        pages = paginator.paginate(applicationId=application, states=[*_ACTIVE, _ENDING])
        runs = [run for page in pages for run in page["jobRuns"]]
    for run in runs:
        if cancel and run["state"] != _ENDING:
            # It may have ended by now.
            with suppress_client_errors("ConflictException", "ResourceNotFoundException", "ValidationException"):
                client("emr-serverless").cancel_job_run(applicationId=application, jobRunId=run["id"])
    return [f"{run['id']} ({run['state']})" for run in runs]
