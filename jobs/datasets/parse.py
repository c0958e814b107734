"""One line's bytes -> its JSON value, strictly, or the finding that says why not (pure)."""

from __future__ import annotations

import json
import re
from typing import Any

from jobs.datasets.finding import Finding

AROUND = 40
TRAILING_COMMA = re.compile(r",\s*[\]}]")


class Unreadable(ValueError):
    def __init__(self, finding: Finding, excerpt: tuple[str, str, str] = ("", "", "")) -> None:
        super().__init__(finding.code)
        self.finding = finding
        self.excerpt = excerpt


def parse(content: bytes) -> Any:
    """Raises Unreadable. NaN, Infinity and repeated keys, which Python would take, are refused."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        place = around(content.decode("latin-1"), error.start)
        raise Unreadable(Finding("error", "", "not_utf8", {"byte": error.start + 1}), place) from None
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
        raise Unreadable(Finding("error", "", "number_too_long")) from None


def json_fault(text: str, error: json.JSONDecodeError) -> tuple[str, int]:
    """The code of the fault and where it is; the commonest faults have words of their own."""
    at, comma = error.pos, text.rfind(",", 0, error.pos + 1)
    if error.msg == "Extra data":
        return "json_extra", at
    trailing = TRAILING_COMMA.match(text, comma) if comma >= 0 else None
    if trailing and at < trailing.end():
        return "json_trailing_comma", comma
    if text[at : at + 1] == "'":
        return "json_single_quote", at
    if not text[at:].strip() or "Unterminated" in error.msg:
        return "json_cut", at
    return "json", at


def around(text: str, at: int) -> tuple[str, str, str]:
    """(before, the character at fault, after), with an ellipsis where it was cut."""
    start, end = max(0, at - AROUND), at + 1 + AROUND
    before = ("…" if start else "") + text[start:at]
    after = text[at + 1 : end] + ("…" if end < len(text) else "")
    clean = [part.replace("\x00", "\ufffd") for part in (before, text[at : at + 1], after)]
    return (clean[0], clean[1], clean[2])


def refuse_constant(name: str) -> None:
    raise Unreadable(Finding("error", "", "not_a_number", {"value": name}))


def without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        keys = [key for key, _value in pairs]
        repeated = next(key for key in keys if keys.count(key) > 1)
        raise Unreadable(Finding("error", repeated[:60], "repeated_key", {"key": repeated[:60]}))
    return value
