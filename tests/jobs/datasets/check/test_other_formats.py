"""What other formats say is said in Gemini's form, text by text, or the line is left alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.datasets.check.checker import check_file
from jobs.datasets.check.other_formats import convert_example

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1).filter(
    str.strip
)
"""The machine may be: time says nothing here."""
OPENAI = {"system": "system", "developer": "system", "user": "user", "assistant": "model"}
LEGACY = {"system": "system", "user": "user", "model": "model"}


def gemini(*turns: tuple[str, str], system: str = "") -> dict[str, Any]:
    contents = [{"role": role, "parts": [{"text": text}]} for role, text in turns]
    return {
        **({"systemInstruction": {"parts": [{"text": system}]}} if system else {}),
        "contents": contents,
    }


def message(role: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


ASKED, ANSWERED = message("user", "a"), message("assistant", "b")
PLAIN = gemini(("user", "a"), ("model", "b"))
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "openai": ({"messages": [ASKED, ANSWERED]}, PLAIN),
    "system": (
        {"messages": [message("system", "s"), ASKED, ANSWERED]},
        gemini(("user", "a"), ("model", "b"), system="s"),
    ),
    "developer": (
        {"messages": [message("developer", "s"), ASKED, ANSWERED]},
        gemini(("user", "a"), ("model", "b"), system="s"),
    ),
    "text parts": (
        {"messages": [message("user", [{"type": "text", "text": "a"}]), ANSWERED]},
        PLAIN,
    ),
    "empty system": ({"messages": [message("system", ""), ASKED, ANSWERED]}, PLAIN),
    "defaults spelled out": (
        {
            "messages": [ASKED, message("assistant", "b", tool_calls=None, refusal=None, weight=1)],
            "tools": [],
        },
        PLAIN,
    ),
    "an id": ({"id": 7, "messages": [ASKED, ANSWERED]}, PLAIN),
    "legacy": ({"messages": [ASKED, message("model", "b")]}, PLAIN),
    "authors": (
        {
            "context": "s",
            "messages": [{"author": "user", "content": "a"}, {"author": "bot", "content": "b"}],
        },
        gemini(("user", "a"), ("model", "b"), system="s"),
    ),
    "system beside": (
        {"system": "s", "messages": [ASKED, ANSWERED]},
        gemini(("user", "a"), ("model", "b"), system="s"),
    ),
    "text pairs": ({"input_text": "a", "output_text": "b"}, PLAIN),
    "completion": (
        {"prompt": "a ->", "completion": " b\n"},
        gemini(("user", "a ->"), ("model", " b\n")),
    ),
    "two turns of one side": (
        {"messages": [ASKED, message("user", "c"), ANSWERED]},
        {
            "contents": [
                {"role": "user", "parts": [{"text": "a"}, {"text": "c"}]},
                {"role": "model", "parts": [{"text": "b"}]},
            ]
        },
    ),
}
IMAGE = [{"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}]
LOSSY: dict[str, dict[str, Any]] = {
    "gemini already": PLAIN,
    "nothing known": {"text": "a"},
    "tool calls": {"messages": [ASKED, message("assistant", "b", tool_calls=[{"id": "1"}])]},
    "function call": {"messages": [ASKED, message("assistant", None, function_call={"name": "f"})]},
    "tools": {"messages": [ASKED, ANSWERED], "tools": [{"type": "function"}]},
    "tool role": {"messages": [ASKED, message("tool", "x"), ANSWERED]},
    "image": {"messages": [message("user", IMAGE), ANSWERED]},
    "weight": {"messages": [ASKED, message("assistant", "b", weight=0)]},
    "name": {"messages": [message("user", "a", name="ann"), ANSWERED]},
    "unknown role": {"messages": [message("narrator", "a"), ANSWERED]},
    "late system": {"messages": [ASKED, message("system", "s"), ANSWERED]},
    "answer missing": {"messages": [ANSWERED, ASKED]},
    "answer empty": {"messages": [ASKED, message("assistant", "")]},
    "no content": {"messages": [ASKED, {"role": "assistant"}]},
    "no messages": {"messages": []},
    "a message that is none": {"messages": ["a", ANSWERED]},
    "examples": {"messages": [ASKED, ANSWERED], "examples": [{"input": {"content": "x"}}]},
    "a number": {"prompt": 3, "completion": "b"},
    "blank": {"prompt": "a", "completion": "  "},
    "lone surrogate": {"prompt": "a", "completion": "\ud800"},
}


@pytest.mark.parametrize("name", CASES)
def test_other_formats_are_converted(name: str) -> None:
    value, expected = CASES[name]
    assert convert_example(value) == expected


@pytest.mark.parametrize("name", LOSSY)
def test_lossy_examples_are_not_converted(name: str) -> None:
    assert convert_example(LOSSY[name]) is None


@given(st.sampled_from([OPENAI, LEGACY]), st.booleans(), st.lists(TEXTS, max_size=1), st.data())
def test_conversion_keeps_every_text(
    roles: dict[str, str], in_parts: bool, system: list[str], data: st.DataObject
) -> None:
    sides = {side: role for role, side in roles.items()}
    exchanges = data.draw(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=4))
    turns = [(side, text) for pair in exchanges for side, text in zip(("user", "model"), pair, strict=True)]
    told = [("system", text) for text in system] + turns
    value = {
        "messages": [
            message(sides[side], [{"type": "text", "text": text}] if in_parts else text)
            for side, text in told
        ]
    }
    found = convert_example(value)
    assert found == gemini(*turns, system="".join(system))
    assert not check_file([json.dumps(found).encode()]).problems


@given(TEXTS, TEXTS, st.sampled_from([("input_text", "output_text"), ("prompt", "completion")]))
def test_conversion_keeps_every_pair(asked: str, answered: str, names: tuple[str, str]) -> None:
    found = convert_example(dict(zip(names, (asked, answered), strict=True)))
    assert found == gemini(("user", asked), ("model", answered))
    assert not check_file([json.dumps(found).encode()]).problems


PARTS = st.text(max_size=3) | st.builds(lambda text: [{"type": "text", "text": text}], st.text(max_size=3))
MESSAGES = st.fixed_dictionaries(
    {"role": st.sampled_from([*OPENAI, "model", "tool"]), "content": PARTS | st.none() | st.integers()},
    optional={"name": st.text(max_size=1), "weight": st.integers(0, 1)},
)


@given(
    st.fixed_dictionaries(
        {"messages": st.lists(MESSAGES | st.none(), max_size=5)},
        optional={"context": st.text(max_size=2), "tools": st.lists(st.none(), max_size=1)},
    )
)
def test_converted_examples_have_no_errors(value: dict[str, Any]) -> None:
    found = convert_example(value)
    assert found is None or not check_file([json.dumps(found).encode()]).errors
