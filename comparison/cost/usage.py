"""How the pipelines are used: everything that a cost depends on and that no template knows."""

import re
import tomllib
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from record.errors import UserError
from record.files import read_json, read_text

HoursADay = Annotated[FiniteFloat, Field(ge=0, le=24)]
Fraction = Annotated[FiniteFloat, Field(ge=0, le=1)]


# ASCII digits only: `1_0`, digits of other scripts and `nan` are numbers to Python, and to nobody who reads a command.
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)


class Usage(BaseModel):
    """A usage profile. Runs are spread evenly over the day, and requests over the hours in which the endpoint is up."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    runs_per_day: FiniteFloat = Field(1, ge=0, le=10_000, description="runs of each pipeline a day")
    events_per_run: FiniteFloat = Field(50_000_000, ge=0, le=1e12, description="log events that a run reads")
    requests_per_second: FiniteFloat = Field(
        1, ge=0, le=1_000_000, description="requests to the endpoint, a second, while it is up"
    )
    request_bytes: FiniteFloat = Field(300, ge=0, le=6_291_456, description="size of a request to the endpoint, bytes")
    reply_bytes: FiniteFloat = Field(20, ge=0, le=6_291_456, description="size of a response, bytes")
    request_milliseconds: FiniteFloat = Field(
        20, ge=0, le=60_000, description="time of one request in the endpoint, milliseconds; a serverless one bills it"
    )
    endpoint_hours_per_day: HoursADay = Field(24, description="hours a day in which the endpoint is up")
    cluster_hours_per_day: HoursADay | None = Field(
        None, description="hours a day for which a persistent cluster is kept up; none: as its idle termination decides"
    )
    spot_share: Fraction = Field(1, description="share of the task nodes asked for as Spot that come as Spot")
    spot_discount: Fraction = Field(
        0, description="discount of a Spot instance from its on-demand price; there is no list price for it"
    )
    keep_days: FiniteFloat = Field(30, ge=0, le=36_500, description="days for which what a run writes is kept")

    @classmethod
    def of(cls, texts: Iterable[str] = (), file: Path | None = None) -> Self:
        """The profile of ``key=value`` texts on top of a TOML or JSON file.

        Raises:
            UserError: an unknown key or an impossible value; one line.
        """
        values = _read(file) if file else {}
        places = dict.fromkeys(values, f"{file}: ")
        for text in texts:
            key, separator, value = text.partition("=")
            if not separator:
                raise UserError(f"--usage {text!r}: must be key=value")
            if value != "none" and not _NUMBER.fullmatch(value):
                raise UserError(f"--usage {key}={_short(value)}: must be a number from 0, such as 4 or 0.5")
            values[key] = None if value == "none" else value
            places[key] = "--usage "
        try:
            # Not strict: what comes from the command line is text.
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            key = str(first["loc"][0])
            if first["type"] == "extra_forbidden":
                near = get_close_matches(key, cls.model_fields, 1)
                hint = f"; did you mean {near[0]}?" if near else ""
                raise UserError(
                    f"{places[key]}{key}: unknown{hint} (allowed: {', '.join(cls.model_fields)})"
                ) from error
            message = f"{first['msg'][0].lower()}{first['msg'][1:]}"
            raise UserError(f"{places[key]}{key}={_short(str(first['input']))}: {message}") from error


def _short(text: str) -> str:
    shown = " ".join(text.split())
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


def _read(file: Path) -> dict[str, Any]:
    try:
        values = read_json(file) if file.suffix == ".json" else tomllib.loads(read_text(file))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{file}: not TOML (JSON ends with .json): {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise UserError(f"{file}: must hold keys and values, not {type(values).__name__}")
    return values
