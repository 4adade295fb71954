"""The page in a real browser, the terminal table, and the words and pass marks that both show."""

import io
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from selenium.webdriver.common.keys import Keys

from assembly.posture import Acknowledged, Finding, Posture
from cli.readme import MEASURED
from comparison import summary
from comparison.cost.break_even import break_even
from comparison.cost.lines import drivers
from comparison.report import page as report
from comparison.report.cost_section import AXES
from comparison.report.data import ReportData, gather
from comparison.report.page import write_report
from comparison.report.terminal import print_comparison
from record.errors import UserError
from record.runs.folders import RULES
from record.schema import Record, load
from tests.browser import Browser, browser
from tests.record.sample import account_sample, bare_sample, failed_sample, five_sample, sample, sample_data
from tests.stacks.conftest import synthesise

RECORDS = {
    "succeeded": sample(),
    "aws": sample("aws"),
    "failed": failed_sample(),
    "bare": bare_sample(),
    "complete": sample(),
    "account": account_sample(),
    "five": five_sample(),
    "kept": load(MEASURED),
}
DRAWN = "document.documentElement.dataset.charts"  # the colour scheme of the charts, once they are drawn
PICTURE = Path(__file__).parents[3] / "build" / "test" / "report.png"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for all tests here."""
    with browser(tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All that lies beside a run: the templates of the default settings, and a report of their rules."""
    folder = tmp_path_factory.mktemp("run")
    made = synthesise("default", {}, tmp_path_factory.mktemp("cdk"))
    made.assembly.copy_templates(folder / "templates")
    resource = "side-by-side-emr/Cluster"
    rules = Posture(
        version="3.0.2",
        packs=("AwsSolutions",),
        findings=(Finding(rule="AwsSolutions-EMR2", resource=resource),),
        acknowledged=(Acknowledged(rule="AwsSolutions-EMR6", resource=resource, reason="Nobody logs in with a key."),),
    )
    (folder / RULES).write_text(rules.model_dump_json())
    return folder


@pytest.fixture(scope="module")
def data(folder: Path) -> ReportData:
    """What follows from it for the complete record."""
    return gather(RECORDS["complete"], folder)


@pytest.fixture(scope="module")
def beside(folder: Path, data: ReportData, tmp_path_factory: pytest.TempPathFactory) -> dict[str, ReportData]:
    """What follows from all that lies beside a run, for three of RECORDS; the kept one has every side."""
    every = tmp_path_factory.mktemp("every")
    synthesise("every side", {"sides": "all"}, tmp_path_factory.mktemp("cdk")).assembly.copy_templates(
        every / "templates"
    )
    return {
        "complete": data,
        "account": gather(RECORDS["account"], folder),
        "kept": gather(RECORDS["kept"], every),
    }


@pytest.fixture(scope="module")
def pages(beside: dict[str, ReportData], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One page for each of RECORDS."""
    pages = tmp_path_factory.mktemp("pages")
    for name, record in RECORDS.items():
        write_report(record, pages / f"{name}.html", beside.get(name))
    return {name: pages / f"{name}.html" for name in RECORDS}


def changed(*path: Any, value: Any) -> Record:
    """Return the sample with one value changed."""
    data = place = sample_data()
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    return Record.model_validate(data)


@pytest.mark.parametrize(
    ("width", "scheme"),
    [
        (1280, "light"),
        (390, "dark"),
        pytest.param(390, "light", marks=pytest.mark.full),
        pytest.param(1280, "dark", marks=pytest.mark.full),
    ],
)
@pytest.mark.parametrize("name", RECORDS)
def test_page_opens_clean_everywhere(
    chromium: Browser, pages: dict[str, Path], name: str, width: int, scheme: str
) -> None:
    """No error, no request, no overflow, the right number of bars, enough contrast: on each size and colour scheme."""
    chromium.open(pages[name], width=width, scheme=scheme)
    chromium.wait(DRAWN, scheme)
    assert chromium.console_errors() == []
    assert chromium.requests() == []
    assert chromium.js("performance.getEntriesByType('resource').length") == 0
    assert chromium.js("document.documentElement.scrollWidth") <= width

    measured = [s for _, side in RECORDS[name].sides.items() for s in side.stages if s.seconds is not None]
    began = [(side.started, side.stages[0].started) for side in RECORDS[name].sides.values() if side.stages]
    # A bar for what took a second before the first stage.
    starts = [first for start, first in began if start and first and first - start >= timedelta(seconds=1)]
    bars = chromium.js("document.querySelectorAll('[data-chart=timeline] .barlayer .point').length")
    assert bars == len(measured) + len(starts)
    curves = [side for _, side in RECORDS[name].sides.items() if side.metrics]
    drawn = chromium.js("document.querySelectorAll('[data-chart=calibration] .scatterlayer .trace').length")
    assert drawn == (len(curves) + 1 if curves else 0), "one curve a side and the diagonal"
    assert chromium.js("[...document.querySelectorAll('.main-svg')].every(e => e.clientWidth <= innerWidth)")

    # WCAG 2.2 AA: 4.5 to 1 for text, in the page and in the charts.
    faint = chromium.driver.execute_script(CONTRAST)
    assert faint == []


# Returns the texts whose contrast with what is painted behind them is less than 4.5 to 1.
CONTRAST = """
const rgb = (text) => (text.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number);
const luminance = (c) => [0.2126, 0.7152, 0.0722].reduce((sum, weight, i) => {
  const v = c[i] / 255;
  return sum + weight * (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
}, 0);
const behind = (element) => {
  for (let e = element; e; e = e.parentElement) {
    const colour = rgb(getComputedStyle(e).backgroundColor);
    if (colour.length === 3 || colour[3] > 0) return colour;
  }
  return [255, 255, 255];
};
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
const faint = [];
for (let node; (node = walker.nextNode());) {
  const e = node.parentElement;
  if (!node.data.trim() || e.closest('script, style, noscript') || !e.getClientRects().length) continue;
  const colour = e.closest('svg') ? getComputedStyle(e).fill : getComputedStyle(e).color;
  const [a, b] = [luminance(rgb(colour)), luminance(behind(e))].sort((x, y) => y - x);
  if ((a + 0.05) / (b + 0.05) < 4.5) faint.push(`${node.data}: ${colour}`);
}
return faint;
"""


def test_picture_and_size(chromium: Browser, pages: dict[str, Path]) -> None:
    """A picture for people to look at is kept; the page stays small enough to be sent around."""
    chromium.open(pages["complete"])
    chromium.wait(DRAWN, "light")
    chromium.screenshot(PICTURE)
    assert PICTURE.read_bytes().startswith(b"\x89PNG")
    assert pages["complete"].stat().st_size < 5_000_000


def test_colours_follow_the_reader(chromium: Browser, pages: dict[str, Path]) -> None:
    """Switching to dark while the page is open redraws page and charts; paper is light and narrow."""
    chromium.open(pages["succeeded"], scheme="light")
    page = "getComputedStyle(document.body).backgroundColor"
    chart = "getComputedStyle(document.querySelector('.ytick text')).fill"
    chromium.wait(DRAWN, "light")
    light = chromium.js(page), chromium.js(chart)
    chromium.scheme("dark")
    chromium.wait(DRAWN, "dark")
    dark = chromium.js(page), chromium.js(chart)
    assert light[0] != dark[0]
    assert light[1] != dark[1]
    chromium.js("dispatchEvent(new Event('beforeprint'))")
    chromium.wait(DRAWN, "light")
    assert chromium.js("Math.max(...[...document.querySelectorAll('.main-svg')].map(e => e.clientWidth))") == 640


def test_keyboard_and_screen_reader(chromium: Browser, pages: dict[str, Path]) -> None:
    """The first key leads past the head, what scrolls can be focused, charts and cells say what they are."""
    chromium.open(pages["failed"], width=390)
    chromium.driver.switch_to.active_element.send_keys(Keys.TAB)
    assert chromium.js("document.activeElement.className") == "skip"
    assert chromium.js("document.activeElement.getBoundingClientRect().left") >= 0
    assert chromium.js("[...document.querySelectorAll('.scroll')].every(e => e.tabIndex === 0)")
    assert chromium.js("[...document.querySelectorAll('th')].every(e => e.scope)")
    assert chromium.js("document.querySelectorAll('h1').length") == 1
    text = chromium.js("document.querySelector('[data-chart=timeline]').getAttribute('aria-label')")
    assert "SageMaker (single node): prepare 4.8 s, train 3.1 s, evaluate 1.2 s, score 1.7 s." in text
    assert "EMR (Spark): prepare 41.4 s, train 22.9 s until it failed." in text


def text_of(chromium: Browser, selector: str) -> str:
    """Return what a reader sees of an element, on one line."""
    return " ".join(str(chromium.js(f"document.querySelector({json.dumps(selector)}).innerText")).split())


def test_page_shows_the_numbers(chromium: Browser, pages: dict[str, Path]) -> None:
    """What the record holds is on the page, with where it came from."""
    chromium.open(pages["succeeded"])
    assert text_of(chromium, "h1") == "Both sides finished, and they agree"
    verdict = text_of(chromium, ".verdict")
    assert (
        "0.8214 on SageMaker and 0.8211 on EMR (0.8342 is the best achievable), and the features are equal" in verdict
    )
    chromium.js("document.querySelector('.verdict details').open = true")
    verdict = text_of(chromium, ".verdict")
    assert "From start to end on this machine: SageMaker (single node) " in verdict
    assert "so this does not compare the services" in verdict
    assert "say nothing about seconds in the cloud" in verdict
    stages = text_of(chromium, ".stages")
    assert "SageMaker single node 4.8 s 241,310 31,204 2.31 MB 1 × ml.m5.xlarge" in stages  # noqa: RUF001
    assert "EMR Spark 41.4 s 241,310 31,204 2.31 MB 1 × m5.xlarge, 2 × m5.2xlarge" in stages  # noqa: RUF001
    assert "Instances asked for from the definition" in stages
    body = text_of(chromium, "main")
    assert "AUC higher is better 0.8214 0.8211 0.8342" in body
    assert "The side's model, SageMaker's features the measure 6.0e-8 pass ≤ 1e-6" in body
    assert "logs duplicate 612 612" in body
    assert "1.84 ms" in body
    assert "no endpoint: additional setup" in body
    assert "compare run --events 200000 --set" in body
    assert "3f3f3f" in body


USAGES: list[dict[str, float | None]] = [
    {},
    {"runs_per_day": 40},
    {"runs_per_day": 0, "requests_per_second": 0, "endpoint_hours_per_day": 0},
    {"runs_per_day": 17.5, "events_per_run": 3e9, "requests_per_second": 333.3},
    {"runs_per_day": 0.2, "events_per_run": 0, "cluster_hours_per_day": 8},
    {"runs_per_day": 30, "events_per_run": 2e9, "cluster_hours_per_day": 0},
    {"requests_per_second": 41.6, "endpoint_hours_per_day": 7.5, "spot_share": 0.5, "spot_discount": 0.7},
]


@pytest.mark.parametrize(
    ("name", "usage"),
    [
        *(("complete", usage) for usage in USAGES),
        *(pytest.param("kept", usage, marks=pytest.mark.full) for usage in USAGES[:4]),
    ],
)
def test_cost_in_the_page_is_the_cost_in_python(
    chromium: Browser, pages: dict[str, Path], beside: dict[str, ReportData], name: str, usage: dict[str, float | None]
) -> None:
    """Every sum, every line and the answer in words: the page computes them again for the visitor's own use."""
    cost = beside[name].cost
    assert cost
    chromium.open(pages[name])
    estimate = cost.estimate.at(**usage)
    given = f"Cost.usageOf({json.dumps(usage)})"
    for serving in (True, False):
        shown = chromium.js(f"Cost.totals({given}, {json.dumps(serving)})")
        for side, totals in estimate.totals(serving=serving).items():
            for period in ("idle_hour", "run", "month"):
                money = getattr(totals, period)
                assert shown[period][side]["usd"] == pytest.approx(money.usd, rel=1e-9)
                assert shown[period][side]["complete"] == money.complete
    month = drivers(estimate.usage, estimate.parameters)
    amounts = chromium.js(f"Cost.estimate.lines.map((line) => Cost.amount(line, Cost.drivers({given}).month))")
    assert amounts == pytest.approx([line.amount(month) for line in estimate.lines], rel=1e-9)
    for along in AXES:
        for serving in (True, False):
            curve = break_even(estimate, along, serving=serving)
            drawn = chromium.js(f"Cost.breakEven({given}, {json.dumps(along)}, {json.dumps(serving)})")
            assert drawn["words"] == " ".join(curve.sentences)
            assert not re.search("cheaper|Both|both|neither" if len(estimate.sides) > 2 else "cheapest", drawn["words"])
            assert [tuple(point) for point in drawn["points"]] == [pytest.approx(point) for point in curve.points]


def enter(chromium: Browser, name: str, value: str) -> None:
    """Type into one of the inputs of the cost."""
    place = f"document.querySelector('#cost-inputs [name={name}]')"
    chromium.js(f"{place}.value = {json.dumps(value)}, {place}.dispatchEvent(new Event('input', {{bubbles: true}}))")


def test_inputs_change_the_curve(chromium: Browser, pages: dict[str, Path], data: ReportData) -> None:
    """Numbers, words and lines follow; an impossible number is refused in words, and nothing else changes."""
    assert data.cost
    chromium.open(pages["complete"])
    chromium.wait(DRAWN, "light")
    line = "document.querySelector('[data-chart=break_even] .scatterlayer .trace path.js-line').getAttribute('d')"
    title = "document.querySelector('[data-chart=break_even] .xtitle').textContent"
    month = "[data-money='month true sagemaker']"
    before = chromium.js(line), text_of(chromium, month), text_of(chromium, "#cost-words")
    assert before[1] == str(data.cost.estimate.totals()["sagemaker"].month)
    assert before[2] == data.cost.words

    enter(chromium, "requests_per_second", "120")
    at = data.cost.estimate.at(requests_per_second=120)
    assert text_of(chromium, month) == str(at.totals()["sagemaker"].month) != before[1]

    enter(chromium, "axis", "requests_per_second")
    chromium.wait(f"{title} === 'requests a second to the endpoint'")
    assert chromium.js(line) != before[0]
    assert text_of(chromium, "#cost-words") == " ".join(break_even(at, "requests_per_second").sentences)
    answer = text_of(chromium, "#cost-words")

    for wrong in ("-1", "1e9", ""):
        enter(chromium, "runs_per_day", wrong)
        assert text_of(chromium, "#cost-error") == "Runs a day: must be a number from 0 to 10,000"
        assert text_of(chromium, "#cost-words") == answer
    enter(chromium, "runs_per_day", "2")
    assert text_of(chromium, "#cost-error") == ""
    assert chromium.console_errors() == []


def test_every_claim_has_its_verdict_and_evidence(chromium: Browser, pages: dict[str, Path], data: ReportData) -> None:
    """Ten sections, each with claim, verdict and figures; every link within the page leads somewhere."""
    chromium.open(pages["complete"])
    assert chromium.js("document.querySelectorAll('.claims > li').length") == len(data.claims) == 10
    for each in data.claims:
        claim, figures = each.claim, each.measured.figures.values()
        chromium.js(f"document.querySelector('#claim-{claim.number} details').open = true")
        text = text_of(chromium, f"#claim-{claim.number}")
        assert f"{claim.number}. {claim.name} " in text
        assert f" {each.outcome} " in text
        for said in (*claim.cells.values(), each.because, *(figure.label for figure in figures)):
            assert " ".join(said.split()) in text
    missing = chromium.js(
        "[...document.querySelectorAll('a[href^=\"#\"]')].map((a) => a.hash.slice(1)).filter("
        "(id) => !document.getElementById(id))"
    )
    assert missing == []
    chromium.wait("document.querySelectorAll('[data-chart=scaling] .scatterlayer .trace').length", 3)


def test_page_of_an_account(chromium: Browser, pages: dict[str, Path]) -> None:
    """What only an account tells: the region and its prices, what was billed, how busy instances and endpoint were."""
    chromium.open(pages["account"])
    assert "an AWS account, eu-west-1" in text_of(chromium, ".facts")
    body = text_of(chromium, "main")
    assert "This run, in US dollars billed seconds at list prices" in body
    assert "1,234 requests in 2 hours from 22 November 2026, 09:30 UTC, 5 of them failed." in body
    assert "3.20 ms (median), 4.50 ms (90 of 100 within), 9.00 ms (99 of 100 within)" in body
    assert "prepare 180 % 41 %" in body
    # The start of the cluster belongs to EMR's time, though it is no stage.
    assert "start" in text_of(chromium, "[data-chart=timeline]").split()
    assert "4 min 0 s" in text_of(chromium, "[data-chart=timeline]")
    assert "5 min 48 s" in text_of(chromium, ".card.emr")
    assert "not cloud" not in body
    assert "List prices of eu-west-1" in body
    assert "prices in use could not be verified and are examples" in body


def test_a_region_without_prices_is_said(folder: Path) -> None:
    found = gather(RECORDS["account"].model_copy(update={"region": "sa-east-1"}), folder)
    assert found.cost
    assert found.cost.estimate.region == "us-east-1"
    assert found.cost.estimate.assumptions[0] == (
        "Prices are those of us-east-1: there are none of sa-east-1 in the price file."
    )


def test_security_posture(chromium: Browser, pages: dict[str, Path]) -> None:
    """Findings are named, what is acknowledged is there with its reason."""
    chromium.open(pages["complete"])
    section = "section[aria-labelledby=security]"
    chromium.js(f"document.querySelector('{section} details').open = true")
    text = text_of(chromium, section)
    assert "SageMaker 0 0 pass EMR 1 1 fail Shared 0 0 pass" in text
    assert "AwsSolutions-EMR2 on side-by-side-emr/Cluster" in text
    assert "Nobody logs in with a key." in text


def test_page_of_a_failed_side(chromium: Browser, pages: dict[str, Path]) -> None:
    """The failure comes first, with its log; the other side's numbers stay; nothing is made up."""
    chromium.open(pages["failed"])
    chromium.wait(DRAWN, "light")
    assert text_of(chromium, "h1") == "EMR failed in train, SageMaker finished"
    failure = text_of(chromium, ".failure")
    assert "ExecutorLostFailure <executor 1 exited: exit code 137>" in failure
    assert "The log: build/runs/20261122-093000/logs/emr-train.log" in failure
    assert "✕ train" in text_of(chromium, "[data-chart=timeline]")
    body = text_of(chromium, "body")
    assert "AUC higher is better 0.8214 not measured 0.8342" in body
    assert "EMR Spark skipped: an earlier stage failed" in body
    assert "faster" not in body


@pytest.mark.parametrize("name", ["failed", "bare"])
def test_nothing_stands_in_for_what_was_not_measured(chromium: Browser, pages: dict[str, Path], name: str) -> None:
    """Neither Python's nor JavaScript's word for nothing reaches a reader."""
    chromium.open(pages[name])
    words = set(text_of(chromium, "body").replace(",", " ").replace(":", " ").split())
    assert not words & {"None", "null", "NaN", "nan", "undefined", "True", "False"}
    assert "measured" in words


def test_text_of_a_record_is_text(chromium: Browser, tmp_path: Path) -> None:
    """A dataset, a reason or a message that looks like markup is shown, not run."""
    evil = "</script><script>window.hit = 1</script><img src=x onerror='window.hit = 1'>"
    data = json.loads(failed_sample().model_dump_json())
    data["dataset"]["name"] = data["sides"]["emr"]["error"]["message"] = evil
    data["settings"][evil] = [evil]
    data["versions"][evil] = evil
    data["sides"]["emr"]["rejected"] = {evil: {evil: 1}}
    data["sides"]["emr"]["stages"][0]["instances"] = [{"type": evil, "count": 1}]
    write_report(Record.model_validate_json(json.dumps(data)), tmp_path / "page.html")
    chromium.open(tmp_path / "page.html")
    assert chromium.js("window.hit === undefined")
    assert chromium.console_errors() == []
    assert chromium.requests() == []
    assert evil in text_of(chromium, ".failure")


@pytest.mark.parametrize(
    ("content", "said"), [(None, "No such file"), (b"\xff", "byte 0 is not UTF-8"), (b"\n", "is empty")]
)
def test_damaged_chart_library(
    content: bytes | None, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    library = tmp_path / "plotly.js"
    monkeypatch.setattr(report, "CHART_LIBRARY", library)
    if content is not None:
        library.write_bytes(content)
    with pytest.raises(
        UserError, match=rf"plotly\.js: .*{said}.*; it is the page's chart library: `npm ci` installs it"
    ):
        write_report(sample(), tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


def test_missing_browser_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without a browser is told how to get one; a skipped test would look like a passed one."""
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(pytest.fail.Exception, match="apt-get install chromium chromium-driver"), browser(tmp_path):
        pass


@pytest.mark.parametrize(
    ("record", "failing"),
    [
        (changed("agreement", 0, "features_equal", value=False), "Features, row for row on EMR"),
        (changed("agreement", 0, "rejected_equal", value=False), "Rejected lines, by reason on EMR"),
        (changed("agreement", 0, "auc_difference", value=0.0021), "Test AUC to SageMaker's on EMR"),
        (
            changed("limits", "auc", value=0.8715),
            "Test AUC to best achievable on SageMaker, Test AUC to best achievable on EMR",
        ),
        (changed("sides", "emr", "metrics", "auc", value=0.8843), "Test AUC to best achievable on EMR"),
        (
            changed("agreement", 0, "cross_scoring_max_difference", "second_model_on_first_features", value=1.1e-6),
            "The side's model, SageMaker's features on EMR",
        ),
    ],
)
def test_pass_marks(record: Record, failing: str) -> None:
    """Each check fails for its own reason and turns the headline."""
    failed = [check for check in summary.checks(record) if check.result == "fail"]
    assert ", ".join(f"{check.name} on {summary.TITLES[check.side]}" for check in failed) == failing
    conclusion = summary.conclude(record)
    assert conclusion.tone == "bad"
    assert "agreement failed" in conclusion.headline


def test_verdict_of_what_was_not_compared() -> None:
    """Two sides that finished without being compared are not said to agree."""
    found = summary.conclude(changed("agreement", value=[]))
    assert (found.headline, found.tone) == ("Both sides finished; not all of their agreement was measured", "mixed")
    assert "2 of 2 checks of agreement passed; 5 could not be measured." in found.details


def test_numbers_in_words() -> None:
    """Units change where a reader would change them, rounding included."""
    assert [summary.seconds(s) for s in (0, 0.994, 0.996, 99.94, 99.96, 3599.4, 3599.6, 7260)] == [
        "0.00 s", "0.99 s", "1.0 s", "99.9 s", "1 min 40 s", "59 min 59 s", "1 h 0 min", "2 h 1 min",
    ]  # fmt: skip
    assert [summary.size(n) for n in (0, 999, 1000, 9_996, 999_999, 12_345_678, 10**18)] == [
        "0 B", "999 B", "1.00 kB", "10.0 kB", "1.00 MB", "12.3 MB", "1000 PB",
    ]  # fmt: skip
    assert [summary.difference(d) for d in (0, 0.00031, 5.96e-8, 0.05)] == ["0", "0.00031", "6.0e-8", "0.05"]


@pytest.mark.parametrize("name", RECORDS)
def test_terminal_table_in_a_pipe(name: str) -> None:
    """At most 80 columns, no control codes, the words of the page."""
    pipe = io.StringIO()
    print_comparison(RECORDS[name], Console(file=pipe, width=80))
    text = pipe.getvalue()
    assert "\x1b" not in text
    assert max(len(line) for line in text.splitlines()) <= 80
    assert summary.conclude(RECORDS[name]).headline in text
    if name == "succeeded":
        assert " EMR                     0.8211          0.4702         0.3191           0.0984" in text
        assert " The side's model, SageMaker's                     6.0e-8     ≤ 1e-6       pass" in text
    if name == "failed":
        assert " EMR (Spark)              41.4 s   22.9 s, failed    skipped" in text
        assert "The log: build/runs/20261122-093000/logs/emr-train.log" in text
