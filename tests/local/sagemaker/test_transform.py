"""What happens to the records between S3 and the model server."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.sagemaker.transform import ColumnFilter, RecordRefused, Transform

FIELD = st.text(st.characters(codec="utf-8", exclude_characters="\r\n", exclude_categories=["Cs", "Cc"]), max_size=5)
FIELDS = st.lists(FIELD, min_size=1, max_size=6)
INDEX = st.integers(-6, 6)


def transform(**changes: object) -> Transform:
    settings: dict[str, object] = {
        "split_lines": True,
        "multi_record": True,
        "max_bytes": 1000,
        "assemble_lines": True,
        "input_filter": ColumnFilter("$"),
        "output_filter": ColumnFilter("$"),
        "join": False,
    }
    return Transform(**{**settings, **changes})  # type: ignore[arg-type]


def run(settings: Transform, data: str, answer: str = "") -> tuple[str, list[str]]:
    """The output, and the requests; the server answers each record, with the record itself by default."""
    sent: list[str] = []

    def invoke(body: bytes) -> bytes:
        sent.append(body.decode())
        return b"".join((answer.encode() or record) + b"\n" for record in body.split(b"\n"))

    return b"".join(settings.run(io.BytesIO(data.encode()), invoke)).decode(), sent


@given(FIELDS, st.none() | INDEX, st.none() | INDEX)
def test_a_range_is_a_slice(fields: list[str], start: int | None, stop: int | None) -> None:
    expression = f"$[{'' if start is None else start}:{'' if stop is None else stop}]"
    assert ColumnFilter(expression)(fields) == fields[start:stop]


@given(FIELDS, st.lists(INDEX, min_size=1, max_size=4))
def test_a_list_picks_columns_that_exist(fields: list[str], indices: list[int]) -> None:
    columns = ColumnFilter(f"$[{','.join(map(str, indices))}]")
    if all(-len(fields) <= index < len(fields) for index in indices):
        assert columns(fields) == [fields[index] for index in indices]
    else:
        with pytest.raises(RecordRefused, match=f"a record of {len(fields)} lacks"):
            columns(fields)


@pytest.mark.parametrize("expression", ["", "$.a", "$[a]", "$[1:2:3]", "$[*]", "$[1:2,3]", "[0]", "$[0]x"])
def test_other_expressions_are_refused(expression: str) -> None:
    with pytest.raises(ValueError, match="does not select CSV columns"):
        ColumnFilter(expression)


@given(st.lists(st.text("abc,", max_size=8), max_size=30), st.integers(8, 40), st.booleans())
def test_batches_hold_every_record_once_and_fit(records: list[str], limit: int, multi: bool) -> None:
    data = "".join(f"{record}\n" for record in records)
    output, sent = run(transform(max_bytes=limit, multi_record=multi), data)
    assert [line for body in sent for line in body.split("\n")] == records
    assert output == data
    assert all(len(body) <= limit for body in sent)
    if not multi:
        assert len(sent) == len(records)


@given(st.lists(st.lists(st.text('ab,"é ', max_size=4), min_size=2, max_size=2), min_size=1, max_size=5))
def test_join_keeps_each_record_with_its_own_result(rows: list[list[str]]) -> None:
    def quoted(field: str) -> str:
        return '"' + field.replace('"', '""') + '"'

    data = "\n".join(",".join([str(number), *map(quoted, row)]) for number, row in enumerate(rows))
    settings = transform(join=True, input_filter=ColumnFilter("$[1:]"), output_filter=ColumnFilter("$[0,-1]"))
    output, sent = run(settings, data, "0.5")
    assert output == "".join(f"{number},0.5\n" for number in range(len(rows)))
    assert not any(line.startswith(("0,", "1,")) for body in sent for line in body.split("\n"))


def test_whole_objects_and_assembly() -> None:
    assert run(transform(split_lines=False, assemble_lines=False), "a\nb\n") == ("a\nb\n\n", ["a\nb\n"])
    assert run(transform(multi_record=False, assemble_lines=False), "a\nb\n") == ("a\nb\n", ["a", "b"])
    assert run(transform(), "a\r\nb\r\n") == ("a\nb\n", ["a\nb"])
    assert run(transform(), "") == ("", [])


@pytest.mark.parametrize(
    ("settings", "data", "answer", "reason"),
    [
        (transform(max_bytes=3), "abcd\n", "", "larger than MaxPayloadInMB"),
        (transform(max_bytes=3, split_lines=False), "abcd", "", "larger than MaxPayloadInMB"),
        (transform(join=True), "1\n2\n", "0.5\n0.5", r"mismatched line count .*\(2 and 4\)"),
        (transform(input_filter=ColumnFilter("$[1:]")), '1,"2\n', "", "not a CSV record"),
    ],
)
def test_bad_records(settings: Transform, data: str, answer: str, reason: str) -> None:
    with pytest.raises(RecordRefused, match=reason):
        run(settings, data, answer)
