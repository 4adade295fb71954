"""The application while the stages run: it starts by itself, and what a failed stage left in it is cancelled."""

from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from stacks.shared.states import Task, cancel_named, run_name

# The names that Step Functions gives to failed calls of its own integration with EMR Serverless: the service's, with a
# prefix (EMRServerless.ValidationException was seen, github.com/vivekaradshan/upgrade-regression-test-agent; the others
# are the API's, botocore 1.44.5). There is a conflict while the application stops, for about a minute.
INTEGRATION_ERRORS = (
    "EMRServerless.ConflictException",
    "EMRServerless.InternalServerException",
    "EMRServerless.ThrottlingException",
)

# Calls by the AWS SDK fail by other names: see stacks/emr/session.py.
SDK_ERRORS = (
    "EmrServerless.EmrServerlessException",
    "EmrServerless.InternalServerException",
    "EmrServerless.ThrottlingException",
)

# A job run that has not ended, and is not about to (API_JobRun).
ACTIVE = ("SUBMITTED", "QUEUED", "PENDING", "SCHEDULED", "RUNNING")


class ApplicationSession:
    """Closes a run: cancels the job run of a stage that failed, if it still runs."""

    minutes = 0

    def __init__(self, project: str, application: str) -> None:
        """``application`` is the application's id."""
        self._project = project
        self._application = application

    def opening(self, _scope: Construct, _failed: sfn.State) -> None:
        """Nothing: the application starts with its first job run."""

    def closing(self, scope: Construct) -> sfn.Chain:
        """A job run that ran out of the state's time still runs; its id is known to the service only."""
        closed = sfn.Pass(scope, "session is closed")
        request = {"ApplicationId": self._application, "States": list(ACTIVE)}
        runs = {"list": sfn.JsonPath.string_at("$.JobRuns")}
        cancel = cancel_named(
            scope,
            "job run",
            find=Task("aws-sdk:emrserverless:listJobRuns", request, SDK_ERRORS, runs, "job_runs"),
            found="$.job_runs.list",
            name=self.run_name(sfn.JsonPath.string_at("$.failed.stage")),
            more={},
            cancel=Task(
                "aws-sdk:emrserverless:cancelJobRun",
                {"ApplicationId": self._application, "JobRunId": sfn.JsonPath.string_at("$.id")},
                SDK_ERRORS,
            ),
            next_state=closed,
        )
        start = (
            sfn.Choice(scope, "did a stage fail before")
            .when(sfn.Condition.is_present("$.failed"), cancel)
            .otherwise(closed)
        )
        return sfn.Chain.custom(start, [closed], closed)

    def run_name(self, stage: str) -> str:
        """A job run's name (see `stacks.shared.states.run_name`)."""
        return run_name(self._project, stage)
