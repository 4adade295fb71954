"""What the stages write beside their data: stats.json and evaluation.json, with the same fields on both sides."""

import json
from collections.abc import Mapping
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
        rows: split to number of rows (prepare only).
    """

    rows_in: int = 0
    rows_out: int = 0
    rejected: dict[str, dict[str, int]] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)

    def lines(self, table: str, rows: list[tuple[str | None, int, int]]) -> None:
        """Count a text table's lines from the rows of `rejected_sql`: reason, distinct lines, lines."""
        counts: dict[str, int] = {}
        for reason, _, lines in rows:
            self.rows_in += lines
            if reason is not None:
                counts[reason] = lines
        duplicates = sum(lines - distinct for reason, distinct, lines in rows if reason is None)
        if duplicates:
            counts["duplicate"] = counts.get("duplicate", 0) + duplicates
        self.rejected[table] = dict(sorted(counts.items()))

    def json(self) -> str:
        """The text of stats.json."""
        counts: dict[str, Any] = {"rows_in": self.rows_in, "rows_out": self.rows_out}
        if self.rows:
            counts |= {"rejected": self.rejected, "rows": self.rows}
        return to_json(counts)


def rejected_sql(cleaned: str) -> str:
    """The portable SELECT that counts the lines of a cleaned text table by reason; NULL is the reason of good ones."""
    return f"""SELECT reject, COUNT(*) AS distinct_lines, CAST(SUM(copies) AS BIGINT) AS lines
FROM {cleaned} GROUP BY reject"""


def to_json(value: Mapping[str, Any]) -> str:
    """JSON as people read it; NaN has no place in it."""
    return json.dumps(value, indent=2, allow_nan=False) + "\n"
