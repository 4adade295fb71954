"""Lines of code that only one side needs."""

import ast
import io
import tokenize
from collections.abc import Iterable
from pathlib import Path

from record.schema import SideName
from sides import SIDES

# Where the files of one side's stack are, below stacks/; the last two are what all sides of its service share.
_STACK = ("{folder}/**/*.py", "shared/{service}/*.py", "handlers/{service}_cleanup.py")
_COMMENTS = {".sh": "#", ".sql": "--"}


def lines(file: Path) -> int:
    """Lines of a Python, SQL or shell file without blank ones, comments and docstrings."""
    text = file.read_text(encoding="utf-8")
    if file.suffix != ".py":
        comment = _COMMENTS[file.suffix]
        return sum(1 for line in text.splitlines() if line.strip() and not line.strip().startswith(comment))
    counted: set[int] = set()
    skipped = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in skipped:
            counted.update(range(token.start[0], token.end[0] + 1))
    return len(counted - _docstrings(text))


def _docstrings(text: str) -> set[int]:
    found: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        # A text that stands alone: a docstring, or what describes the attribute above it.
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            found.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return found


def workload(root: Path, side: SideName, sides: Iterable[SideName]) -> set[Path]:
    """The files that only jobs of this side's kind need: their folder, and common modules that only they import."""
    folder, own = root / "workloads", programs(side)
    others = {file for other in sides if programs(other) != own for file in _reached(folder, programs(other))}
    return _reached(folder, own) - others | {*(folder / own).glob("*.sh")}


def programs(side: SideName) -> str:
    """The folder of a side's programs: sides of one engine run the same ones."""
    return SIDES[side].engine.lower().replace(" ", "_") if side in SIDES else side


def stack(root: Path, side: SideName) -> set[Path]:
    """The files of one side's stack, by their names."""
    known = SIDES.get(side)
    folder, service = (known.folder, known.service.replace("-", "_")) if known else (side, side)
    patterns = (pattern.format(folder=folder, service=service) for pattern in _STACK)
    return {file for pattern in patterns for file in (root / "stacks").glob(pattern)}


def engine(root: Path, side: SideName) -> str | None:
    """The engine of `prepare`: the one that the script imports, None when it is none of the known ones."""
    names = {"duckdb": "DuckDB", "pyspark": "Spark"}
    imported = {name.split(".")[0] for name in _imports(root / "workloads" / programs(side) / "prepare.py")}
    return next((title for name, title in names.items() if name in imported), None)


def _reached(folder: Path, programs: str) -> set[Path]:
    """The scripts of a folder and all that they import."""
    found: set[Path] = set()
    waiting = list((folder / programs).glob("*.py"))
    while waiting:
        file = waiting.pop()
        if file not in found:
            found.add(file)
            modules = (folder.joinpath(*name.split(".")).with_suffix(".py") for name in _imports(file))
            waiting += [module for module in modules if module.is_file()]
    return found


def _imports(file: Path) -> set[str]:
    """The modules that a file imports; `from a import b` may name the module a.b."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found
