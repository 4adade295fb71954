"""The hosts of one job at the same time: a process for each, which ends when all have, or with the first that fails.

`command` makes the command of that process. This file is also that process: it is run by the path, so it imports
nothing of this project. Its exit code is that of the host that failed, which it names in a file; what the other hosts
are still doing is ended by whoever started it (`local.jobs`), as a service stops the other instances of a job.
"""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Start:
    """What is started on a host: a command with the whole environment, its folder, and where its output goes."""

    host: str
    command: Sequence[str]
    env: Mapping[str, str]
    cwd: str
    log: str


def command(starts: Sequence[Start], failed: Path, inherited: Sequence[str]) -> list[str]:
    """The command that starts all of them; of those that fail, the first writes its host's name to the file `failed`.

    What is to be started lies beside that file, since it may be longer than an argument may be. `inherited` are the
    environment variables that every host gets from that command's own.
    """
    file = failed.with_suffix(".json")
    file.write_text(json.dumps({"hosts": [asdict(start) for start in starts], "inherited": list(inherited)}))
    return [sys.executable, "-I", "-S", __file__, str(file), str(failed)]


def main(file: str, failed: str) -> int:
    """Start the hosts and wait for them."""
    wanted = json.loads(Path(file).read_text())
    inherited = {name: os.environ[name] for name in wanted["inherited"] if name in os.environ}
    running = {_start(Start(**each), inherited): each["host"] for each in wanted["hosts"]}
    while running:
        pid, status = os.wait()
        host = running.pop(pid, None)
        if host is not None and status:
            Path(failed).write_text(host)
            # As a shell says it of a process that a signal ended.
            return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)
    return 0


def _start(start: Start, inherited: Mapping[str, str]) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        output = os.open(start.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.chdir(start.cwd)
        os.execvpe(start.command[0], list(start.command), {**start.env, **inherited})
    except OSError as error:
        os.write(2, f"{start.command[0]} does not start: {error.strerror}\n".encode())
    os._exit(127)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
