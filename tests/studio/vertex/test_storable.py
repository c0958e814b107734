"""The door: whatever a service sends, what comes out fits into every database, and tells what changed."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.vertex import storable
from studio.vertex.storable import (
    MAX_DEPTH,
    MAX_FIELD,
    MAX_KEYS,
    MAX_TEXT,
    Resource,
    bound_resource,
    iter_items,
    make_storable,
    parse_json,
)

ODD = {
    "NUL": (rb'{"a": "x\u0000y"}', "x\ufffdy"),
    "half a pair": (rb'{"a": "x\ud83dy"}', "x\ufffdy"),
    "a pair in halves": (rb'{"a": "\ud83d\ude00"}', "\N{GRINNING FACE}"),
    "bare NaN": (b'{"a": NaN}', "NaN"),
    "bare infinity": (b'{"a": -Infinity}', "-Infinity"),
    "beyond a double": (b'{"a": 1e999}', "Infinity"),
    "5,000 digits": (b'{"a": ' + b"9" * 5000 + b"}", "Infinity"),
    "20 digits": (b'{"b": NaN, "a": 12345678901234567890}', 12345678901234567890.0),
    "a bare control character": (b'{"a": "x\x00\x01\ny"}', "x\ufffd\x01\ny"),
    "not UTF-8": (b'{"a": "caf\xe9"}', "caf\ufffd"),
    "byte order mark": (b'\xef\xbb\xbf{"a": 1}', 1),
}


@pytest.mark.parametrize(("body", "value"), ODD.values(), ids=ODD)
def test_odd_json_is_read_as_what_a_row_can_hold(body: bytes, value: Any) -> None:
    found = parse_json(body)
    assert found["a"] == value
    json.dumps(found, allow_nan=False, ensure_ascii=False).encode()


@pytest.mark.parametrize("body", [b"", b"<html>", b"{", b"[" * 100_000, b'{"a":' * 100_000, b"\xff\xfe{"])
def test_what_is_not_json_raises(body: bytes) -> None:
    with pytest.raises(ValueError):
        parse_json(body)


def test_replaced_values_are_named_by_their_path() -> None:
    found = parse_json(rb'{"a": {"b": [1, "\u0000"]}, "\u0000": "fine", "c": NaN, "d": "\\u0000"}')
    assert found == {"a": {"b": [1, "\ufffd"]}, "\ufffd": "fine", "c": "NaN", "d": "\\u0000"}
    assert found.replaced == ("a.b[1]", "", "c")


def test_a_clean_answer_is_not_walked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A curve of 10,000 points costs one search in its bytes."""

    def refuse(*_: object) -> None:
        raise AssertionError("walked")

    monkeypatch.setattr(storable._Cleaner, "clean", refuse)
    points = [{"step": str(n), "scalar": {"value": 1 / (n + 1)}} for n in range(10_000)]
    assert parse_json(json.dumps({"values": points}).encode())["values"] == points
    with pytest.raises(AssertionError, match="walked"):
        parse_json(rb'["\u0000"]')


def test_texts_in_pieces_keep_the_half_that_the_next_piece_completes() -> None:
    found = parse_json(rb'["a\u0000\ud83d", "\ude00b"]', in_pieces=True)
    assert found == ["a\ufffd\ud83d", "\ude00b"]
    assert make_storable("".join(found)) == "a\ufffd\N{GRINNING FACE}b"


@pytest.mark.parametrize(
    ("listed", "names"),
    [
        (["x", None, 5, [], {"name": "1"}, {}], ["1", None]),
        ({}, []),
        ({"name": "1"}, []),
        (None, []),
        ("text", []),
        (5, []),
    ],
)
def test_bad_items_are_left_out_of_a_list(listed: Any, names: list[Any]) -> None:
    assert [item.get("name") for item in iter_items({"jobs": listed}, "jobs")] == names


def test_an_item_knows_what_was_replaced_in_it() -> None:
    page = parse_json(rb'{"jobs": [{"a": "\u0000"}, 1, {"a": ["b", "\u0000"], "c": 1}, {"a": 2}]}')
    assert [item.replaced for item in iter_items(page, "jobs")] == [("a",), ("a[1]",), ()]


def nest(depth: int) -> Any:
    value: Any = "deep"
    for _ in range(depth):
        value = [value]
    return value


def test_a_resource_is_cut_to_what_a_row_holds() -> None:
    """A thousand levels are more than Python writes as JSON. No field costs another its value."""
    found = bound_resource(
        Resource(
            {
                "error": {"message": "x" * (MAX_TEXT + 1)},
                "deep": nest(900),
                "wide": [1] * (MAX_FIELD + 1),
                "many": {str(n): "y" * 1000 for n in range(1000)},
                "state": "JOB_STATE_RUNNING",
                "labels": {"k" * 1000: "v"},
            }
        )
    )
    assert found["error"]["message"] == "x" * MAX_TEXT + "…"
    assert found["state"] == "JOB_STATE_RUNNING"
    assert len(found["wide"]) < MAX_FIELD
    assert len(json.dumps(found["many"])) < 1.2 * MAX_FIELD
    assert json.dumps(found).count("[") < MAX_DEPTH + 10
    assert {"error.message", "wide", "many"} < set(found.replaced)
    assert any(path.startswith("deep[0][0]") for path in found.replaced)
    assert found.replaced[-1].startswith("labels") and found["labels"] == {"k" * 200: "v"}


def test_a_usual_resource_stays_as_it_is() -> None:
    remote = {
        "name": "n",
        "labels": {"a": "b"},
        "tuningDataStats": {"list": [1, 2.5, None, True, {"x": "y"}]},
    }
    found = bound_resource(Resource(remote))
    assert (found, found.replaced) == (remote, ())


def test_a_resource_has_a_limited_number_of_fields() -> None:
    found = bound_resource(Resource({str(n): n for n in range(10_000)}))
    assert len(found) == MAX_KEYS and found.replaced


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=())), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text(st.characters(exclude_categories=())), values))
def test_every_value_comes_out_storable(value: dict[str, Any]) -> None:
    found = bound_resource(parse_json(json.dumps(value).encode()))
    written = json.dumps(found, allow_nan=False, ensure_ascii=False)
    assert "\x00" not in written and "\\u0000" not in written
    written.encode()
    assert bound_resource(parse_json(written.encode())) == found, "a second time it is clean"


def test_replaced_is_named_only_if_something_changed() -> None:
    assert parse_json(b'{"a": 1e308, "b": "\xe2\x82\xac"}').replaced == ()
    assert not math.isfinite(float(parse_json(b"[1e309]")[0]))
