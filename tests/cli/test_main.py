"""The command line over runs on a disk: lists, differences, repeats, bad input."""

import errno
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from jinja2 import DictLoader
from typer.testing import CliRunner, Result

from assembly.template import REPOSITORY
from cli.main import app
from cli.report import make_report
from common.command import InputError
from record.errors import UserError
from record.runs.folders import extends
from record.schema import Record, RecordError, load, save
from tests.record.sample import failed_sample, sample, sample_data

OLD = Path(__file__).parents[1] / "record" / "old"


def compare(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments])


def keep(output: Path, run_id: str, record: Record | None = None, **changes: Any) -> Record:
    """A run in its folder: the sample with other seconds of both sides' `train`, and what else is given."""
    data = json.loads((record or sample()).model_dump_json())
    seconds = changes.pop("train", None)
    if seconds is not None:
        for side in data["sides"].values():
            side["stages"][1]["seconds"] = seconds
    made = Record.model_validate_json(json.dumps(data | changes | {"run_id": run_id}))
    save(made, output / run_id / "comparison.json")
    return made


def repeated(output: Path, name: str, seconds: list[float], **changes: Any) -> None:
    for number, each in enumerate(seconds, 1):
        keep(output, f"{name}-{number}", repeat_of=name, train=each, **changes)


def refused(result: Result) -> str:
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    return result.stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UserError("here: is wrong\nfor two lines"), 2),
        (UserError("here: is wrong\nfor two lines", exit_code=1), 1),
        (RecordError("here: is wrong\nfor two lines"), 2),
        (InputError("here: is wrong\nfor two lines"), 2),
    ],
)
def test_what_the_user_has_to_mend_is_one_line_and_an_exit_code(
    error: Exception, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever a command raises it: nothing is on standard output, whatever would have been there."""

    def fail(_: Path) -> None:
        raise error

    monkeypatch.setattr("cli.runs.records", fail)
    for arguments in (["runs"], ["runs", "--json"]):
        result = compare(*arguments)
        assert (result.exit_code, result.stdout, result.stderr) == (
            code,
            "",
            "error: here: is wrong\\nfor two lines\n",
        )


class TestRuns:
    """`compare runs`."""

    def test_newest_first_and_damaged_ones_with_their_reason(self, tmp_path: Path) -> None:
        old = keep(tmp_path, "old")
        started = json.loads(old.model_dump_json())
        for side in started["sides"].values():
            for stage in side["stages"]:
                stage["started"] = "2026-11-23T10:00:00Z"
        keep(tmp_path, "new", Record.model_validate_json(json.dumps(started)))
        keep(tmp_path, "failed", failed_sample())
        text = (tmp_path / "old" / "comparison.json").read_text()
        for name, content in {
            "cut": text[:900],
            "future": text.replace('"schema_version": 3', '"schema_version": 4'),
        }.items():
            (tmp_path / name).mkdir()
            (tmp_path / name / "comparison.json").write_text(content)
        (tmp_path / "latest").symlink_to("new")
        (tmp_path / "running").mkdir()
        result = compare("runs", "--output", tmp_path)
        assert result.exit_code == 0
        rows = [line.split()[0] for line in result.stdout.splitlines() if "2026-11-2" in line]
        assert rows == ["new", "failed", "old"]
        assert re.search(r"^cut: damaged: .*/cut/comparison.json: not JSON, or cut off", result.stdout, re.MULTILINE)
        assert "schema_version: 4 is newer than this program reads" in result.stdout
        assert max(len(line) for line in result.stdout.splitlines() if "damaged" not in line) <= 80
        listed = json.loads(compare("runs", "--output", tmp_path, "--json").stdout)
        assert [each["run_id"] for each in listed[:3]] == ["new", "failed", "old"]
        assert {each["run_id"] for each in listed[3:]} == {"cut", "future"}
        assert all(each["error"].count("\n") == 0 for each in listed[3:])
        assert listed[1]["sides"]["emr"]["status"] == "failed"
        assert listed[1]["sides"]["emr"]["auc"] is None
        assert listed[2]["sides"]["sagemaker"]["seconds"] == pytest.approx(4.812 + 3.094 + 1.207 + 1.655)

    def test_no_runs(self, tmp_path: Path) -> None:
        assert compare("runs", "--output", tmp_path / "none").stdout.startswith("No runs below ")
        assert json.loads(compare("runs", "--output", tmp_path / "none", "--json").stdout) == []


class TestDiff:
    """`compare diff`."""

    def diff(self, output: Path, a: object, b: object) -> dict[tuple[str, str], dict[str, Any]]:
        result = compare("diff", a, b, "--output", output, "--json")
        assert result.exit_code == 0, result.output
        return {(each["side"], each["name"]): each for each in json.loads(result.stdout)["differences"]}

    def test_what_changed(self, tmp_path: Path) -> None:
        a = keep(tmp_path, "a")
        keep(
            tmp_path,
            "b",
            settings=a.settings | {"eta": 0.2},
            versions={**a.versions, "duckdb": "2.1.0"},
            definitions={**a.definitions, "emr": "b8" * 32},
            dataset=a.dataset.model_dump() | {"events": 400_000},
            train=7.5,
        )
        found = json.loads(compare("diff", "a", "b", "--output", tmp_path, "--json").stdout)
        assert {(each["group"], each["name"], each["a"], each["b"]) for each in found["changes"]} == {
            ("settings", "eta", "0.1", "0.2"),
            ("versions", "duckdb", "2.0.0", "2.1.0"),
            ("definitions", "emr", "a7" * 32, "b8" * 32),
            ("dataset", "events", "200000", "400000"),
        }
        train = self.diff(tmp_path, "a", "b")["SageMaker", "train"]
        assert (train["a"], train["b"], train["noise"], train["verdict"]) == (3.094, 7.5, None, "noise not known")
        assert train["difference"] == pytest.approx(4.406)
        text = compare("diff", "a", "b", "--output", tmp_path).stdout
        assert "noise is not known: `compare run --repeat 5` tells" in text.replace("\n", " ")

    def test_equal_runs_by_id_folder_and_file(self, tmp_path: Path) -> None:
        keep(tmp_path, "a")
        for other in ("a", tmp_path / "a", tmp_path / "a" / "comparison.json"):
            assert {each["verdict"] for each in self.diff(tmp_path, "a", other).values()} <= {"equal", "not measured"}
        assert "Nothing was given differently." in compare("diff", "a", "a", "--output", tmp_path).stdout

    def test_runs_of_other_sides_have_nothing_in_common(self, tmp_path: Path) -> None:
        data = sample().model_dump(mode="json")
        for run_id, side in (("a", "sagemaker"), ("b", "emr")):
            keep(tmp_path, run_id, sides={side: data["sides"][side]}, agreement=[], definitions={})
        assert "The runs have no number in common." in compare("diff", "a", "b", "--output", tmp_path).stdout

    def test_repeats_tell_noise_from_change(self, tmp_path: Path) -> None:
        # s of 10 12 14 is 2, and of 20 20 20 it is 0: pooled sqrt(8 / 4); t of 4 is 2.7764; by sqrt(2 / 3): 3.2060.
        repeated(tmp_path, "a", [10, 12, 14])
        repeated(tmp_path, "b", [20, 20, 20])
        train = self.diff(tmp_path, "a", "b")["EMR", "train"]
        assert (train["a"], train["b"], train["difference"], train["verdict"]) == (12, 20, 8, "changed")
        assert train["noise"] == pytest.approx(3.20596, abs=1e-5)
        repeated(tmp_path, "c", [13, 15, 17])
        assert self.diff(tmp_path, "a", "c")["EMR", "train"]["verdict"] == "within noise"
        # What does not vary at all is no noise.
        assert self.diff(tmp_path, "a", "c")["EMR", "prepare"]["verdict"] == "equal"
        assert "A difference is within noise up to" in compare("diff", "a", "b", "--output", tmp_path).stdout

    def test_run_of_a_set_of_repeats_knows_their_noise(self, tmp_path: Path) -> None:
        repeated(tmp_path, "a", [10, 12, 14])
        keep(tmp_path, "single", train=30)
        # One run each: t of 2 is 4.3027, by 2, by sqrt(2): 12.17. The set counts once for its own two runs.
        for a, b, verdict in (
            ("a-1", "a-3", "within noise"),
            ("a-1", "single", "changed"),
            ("single", "a-2", "changed"),
        ):
            found = self.diff(tmp_path, a, b)["EMR", "train"]
            assert (found["verdict"], found["noise"]) == (verdict, pytest.approx(12.16974, abs=1e-5))

    def test_local_and_account_times_are_never_subtracted(self, tmp_path: Path) -> None:
        keep(tmp_path, "local")
        keep(tmp_path, "account", sample("aws"), train=900)
        found = self.diff(tmp_path, "local", "account")
        times = {key: each for key, each in found.items() if each["unit"] in ("s", "ms")}
        assert len(times) >= 11
        assert {each["difference"] for each in times.values()} == {None}
        assert {each["verdict"] for each in times.values()} == {"not comparable", "not measured"}
        assert found["EMR", "AUC"]["verdict"] == "equal"
        text = compare("diff", "local", "account", "--output", tmp_path).stdout.replace("\n", " ")
        assert "The runs are of different machines: their times are not compared." in text

    def test_times_of_two_laptops_are_never_subtracted(self, tmp_path: Path) -> None:
        machine = sample_data()["machine"]
        keep(tmp_path, "here", train=3)
        keep(tmp_path, "there", train=4, machine=machine | {"cpus": 64})
        found = self.diff(tmp_path, "here", "there")
        train = found["EMR", "train"]
        assert (train["a"], train["b"], train["difference"], train["verdict"]) == (3, 4, None, "not comparable")
        assert found["EMR", "AUC"]["verdict"] == "equal"

    def test_noise_of_another_machine_does_not_count(self, tmp_path: Path) -> None:
        machine = sample_data()["machine"] | {"cpus": 64}
        keep(tmp_path, "a-1", repeat_of="a", train=10)
        for number, seconds in ((2, 12), (3, 14)):
            keep(tmp_path, f"a-{number}", repeat_of="a", train=seconds, machine=machine)
        keep(tmp_path, "single", train=12)
        train = self.diff(tmp_path, "a-1", "single")["EMR", "train"]
        assert (train["difference"], train["noise"], train["verdict"]) == (2, None, "noise not known")

    def test_what_one_of_them_did_not_measure_has_no_difference(self, tmp_path: Path) -> None:
        keep(tmp_path, "good")
        keep(tmp_path, "failed", failed_sample())
        auc = self.diff(tmp_path, "good", "failed")["EMR", "AUC"]
        assert (auc["b"], auc["difference"], auc["verdict"]) == (None, None, "not measured")

    def test_failed_runs_do_not_count_as_repeats_nor_their_times_as_measured(self, tmp_path: Path) -> None:
        repeated(tmp_path, "a", [10, 12, 14])
        keep(tmp_path, "a-4", failed_sample(), repeat_of="a", train=1000)
        keep(tmp_path, "single", train=12)
        found = self.diff(tmp_path, "a", "single")["EMR", "train"]
        assert (found["a"], found["verdict"]) == (12, "equal")
        found = self.diff(tmp_path, "a", "a-4")["EMR", "train"]
        assert (found["b"], found["verdict"]) == (None, "not measured")

    def test_bad_input(self, tmp_path: Path) -> None:
        a = keep(tmp_path, "a")
        keep(tmp_path, "other", dataset=a.dataset.model_dump() | {"name": "bicycles"})
        (tmp_path / "cut.json").write_text(a.model_dump_json()[:700])
        said = refused(compare("diff", "a", "other", "--output", tmp_path))
        assert "a is a run of dataset webshop, other of bicycles" in said
        assert "no run 'none'" in refused(compare("diff", "a", "none", "--output", tmp_path))
        assert "cut.json: not JSON, or cut off" in refused(
            compare("diff", tmp_path / "cut.json", "a", "--output", tmp_path)
        )


class Laptop:
    """Stands for a laptop run: what each run would record, or raise."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.outcomes: list[Record | BaseException] = []
        self.bad_input = False
        self.ran: list[str] = []
        monkeypatch.setattr("local.run.run", self)
        monkeypatch.setattr("local.preflight._check_installation", lambda settings: None)
        # The page has its own tests, and takes a while.
        monkeypatch.setattr("cli.run.make_report", lambda record, folder: (folder / "report.html").write_text(""))

    @contextmanager
    def __call__(self, options: Any, _progress: Any) -> Iterator[Any]:
        from local.run import Result as RunResult
        from local.run import _folder

        self.ran.append(options.run_id)
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, BaseException):
            raise outcome
        with _folder(options.output / options.run_id) as folder:
            yield RunResult(outcome.model_copy(update={"run_id": options.run_id}), folder, self.bad_input)


@pytest.fixture
def laptop(monkeypatch: pytest.MonkeyPatch) -> Laptop:
    return Laptop(monkeypatch)


def timed(seconds: float) -> Record:
    data = sample_data()
    data["sides"]["emr"]["stages"][1]["seconds"] = seconds
    return Record.model_validate(data)


class TestRun:
    """`compare run`, over a laptop run that is only pretended."""

    def test_json_alone_is_on_standard_output(self, laptop: Laptop, tmp_path: Path) -> None:
        laptop.outcomes = [sample()]
        result = compare("run", "--run-id", "a", "--output", tmp_path, "--json")
        assert result.exit_code == 0, result.output
        assert Record.model_validate_json(result.stdout) == load(tmp_path / "a" / "comparison.json")
        assert load(tmp_path / "a" / "comparison.json").repeat_of is None
        assert "Both sides finished" in result.stderr

    def test_repeats_are_summed_up(self, laptop: Laptop, tmp_path: Path) -> None:
        laptop.outcomes = [timed(30), timed(10), timed(20)]
        result = compare("run", "--run-id", "a", "--repeat", 3, "--output", tmp_path, "--json")
        assert result.exit_code == 0, result.output
        assert laptop.ran == ["a-1", "a-2", "a-3"]
        assert {load(tmp_path / name / "comparison.json").repeat_of for name in laptop.ran} == {"a"}
        content = json.loads(result.stdout)
        assert [each["run_id"] for each in content["runs"]] == laptop.ran
        spreads = {(each.pop("side"), each.pop("name")): each for each in content["spread"]}
        assert spreads["EMR", "train"] == {"runs": 3, "median": 20, "minimum": 10, "maximum": 30, "deviation": 10}
        assert spreads["EMR", "AUC"]["deviation"] == 0
        assert spreads["EMR", "in all"]["median"] == pytest.approx(41.377 + 20 + 7.405 + 6.093)
        assert "a: 3 of 3 runs" in result.stderr

    def test_failing_repeat_is_reported_and_the_rest_still_runs(self, laptop: Laptop, tmp_path: Path) -> None:
        from local.jobs import SetupError

        laptop.outcomes = [timed(10), failed_sample(), SetupError("publish: States.TaskFailed"), timed(20)]
        result = compare("run", "--run-id", "a", "--repeat", 4, "--output", tmp_path)
        assert result.exit_code == 1
        assert laptop.ran == ["a-1", "a-2", "a-3", "a-4"]
        assert "EMR failed in train: Job aborted" in result.stderr
        assert "error: run a-3: publish: States.TaskFailed" in result.stderr
        assert "a: 2 of 4 runs, 2 failed and left out" in result.stdout
        assert re.search(r"EMR, train +15\.0 s +10\.0 s +20\.0 s +5\.0 s", result.stdout)
        assert (tmp_path / "a-2" / "comparison.json").exists()
        assert not (tmp_path / "a-3").exists()

    @pytest.mark.parametrize(("bad_input", "code"), [(False, 1), (True, 2)])
    def test_exit_code_of_failed_runs(self, bad_input: bool, code: int, laptop: Laptop, tmp_path: Path) -> None:
        laptop.bad_input = bad_input
        laptop.outcomes = [failed_sample(), failed_sample()]
        result = compare("run", "--run-id", "a", "--repeat", 2, "--output", tmp_path)
        assert result.exit_code == code
        assert "None of 2 runs of a succeeded" in result.stdout

    def test_interrupt_keeps_what_ran_before(self, laptop: Laptop, tmp_path: Path) -> None:
        laptop.outcomes = [timed(10), KeyboardInterrupt()]
        result = compare("run", "--run-id", "a", "--repeat", 3, "--output", tmp_path)
        assert result.exit_code == 130
        assert (tmp_path / "a-1" / "comparison.json").exists()

    @pytest.mark.parametrize(
        ("what", "fault", "code"),
        [
            ("save", OSError(errno.ENOSPC, "No space left on device"), 1),
            ("save", KeyboardInterrupt(), 130),
            ("make_report", KeyboardInterrupt(), 130),
        ],
    )
    def test_a_run_whose_end_cannot_be_written_leaves_nothing(
        self,
        what: str,
        fault: BaseException,
        code: int,
        laptop: Laptop,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def fail(*_: object) -> None:
            raise fault

        keep(tmp_path, "before")
        (tmp_path / "latest").symlink_to("before")
        monkeypatch.setattr(f"cli.run.{what}", fail)
        laptop.outcomes = [sample()]
        result = compare("run", "--run-id", "a", "--output", tmp_path)
        assert result.exit_code == code, result.output
        assert re.search("Interrupted: .*nothing of this run is left|No space left on device", result.stderr)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["before", "latest"]
        assert (tmp_path / "latest").readlink() == Path("before")

    @pytest.mark.parametrize(
        ("broken", "said"),
        [
            ("comparison.report.jinja.FileSystemLoader", r"page\.py, line \d+: UndefinedError: .*nothing"),
            ("comparison.summary.order", r"comparison/report/page\.py, line \d+: ZeroDivisionError: by nothing"),
            ("comparison.report.data.posture", r"comparison/report/data\.py, line \d+: ZeroDivisionError"),
            ("comparison.report.page.CHART_LIBRARY", "plotly.js: cannot be read: No such file.*`npm ci` installs it"),
            ("comparison.report.page.write_text", "No space left on device"),
        ],
    )
    def test_a_run_without_a_page_is_recorded_and_shown(
        self, broken: str, said: str, laptop: Laptop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whatever the page fails by; the runs that are still to come run, and the page can be made later."""

        def fail(*_: object) -> None:
            full = OSError(errno.ENOSPC, "No space left on device")
            raise full if broken.endswith("write_text") else ZeroDivisionError("by nothing")

        damaged = DictLoader({"report.html.j2": "\n{{ record.nothing }}"})
        missing = {"FileSystemLoader": lambda _: damaged, "CHART_LIBRARY": tmp_path / "plotly.js"}
        monkeypatch.setattr("cli.run.make_report", make_report)
        monkeypatch.setattr("local.preflight.chart_library", lambda: None)
        monkeypatch.setattr(broken, missing.get(broken.rsplit(".", 1)[1], fail))
        laptop.outcomes = [sample(), sample()]
        runs = tmp_path / "my runs"
        result = compare("run", "--run-id", "a", "--repeat", 2, "--output", runs, "--json")
        assert result.exit_code == 1
        assert [each["run_id"] for each in json.loads(result.stdout)["runs"]] == ["a-1", "a-2"]
        for name in ("a-1", "a-2"):
            assert load(runs / name / "comparison.json").repeat_of == "a"
            assert [path.name for path in (runs / name).iterdir() if path.is_file()] == ["comparison.json"]
            line = rf"error: run {name} is recorded in \S* ?\S*/comparison\.json, but it has no page: .*{said}"
            assert re.search(rf"^{line}.*; `compare report '.*/my runs/{name}'` makes it again$", result.stderr, re.M)
        assert (runs / "latest").readlink() == Path("a-2")
        again = compare("report", "a-1", "--output", runs)
        assert (again.exit_code, again.stdout) == (2 if "CHART" in broken else 1, ""), again.output
        monkeypatch.undo()
        assert compare("report", "a-1", "--output", runs).exit_code == 0
        assert (runs / "a-1" / "report.html").is_file()

    def test_a_run_without_a_page_is_shown(
        self, laptop: Laptop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object) -> None:
            raise UserError("report.html: is too much")

        monkeypatch.setattr("cli.run.make_report", fail)
        (tmp_path / "latest").mkdir()
        laptop.outcomes = [sample()]
        result = compare("run", "--run-id", "a", "--output", tmp_path)
        assert result.exit_code == 1
        assert "Both sides finished" in result.stdout
        assert "Report:" not in result.stdout
        assert "but it has no page: report.html: is too much" in result.stderr
        assert re.search(r"but latest cannot point at it: .*(directory|exists)", result.stderr)

    @pytest.mark.parametrize(
        ("run_id", "said"),
        [
            ("used", "run id 'used-2' is already used"),
            ("x" * 25, "allowed are 1 to 26 lower-case letters"),
            ("A", "run id 'A-3'"),
            ("\n", "run id '\\n-3'"),
        ],
    )
    def test_bad_name_is_refused_before_anything_runs(
        self, run_id: str, said: str, laptop: Laptop, tmp_path: Path
    ) -> None:
        keep(tmp_path, "used-2")
        assert said in refused(compare("run", "--run-id", run_id, "--repeat", 3, "--output", tmp_path))
        assert laptop.ran == []


def test_the_whole_rule_for_a_run_id_is_said(laptop: Laptop, tmp_path: Path) -> None:
    said = refused(compare("run", "--run-id", "a-", "--output", tmp_path))
    assert "run id 'a-': allowed are" in said
    assert "the first and the last no hyphen" in said


@pytest.mark.parametrize("run_id", ["latest", "a\n"])
def test_names_that_no_run_may_have(run_id: str, laptop: Laptop, tmp_path: Path) -> None:
    assert f"run id {run_id!r}: allowed are" in refused(compare("run", "--run-id", run_id, "--output", tmp_path))
    assert laptop.ran == []
    keep(tmp_path, "a")
    (tmp_path / "latest").symlink_to("a")
    for command in ("collect", "push", "pull"):
        said = refused(
            compare(command, run_id, "--bucket" if command != "collect" else "--project", "b", "--output", tmp_path)
        )
        assert f"run id {run_id!r}: allowed are" in said


LONG = "x" * 300


@pytest.mark.parametrize(
    "arguments",
    [
        ("report", LONG),
        ("report", "a", "--output", LONG),
        ("diff", LONG, "a"),
        ("diff", "a", "a", "--output", LONG),
        ("push", LONG, "--bucket", "b"),
        ("push", "a", "--bucket", "b", "--output", LONG),
        ("pull", LONG, "--bucket", "b"),
        ("pull", "a", "--bucket", "b", "--output", LONG),
        ("collect", LONG),
        ("collect", "a", "--output", LONG),
        ("runs", "--output", LONG),
        ("run", "--run-id", "a", "--output", LONG),
        *(
            (*command, "--output", "FILE")
            for command in (
                ("report", "a"),
                ("diff", "a", "a"),
                ("push", "a", "--bucket", "b"),
                ("pull", "a", "--bucket", "b"),
                ("pull", "--bucket", "b"),
                ("collect", "a"),
                ("runs",),
                ("run", "--run-id", "a"),
            )
        ),
    ],
)
def test_place_that_is_none_is_one_line(
    arguments: tuple[str, ...], laptop: Laptop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "FILE").write_text("not a folder")
    said = refused(compare(*arguments))
    assert ("FILE: is not a folder" if "FILE" in arguments else LONG) in said
    assert [path.name for path in tmp_path.iterdir()] == ["FILE"]
    assert laptop.ran == []


@pytest.mark.parametrize("place", ["LOOP", "LOOP/runs"])
@pytest.mark.parametrize(
    "arguments", [("runs",), ("run", "--run-id", "a"), ("collect", "a"), ("pull", "--bucket", "b"), ("report", "a")]
)
def test_links_that_go_round_are_one_line(
    arguments: tuple[str, ...], place: str, laptop: Laptop, tmp_path: Path
) -> None:
    (tmp_path / "LOOP").symlink_to("LOOP")
    said = refused(compare(*arguments, "--output", tmp_path / place))
    assert f"{place}: {os.strerror(errno.ELOOP)}" in said
    assert laptop.ran == []


def test_a_way_to_run_containers_that_is_none_is_one_line(
    laptop: Laptop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCAL_CONTAINER", "docker")
    said = refused(compare("run", "--output", tmp_path))
    assert "LOCAL_CONTAINER is 'docker', allowed: namespace, directory" in said
    assert laptop.ran == []


class TestOldRecords:
    """Records that older versions wrote, kept as they were."""

    @pytest.mark.parametrize(
        ("name", "now"), [("local", sample), ("aws", lambda: sample("aws")), ("failed", failed_sample)]
    )
    def test_schema_1_loads_as_what_it_said(self, name: str, now: Callable[[], Record]) -> None:
        file = OLD / f"{name}.json"
        assert json.loads(file.read_text())["schema_version"] == 1
        record = load(file)
        assert record.schema_version == 3
        assert (record.where, record.run_id, record.started) == (now().where, now().run_id, now().started)
        assert record.sides["emr"].status == now().sides["emr"].status
        assert {stage.billable_seconds for _, side in record.sides.items() for stage in side.stages} == {None}
        assert record.sides["emr"].cluster is None

    def test_commands_take_them(self, tmp_path: Path) -> None:
        keep(tmp_path, "new")
        result = compare("diff", OLD / "local.json", "new", "--output", tmp_path)
        assert result.exit_code == 0, result.output
        for name in ("local", "aws"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "comparison.json").write_bytes((OLD / f"{name}.json").read_bytes())
        listed = json.loads(compare("runs", "--output", tmp_path, "--json").stdout)
        assert len(listed) == 3
        assert not any("error" in each for each in listed)

    def test_a_field_of_a_newer_schema_in_an_old_record_is_refused(self, tmp_path: Path) -> None:
        data = json.loads((OLD / "local.json").read_text()) | {"colour": "blue"}
        (tmp_path / "a.json").write_text(json.dumps(data))
        said = refused(compare("diff", tmp_path / "a.json", tmp_path / "a.json"))
        assert "colour: is not a field of this schema" in said


@pytest.mark.parametrize(
    ("change", "more"),
    [
        (lambda data: None, True),
        (lambda data: data.update(limits={}), True),
        (lambda data: data["sides"]["emr"]["stages"][0].update(rows_in=None), True),
        (lambda data: data["sides"]["sagemaker"].update(serve=None), True),
        (lambda data: data["sides"]["emr"]["stages"][0].update(rows_in=1), False),
        (lambda data: data["settings"].update(eta=0.3), False),
        (lambda data: data["versions"].update(another="1"), False),
        (lambda data: data["sides"]["emr"]["metrics"]["calibration"].pop(), False),
        (lambda data: data.update(run_id="another"), False),
    ],
)
def test_a_record_extends_one_that_says_less_and_nothing_else(
    change: Callable[[dict[str, Any]], object], more: bool
) -> None:
    data = json.loads(sample().model_dump_json())
    change(data)
    assert extends(sample(), Record.model_validate_json(json.dumps(data))) is more


@pytest.mark.parametrize("command", ["run", "cost", "report", "runs", "diff", "collect", "push", "pull", "prices"])
def test_help_has_an_example_and_the_exit_codes(command: str) -> None:
    result = compare(command, "--help")
    assert result.exit_code == 0
    assert re.search(rf"Examples?: +compare {command}\b", " ".join(result.stdout.split()))
    assert "Exit codes: 0" in result.stdout


SLOW = ("aws_cdk", "boto3", "duckdb", "jinja2", "moto", "numpy", "plotly", "pyarrow", "pyspark", "scipy")


def test_commands_that_only_read_import_nothing_that_takes_long(tmp_path: Path) -> None:
    keep(tmp_path, "a")
    for arguments in (["runs"], ["diff", "a", "a"]):
        code = (
            "import sys\nfrom cli.main import app\n"
            f"try: app({[*arguments, '--output', str(tmp_path)]!r})\n"
            f"finally: print([name for name in {SLOW!r} if name in sys.modules], file=sys.stderr)"
        )
        result = subprocess.run(
            [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False
        )
        assert (result.returncode, result.stderr) == (0, "[]\n")
