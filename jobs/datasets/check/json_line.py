"""One line's bytes -> its JSON value, strictly, or the finding that says why not (pure)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from jobs.datasets.check.example import whole
from jobs.datasets.check.excerpt import around
from jobs.datasets.check.report import Finding

DEEPEST = 200
TRAILING_COMMA = re.compile(r",\s*[\]}]")


class Unreadable(ValueError):
    def __init__(self, finding: Finding, excerpt: tuple[str, str, str] = ("", "", "")) -> None:
        super().__init__(finding.code)
        self.finding = finding
        self.excerpt = excerpt


def parse(content: bytes) -> Any:
    """Raises Unreadable. What orjson refuses is refused, and so are repeated keys; json finds the words."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        place = around(content.decode("latin-1"), error.start)
        raise Unreadable(Finding("error", "", "not_utf8", {"byte": error.start + 1}), place) from None
    value = worded(text)
    if deep(text, value):
        raise Unreadable(Finding("error", "", "too_deep"))
    try:
        orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise refused(value, error, text) from None
    return value


def worded(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=refuse_constant, object_pairs_hook=without_repeats)
    except Unreadable:
        raise
    except json.JSONDecodeError as error:
        code, at = json_fault(text, error)
        raise Unreadable(Finding("error", "", code, {"column": at + 1}), around(text, at)) from None
    except RecursionError:
        raise Unreadable(Finding("error", "", "too_deep")) from None
    except ValueError:
        # The only one left: an integer longer than Python reads.
        raise Unreadable(Finding("error", "", "number_too_large")) from None


def deep(text: str, value: Any) -> bool:
    """Whether brackets stand in more than DEEPEST others. Python's own limit differs by version."""
    if text.count("[") + text.count("{") <= DEEPEST:
        return False
    level = [value]
    for _ in range(DEEPEST + 1):
        level = [inner for item in level for _name, inner in children(item)]
    return bool(level)


def children(value: Any) -> Iterable[tuple[str, Any]]:
    """What an object or a list holds, each with its name as it continues a path."""
    if isinstance(value, dict):
        return ((f".{key}", inner) for key, inner in value.items())
    return ((f"[{n}]", inner) for n, inner in enumerate(value)) if isinstance(value, list) else ()


def refused(value: Any, error: orjson.JSONDecodeError, text: str) -> Unreadable:
    """What json takes and orjson does not: halves of characters, and numbers without a double."""
    for path, item in walk(value):
        if not whole(path) or (isinstance(item, str) and not whole(item)):
            return Unreadable(Finding("error", path.removeprefix(".")[:120], "lone_surrogate"))
    if "infinity" in error.msg:
        return Unreadable(Finding("error", "", "number_too_large"))
    return Unreadable(Finding("error", "", "json", {"column": error.pos + 1}), around(text, error.pos))


def walk(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value inside, with its path."""
    yield path, value
    for name, inner in children(value):
        yield from walk(inner, path + name)


def json_fault(text: str, error: json.JSONDecodeError) -> tuple[str, int]:
    """The code of the fault and where it is; the commonest faults have words of their own."""
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
    raise Unreadable(Finding("error", "", "not_a_number", {"value": name}))


def without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        keys = [key for key, _value in pairs]
        repeated = next(key for key in keys if keys.count(key) > 1)
        raise Unreadable(Finding("error", repeated[:60], "repeated_key", {"key": repeated[:60]}))
    return value
