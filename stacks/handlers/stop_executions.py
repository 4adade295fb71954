"""``Custom::StopExecutions``: nothing of these state machines runs any more once the resource is deleted.

Property: ``StateMachineArns``. The work is done in ``is_complete``, which finds what still runs each time anew.
Calls states: StopExecution (on the machines' executions), and what ``executions`` calls.
"""

import executions
from clients import client, suppress_client_errors
from events import Answer, Event, complete, deletes, named

on_event = named


def is_complete(event: Event) -> Answer:
    """On Delete stop every running execution; complete once none runs."""
    if not deletes(event):
        return complete()
    running = [
        arn
        for state_machine in event["ResourceProperties"]["StateMachineArns"]
        for arn in executions.found(state_machine, "RUNNING")
    ]
    for arn in running:
        with suppress_client_errors("ExecutionDoesNotExist"):
            client("stepfunctions").stop_execution(executionArn=arn, cause="The stack is being deleted")
    return complete(running)
