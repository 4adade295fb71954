"""Text that others wrote, made fit to be shown: nothing in it moves the cursor, starts a line or turns directions."""

import re
from typing import Any

# What a terminal obeys (C0, C1, DEL), lone surrogates, which no file can hold, line and paragraph separators, and what
# changes the direction of the text around it (Unicode 16, UAX #9, table 4, and the three marks).
_UNFIT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_UNFIT_IN_A_LINE = re.compile(rf"{_UNFIT.pattern}|[\t\n]")


def clean(text: str) -> str:
    """The text with such characters spelled out (``\\x1b``); line breaks and tabs stay."""
    return _UNFIT.sub(_spelled, text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    """The text with such characters, line breaks and tabs spelled out."""
    return _UNFIT_IN_A_LINE.sub(_spelled, text)


def clean_json(value: Any) -> Any:
    """A JSON value with every text in it cleaned, keys too."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean_json(key): clean_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(clean_json(item) for item in value)
    return value


def _spelled(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")
