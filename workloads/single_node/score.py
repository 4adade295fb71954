"""Answer requests for predictions: the inference script of the model server, for Batch Transform and for the endpoint.

It travels inside model.tar.gz as code/score.py and needs nothing beside it. A request holds rows of features, in the
order in which the model was trained: CSV (`text/csv`, an empty field is a missing value) or JSON (`application/json`,
null is a missing value) in one of these forms, each name once:

    {"instances": [[1, 2.5], [3, null]]}                    rows
    {"instances": [{"features": [1, 2.5]}]}                 rows, as other built-in algorithms take them
    {"instances": [{"visits": 1, "days": 2.5}]}             rows by feature name
    [[1, 2.5], [3, null]]   [1, 2.5]                        rows, one row

The answer is one probability per line, or {"predictions": [...]}. A request that is at fault is answered with 400, 406
or 415 and a reason, {"error": "..."}. As a command it scores CSV rows from standard input.
"""

import argparse
import csv
import io
import json
import re
import reprlib
import sys
import traceback
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
import xgboost

MODEL = "xgboost-model.json"
CSV, JSON = "text/csv", "application/json"
FORMS = (CSV, JSON)

# float() would also take nan, inf, 1_000 and the digits of other scripts.
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_LARGEST = float(np.finfo(np.float32).max)

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 60

Rows = npt.NDArray[np.float32]


class RequestError(Exception):
    """A request that the caller has to correct, with the HTTP status to answer."""

    def __init__(self, message: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> None:
        """Take the reason and the status."""
        super().__init__(message)
        self.status = status

    def body(self) -> str:
        """The reason as JSON."""
        return json.dumps({"error": str(self)})


def model_fn(model_dir: str) -> xgboost.Booster:
    """Load the model: called once by each process of the model server."""
    booster = xgboost.Booster()
    booster.load_model(Path(model_dir) / MODEL)
    # The server runs one process per core, each with a request at a time.
    booster.set_param({"nthread": 1})
    return booster


def transform_fn(model: xgboost.Booster, content: bytes | str, content_type: str | None, accept: str | None) -> Any:
    """Answer one request: the body and its content type, or what `refuse` makes of an error."""
    try:
        form = media_type(content_type)
        answer = accepted(accept, form)
        rows = parse(content, form, model.feature_names or [])
        return format_answer(predict(model, rows), answer), answer
    except RequestError as problem:
        return refuse(problem)
    except Exception:
        # What the caller gets must not show how the server is made; the log does.
        traceback.print_exc()
        return refuse(RequestError("the model failed; see the log", HTTPStatus.INTERNAL_SERVER_ERROR))


def refuse(problem: RequestError) -> Any:
    """Answer an error, in the form that the image's server takes.

    Raises:
        RequestError: there is no such server.
    """
    if "sagemaker_containers" not in sys.modules:
        raise problem
    from flask import Response

    return Response(problem.body(), problem.status, mimetype=JSON)


def media_type(content_type: str | None) -> str:
    """Take the form of the request out of its Content-Type, or raise RequestError."""
    form = (content_type or "").split(";")[0].strip().lower()
    if form not in FORMS:
        raise RequestError(
            f"Content-Type {content_type!r} is not one of {', '.join(FORMS)}", HTTPStatus.UNSUPPORTED_MEDIA_TYPE
        )
    return form


def accepted(accept: str | None, form: str) -> str:
    """Choose the form of the answer: the first that is accepted; that of the request when any is."""
    wanted = [part.split(";")[0].strip().lower() for part in (accept or "*/*").split(",")]
    for part in wanted:
        if part in FORMS:
            return part
        if part in ("*/*", f"{form.split('/')[0]}/*"):
            return form
    raise RequestError(f"Accept {accept!r} is not one of {', '.join(FORMS)}", HTTPStatus.NOT_ACCEPTABLE)


def parse(content: bytes | str, form: str, names: Sequence[str]) -> Rows:
    """Read the rows of a request: float32, NaN where a value is missing.

    Raises:
        RequestError: names the row, from 1, and what is wrong with it.
    """
    if isinstance(content, bytes | bytearray):
        try:
            content = content.decode("utf-8")
        except UnicodeDecodeError as problem:
            raise RequestError(f"the body is not UTF-8: {problem.reason} at byte {problem.start}") from None
    if not content.strip("\r\n" if form == CSV else None):
        raise RequestError("the body is empty")
    rows = list(csv_rows(content, names) if form == CSV else json_rows(content, names))
    array = np.array(rows, np.float64)
    wrong = np.argwhere(np.abs(array) > _LARGEST)
    if len(wrong):
        row_number, column = wrong[0]
        raise RequestError(f"row {row_number + 1}: {names[column]} is too large for a 32-bit float")
    return array.astype(np.float32)


def check_width(row: Sequence[Any], names: Sequence[str], number: int) -> None:
    """Check that a row has a value for each feature, before any value is read; or raise RequestError."""
    if len(row) != len(names):
        raise RequestError(f"row {number}: {len(row)} values, expected {len(names)}: {', '.join(names)}")


def csv_rows(text: str, names: Sequence[str]) -> Iterable[list[float]]:
    """Read CSV: numbers, an empty field is a missing value."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for number, fields in enumerate(reader, 1):
            # A line without anything is one empty field, which only a model of one feature can take.
            check_width(fields or [""], names, number)
            yield [csv_value(field, number) for field in fields or [""]]
    except csv.Error as problem:
        raise RequestError(f"row {reader.line_num}: not CSV: {problem}") from None


def csv_value(field: str, number: int) -> float:
    """Read one field, or raise RequestError."""
    field = field.strip(" \t")
    if not field:
        return np.nan
    if not _NUMBER.fullmatch(field):
        raise RequestError(f"row {number}: {shown(field)} is not a number")
    return float(field)


def json_rows(text: str, names: Sequence[str]) -> Iterable[list[float]]:
    """Read JSON in one of the forms above; null is a missing value."""
    try:
        value = json.loads(text, parse_constant=not_json, object_pairs_hook=json_object)
    except RecursionError:
        raise RequestError("not JSON that this model takes: nested too deeply") from None
    except ValueError as problem:
        raise RequestError(f"not JSON: {problem}") from None
    if isinstance(value, dict):
        if set(value) != {"instances"}:
            raise RequestError(f"a JSON object must have the one key 'instances', found: {shown(list(value))}")
        value = value["instances"]
    if not isinstance(value, list) or not value:
        raise RequestError("the instances must be a list of rows that is not empty")
    if not isinstance(value[0], list | dict):
        value = [value]
    for number, row in enumerate(value, 1):
        if isinstance(row, dict):
            row = row["features"] if set(row) == {"features"} and names != ["features"] else by_name(row, names, number)
        if not isinstance(row, list):
            raise RequestError(f"row {number}: {shown(row)} is not a row: a list, or an object of features")
        check_width(row, names, number)
        yield [json_value(field, number) for field in row]


def by_name(row: dict[str, Any], names: Sequence[str], number: int) -> list[Any]:
    """Put the values of an object in the order of the features; each must be there, if only as null."""
    for name in row:
        if name not in names:
            raise RequestError(f"row {number}: unknown feature {shown(name)}; expected: {', '.join(names)}")
    for name in names:
        if name not in row:
            raise RequestError(f"row {number}: feature {name!r} is not there; null stands for a missing value")
    return [row[name] for name in names]


def json_value(value: Any, number: int) -> float:
    """Read one value, or raise RequestError."""
    if value is None:
        return np.nan
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RequestError(f"row {number}: {shown(value)} is not a number")
    try:
        return float(value)
    except OverflowError:
        return np.inf


def not_json(constant: str) -> NoReturn:
    """Refuse NaN and Infinity, which Python's JSON would take."""
    raise ValueError(f"{constant} is not a JSON number; null stands for a missing value")


def json_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose names differ; of two values for one name, Python's JSON would take the last."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"the name {shown(name)} is there twice")
        found[name] = value
    return found


def shown(value: Any) -> str:
    """A value for a message, cut when it is long or deep."""
    return _SHORT.repr(value)


def predict(model: xgboost.Booster, rows: Rows) -> Rows:
    """The probability of label 1 for each row."""
    return np.asarray(model.inplace_predict(rows, validate_features=False), np.float32)


def format_answer(probabilities: Rows, form: str) -> str:
    """Write the answer; a float32 needs no more digits than its own shortest form."""
    texts = [str(probability) for probability in probabilities]
    if form == JSON:
        return json.dumps({"predictions": [float(text) for text in texts]})
    return "".join(f"{text}\n" for text in texts)


def main(argv: Sequence[str] | None = None) -> None:
    """Score CSV rows from standard input."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--model", default="/opt/ml/model", help="folder of the model")
    arguments = parser.parse_args(argv)
    try:
        if not (Path(arguments.model) / MODEL).is_file():
            raise RequestError(f"{arguments.model}: {MODEL} is missing")
        model = model_fn(arguments.model)
        rows = parse(sys.stdin.buffer.read(), CSV, model.feature_names or [])
        sys.stdout.write(format_answer(predict(model, rows), CSV))
    except RequestError as problem:
        print(f"error: {problem}", file=sys.stderr)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
