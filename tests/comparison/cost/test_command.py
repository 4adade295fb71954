"""``compare cost``, as it is called."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from assembly.template import Assembly
from cli.main import app
from record.schema import save
from tests.comparison.cost.conftest import book
from tests.record.sample import sample


def call(*arguments: object, code: int = 0) -> tuple[str, str]:
    """Standard output and standard error of the command."""
    result = CliRunner().invoke(app, ["cost", *(str(each) for each in arguments)], env={"COLUMNS": "100"})
    assert result.exit_code == code, result.output
    return result.stdout, result.stderr


@pytest.fixture
def templates(default: Assembly) -> Path:
    return default.folder


def test_a_table_by_default(templates: Path) -> None:
    out, _ = call("--templates", templates, "--usage", "runs_per_day=4")
    for text in ("SageMaker, US dollars", "EMR, US dollars", "Shared, US dollars", "Not priced", "runs_per_day=4"):
        assert text in out
    assert "Assumptions:" in out


@pytest.mark.parametrize("asked", [["--format", "json"], ["--json"]])
def test_json_for_machines(templates: Path, asked: list[str]) -> None:
    out, _ = call("--templates", templates, *asked, "--usage", "runs_per_day=4")
    data: dict[str, Any] = json.loads(out)
    assert data["estimate"]["usage"]["runs_per_day"] == 4
    pipeline, serving = (data["totals"][name]["sagemaker"]["month"]["usd"] for name in ("pipeline", "with_serving"))
    assert 0 < pipeline < serving
    assert set(data["break_even"]) == {"runs_per_day", "events_per_run", "requests_per_second"}
    assert data["runs"] == {}
    assert "changes" not in data


def test_markdown_for_a_pull_request(templates: Path, assemblies: dict[str, Assembly]) -> None:
    out, _ = call("--templates", templates, "--against", assemblies["own network"].folder, "--format", "markdown")
    tables = re.findall(r"(?:^\|.*\|\n)+", out, re.MULTILINE)
    assert len(tables) == 6
    for table in tables:
        rows = [line.split("|") for line in table.splitlines()]
        assert len({len(row) for row in rows}) == 1
        assert set("".join(rows[1])) <= {"-", ":", " "}
    # What changed: two instances of the endpoint become one, and the interface endpoint comes.
    assert re.search(r"\| SageMaker: endpoint: instances \(\w+\) \| 167\.90 \| 83\.95 \| -83\.95 \|", out)
    assert re.search(r"\| Shared: interface endpoint \(\w+\) \| - \| 14\.60 \| \+14\.60 \|", out)
    assert re.search(r"\| EMR in all \| (\S+) \| \1 \| 0\.00 \|", out)


def test_a_runs_seconds_are_taken(templates: Path, tmp_path: Path) -> None:
    save(sample(), tmp_path / "comparison.json")
    out, _ = call("--templates", templates, "--run", tmp_path, "--format", "json")
    data = json.loads(out)
    # prepare on SageMaker: 4.812 s on 2 cores for 200,000 events; so small a run tells what is fixed, not the work.
    (line,) = [each for each in data["estimate"]["lines"] if each["name"] == "prepare: instances"]
    assert line["terms"][0]["coefficient"] == pytest.approx((60 + 4.812 - 9.394e-6 * 200_000 / 2) / 3600)
    assert line["terms"][1]["coefficient"] == pytest.approx(9.394e-6 / 4 / 3600)
    assert list(data["runs"]) == ["20261122-093000"]
    assert "Run 20261122-093000, an estimate" in call("--templates", templates, "--run", tmp_path)[0]


def test_a_usage_file(templates: Path, tmp_path: Path) -> None:
    (tmp_path / "usage.toml").write_text("runs_per_day = 7")
    out, _ = call("--templates", templates, "--usage-file", tmp_path / "usage.toml", "--format", "json")
    assert json.loads(out)["estimate"]["usage"]["runs_per_day"] == 7


def test_the_limit(templates: Path, tmp_path: Path) -> None:
    call("--templates", templates, "--max-monthly", 500)
    out, error = call("--templates", templates, "--max-monthly", 20, code=1)
    assert re.fullmatch(r"error: \d+\.\d\d US dollars a month are above the limit of 20\.00\n", error)
    assert "SageMaker, US dollars" in out
    # What cannot be shown to stay below the limit does not pass it.
    book(ec2__m5_xlarge=None).save(tmp_path / "prices.json")
    _, error = call("--templates", templates, "--prices", tmp_path / "prices.json", "--max-monthly", 500, code=1)
    assert re.fullmatch(
        r"error: at least \S+ US dollars a month: a lower bound, without prices for ec2/m5\.xlarge; "
        r"the limit is 500\.00\n",
        error,
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--templates", "nowhere"], "nowhere: no synthesised templates (no manifest.json); `make synth` writes them"),
        (["--usage", "runs_per_day=-1"], "--usage runs_per_day=-1: must be a number from 0"),
        (["--usage-file", "nowhere.toml"], "nowhere.toml: cannot be read"),
        (["--prices", "nowhere.json"], "nowhere.json: cannot be read"),
        (["--region", "nowhere"], "no prices for region nowhere; allowed: "),
        (["--run", "nowhere"], "--run: no run 'nowhere': neither"),
        (["--templates", "no\nwhere"], "no where: no synthesised templates"),
        (["--against", "nowhere"], "nowhere: no synthesised templates"),
        (["--templates", "x" * 300], f"{'x' * 300}: cannot be read: File name too long"),
        (["--run", "x" * 300], f"--run: no run '{'x' * 300}': neither"),
        (["--usage-file", "x" * 300], f"{'x' * 300}: cannot be read: File name too long"),
        (["--prices", "x" * 300], f"{'x' * 300}: cannot be read"),
        (["--max-monthly", "nan"], "--max-monthly: 'nan': must be a finite number from 0"),
        (["--max-monthly", "1_0"], "--max-monthly: '1_0': must be a finite number from 0"),
        (["--max-monthly", "-1"], "--max-monthly: '-1': must be a finite number from 0"),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], message: str, templates: Path) -> None:
    out, error = call("--templates", templates, *arguments, code=2)
    assert out == ""
    assert error.startswith(f"error: {message}")
    assert error.count("\n") == 1


def test_a_usage_file_that_is_nested_too_deep(templates: Path, tmp_path: Path) -> None:
    (tmp_path / "usage.json").write_text('{"keep_days": ' + "[" * 100_000)
    _, error = call("--templates", templates, "--usage-file", tmp_path / "usage.json", code=2)
    assert re.fullmatch(r"error: \S+/usage\.json: not JSON, or cut off: nested deeper than 100 levels\n", error)


def copied(assembly: Assembly, folder: Path) -> Path:
    assembly.copy_templates(folder)
    return folder


def test_damaged_templates(default: Assembly, tmp_path: Path) -> None:
    folder = copied(default, tmp_path / "out")
    for file in folder.glob("*.template.json"):
        file.write_text(file.read_text()[:1000])
    _, error = call("--templates", folder, code=2)
    assert re.fullmatch(rf"error: {folder}\S+: \S.*\n", error)
    for manifest in ("[]", '{"artifacts": []}', "[" * 100_000):
        (folder / "manifest.json").write_text(manifest)
        _, error = call("--templates", folder, code=2)
        assert re.fullmatch(rf"error: {folder}\S+ .*\n", error)


def test_a_pipeline_that_is_not_there(default: Assembly, tmp_path: Path) -> None:
    folder = copied(default, tmp_path / "out")
    """One side alone is priced alone; none is nothing to price."""
    ((emr, _),) = default.resources("AWS::EMR::Cluster")
    (folder / f"{emr}.template.json").write_text('{"Resources": {}}')
    out, _ = call("--templates", folder)
    assert "SageMaker, US dollars" in out
    assert "EMR" not in out
    (folder / f"{emr.replace('-emr', '-sagemaker')}.template.json").write_text('{"Resources": {}}')
    _, error = call("--templates", folder, code=2)
    assert error == f"error: {folder}: no template has a pipeline; the templates of a side at least are needed\n"


def test_help_has_examples() -> None:
    out, _ = call("--help")
    assert "compare cost --usage runs_per_day=4" in " ".join(out.split())
    assert "Exit codes: 0 well, 1 above --max-monthly" in " ".join(out.split())
