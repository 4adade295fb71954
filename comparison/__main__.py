"""``python -m comparison``."""

from comparison.cli import app

app(prog_name="compare")
