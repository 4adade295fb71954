"""The executions of a state machine, past and present.

Calls states: ListExecutions (on the machine).
"""

from collections.abc import Iterator

from clients import client, suppress_client_errors


def found(state_machine: str, status: str, prefix: str = "") -> Iterator[str]:
    """The ARNs of a machine's executions with this status and a name that begins so, latest first.

    There is none if the machine is gone.
    """
    paginator = client("stepfunctions").get_paginator("list_executions")
    with suppress_client_errors("StateMachineDoesNotExist"):
        for page in paginator.paginate(stateMachineArn=state_machine, statusFilter=status):
            for execution in page["executions"]:
                if execution["name"].startswith(prefix):
                    yield execution["executionArn"]
