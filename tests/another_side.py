"""A side that nobody knows: a copy of EMR's folder under another name, and a line in the registry."""

import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from assembly.template import REPOSITORY

NAME, FOLDER = "emr-again", "emr_again"


def repository_with_another_side(folder: Path, rooms: Iterable[str]) -> Path:
    """These rooms of the repository, copied into a new folder, with one side more."""
    folder.mkdir()
    for name in ("app.py", "sides.py", "cdk.json"):
        shutil.copy(REPOSITORY / name, folder)
    for name in rooms:
        shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    copied = shutil.copytree(folder / "stacks" / "emr", folder / "stacks" / FOLDER)
    for module in copied.glob("*.py"):
        text = module.read_text().replace('SIDE = "emr"', f'SIDE = "{NAME}"')
        module.write_text(re.sub(r"\bstacks\.emr\b", f"stacks.{FOLDER}", text))
    registry = folder / "sides.py"
    (line,) = re.findall(r'^ +Side\("emr",.*\n', registry.read_text(), re.MULTILINE)
    another = line.replace('Side("emr", "EMR"', f'Side("{NAME}", "EMR again"')
    registry.write_text(registry.read_text().replace(line, line + another))
    return folder
