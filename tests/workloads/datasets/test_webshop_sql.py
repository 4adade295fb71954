"""The SQL texts of the webshop: equal on both engines, equal to a parser in plain Python, and blind to the future."""

import calendar
import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xgboost
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession
from sklearn.metrics import roc_auc_score

from common import duck
from common import spark as on_spark
from common.dataset import Dataset
from common.features import Columns
from common.lines import Lines
from workloads.datasets.webshop import generate

FOLDER = Path(generate.__file__).parent
DATASET = Dataset.load(FOLDER)
LOGS = DATASET.tables[0]
DAY = 86_400
FIRST_MADE = 1_000_000_000
"""Customer ids from here on are those of the made-up rows."""

Row = tuple[Any, ...]
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


# --- What logs.sql means, in plain Python ---------------------------------------------------------------------


def judge(line: str) -> Row:
    """The fields of a good line and None, or just the reason."""
    if len(line) > 32_768:
        return ("too long",)
    if not line:
        return ("empty",)
    if any(not 0x20 <= ord(character) <= 0x7E for character in line):
        return ("not ascii",)
    # A field's own quotes and backslashes follow a backslash.
    masked = re.sub(r'\\["\\]', "__", line).replace(' "" [', " -- [")
    match = re.fullmatch(
        r'([^ "]+) [^ "]+ (-|-?[^ "-][^"]*|--[^"]*) '
        r"\[(\d\d)/(\w\w\w)/([12]\d\d\d):(\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)\] "
        r'"([A-Z]+) ([^ "]|[^ "][^"]*[^ "]) HTTP/\d(?:\.\d)?" ([1-5]\d\d) (-|\d{1,15}) "([^"]*)" "([^"]*)"'
        r'(?: "[^"]*"| -| \d{1,15}(?:\.\d{1,9})?){0,8}',
        masked,
        re.ASCII,
    )
    if not match:
        return ("malformed",)
    host, user, day, month, year, hour, minute, second, sign, east_hours, east_minutes = match.groups()[:11]
    method, path, status, size, referrer, agent = match.groups()[11:]
    date = int(year), MONTHS.index(month) + 1 if month in MONTHS else 0, int(day)
    clock = int(hour), int(minute), int(second)
    east = int(east_hours) * 3600 + int(east_minutes) * 60
    if not (date[1] and 1 <= date[2] <= 31 and clock < (24,) and max(clock[1:]) < 60):
        return ("malformed",)
    if int(east_hours) > 14 or int(east_minutes) > 59:
        return ("malformed",)
    if date[2] > calendar.monthrange(date[0], date[1])[1]:
        return ("impossible date",)
    at = calendar.timegm((*date, *clock)) - (east if sign == "+" else -east)
    customer = int(user) if re.fullmatch(r"[0-9]{1,18}", user) else None
    return (at, host, customer, method, path, int(status), 0 if size == "-" else int(size), referrer, agent, None)


# --- Made-up lines and rows: everything that a person could think of, and what nobody does ---------------------

printable = st.characters(min_codepoint=0x20, max_codepoint=0x7E)
latin = st.characters(min_codepoint=0, max_codepoint=0xFF, exclude_characters="\n")
customer_ids = st.integers(FIRST_MADE, FIRST_MADE + 12)


def mostly(*good: str, bad: tuple[str, ...] = (), alphabet: Any = printable) -> st.SearchStrategy[str]:
    """A good value; in one case of fifty a bad one or any text."""
    odd = st.text(alphabet, max_size=6) | st.sampled_from(bad or good)
    return st.integers(0, 49).flatmap(lambda luck: st.sampled_from(good) if luck else odd)


line_parts = st.tuples(
    mostly("203.0.113.9", "2001:db8::7", "::1", "fe80::1%eth0", "host.example.com", "a\\\\b", bad=("www:80 ::1",)),
    st.just(" "),
    mostly("-", "ident"),
    st.just(" "),
    st.one_of(
        customer_ids.map(str),
        customer_ids.map(str),
        mostly("-", "Jo [x] Doe", "007", '""', "1" * 19, "-x", "--", "- x"),
    ),
    mostly(" [", bad=(" (", " ", " ]")),
    mostly("01", "11", "12", "18", "19", "25", "26", "28", bad=("00", "29", "30", "31", "32", "1")),
    st.just("/"),
    mostly("Jan", "Feb", "Mar", "Mar", "Mar", "Mar", "Apr", "Dec", bad=("mar", "anF", "Sept", "03")),
    st.just("/"),
    mostly("2026", "2026", "2026", "2026", "2026", "2024", "2000", "1900", "1969", bad=("3000", "26", "0000")),
    st.just(":"),
    mostly("00:00:00", "23:59:59", "12:10:00", "12:40:00", "12:39:59", bad=("24:00:00", "12:60:00", "12:00:60")),
    st.just(" "),
    mostly("+0000", "+0000", "+0000", "-0000", "+0530", "-0930", "+1459", bad=("-1500", "+0060", "0000", "Z")),
    mostly("] ", bad=(") ", " ", "]")),
    mostly('"GET ', '"GET ', '"POST ', '"HEAD ', bad=('"get ', '"', "GET ")),
    mostly("/", "/product/1", "/product/2", "/product/99", "/product/x", "/product/1?a=b", '/product/\\"', "/search?q=")
    | mostly("/cart?product=1", "/checkout/", "/order/1", "/category/books", "/%5C", "*", bad=(" /a", "", "/a "))
    | mostly(
        "/product/2/", "/product/2#top", "/product/2;s=1?a", "/search?q=red shoes", "/carton", "//cart", "/cart/a"
    ),
    mostly(
        ' HTTP/1.1" ', ' HTTP/1.1" ', ' HTTP/2.0" ', ' HTTP/2" ', ' HTTP/3" ', bad=('" ', ' HTTP/1.1 "', ' HTTP/1.1""')
    ),
    mostly("200", "200", "303", "404", "500", bad=("099", "600", "2000", "-")),
    st.just(" "),
    mostly("0", "-", "15312", "9" * 15, bad=("9" * 16, "-1", "1.5", "1e3")),
    st.just(' "'),
    mostly("-", "https://www.google.com/", "https://mail.example.com/", "https://shop.example.com/", '\\"', "\\\\")
    | mostly(
        "https://mail.google.com/", "https://x.test/?r=www.google.com", "https://gmail.com:443", "HTTPS://Bing.com?q"
    )
    | mostly("https://www.facebook.com/", "", "\\a", "[]", "'", "%_", bad=("\\",), alphabet=latin),
    st.just('" "'),
    mostly("-", "Mozilla/5.0 (iPhone) Mobile", "Mozilla/5.0 (iPad) Mobile", "Tablet", 'a \\"b\\" c', "\\x22", "a\\\\"),
    mostly('"', '"', '"', '" "203.0.113.7, 10.0.0.1"', '" 512 17', '" 0.012 "-"', bad=("", '" ', '"\r', '\\"', '""')),
).map("".join)
cut_lines = st.tuples(line_parts, st.integers(0, 250), st.sampled_from(["", "\t", "\0", "\r", "\x85", "é", " ", '"']))
lines = st.one_of(
    line_parts,
    line_parts,
    line_parts,
    cut_lines.map(lambda cut: cut[0][: cut[1]] + cut[2] + cut[0][cut[1] + 1 :]),
    cut_lines.map(lambda cut: cut[0][: cut[1]]),
    st.text(latin, max_size=40),
)

moments = st.one_of(
    st.integers(generate.START - 3 * DAY, generate.START + 100 * DAY),
    st.builds(
        lambda cutoff, days, seconds: cutoff + days * DAY + seconds,
        st.sampled_from(list(DATASET.cutoffs.values())),
        st.sampled_from([-70, -28, -7, 0, 7]),
        st.sampled_from([-1, 0, 1]),
    ),
)
# Refunds, nothing, and amounts beyond 32 and 53 bits, of which one alone has more digits than a DOUBLE.
cents = st.integers(-(10**9), 10**9) | st.sampled_from([0, -1, 2**53 + 1, 2**57, -(2**57)])
orders = st.tuples(customer_ids, st.integers(1, 5), st.integers(-9, 9), cents, moments)
reviews = st.tuples(customer_ids, st.integers(1, 5), st.none() | st.integers(1, 5), st.none() | st.text(), moments)
customers = st.tuples(
    moments, st.none() | st.sampled_from(["DE", "", " F R ", "\u5317\u4eac"]), st.none() | st.integers(0, 1)
)


def made(strategy: st.SearchStrategy[Any], count: int) -> list[Any]:
    """Many values of a strategy at once: one query over all of them instead of one for each."""
    values: list[Any] = []

    @settings(
        max_examples=count // 10,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(strategy, min_size=10, max_size=10, unique_by=repr))
    def collect(some: list[Any]) -> None:
        values.extend(some)

    collect()
    return values


def write_made(raw: Path) -> None:
    """Put made-up lines and rows beside the generated ones."""
    (raw / "logs" / "made").mkdir()
    text = "\n".join(["", *made(lines, 2_000), *("x" * length for length in (32_768, 32_769, 200_000))])
    (raw / "logs" / "made" / "part.log").write_bytes(text.encode("iso-8859-1"))
    tables = {
        "orders": [(number, *row) for number, row in enumerate(made(orders, 400))],
        "reviews": [(number, *row) for number, row in enumerate(made(reviews, 300))],
        "customers": [(FIRST_MADE + number, *row) for number, row in enumerate(made(customers, 20)[:13])],
    }
    types = {"BIGINT": pa.int64(), "VARCHAR": pa.string()}
    for table in DATASET.tables:
        if table.name in tables:
            columns = zip(*tables[table.name], strict=True)
            arrays = [
                pa.array(values, types[kind]) for values, kind in zip(columns, table.columns.values(), strict=True)
            ]
            pq.write_table(pa.table(arrays, list(table.columns)), raw / table.name / "made.parquet")


# --- The two engines ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Results:
    """What an engine made of the raw tables: columns, and rows in one order."""

    log_columns: Columns
    logs: list[Row]
    feature_columns: Columns
    features: list[Row]


def in_order(rows: list[Row]) -> list[Row]:
    # repr tells NULL from text, integers from doubles, and shows every digit of a double.
    return sorted(rows, key=repr)


def log_files(raw: Path) -> list[Path]:
    return sorted(path for path in (raw / "logs").rglob("*") if path.is_file())


def prepare_duckdb(connection: Any, raw: Path) -> None:
    """Make the views that features.sql reads; `all_logs` keeps the rejected lines."""
    connection.register("lines", Lines(log_files(raw), 2))
    connection.execute(f"CREATE TABLE all_logs AS SELECT * EXCLUDE (file) FROM ({LOGS.clean}) AS cleaned")
    connection.execute("CREATE VIEW logs AS SELECT * EXCLUDE (reject, copies) FROM all_logs WHERE reject IS NULL")
    for table in DATASET.tables[1:]:
        columns = ", ".join(table.columns)
        connection.execute(f"CREATE VIEW {table.name} AS SELECT {columns} FROM '{raw}/{table.location}*.parquet'")
    connection.execute(f"CREATE VIEW cutoffs AS {DATASET.cutoffs_sql}")


def run_spark(spark: SparkSession, raw: Path, ansi: bool) -> Results:
    spark.conf.set("spark.sql.ansi.enabled", ansi)
    on_spark.lines(spark, [str(path) for path in log_files(raw)]).createOrReplaceTempView("lines")
    all_logs = spark.sql(LOGS.clean).drop("file").persist()
    try:
        all_logs.createOrReplaceTempView("all_logs")
        all_logs.where("reject IS NULL").drop("reject", "copies").createOrReplaceTempView("logs")
        for table in DATASET.tables[1:]:
            frame = spark.read.parquet(str(raw / table.location)).select(*table.columns)
            frame.createOrReplaceTempView(table.name)
        spark.sql(DATASET.cutoffs_sql).createOrReplaceTempView("cutoffs")
        spark.sql(DATASET.features).createOrReplaceTempView("found")
        return Results(
            on_spark.columns_of(spark, "all_logs"),
            in_order([tuple(row) for row in all_logs.collect()]),
            on_spark.columns_of(spark, "found"),
            in_order(on_spark.rows_of(spark, "SELECT * FROM found")),
        )
    finally:
        all_logs.unpersist()
        spark.conf.unset("spark.sql.ansi.enabled")


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("webshop")
    generate.generate(generate.Plan.of(6_000, 7, folder), processes=2)
    write_made(folder)
    return folder


@pytest.fixture(scope="module")
def connection(raw: Path) -> Iterator[Any]:
    with duck.connect() as opened:
        prepare_duckdb(opened, raw)
        opened.execute(f"CREATE TABLE found AS {DATASET.features}")
        yield opened


@pytest.fixture(scope="module")
def results(connection: Any) -> Results:
    return Results(
        duck.columns_of(connection, "all_logs"),
        in_order(duck.rows_of(connection, "FROM all_logs")),
        duck.columns_of(connection, "found"),
        in_order(duck.rows_of(connection, "FROM found")),
    )


# --- Tests ----------------------------------------------------------------------------------------------------


def test_lines_are_judged_as_in_plain_python(raw: Path, results: Results) -> None:
    """Every distinct line once, with how often it occurred, its fields or the reason against it."""
    seen: Counter[str] = Counter()
    for batch in Lines(log_files(raw), 1).batches():
        seen.update(batch.column(0).to_pylist())
    expected = Counter((*judge(line), copies) for line, copies in seen.items())
    found = Counter((row if row[-2] is None else row[-2:]) for row in results.logs)
    assert found == expected
    reasons = {row[-2] for row in results.logs}
    assert reasons == {None, "empty", "too long", "not ascii", "malformed", "impossible date"}
    made_up = [row for row in results.logs if row[-2] is None and (row[2] or 0) >= FIRST_MADE]
    assert len(made_up) > 100


def test_the_generator_damages_one_line_in_a_hundred(raw: Path, connection: Any) -> None:
    files = [path for path in log_files(raw) if path.name.endswith(".gz")]
    lines = [line for batch in Lines(files, 1).batches() for line in batch.column(0).to_pylist()]
    seen = Counter(lines)
    bad = sum(copies if len(judge(line)) == 1 else copies - 1 for line, copies in seen.items())
    assert 0.005 < bad / len(lines) < 0.02


# Prepare switches it on.
@pytest.mark.parametrize(
    "ansi", [pytest.param(False, id="ansi off", marks=pytest.mark.full), pytest.param(True, id="ansi on")]
)
def test_both_engines_agree_exactly(ansi: bool, raw: Path, results: Results, spark: SparkSession) -> None:
    """Columns, types, and every row to the last digit, over generated and made-up data."""
    found = run_spark(spark, raw, ansi)
    assert found.log_columns == results.log_columns
    assert found.logs == results.logs
    assert found.feature_columns == results.feature_columns
    assert found.features == results.features


def test_features_are_numbers_and_vary(results: Results) -> None:
    """Split, entity and label first; then at least 25 features, none of them constant or always missing."""
    names = [name for name, _ in results.feature_columns]
    assert names[:3] == ["split", DATASET.entity, DATASET.label]
    assert {kind for _, kind in results.feature_columns[1:]} == {"BIGINT", "DOUBLE"}
    assert len(names) >= 28
    for place, name in enumerate(names):
        assert len({row[place] for row in results.features} - {None}) > 1, name
    assert {(row[0] == "score", row[2] is None) for row in results.features} == {(True, True), (False, False)}
    assert len({row[:2] for row in results.features}) == len(results.features)


def test_nothing_leaks(raw: Path, connection: Any) -> None:
    """Without anything from the cut-off on, the features stay what they were; only the label falls to 0."""
    for split, cutoff in DATASET.cutoffs.items():
        with duck.connect() as past:
            prepare_duckdb(past, raw)
            for view, moment in (
                ("logs", "logged_at"),
                ("orders", "ordered_at"),
                ("reviews", "reviewed_at"),
                ("customers", "registered_at"),
            ):
                past.execute(f"CREATE TABLE {view}_past AS SELECT * FROM {view} WHERE {moment} < {cutoff}")
                past.execute(f"DROP VIEW {view}")
                past.execute(f"ALTER TABLE {view}_past RENAME TO {view}")
            sql = f"SELECT * EXCLUDE ({DATASET.label}) FROM ({{}}) AS f WHERE split = '{split}'"
            assert in_order(duck.rows_of(past, sql.format(DATASET.features))) == in_order(
                duck.rows_of(connection, sql.format("FROM found"))
            )


def test_one_customer_by_hand(tmp_path: Path) -> None:
    """Three sessions, one of them over 70 days ago, an order before and one after the first cut-off."""
    cutoff = DATASET.cutoffs["train"]

    def line(day: str, clock: str, request: str, referrer: str = "https://shop.example.com/") -> str:
        return f'203.0.113.9 - 5 [{day}/2026:{clock} +0100] "{request} HTTP/1.1" 200 10 "{referrer}" "Mobile"\n'

    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "a.log").write_text(
        line("31/Dec", "23:00:00", "GET /").replace("2026", "2025")
        + line("20/Feb", "09:00:00", "GET /product/1", "https://www.google.com/")
        + line("20/Feb", "09:00:30", "GET /product/2")
        + line("20/Feb", "09:30:29", "POST /cart?product=2")
        + line("12/Mar", "00:59:59", "GET /", "-")
        + line("12/Mar", "01:00:00", "GET /product/1")
    )
    rows: dict[str, dict[str, list[Any]]] = {
        "customers": {"customer_id": [5], "registered_at": [cutoff - 1], "country": ["DE"], "newsletter": [1]},
        "products": {
            "product_id": [1, 2],
            "name": ["a", "b"],
            "category": ["c", "c"],
            "price_cents": [100, 301],
            "picture": [b"", b""],
        },
        "orders": {
            "order_id": [1, 2],
            "customer_id": [5, 5],
            "product_id": [1, 1],
            "quantity": [1, 1],
            "total_cents": [100, 900],
            "ordered_at": [cutoff - 1, cutoff + 7 * DAY - 1],
        },
        "reviews": {
            "review_id": [1],
            "customer_id": [5],
            "product_id": [1],
            "rating": [2],
            "text": ["naïve"],
            "reviewed_at": [cutoff - DAY - 1],
        },
    }
    for name, columns in rows.items():
        (tmp_path / name).mkdir()
        pq.write_table(pa.table(columns), tmp_path / name / "a.parquet")
    with duck.connect() as connection:
        prepare_duckdb(connection, tmp_path)
        names = [name for name, _ in duck.columns_of(connection, f"({DATASET.features})")]
        found = duck.rows_of(connection, DATASET.features)
    (train,) = [dict(zip(names, row, strict=True)) for row in found if row[0] == "train"]
    expected = {
        "bought": 1,
        "days_since_registration": 0,
        "days_since_visit": 0,
        "days_since_cart": 19,
        "sessions_7": 1,
        "sessions_28": 2,
        "sessions_70": 2,
        "pages_28": 4,
        "views_28": 2,
        "carts_28": 1,
        "orders_7": 1,
        "spent_cents_28": 100,
        "log_spent_70": 4.615121,
        "mean_viewed_cents_70": 200.5,
        "session_trend": 2.0,
        "pages_per_session_70": 2.0,
        "seconds_per_session_70": (30 + 1799) / 2,
        "mobile_share": 1.0,
        "search_share": 0.5,
        "direct_share": 0.5,
        "deviation_of_days_between_visits": None,
        "complaints_70": 1,
        "mean_review_length_70": 5.0,
    }
    assert {name: train[name] for name in expected} == expected
    assert {row[0]: row[2] for row in found} == {"train": 1, "validation": 0, "test": 0, "score": None}


def test_money_and_refunds_are_summed_as_in_plain_python(raw: Path, results: Results) -> None:
    """Every customer and split: orders, cents, their logarithm and the label, by Python's own integers."""
    orders = pq.read_table(raw / "orders").to_pylist()
    names = [name for name, _ in results.feature_columns]
    refunded = only_refunds = 0
    for row in results.features:
        found = dict(zip(names, row, strict=True))
        cutoff = DATASET.cutoffs[found["split"]]
        own = [
            order
            for order in orders
            if order["customer_id"] == found["customer_id"] and cutoff - 70 * DAY <= order["ordered_at"] < cutoff
        ]
        spent = sum(order["total_cents"] for order in own)
        recent = sum(order["total_cents"] for order in own if order["ordered_at"] >= cutoff - 28 * DAY)
        assert (found["orders_70"], found["spent_cents_28"]) == (len(own), recent)
        assert found["log_spent_70"] == pytest.approx(math.copysign(math.log1p(abs(spent)), spent), abs=2e-6)
        refunded += spent < 0
        week = [
            order["total_cents"]
            for order in orders
            if order["customer_id"] == found["customer_id"] and cutoff <= order["ordered_at"] < cutoff + 7 * DAY
        ]
        if found["split"] != "score":
            assert found["bought"] == any(total >= 0 for total in week)
            only_refunds += bool(week) and not found["bought"]
    assert refunded > 5
    assert only_refunds > 0


PAGES = {
    "/product/3": ("view", 300),
    "/product/3/": ("view", 300),
    "/product/3?utm_source=newsletter": ("view", 300),
    "/product/3#reviews": ("view", 300),
    "/product/3;jsessionid=A?x=/cart": ("view", 300),
    "//product///3": ("view", 300),
    "https://shop.example.com/product/3?a=/cart": ("view", 300),
    "HTTP://shop.example.com:80/cart": ("cart", None),
    "http://cart": ("", None),
    "cart:443": ("", None),
    "*": ("", None),
    "/product/x": ("view", None),
    "/product/": ("", None),
    "/product": ("", None),
    "/products/3": ("", None),
    "/search": ("search", None),
    "/search/?q=red shoes": ("search", None),
    "/searching": ("", None),
    "/cart?product=3": ("cart", None),
    "/cart/add": ("cart", None),
    "/carton": ("", None),
    "/category/cart": ("", None),
    "/?next=/cart": ("", None),
}
REFERRERS = {
    "-": "direct",
    "": "direct",
    "https://mail.google.com/": "mail",
    "https://gmail.com": "mail",
    "http://mail.example.com:8080/a?b": "mail",
    "https://outlook.live.com/mail/": "mail",
    "android-app://com.google.android.gm/": "mail",
    "https://googlemail.com/": "mail",
    "https://outlook.office365.com/mail": "mail",
    "https://mail.yahoo.co.jp/": "mail",
    "https://gmail.com.evil.example/": "",
    "https://outlook.example.com/": "",
    "https://shop.example.com/mailing": "",
    "https://dailymail.example/": "",
    "https://www.google.com/": "search",
    "https://www.google.co.uk/search?q=mail": "search",
    "https://GOOGLE.de?x": "search",
    "https://me@www.bing.com:443/": "search",
    "https://duckduckgo.com/": "search",
    "android-app://com.google.android.googlequicksearchbox/": "search",
    "https://notgoogle.com/": "",
    "https://www.google.com.evil.example/": "",
    "https://docs.google.com/": "",
    "https://shop.example.com/?from=https://www.google.com/": "",
    "https://l.facebook.com/": "",
}


def test_pages_and_referrers_by_hand(tmp_path: Path) -> None:
    """A customer for each: a page is told by whole segments of its path, an origin by whole labels of its host."""
    cases = [(page, "https://shop.example.com/", *told, "") for page, told in PAGES.items()]
    cases += [("/", referrer, "", None, source) for referrer, source in REFERRERS.items()]
    lines = [
        f'2001:db8::7 - {number} [01/Mar/2026:10:00:00 +0000] "GET {page} HTTP/2" 200 5 "{referrer}" "-" "::1" 0.5\n'
        for number, (page, referrer, *_) in enumerate(cases)
    ]
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "a.log").write_text("".join(lines))
    rows: dict[str, dict[str, list[int | None]]] = {
        table.name: {name: [] for name in table.columns} for table in DATASET.tables[1:]
    }
    rows["customers"]["customer_id"] = [*range(len(cases))]
    rows["products"] |= {"product_id": [3], "price_cents": [300]}
    types = {"BIGINT": pa.int64(), "VARCHAR": pa.string(), "BLOB": pa.binary()}
    for table in DATASET.tables[1:]:
        count = max(map(len, rows[table.name].values()))
        filled = {
            name: pa.array(rows[table.name][name] or [0 if kind == "BIGINT" else None] * count, types[kind])
            for name, kind in table.columns.items()
        }
        (tmp_path / table.location).mkdir()
        pq.write_table(pa.table(filled), tmp_path / table.location / "a.parquet")
    with duck.connect() as connection:
        prepare_duckdb(connection, tmp_path)
        found = duck.rows_of(
            connection,
            "SELECT customer_id, views_28, searches_28, carts_28, mean_viewed_cents_70, direct_share, search_share, "
            f"mail_share FROM ({DATASET.features}) AS f WHERE split = 'train' ORDER BY customer_id",
        )
    for row, (page, referrer, told, price, source) in zip(found, cases, strict=True):
        pages = [told == kind for kind in ("view", "search", "cart")]
        origins = [source == kind for kind in ("direct", "search", "mail")]
        assert list(row[1:]) == [*pages, price, *origins], (page, referrer)


def test_what_can_be_known_can_be_learnt(tmp_path: Path) -> None:
    """At the default scale a plain model of the train split comes close to the true probabilities' AUC."""
    generate.generate(generate.Plan.of(200_000, 7, tmp_path), processes=2)
    with duck.connect() as connection:
        prepare_duckdb(connection, tmp_path)
        connection.execute(f"CREATE TABLE found AS {DATASET.features}")
        rows = "SELECT * EXCLUDE (split, customer_id) FROM found WHERE split = '{}' ORDER BY customer_id"
        splits = {split: connection.execute(rows.format(split)).df().astype(np.float64) for split in ("train", "test")}
        truth = duck.rows_of(
            connection,
            f"SELECT probability FROM '{tmp_path}/truth/*.parquet' WHERE split = 'test' ORDER BY customer_id",
        )
    matrices = {
        split: xgboost.DMatrix(table.drop(columns="bought"), table["bought"]) for split, table in splits.items()
    }
    settings = {"objective": "binary:logistic", "max_depth": 4, "eta": 0.1, "nthread": 2}
    model = xgboost.train(settings, matrices["train"], 100)
    bought = splits["test"]["bought"]
    attainable = roc_auc_score(bought, [probability for (probability,) in truth])
    assert attainable - roc_auc_score(bought, model.predict(matrices["test"])) < 0.03
