"""What the stages write beside their data: stats.json and evaluation.json, with the same fields on every side."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

STATS = "stats.json"
EVALUATION = "evaluation.json"
MODEL = "xgboost-model.json"
SUCCESS = "_SUCCESS"


@dataclass
class Stats:
    """Counts of one stage.

    Attributes:
        rows_in: rows read; for prepare the raw rows of all tables, lines included.
        rows_out: rows written.
        rejected: text table to reason to number of lines left out (prepare only).
        read: text table to number of lines read (prepare only).
        rows: split to number of rows (prepare only).
    """

    rows_in: int = 0
    rows_out: int = 0
    rejected: dict[str, dict[str, int]] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    read: dict[str, int] = field(default_factory=dict)

    def lines(self, table: str, rows: Sequence[tuple[str | None, int, int, int]]) -> None:
        """Count a text table's lines from the rows of `rejected_sql`: reason, file, distinct lines, lines."""
        counts: Counter[str] = Counter()
        self.read[table] = sum(lines for *_, lines in rows)
        self.rows_in += self.read[table]
        for reason, _, distinct, lines in rows:
            counts["duplicate" if reason is None else reason] += lines - distinct if reason is None else lines
        self.rejected[table] = dict(sorted((+counts).items()))

    def rejected_share(self, table: str) -> str:
        """How many of a text table's lines were left out, and why: for the log."""
        rejected = self.rejected[table]
        number, read = sum(rejected.values()), self.read[table]
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in rejected.items())
        share = number / read if read else 0
        return f"{number:,} of {read:,} lines rejected, {share:.2%}" + (f": {reasons}" if reasons else "")

    def json(self) -> str:
        """The text of stats.json."""
        counts: dict[str, Any] = {"rows_in": self.rows_in, "rows_out": self.rows_out}
        if self.rows:
            counts |= {"read": self.read, "rejected": self.rejected, "rows": self.rows}
        return to_json(counts)


def rejected_sql(cleaned: str, by_file: bool) -> str:
    """The portable SELECT that counts the lines of a cleaned text table by reason; NULL is the reason of good ones."""
    file = "file" if by_file else "CAST(0 AS BIGINT)"
    return f"""SELECT reject, {file} AS number, COUNT(*) AS distinct_lines, CAST(SUM(copies) AS BIGINT) AS lines
FROM {cleaned} GROUP BY 1, 2"""


def to_json(value: Mapping[str, Any]) -> str:
    """JSON as people read it; NaN has no place in it."""
    return json.dumps(value, indent=2, allow_nan=False) + "\n"
