"""JSON with Google's leniency: what is accepted, what is refused, and where errors are reported."""

from __future__ import annotations

import json
from typing import Any

import json5
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.protojson.errors import ApiError
from engine.protojson.lenient_json import MAX_LENIENT_LENGTH, parse_json


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1,}', {"a": 1}),
        ('{"a": [1, 2,],}', {"a": [1, 2]}),
        ("{'a': 'it\\'s \"so\"'}", {"a": 'it\'s "so"'}),
        ("{a: true, b_2: null}", {"a": True, "b_2": None}),
        (' { "a" : -1.5e3 , } ', {"a": -1500.0}),
        ('{"a": ",}", b: "\\u00e9\\n",}', {"a": ",}", "b": "é\n"}),
        ("[]", []),
        ("[{},]", [{}]),
        ("['\\ud83d\\ude00 😀', ]", ["😀 😀"]),
        (
            "{'// not': '/* a comment */', url: 'https://x'}",
            {"// not": "/* a comment */", "url": "https://x"},
        ),
        ("{'a': 1, 'a': 2}", {"a": 2}),
        ('{"a": 1, "a": 2}', {"a": 2}),
    ],
)
def test_lenient_json_is_parsed(text: str, value: Any) -> None:
    assert parse_json(text) == value


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ('{"a": }', 1, 7),
        ('{\n  "a": 1\n  "b": 2\n}', 3, 3),
        ('{"a": nope}', 1, 7),
        ('{"a": 1', 1, 8),
        ('{"a" 1}', 1, 6),
        ("[1 2]", 1, 4),
        ('{"a": "open', 1, 7),
        ('{"a": 1} x', 1, 10),
        ("{,}", 1, 3),
        ("[1,,]", 1, 4),
        ('{"a": NaN}', 1, 7),
        ("{a: 1, b: -Infinity}", 1, 11),
        ('{"a": "\\x"}', 1, 7),
        ("{a: 'x\ny'}", 1, 5),
        ("{a: 01}", 1, 5),
        ("", 1, 1),
    ],
)
def test_syntax_error_names_line_and_column(text: str, line: int, column: int) -> None:
    with pytest.raises(ApiError, match=f"Line {line}, column {column}:") as caught:
        parse_json(text)
    assert caught.value.message.startswith("Invalid JSON payload received. ")


@pytest.mark.parametrize(
    "text",
    [
        "{a: 1 // why\n}",
        "{/* why */ a: 1}",
        "{a: 0x10}",
        "{a: +1}",
        "{a: .5}",
        "{a: 5.}",
        "{a: Infinity}",
        "{a: 'one \\\n two'}",
        "{a: '\\x41'}",
        "{a: '\\v'}",
        "{a: '\t'}",
        "\N{NO-BREAK SPACE}{a: 1}",
    ],
)
def test_json5_beyond_googles_leniency_is_refused(text: str) -> None:
    json5.loads(text)
    with pytest.raises(ApiError, match="Unexpected token"):
        parse_json(text)


@pytest.mark.parametrize("comma", ["", ","])
def test_number_of_many_digits_is_refused(comma: str) -> None:
    with pytest.raises(ApiError, match="Number too long"):
        parse_json('{"a": ' + "9" * 5000 + comma + "}")


@pytest.mark.parametrize("comma", ["", ","])
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ('"\\ud800"', "half of a character"),
        ('["x", {"\\udc00": 1}]', "half of a character"),
        ("1e999", "too large"),
    ],
)
def test_what_json_in_utf8_cannot_hold_is_refused(value: str, reason: str, comma: str) -> None:
    with pytest.raises(ApiError, match=reason):
        parse_json(f'{{"a": {value}{comma}}}')


def test_long_text_gets_the_strict_error() -> None:
    padding = " " * (MAX_LENIENT_LENGTH - len('{"a": 1,}'))
    assert parse_json(padding + '{"a": 1,}') == {"a": 1}
    with pytest.raises(ApiError, match=r"double quotes.*Line 2, column 9:") as caught:
        parse_json(padding + '\n{"a": 1,}')
    assert caught.value.message.endswith('\n{"a": 1,}\n        ^')
    with pytest.raises(ApiError, match="NaN is not a JSON value"):
        parse_json(padding + '\n{"a": NaN}')


TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(TREES)
def test_strict_and_lenient_parsers_agree_on_all_json(value: Any) -> None:
    text = json.dumps(value, ensure_ascii=False)
    assert parse_json(text) == value
    assert parse_json(f"[{text},]") == [value]


@pytest.mark.parametrize(("depth", "accepted"), [(100, True), (101, False), (50_000, False)])
def test_too_deep_nesting_is_refused(depth: int, accepted: bool) -> None:
    text = "[" * (depth + 1) + "]" * (depth + 1)
    if accepted:
        assert json.dumps(parse_json(text)).count("[") == depth + 1
    else:
        with pytest.raises(ApiError, match="too deep"):
            parse_json(text)


@pytest.mark.parametrize(("depth", "accepted"), [(20, True), (101, False), (5_000, False)])
def test_too_deep_lenient_nesting_is_refused(depth: int, accepted: bool) -> None:
    """json5 recurses; deeply nested text needs to be strict JSON."""
    text = "{a: " * depth + "1" + ",}" * depth
    if accepted:
        assert json.dumps(parse_json(text)).count("{") == depth
    else:
        with pytest.raises(ApiError, match="too deep" if len(text) <= MAX_LENIENT_LENGTH else "Line 1"):
            parse_json(text)
