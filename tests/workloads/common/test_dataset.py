"""The definition of a dataset is read, or refused with a message that helps."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.command import InputError
from common.dataset import DEFINITION, Dataset
from tests.workloads.small import DATASET_TOML, FILES, write_definition


def parse(definition: str, **files: str) -> Dataset:
    """Parse the small dataset with another dataset.toml."""
    return Dataset.parse({**FILES, DEFINITION: definition, **files}, "s3://bucket/small/")


def test_small(tmp_path: Path) -> None:
    """Everything that the definition says arrives; a semicolon at the end of a SQL text does no harm."""
    folder = write_definition(tmp_path, features="SELECT 1 -- one\n;\n")
    (folder / "dataset.toml").write_text(DATASET_TOML, "utf-8-sig")
    (folder / "generate.py").write_bytes(b"\xff")
    dataset = Dataset.load(folder)
    assert (dataset.name, dataset.entity, dataset.label, dataset.truth) == ("small", "visitor_id", "bought", "truth/")
    assert dataset.cutoffs == {
        "train": 1768003200, "validation": 1768867200, "test": 1769731200, "score": 1770595200,
    }  # fmt: skip
    visits, people = dataset.tables
    assert (visits.name, visits.location, visits.format, visits.clean_name) == (
        "visits",
        "visits/",
        "text",
        "visits.sql",
    )
    assert visits.clean.strip().startswith("SELECT")
    assert people.columns == {"visitor_id": "BIGINT", "age": "BIGINT", "country": "VARCHAR"}
    assert dataset.features == "SELECT 1 -- one\n\n"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('entity = "visitor_id"', "", r"dataset.toml: 'entity' is missing"),
        ('entity = "visitor_id"', "entity = 7", r"entity = 7 must be a text"),
        ('entity = "visitor_id"', 'entity = "visitor id"', r"'visitor id' must be a plain SQL identifier"),
        ('entity = "visitor_id"', 'entity = "Split"', r"must differ and not be 'split'"),
        ('label = "bought"', 'lable = "bought"', r"unknown key 'lable'; did you mean 'label'\?"),
        ('name = "small"', 'name = "Small shop"', r"name 'Small shop' must be lower-case"),
        ("score = 2026-02-09", "score = 2026-01-30", r"test = 2026-01-30 must be before score = 2026-01-30"),
        ("score = 2026-02-09", "scores = 2026-02-09", r"\[cutoffs\]: unknown key 'scores'; did you mean 'score'\?"),
        ("score = 2026-02-09", "", r"\[cutoffs\]: 'score' is missing"),
        ("score = 2026-02-09", 'score = "2026-02-09"', r"must be a date, as in 2026-03-12"),
        ("score = 2026-02-09", "score = 2026-02-09T00:00:00Z", r"must be a date without a time"),
        ('format = "text"', 'format = "txt"', r"\[tables.visits\]: format = 'txt'; did you mean 'text'\?"),
        ('format = "text"', 'formt = "text"', r"\[tables.visits\]: 'format' is missing"),
        ('format = "text"', 'format = "parquet"', r"\[tables.visits\]: unknown key 'clean'"),
        ('clean = "visits.sql"', 'clean = "clean.sql"', r"small: clean.sql is missing"),
        ('location = "visits/"', 'location = "../visits/"', r"must be a path below the raw prefix"),
        ('location = "visits/"', 'location = "s3://other/"', r"must be a path below the raw prefix"),
        ('location = "visits/"', 'location = "/"', r"must be a path below the raw prefix"),
        ("[tables.visits]", "[tables.lines]", r"'lines' has a name that is taken"),
        ("[tables.people]", "[tables.Visits]", r"'Visits' has a name that is taken"),
        ("[tables.visits]", '[tables."a-b"]', r"'a-b' must be a plain SQL identifier"),
        ('age = "BIGINT"', 'age = "bigint"', r"age = 'bigint'; did you mean 'BIGINT'\? allowed: BIGINT"),
        ('age = "BIGINT"', 'age = "TIMESTAMP"', r"age = 'TIMESTAMP'; allowed: BIGINT"),
        ('columns = { visitor_id = "BIGINT", age = "BIGINT", country = "VARCHAR" }', "columns = {}", r"no column"),
        ('clean = "visits.sql"', 'clean = "visits.sql"\ngood_share = 2', r"good_share = 2 must be a number from"),
        ('country = "VARCHAR" }', 'country = "VARCHAR" }\nkey = "id"', r"people\]: key: allowed: .*; found 'id'"),
        ('country = "VARCHAR" }', 'country = "VARCHAR" }\nkey = 7', r"key = 7 must be a column or a list of columns"),
        ('country = "VARCHAR" }', 'country = "VARCHAR" }\ntimes = ["country"]', r"times: 'country' must be BIGINT"),
        ('location = "truth/"', 'locations = "truth/"', r"\[truth\]: unknown key 'locations'"),
        ("[cutoffs]", "[cutoffs", r"not valid TOML"),
    ],
)  # fmt: skip
def test_mistakes(old: str, new: str, message: str) -> None:
    """Each names the place, the value and what is allowed."""
    assert old in DATASET_TOML
    with pytest.raises(InputError, match=message) as raised:
        parse(DATASET_TOML.replace(old, new, 1))
    assert str(raised.value).startswith("s3://bucket/small")


def test_numbers_of_tables() -> None:
    """None is too few; more than eight do not fit into a Processing job."""
    head = DATASET_TOML.split("[tables.visits]")[0]
    table = '[tables.t{0}]\nlocation = "t{0}"\nformat = "parquet"\ncolumns = {{ id = "BIGINT" }}\n'
    assert len(parse(head + "".join(table.format(number) for number in range(8))).tables) == 8
    with pytest.raises(InputError, match="9 tables; allowed: 1 to 8"):
        parse(head + "".join(table.format(number) for number in range(9)))
    with pytest.raises(InputError, match="0 tables"):
        parse(head + "[tables]\n")


def test_missing_files(tmp_path: Path) -> None:
    """No folder, no definition, no features, not UTF-8, empty."""
    with pytest.raises(InputError, match="no such dataset folder"):
        Dataset.load(tmp_path / "none")
    with pytest.raises(InputError, match=r"dataset\.toml is missing"):
        Dataset.load(tmp_path)
    write_definition(tmp_path)
    (tmp_path / "features.sql").write_bytes(b"SELECT '\xe9'")
    with pytest.raises(InputError, match=r"features\.sql: not UTF-8"):
        Dataset.load(tmp_path)
    (tmp_path / "features.sql").write_text(" ;\n")
    with pytest.raises(InputError, match=r"features\.sql: empty"):
        Dataset.load(tmp_path)
    (tmp_path / "features.sql").unlink()
    with pytest.raises(InputError, match=r"features\.sql is missing"):
        Dataset.load(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SELECT 1;\nSELECT 2", r"line 1: must be one SELECT"),
        ("-- ;\nSELECT ';' /* ; */; DROP TABLE x;", r"line 2: must be one SELECT"),
        ("CREATE TABLE x AS SELECT 1", r"line 1: must be one SELECT"),
        ("-- nothing\n;", r"empty; it must be one SELECT"),
        (
            "SELECT 1,\n  REGEXP_EXTRACT(a, '[0-9]\\d', 0)",
            r"line 2: '\[0-9\]\\d' means another text to Spark; .*CHR\(92\)",
        ),
        ("SELECT 'it''s'", r"line 1: 'it''s' means another text to Spark; put CHR\(39\)"),
        ("SELECT 1,\nrandom () FROM lines", r"line 2: random has other values .* on each engine"),
        ("SELECT a - current_date FROM lines", r"line 1: current_date has other values"),
        ("SELECT MOD(HASH(a), 10)", r"line 1: HASH has other"),
        ("SELECT *\nFROM read_parquet(path)", r"line 2: read_parquet reads what is no table of dataset.toml"),
        ("SELECT * FROM x JOIN 'orders.parquet' AS o", r"line 1: JOIN ' reads what is no table"),
        ("SELECT * FROM parquet.`/orders`", r"line 1: FROM parquet. reads what is no table"),
    ],
)
def test_mistakes_in_sql(text: str, message: str) -> None:
    """Found before an engine sees the text, so in the same words on both sides."""
    for name in ("features.sql", "visits.sql"):
        with pytest.raises(InputError, match=rf"^s3://bucket/small/{name}: {message}"):
            parse(DATASET_TOML, **{name: text})


def test_sql_that_is_allowed() -> None:
    """Words and semicolons in texts, names and comments; names that only begin like a function."""
    text = """-- it's; random()
(SELECT 'a;', '', "hash (", x.rand, random_forest(1) /* now() */ FROM x) ; -- end;
/* end */"""
    assert parse(DATASET_TOML, **{"features.sql": text}).features == text.partition(" ; --")[0] + " \n"


@given(st.data())
@settings(max_examples=400, deadline=None)
def test_nothing_else_is_raised(data: st.DataObject) -> None:
    """A definition with pieces cut out, doubled or replaced is read or refused, never a crash."""
    lines = DATASET_TOML.splitlines()
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(lines) - 1))
        value = data.draw(
            st.sampled_from(["{}", "[]", "0", "true", '""', "nan", "2026-01-15", '"a b"', "[{}]", "07:00:00"])
        )
        key = lines[place].split("=")[0]
        lines[place] = data.draw(st.sampled_from(["", f"{key}= {value}", lines[place - 1], lines[place] * 2]))
    with contextlib.suppress(InputError):
        parse("\n".join(lines))
