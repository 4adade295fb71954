"""The inference script: what it answers, and what it refuses."""

import json
import math
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost
from hypothesis import given, settings
from hypothesis import strategies as st

from workloads.single_node import score
from workloads.single_node.score import CSV, JSON, RequestError, parse

NAMES = ["visits", "days", "age"]


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained model in a folder, as the server finds it."""
    random = np.random.default_rng(1)
    rows = random.normal(size=(500, 3))
    rows[::5, 1] = np.nan
    label = (rows[:, 0] + np.nan_to_num(rows[:, 1], nan=1.0) > 0).astype(int)
    booster = xgboost.train({"objective": "binary:logistic"}, xgboost.DMatrix(rows, label, feature_names=NAMES), 20)
    folder = tmp_path_factory.mktemp("model")
    booster.save_model(folder / score.MODEL)
    return folder


@pytest.fixture(scope="module")
def model(model_dir: Path) -> xgboost.Booster:
    """The model as the script loads it."""
    return score.model_fn(str(model_dir))


ROWS: list[list[float | None]] = [[1.0, 2.5, 3.0], [0.1, None, -1e-3]]


@pytest.mark.parametrize(
    ("body", "form"),
    [
        ("1,2.5,3\n0.1,,-1e-3\n", CSV),
        (b"1,2.5,3\r\n0.1,,-1e-3", CSV),
        (' 1 ,"2.5",+3.0\n.1, ,-0.001\n', CSV),
        (json.dumps({"instances": ROWS}), JSON),
        (json.dumps({"instances": [{"features": row} for row in ROWS]}), JSON),
        (json.dumps({"instances": [dict(zip(reversed(NAMES), reversed(row), strict=True)) for row in ROWS]}), JSON),
        (json.dumps(ROWS).encode(), JSON),
    ],
)
def test_all_forms_give_the_same_answer(body: bytes | str, form: str, model: xgboost.Booster) -> None:
    """CSV or JSON, rows as lists or by name: XGBoost's own prediction, to the last bit."""
    wanted = model.predict(xgboost.DMatrix(np.array(ROWS, np.float64), feature_names=NAMES))
    answer, content_type = score.transform_fn(model, body, f"{form}; charset=utf-8", CSV)
    assert content_type == CSV
    assert [np.float32(line) for line in answer.splitlines()] == list(wanted)
    answer, content_type = score.transform_fn(model, body, form, JSON)
    assert content_type == JSON
    assert [np.float32(value) for value in json.loads(answer)["predictions"]] == list(wanted)


def test_one_row_and_accept(model: xgboost.Booster) -> None:
    """A list of numbers is a row; without a wish the answer has the form of the question."""
    one = score.transform_fn(model, "[1, 2.5, 3]", JSON, "*/*")
    assert one[1] == JSON
    assert len(json.loads(one[0])["predictions"]) == 1
    assert score.transform_fn(model, "1,2.5,3", CSV, None)[1] == CSV
    assert score.transform_fn(model, "1,2.5,3", CSV, "text/html, application/json;q=0.9")[1] == JSON


BAD = [
    ("", CSV, 400, "the body is empty"),
    ("\n\n", CSV, 400, "the body is empty"),
    ("1,2\n", CSV, 400, "row 1: 2 values, expected 3: visits, days, age"),
    ("1,2,3\n1,2,3,4\n", CSV, 400, "row 2: 4 values, expected 3"),
    ("1,2,3\n\n1,2,3\n", CSV, 400, "row 2: 1 values, expected 3"),
    ("1,2,x\n", CSV, 400, "row 1: 'x' is not a number"),
    ("visits,days,age\n1,2,3\n", CSV, 400, "row 1: 'visits' is not a number"),
    ("1,2,nan\n", CSV, 400, "'nan' is not a number"),
    ("1,2,inf\n", CSV, 400, "'inf' is not a number"),
    ("1,2,1_0\n", CSV, 400, "'1_0' is not a number"),
    ("1,2,\u0663\n", CSV, 400, "is not a number"),
    ("1,2,3\n4,1e39,6\n", CSV, 400, "row 2: days is too large for a 32-bit float"),
    ('1,2,"3\n', CSV, 400, "not CSV"),
    (b"1,2,\xff\n", CSV, 400, "the body is not UTF-8"),
    ("", JSON, 400, "the body is empty"),
    ("{", JSON, 400, "not JSON"),
    ("[" * 100_000, JSON, 400, "nested too deeply"),
    ("[1, 2, NaN]", JSON, 400, "NaN is not a JSON number"),
    ("[1, 2, 1e999]", JSON, 400, "row 1: age is too large"),
    (f"[1, 2, {'9' * 400}]", JSON, 400, "row 1: age is too large"),
    ('[1, 2, "3"]', JSON, 400, "row 1: '3' is not a number"),
    ("[1, 2, true]", JSON, 400, "row 1: True is not a number"),
    ("[[1, 2, 3], [1, 2, [3]]]", JSON, 400, "row 2: [3] is not a number"),
    ("[[1, 2, 3], 4]", JSON, 400, "row 2: 4 is not a row"),
    ('{"instances": [[1, 2, 3]], "instances": [[1, 2, 3]]}', JSON, 400, "the name 'instances' is there twice"),
    (f"[1, 2, {'[' * 900}{']' * 900}]", JSON, 400, "row 1: [[[[[[[...]]]]]]] is not a number"),
    ("[]", JSON, 400, "a list of rows that is not empty"),
    ('{"instances": []}', JSON, 400, "a list of rows that is not empty"),
    ('{"rows": [[1, 2, 3]]}', JSON, 400, "the one key 'instances'"),
    ('{"instances": [{"visits": 1, "days": 2, "old": 3}]}', JSON, 400, "row 1: unknown feature 'old'"),
    ('{"instances": [{"visits": 1, "days": 2}]}', JSON, 400, "feature 'age' is not there"),
    ("1,2,3", "text/libsvm", 415, "Content-Type 'text/libsvm' is not one of text/csv, application/json"),
    ("1,2,3", None, 415, "Content-Type None"),
]


@pytest.mark.parametrize(("body", "form", "status", "reason"), BAD)
def test_bad_requests(
    body: bytes | str,
    form: str | None,
    status: int,
    reason: str,
    model: xgboost.Booster,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A status and a reason, in the form that the image's server takes (its own answers: tests/local/test_serving)."""
    with pytest.raises(RequestError) as raised:
        score.transform_fn(model, body, form, CSV)
    assert raised.value.status == status
    assert reason in json.loads(raised.value.body())["error"]

    monkeypatch.setitem(sys.modules, "sagemaker_containers", types.ModuleType("sagemaker_containers"))
    response = score.transform_fn(model, body, form, CSV)
    assert (response.status_code, response.mimetype) == (status, JSON)
    assert reason in response.get_json()["error"]


def test_unknown_accept(model: xgboost.Booster) -> None:
    """406 before the rows are looked at."""
    with pytest.raises(RequestError) as raised:
        score.transform_fn(model, "x", CSV, "image/png")
    assert raised.value.status == 406


def test_a_fault_of_the_model_shows_nothing_of_the_server(capfd: pytest.CaptureFixture[str]) -> None:
    """500 without where it arose; the log has that."""

    class Broken:
        """A model that cannot predict."""

        feature_names = NAMES

    with pytest.raises(RequestError) as raised:
        score.transform_fn(Broken(), "1,2,3", CSV, CSV)  # type: ignore[arg-type]
    assert (raised.value.status, json.loads(raised.value.body())) == (500, {"error": "the model failed; see the log"})
    assert "has no attribute 'inplace_predict'" in capfd.readouterr().err


def test_command(model_dir: Path) -> None:
    """As a command, without anything else of the repository."""
    command = [sys.executable, "-I", score.__file__, "--model", str(model_dir)]
    done = subprocess.run(command, input=b"1,2,3\n,,\n", capture_output=True, check=False)
    assert (done.returncode, len(done.stdout.splitlines()), done.stderr) == (0, 2, b"")
    done = subprocess.run(command, input=b"1,2\n", capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode() == "error: row 1: 2 values, expected 3: visits, days, age\n"


FLOATS = st.none() | st.floats(-3e38, 3e38)


@given(rows=st.lists(st.lists(FLOATS, min_size=3, max_size=3), min_size=1, max_size=5))
@settings(max_examples=200, deadline=None)
def test_every_number_arrives(rows: list[list[float | None]]) -> None:
    """Any float, written by Python, is read back as its nearest float32 from either form."""
    wanted = np.array([[math.nan if value is None else value for value in row] for row in rows]).astype(np.float32)
    text = "".join(",".join("" if value is None else repr(value) for value in row) + "\n" for row in rows)
    np.testing.assert_array_equal(parse(text, CSV, NAMES), wanted)
    np.testing.assert_array_equal(parse(json.dumps({"instances": rows}), JSON, NAMES), wanted)


JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from([*NAMES, "instances", "features"]), inner, max_size=3)
    ),
    max_leaves=12,
)
BODIES = (
    st.binary(max_size=40)
    | st.text(alphabet='0123456789.,-+eE"\r\n\x00 naif\x1c\u2028', max_size=40)
    | JSON_VALUES.map(json.dumps)
)


@given(body=BODIES, form=st.sampled_from([CSV, JSON]))
@settings(max_examples=500, deadline=None)
def test_anything_else_is_a_bad_request(body: bytes | str, form: str) -> None:
    """No body makes the server fail (500): it is read as finite rows of the right width, or refused."""
    try:
        rows = parse(body, form, NAMES)
    except RequestError:
        return
    assert rows.shape[1] == len(NAMES)
    assert len(rows) >= 1
    assert not np.isinf(rows).any()
