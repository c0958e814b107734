"""Google's standard filter, https://google.aip.dev/160, over resources in JSON.

    labels.team=red AND (state="JOB_STATE_RUNNING" OR NOT labels.done:*)

As there, OR binds more tightly than AND, and terms that stand side by side are joined by AND.
"""

import operator
import re
from collections.abc import Callable, Iterator
from typing import Any

from engine.protojson.errors import invalid_argument
from engine.protojson.message_reader import to_snake_case
from engine.protojson.numbers import shorten

Resource = dict[str, Any]
Predicate = Callable[[Resource], bool]

_TOKEN = re.compile(r"""\s*([()]|[!<>]=|[=<>:]|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s()=<>:!"']+)""")
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_OPERATORS = {"=", "!=", ":", *_COMPARISONS}
MAX_DEPTH = 50  # parentheses and NOTs inside one another: more would exhaust Python's stack


def compile_filter(text: str) -> Predicate:
    """Raises INVALID_ARGUMENT for what is not understood."""
    if not text.strip():
        return lambda resource: True
    return _FilterParser(text).parse()


class _FilterParser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(self._tokenize())
        self._at = 0
        self._depth = 0

    def _tokenize(self) -> Iterator[str]:
        at = 0
        while self._text[at:].strip():
            match = _TOKEN.match(self._text, at)
            if match is None:
                raise self._syntax_error()
            yield match.group(1)
            at = match.end()

    def _syntax_error(self) -> Exception:
        return invalid_argument(
            f"Invalid filter: {shorten(self._text)}. Use field=value, combined with AND or OR.", "filter"
        )

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _take_token(self) -> str:
        token = self._peek()
        self._at += 1
        return token

    def parse(self) -> Predicate:
        keeps = self._parse_and()
        if self._peek():
            raise self._syntax_error()
        return keeps

    def _parse_and(self) -> Predicate:
        parts = [self._parse_or()]
        while self._peek() not in ("", ")"):
            if self._peek() == "AND":
                self._take_token()
            parts.append(self._parse_or())
        return lambda resource: all(part(resource) for part in parts)

    def _parse_or(self) -> Predicate:
        parts = [self._parse_term()]
        while self._peek() == "OR":
            self._take_token()
            parts.append(self._parse_term())
        return lambda resource: any(part(resource) for part in parts)

    def _parse_term(self) -> Predicate:
        first = self._take_token()
        if first not in ("NOT", "("):
            return self._parse_comparison(first)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._syntax_error()
        keeps = self._parse_negation() if first == "NOT" else self._parse_group()
        self._depth -= 1
        return keeps

    def _parse_negation(self) -> Predicate:
        keeps = self._parse_term()
        return lambda resource: not keeps(resource)

    def _parse_group(self) -> Predicate:
        keeps = self._parse_and()
        if self._take_token() != ")":
            raise self._syntax_error()
        return keeps

    def _parse_comparison(self, field: str) -> Predicate:
        compare, value = self._take_token(), self._take_token()
        if not re.fullmatch(r"[\w.-]+", field) or compare not in _OPERATORS or not value or value in "()":
            raise self._syntax_error()
        wanted = re.sub(r"\\(.)", r"\1", value[1:-1]) if value[0] in "\"'" else value
        return lambda resource: _matches_value(_get_field(resource, field), compare, wanted)


def _get_field(resource: Any, field: str) -> Any:
    """The value at the path; a map's own keys, such as those of labels, may hold dots themselves."""
    if not isinstance(resource, dict):
        return None
    if field in resource:
        return resource[field]
    first, _, rest = field.partition(".")
    found = {to_snake_case(name): value for name, value in resource.items()}.get(to_snake_case(first))
    return _get_field(found, rest) if rest else found


def _matches_value(found: Any, compare: str, wanted: str) -> bool:
    if compare == ":":
        return found is not None and (wanted == "*" or wanted in _to_strings(found))
    if compare in _COMPARISONS:
        return found is not None and _compare_values(found, wanted, _COMPARISONS[compare])
    return _matches_pattern(found, wanted) == (compare == "=")


def _matches_pattern(found: Any, wanted: str) -> bool:
    """`*` at either end stands for any text."""
    if wanted in ("true", "false"):
        return found is (wanted == "true") or found == wanted
    text = "" if found is None else str(found)
    first, *others = wanted.split("*")
    return _matches_parts(text, first, others) if others else text == first


def _matches_parts(text: str, first: str, others: list[str]) -> bool:
    """Whether the parts follow one another, the first and the last of them at the text's ends.

    Each is searched once: as a regular expression, twenty parts could take hours to fail.
    """
    *middle, last = others
    at, end = len(first), len(text) - len(last)
    if at > end or not (text.startswith(first) and text.endswith(last)):
        return False
    for part in middle:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


def _compare_values(found: Any, wanted: str, compare: Callable[[Any, Any], bool]) -> bool:
    """Numbers by their value; anything else, such as a timestamp, as text."""
    try:
        return compare(float(found), float(wanted))
    except (TypeError, ValueError, OverflowError):
        return compare(str(found), wanted)


def _to_strings(found: Any) -> list[str]:
    return [str(inner) for inner in found] if isinstance(found, list | dict) else [str(found)]
