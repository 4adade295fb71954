"""Counting the lines that one side needs."""

from pathlib import Path

import pytest

from assembly.template import REPOSITORY
from comparison.claims import code
from sides import DEFAULT, SIDES


@pytest.mark.parametrize(
    ("name", "text", "lines"),
    [
        (
            "a.py",
            '"""One.\n\nTwo.\n"""\n\nx = 1  # three\n# four\n\n\ndef f() -> str:\n    """Five."""\n    return x\n',
            3,
        ),
        ("b.py", 'text = """a\nb\n\nc"""\ncall(\n    1,\n\n    2,\n)\n', 8),
        ("c.py", 'LIMIT = 1\n"""What it limits."""\n', 1),
        ("d.sql", "-- a\nSELECT 1 -- b\n\n  -- c\nFROM x\n", 2),
        ("e.sh", "#!/bin/bash\n\n# a\nset -e\n", 1),
    ],
)
def test_lines(tmp_path: Path, name: str, text: str, lines: int) -> None:
    (tmp_path / name).write_text(text)
    assert code.lines(tmp_path / name) == lines


def test_workload_is_what_only_one_side_imports(tmp_path: Path) -> None:
    for name, text in {
        "single_node/train.py": "import a.fast\nfrom common import shared, own\n",
        "single_node/run.py": "",
        "spark/train.py": "from common.shared import x\n",
        "common/shared.py": "from common import deep\n",
        "common/own.py": "import common.deeper",
        "common/deep.py": "",
        "common/deeper.py": "",
    }.items():
        path = tmp_path / "workloads" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    found = {str(file.relative_to(tmp_path / "workloads")) for file in code.workload(tmp_path, "sagemaker", DEFAULT)}
    assert found == {"single_node/train.py", "single_node/run.py", "common/own.py", "common/deeper.py"}
    assert {file.name for file in code.workload(tmp_path, "emr", DEFAULT)} == {"train.py"}


def test_the_repositorys_own_sides() -> None:
    sides = [code.workload(REPOSITORY, side, DEFAULT) for side in DEFAULT]
    assert not sides[0] & sides[1]
    assert {"spark.py", "hadoop.py", "bootstrap.sh"} <= {file.name for file in sides[1]}
    assert {"duck.py", "local.py", "run.py"} <= {file.name for file in sides[0]}
    assert [code.engine(REPOSITORY, "sagemaker"), code.engine(REPOSITORY, "emr")] == ["DuckDB", "Spark"]


def test_every_stack_file_with_a_sides_name_is_counted() -> None:
    stacks = REPOSITORY / "stacks"
    counted = {side: code.stack(REPOSITORY, side) for side in SIDES}
    named = {file for file in stacks.rglob("*.py") if any(name in str(file.relative_to(stacks)) for name in DEFAULT)}
    assert named <= set().union(*counted.values())
    assert all(stacks / side.folder / "stack.py" in counted[side.name] for side in SIDES.values())
    assert not code.stack(REPOSITORY, "sagemaker") & code.stack(REPOSITORY, "emr")
