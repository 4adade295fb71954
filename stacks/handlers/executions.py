"""What ran and what runs of a state machine.

Calls states: ListExecutions (on the machine).
"""

from collections.abc import Iterator

from clients import client, tolerating


def found(machine: str, status: str, prefix: str = "") -> Iterator[str]:
    """The ARNs of a machine's executions with this status and a name that begins so, latest first.

    There is none if the machine is gone.
    """
    paginator = client("stepfunctions").get_paginator("list_executions")
    with tolerating("StateMachineDoesNotExist"):
        for page in paginator.paginate(stateMachineArn=machine, statusFilter=status):
            for execution in page["executions"]:
                if execution["name"].startswith(prefix):
                    yield execution["executionArn"]
