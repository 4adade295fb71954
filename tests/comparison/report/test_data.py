"""What is gathered beside a run, and `compare report`, which makes a page of it."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from comparison.cost.runtime import RuntimeModel
from comparison.report.data import gather
from record.schema import Record, save
from tests.record.sample import sample
from tests.stacks.conftest import synthesise


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The templates of the default settings, as a run keeps them."""
    folder = tmp_path_factory.mktemp("kept") / "templates"
    synthesise("default", {}, tmp_path_factory.mktemp("cdk")).assembly.copy_templates(folder)
    return folder


def keep(output: Path, run_id: str, templates: Path | None, *, events: int = 200_000, slower: float = 1) -> Record:
    """A run in its folder: the sample with so many events, and all of its seconds times a factor."""
    data: dict[str, Any] = json.loads(sample().model_dump_json())
    data["run_id"], data["dataset"]["events"] = run_id, events
    for side in data["sides"].values():
        for stage in side["stages"]:
            stage["seconds"] *= slower
    record = Record.model_validate_json(json.dumps(data))
    save(record, output / run_id / "comparison.json")
    if templates:
        (output / run_id / "templates").symlink_to(templates)
    return record


def report(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["report", *map(str, arguments)])


def test_without_templates_there_is_little_to_say(tmp_path: Path) -> None:
    found = gather(keep(tmp_path, "a", None), tmp_path / "a")
    assert (found.claims, found.cost, found.posture, found.day, found.claims_sentence) == ((), None, None, None, "")


def test_claims_are_counted_by_verdict(tmp_path: Path, templates: Path) -> None:
    found = gather(keep(tmp_path, "a", templates), tmp_path / "a")
    assert len(found.claims) == 10
    numbers = [int(word) for word in found.claims_sentence.replace(",", " ").split() if word.isdigit()]
    assert sum(numbers) == 10
    for each in found.claims:
        assert each.outcome in found.claims_sentence


def test_workload_is_of_this_machine_once_two_sizes_ran(tmp_path: Path, templates: Path) -> None:
    """One size cannot tell an engine's start from its work; runs of other code or a failed one do not count."""
    shipped = RuntimeModel.load().sides["emr"].stages["prepare"].origin
    record = keep(tmp_path, "small", templates)
    found = gather(record, tmp_path / "small")
    assert found.cost
    assert any(shipped in sentence for sentence in found.cost.estimate.assumptions)

    other = keep(tmp_path, "other-code", templates, events=400_000)
    save(other.model_copy(update={"definitions": {}}), tmp_path / "other-code" / "comparison.json")
    again = gather(record, tmp_path / "small")
    assert again.cost
    assert again.cost.estimate == found.cost.estimate

    # Ten times the events in twice the seconds: a ninth of a run's time is work, the rest is start.
    keep(tmp_path, "large", templates, events=2_000_000, slower=2)
    fitted = gather(record, tmp_path / "small")
    assert fitted.cost
    assert any("runs small, large" in sentence for sentence in fitted.cost.estimate.assumptions)
    work = fitted.cost.estimate.parameters
    seconds = sum(stage.seconds or 0 for stage in record.sides["emr"].stages)
    assert work.cluster_fixed_seconds == pytest.approx(seconds * 8 / 9, rel=1e-6)
    # On the 4 vCPUs of the only core node, half of what 2 cores took.
    assert work.cluster_seconds_per_event == pytest.approx(seconds / 9 / 200_000 * 2 / 4, rel=1e-6)


def test_page_is_made_again(tmp_path: Path, templates: Path) -> None:
    keep(tmp_path, "a", templates)
    result = report("a", "--output", tmp_path, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["report"].endswith("a/report.html")
    assert (tmp_path / "a" / "report.html").read_text().count('class="claim"') == 10
    assert report("a", "--output", tmp_path).stdout.strip().endswith("a/report.html")


def test_verdicts_as_json(tmp_path: Path, templates: Path) -> None:
    """Standard output is the data alone: every claim with its verdict, the reasons and the figures behind it."""
    keep(tmp_path, "a", templates)
    result = report("a", "--output", tmp_path, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    found = json.loads(result.stdout)
    assert set(found) == {"schema_version", "run_id", "where", "report", "sides", "headline", "tone", "claims"}
    assert (found["schema_version"], found["run_id"], found["sides"]) == (1, "a", ["sagemaker", "emr"])
    assert (found["headline"], found["tone"]) == ("Both sides finished, and they agree", "good")
    claims = {each["number"]: each for each in found["claims"]}
    assert list(claims) == list(range(1, 11))
    assert {frozenset(each) for each in claims.values()} == {
        frozenset({"number", "name", "says", "favours", "outcome", "reasons", "because", "figures"})
    }
    deployment = claims[8]
    assert deployment["says"]["emr"]["cell"] == "Requires additional setup for model serving"
    assert (deployment["outcome"], deployment["favours"], deployment["reasons"]) == ("holds", ["sagemaker"], [])
    figures = {each["key"]: each for each in deployment["figures"]}
    assert figures["median"] == {
        "key": "median",
        "label": "One request, median",
        "values": {"sagemaker": 1.84, "emr": "no endpoint"},
        "unit": "ms",
        "origin": "measured on this machine",
        "where": "#serve",
    }
    reason = {"code": "scales as well", "sides": ["emr"], "names": []}
    assert (claims[5]["outcome"], claims[5]["reasons"]) == ("holds with a condition", [reason])
    assert json.loads(report("a", "--output", tmp_path, "--json").stdout) == found


def test_json_of_a_run_without_templates_has_no_claims(tmp_path: Path) -> None:
    keep(tmp_path, "a", None)
    assert json.loads(report("a", "--output", tmp_path, "--json").stdout)["claims"] == []


def test_page_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    keep(tmp_path, "a", None)
    (tmp_path / "a" / "report.html").mkdir()
    result = report("a", "--output", tmp_path)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1)
    assert f"{tmp_path}/a/report.html: cannot be made: " in result.stderr
    assert ": Is a directory" in result.stderr
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["comparison.json", "report.html"]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda run: (run / "comparison.json").write_text('{"schema_version": 2,'), "not JSON, or cut off"),
        (lambda run: (run / "comparison.json").unlink(), "no run 'a': there is no comparison.json"),
        (lambda run: (run / "rules.json").write_text("{"), "rules.json"),
        (lambda run: unknown_instance_type(run), "ml.m5.enormous"),
        (lambda run: cut_template(run), "side-by-side-emr.template.json: not JSON, or cut off"),
    ],
)
def test_what_cannot_be_used_is_one_line_and_the_page_stays(
    damage: Any, message: str, tmp_path: Path, templates: Path
) -> None:
    keep(tmp_path, "a", templates)
    (tmp_path / "a" / "report.html").write_text("the page before")
    damage(tmp_path / "a")
    result = report("a", "--output", tmp_path)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert (tmp_path / "a" / "report.html").read_text() == "the page before"


def unknown_instance_type(run: Path) -> None:
    kept = (run / "templates").resolve()
    (run / "templates").unlink()
    (run / "templates").mkdir()
    for file in kept.iterdir():
        (run / "templates" / file.name).write_text(file.read_text().replace("ml.m5.large", "ml.m5.enormous"))


def cut_template(run: Path) -> None:
    kept = (run / "templates").resolve()
    (run / "templates").unlink()
    (run / "templates").mkdir()
    for file in kept.iterdir():
        (run / "templates" / file.name).write_text(file.read_text())
    (run / "templates" / "side-by-side-emr.template.json").write_text("{")
