"""Parse a line as JSON, strictly, or explain why it can't be parsed (pure)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from jobs.datasets.check.example import is_encodable
from jobs.datasets.check.excerpt import excerpt_around
from jobs.datasets.check.lines import NUL_ESCAPE
from jobs.datasets.check.report import Finding

MAX_DEPTH = 200
"""Levels of nesting. An example has about six, and Python's parser accepts more than this in every
version."""
TRAILING_COMMA = re.compile(r",\s*[\]}]")


class UnreadableLine(ValueError):
    def __init__(self, finding: Finding, excerpt: tuple[str, str, str] = ("", "", "")) -> None:
        super().__init__(finding.code)
        self.finding = finding
        self.excerpt = excerpt


def parse_line(content: bytes) -> Any:
    """Return the value. Raises UnreadableLine for whatever orjson rejects, and for repeated keys; Python's
    json tells where the fault is."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        place = excerpt_around(content.decode("latin-1"), error.start)
        raise UnreadableLine(Finding("error", "", "not_utf8", {"byte": error.start + 1}), place) from None
    value = load_strict_json(text)
    if is_too_deep(text, value):
        raise UnreadableLine(Finding("error", "", "too_deep"))
    try:
        orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise explain_rejection(value, error, text) from None
    return value


def load_strict_json(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=refuse_constant, object_pairs_hook=reject_repeated_keys)
    except UnreadableLine:
        raise
    except json.JSONDecodeError as error:
        code, at = classify_json_error(text, error)
        raise UnreadableLine(
            Finding("error", "", code, {"column": at + 1}), excerpt_around(text, at)
        ) from None
    except RecursionError:
        raise UnreadableLine(Finding("error", "", "too_deep")) from None
    except ValueError:
        # The only other ValueError: an integer with more digits than Python reads.
        raise UnreadableLine(Finding("error", "", "number_too_large")) from None


def is_too_deep(text: str, value: Any) -> bool:
    """Whether values are nested more than MAX_DEPTH deep. Python's own limit differs by version."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return False
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [inner for item in level for _name, inner in children(item)]
    return bool(level)


def children(value: Any) -> Iterable[tuple[str, Any]]:
    """Return the values inside an object or a list, each with its part of the path."""
    if isinstance(value, dict):
        return ((f".{key}", inner) for key, inner in value.items())
    return ((f"[{n}]", inner) for n, inner in enumerate(value)) if isinstance(value, list) else ()


def explain_rejection(value: Any, error: orjson.JSONDecodeError, text: str) -> UnreadableLine:
    """Explain what json accepts and orjson rejects: lone surrogates, and numbers too large for a double."""
    for path, item in walk(value):
        if not is_encodable(path) or (isinstance(item, str) and not is_encodable(item)):
            return UnreadableLine(Finding("error", path.removeprefix(".")[:120], "lone_surrogate"))
    if "infinity" in error.msg:
        return UnreadableLine(Finding("error", "", "number_too_large"))
    return UnreadableLine(
        Finding("error", "", "json", {"column": error.pos + 1}), excerpt_around(text, error.pos)
    )


def find_nul(content: bytes, value: Any) -> Finding | None:
    """Return where a text or a key of the line has a NUL, or None."""
    if NUL_ESCAPE not in content:
        return None
    places = (path for path, item in walk(value) if "\0" in path or (isinstance(item, str) and "\0" in item))
    place = next(places, None)
    return None if place is None else Finding("warning", place.removeprefix(".")[:120], "nul_character")


def walk(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value with its path, from the outermost on."""
    yield path, value
    for name, inner in children(value):
        yield from walk(inner, path + name)


def classify_json_error(text: str, error: json.JSONDecodeError) -> tuple[str, int]:
    """Return the code of the fault and its position; the commonest faults have their own codes."""
    at, comma = error.pos, text.rfind(",", 0, error.pos + 1)
    if error.msg == "Extra data":
        between = text[:at][len(text[:at].rstrip(" \t\r\n")) :]
        return "carriage_returns" if "\r" in between else "json_extra", at
    trailing = TRAILING_COMMA.match(text, comma) if comma >= 0 else None
    if trailing and at < trailing.end():
        return "json_trailing_comma", comma
    if text[at : at + 1] == "'":
        return "json_single_quote", at
    if not text[at:].strip() or "Unterminated" in error.msg:
        return "json_cut", at
    return "json", at


def refuse_constant(name: str) -> None:
    raise UnreadableLine(Finding("error", "", "not_a_number", {"value": name}))


def reject_repeated_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        keys = [key for key, _value in pairs]
        repeated = next(key for key in keys if keys.count(key) > 1)
        raise UnreadableLine(Finding("error", repeated[:60], "repeated_key", {"key": repeated[:60]}))
    return value
