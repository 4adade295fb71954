"""The security posture of a run's stacks: what the rules of two packs found, and which findings are acknowledged.

    with checking(app_context(settings), folder) as wait:  # some seconds, in a process of its own
        ...
        wait()
    posture(folder)                                        # None: not measured

The rules are run by `assembly.rules`, which the tests use as well.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from pydantic import StringConstraints, ValidationError

from assembly.template import REPOSITORY, app_environment
from record.errors import UserError
from record.files import read_json
from record.runs.folders import RULES
from record.schema import ShownModel, SideName
from record.text import one_line
from sides import side_named

Text = Annotated[str, StringConstraints(min_length=1)]


class Finding(ShownModel):
    """A rule that a resource breaks."""

    rule: Text
    resource: Text
    """The construct path: the stack's name first."""

    @property
    def pack(self) -> str:
        """The pack that the rule is of, e.g. `NIST.800.53.R5`."""
        return self.rule.split("-", 1)[0]

    @property
    def stack(self) -> str:
        """The stack that holds the resource."""
        return self.resource.split("/", 1)[0]

    @property
    def side(self) -> SideName | None:
        """The side whose stack that is; None for what both share."""
        return side_named(self.stack)


class Acknowledged(Finding):
    """A rule that does not apply to a resource, and why."""

    reason: Text


class Posture(ShownModel):
    """What the rules say of all stacks."""

    version: Text
    """Of cdk-nag, whose packs these are."""
    packs: tuple[Text, ...]
    """The packs that ran. How many rules each holds, cdk-nag does not tell."""
    findings: tuple[Finding, ...]
    acknowledged: tuple[Acknowledged, ...]

    def of(self, side: SideName | None) -> "Posture":
        """The part of one side's stack; with None, of the stacks that both share."""
        return self.model_copy(
            update={
                "findings": tuple(each for each in self.findings if each.side == side),
                "acknowledged": tuple(each for each in self.acknowledged if each.side == side),
            }
        )

    @property
    def sentence(self) -> str:
        """The posture in one sentence."""
        found = len(self.findings)
        kept = len({each.resource for each in self.acknowledged})
        return (
            f"cdk-nag {self.version}'s packs {' and '.join(self.packs)} ran over every stack: {found or 'no'} "
            f"{'finding' if found == 1 else 'findings'}; {len(self.acknowledged)} more, on {kept} resources, are "
            "acknowledged with a reason each."
        )


@contextmanager
def checking(context: Mapping[str, object], folder: Path) -> Iterator[Callable[[], None]]:
    """Run the rules over the app with this context, in a process beside this one.

    Gives what waits for them and leaves their report in the folder. It raises UserError when the app cannot be
    synthesised; nothing is written then, nor when nobody waits.
    """
    report = folder / RULES
    temporary = folder.resolve() / f".{RULES}.{os.getpid()}.tmp"
    rules = subprocess.Popen(
        [sys.executable, "-m", "assembly.rules", json.dumps(dict(context)), str(temporary)],
        cwd=REPOSITORY,
        env=app_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )

    def wait() -> None:
        _, said = rules.communicate()
        if rules.returncode != 0:
            lines = said.strip().splitlines() or [f"assembly.rules ended with {rules.returncode}"]
            raise UserError(f"the security rules could not be run: {lines[-1]}")
        temporary.replace(report)

    try:
        with rules:
            try:
                yield wait
            finally:
                rules.kill()
    finally:
        temporary.unlink(missing_ok=True)


def posture(folder: Path) -> Posture | None:
    """The posture that `check` left in a folder, None when there is none.

    Raises:
        UserError: the report is there and cannot be read; one line that names the file.
    """
    report = folder / RULES
    if not os.path.lexists(report):
        return None
    try:
        return Posture.model_validate(read_json(report))
    except UserError as error:
        raise UserError(one_line(str(error))) from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "report"
        raise UserError(
            one_line(f"{report}: {where}: {first['msg']}; expected what `assembly.rules` writes")
        ) from error
