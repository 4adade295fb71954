"""A small dataset with all the awkward values, for tests that need one in a moment: visits of a shop."""

import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

DATASET_TOML = """
name = "small"
description = "Visits of a shop"
entity = "visitor_id"
label = "bought"

[cutoffs]
train = 2026-01-10
validation = 2026-01-20
test = 2026-01-30
score = 2026-02-09

[tables.visits]
location = "visits/"
format = "text"
clean = "visits.sql"

[tables.people]
location = "people/"
format = "parquet"
columns = { visitor_id = "BIGINT", age = "BIGINT", country = "VARCHAR" }

[truth]
location = "truth/"
"""

# A good line is: visitor,epoch seconds,amount in cents.
VISITS_SQL = """
SELECT
    CASE WHEN good THEN CAST(REGEXP_EXTRACT(line, '^([0-9]+),([0-9]+),([0-9]+)$', 1) AS BIGINT) END AS visitor_id,
    CASE WHEN good THEN CAST(REGEXP_EXTRACT(line, '^([0-9]+),([0-9]+),([0-9]+)$', 2) AS BIGINT) END AS visited_at,
    CASE WHEN good THEN CAST(REGEXP_EXTRACT(line, '^([0-9]+),([0-9]+),([0-9]+)$', 3) AS BIGINT) END AS cents,
    CASE WHEN line = '' THEN 'empty' WHEN NOT good THEN 'malformed' END AS reject,
    copies
FROM (
    SELECT line, COUNT(*) AS copies, REGEXP_EXTRACT(line, '^([0-9]+),([0-9]+),([0-9]+)$', 1) <> '' AS good
    FROM lines GROUP BY line
) AS counted
"""

FEATURES_SQL = """
WITH history AS (
    SELECT c.split, v.visitor_id, COUNT(*) AS visits, SUM(v.cents) AS cents, MAX(v.visited_at) AS last_at
    FROM cutoffs AS c JOIN visits AS v ON v.visited_at < c.cutoff
    GROUP BY c.split, v.visitor_id
),
future AS (
    SELECT DISTINCT c.split, v.visitor_id
    FROM cutoffs AS c JOIN visits AS v ON v.visited_at >= c.cutoff AND v.visited_at < c.cutoff + 864000
)
SELECT
    h.split,
    h.visitor_id,
    CASE WHEN h.split = 'score' THEN NULL ELSE CAST(CASE WHEN f.visitor_id IS NULL THEN 0 ELSE 1 END AS BIGINT) END
        AS bought,
    CAST(h.visits AS BIGINT) AS visits,
    CAST(h.cents AS DOUBLE) / CAST(h.visits AS DOUBLE) AS mean_cents,
    CAST(c.cutoff - h.last_at AS BIGINT) AS recency,
    p.age AS age
FROM history AS h
JOIN cutoffs AS c ON c.split = h.split
LEFT JOIN people AS p ON p.visitor_id = h.visitor_id
LEFT JOIN future AS f ON f.split = h.split AND f.visitor_id = h.visitor_id
"""

FILES = {"dataset.toml": DATASET_TOML, "visits.sql": VISITS_SQL, "features.sql": FEATURES_SQL}

DAY = 86_400
START = 1_767_225_600  # 2026-01-01

REJECTED = {"visits": {"duplicate": 3, "empty": 2, "malformed": 6}}
"""What `write_raw` puts in that is not a good line."""


def write_definition(folder: Path, **changed: str) -> Path:
    """Write the definition; `features="SELECT ..."` replaces features.sql, likewise `visits` and `dataset`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in FILES.items():
        (folder / name).write_text(changed.get(name.split(".")[0], text))
    return folder


def write_raw(folder: Path, visitors: int = 400, seed: int = 1) -> Path:
    """Write raw tables: plain and gzip lines with damage in them, people without an age, hidden files, truth."""
    random = np.random.default_rng(seed)
    rate = random.gamma(2.0, 0.1, visitors)  # visits per day
    lines = []
    for visitor in range(visitors):
        times = np.sort(random.choice(50 * DAY, random.poisson(rate[visitor] * 50), replace=False)) + START
        lines += [f"{visitor},{time},{random.integers(1, 10_000)}" for time in times]
    order = random.permutation(len(lines))
    lines = [lines[place] for place in order]
    half = len(lines) // 2
    visits = folder / "visits"
    (visits / "day=1").mkdir(parents=True)
    (visits / "deep" / "er").mkdir(parents=True)
    (visits / "_hidden").mkdir()
    # Damage: twice empty, a lone carriage return, NUL, ISO-8859-1, a half line; one line three more times, once at the
    # end without a newline, once with CRLF.
    damage = ["", "7,8\r9,10", "7,8,9\0", "caf\xe9,1,2", "5,6", "5,6"]
    first = "\n".join([*lines[:half], *damage, lines[0], ""])
    (visits / "day=1" / "a.log").write_bytes(first.encode("iso-8859-1"))
    second = "\n".join([*lines[half:], "", "x" * 300_000, lines[0] + "\r", lines[0]])
    with gzip.open(visits / "deep" / "er" / "b.log.gz", "wb") as file:
        file.write(second.encode("iso-8859-1"))
    (visits / "_hidden" / "c.log").write_text("no data\n")
    (visits / ".crc").write_text("no data\n")

    age = pa.array([None if visitor % 7 == 0 else 20 + visitor % 50 for visitor in range(visitors)], pa.int64())
    (folder / "people").mkdir()
    people = {"visitor_id": pa.array(range(visitors), pa.int64()), "age": age, "country": ["DE"] * visitors}
    pq.write_table(pa.table(people), folder / "people" / "part.parquet")
    (folder / "truth").mkdir()
    truth = {
        "split": ["test"] * visitors + ["train"] * visitors,
        "visitor_id": pa.array([*range(visitors)] * 2, pa.int64()),
        "probability": np.tile(1 - np.exp(-rate * 10), 2),
    }
    pq.write_table(pa.table(truth), folder / "truth" / "part.parquet")
    return folder
