"""Google's standard filter, https://google.aip.dev/160, over resources in JSON.

    labels.team=red AND (state="JOB_STATE_RUNNING" OR NOT labels.done:*)

As there, OR binds more tightly than AND, and terms that stand side by side are joined by AND.
"""

import operator
import re
from collections.abc import Callable, Iterator
from typing import Any

from engine.protojson.errors import invalid
from engine.protojson.message_reader import snake

Resource = dict[str, Any]
Keeps = Callable[[Resource], bool]

_TOKEN = re.compile(r"""\s*([()]|[!<>]=|[=<>:]|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s()=<>:!"']+)""")
_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_OPERATORS = {"=", "!=", ":", *_ORDERS}
DEEPEST = 50


def filter_of(text: str) -> Keeps:
    """Raises INVALID_ARGUMENT for what is not understood."""
    if not text.strip():
        return lambda resource: True
    return _Parser(text).parse()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(self._split())
        self._at = 0
        self._depth = 0

    def _split(self) -> Iterator[str]:
        at = 0
        while self._text[at:].strip():
            match = _TOKEN.match(self._text, at)
            if match is None:
                raise self._wrong()
            yield match.group(1)
            at = match.end()

    def _wrong(self) -> Exception:
        return invalid(f"Invalid filter: {self._text!r}. Write field=value, joined by AND or OR.", "filter")

    def _next(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._next()
        self._at += 1
        return token

    def parse(self) -> Keeps:
        keeps = self._all_of()
        if self._next():
            raise self._wrong()
        return keeps

    def _all_of(self) -> Keeps:
        parts = [self._any_of()]
        while self._next() not in ("", ")"):
            if self._next() == "AND":
                self._take()
            parts.append(self._any_of())
        return lambda resource: all(part(resource) for part in parts)

    def _any_of(self) -> Keeps:
        parts = [self._one()]
        while self._next() == "OR":
            self._take()
            parts.append(self._one())
        return lambda resource: any(part(resource) for part in parts)

    def _one(self) -> Keeps:
        first = self._take()
        if first == "NOT":
            keeps = self._one()
            return lambda resource: not keeps(resource)
        return self._group() if first == "(" else self._comparison(first)

    def _group(self) -> Keeps:
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._wrong()
        keeps = self._all_of()
        if self._take() != ")":
            raise self._wrong()
        return keeps

    def _comparison(self, field: str) -> Keeps:
        compare, value = self._take(), self._take()
        if not re.fullmatch(r"[\w.-]+", field) or compare not in _OPERATORS or not value or value in "()":
            raise self._wrong()
        wanted = re.sub(r"\\(.)", r"\1", value[1:-1]) if value[0] in "\"'" else value
        return lambda resource: _matches(_value(resource, field), compare, wanted)


def _value(resource: Any, field: str) -> Any:
    """The value at the path; a map's own keys, such as those of labels, may hold dots themselves."""
    if not isinstance(resource, dict):
        return None
    if field in resource:
        return resource[field]
    first, _, rest = field.partition(".")
    found = {snake(name): value for name, value in resource.items()}.get(snake(first))
    return _value(found, rest) if rest else found


def _matches(found: Any, compare: str, wanted: str) -> bool:
    if compare == ":":
        return found is not None and (wanted == "*" or wanted in _words(found))
    if compare in _ORDERS:
        return found is not None and _ordered(found, wanted, _ORDERS[compare])
    return _same(found, wanted) == (compare == "=")


def _same(found: Any, wanted: str) -> bool:
    """`*` at either end stands for any text."""
    if wanted in ("true", "false"):
        return found is (wanted == "true") or found == wanted
    text = "" if found is None else str(found)
    pattern = "(?s:.*)".join(re.escape(part) for part in wanted.split("*"))
    return bool(re.fullmatch(pattern, text))


def _ordered(found: Any, wanted: str, compare: Callable[[Any, Any], bool]) -> bool:
    """Numbers by their value; anything else, such as a timestamp, as text."""
    try:
        return compare(float(found), float(wanted))
    except (TypeError, ValueError):
        return compare(str(found), wanted)


def _words(found: Any) -> list[str]:
    return [str(inner) for inner in found] if isinstance(found, list | dict) else [str(found)]
