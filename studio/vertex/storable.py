"""The door for what comes from outside: texts and numbers that every database holds (pure).

PostgreSQL refuses NUL and half a surrogate pair, no database takes a bare NaN inside JSON, and Python's own
encoder gives up at about a thousand levels. Clean answers, which are nearly all, cost one search in their
bytes: only a doubtful one is walked.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
CUT = "…"
"""Ends a text that was cut, and stands for what was left out."""
NUL_ESCAPE = b"\\u0000"
"""The only way to write NUL in valid JSON."""
MAX_TEXT = 20_000
"""Characters of one text in a stored resource: ten times the longest message of Google's. The service itself
shortens the examples that it echoes."""
MAX_FIELD = 500_000
"""Characters below one field of a stored resource. The largest, tuningDataStats, has some 10,000; a list of
jobs loads fifty resources at once."""
VALUE_COST = 10
"""Characters that each value counts for, besides those of its text."""
MAX_KEY = 200
"""Characters of a name; those of the API have up to 40."""
MAX_KEYS = 200
"""Fields of a stored resource; a TuningJob has about thirty."""
MAX_DEPTH = 64
"""Levels. A resource has about ten; Python writes at most a thousand as JSON."""
LONG_DIGITS = 19
"""Digits from which on an integer may exceed 64 bits. It is read as a double then, as orjson does."""


class Resource(dict[str, Any]):
    """A JSON object of the service. `replaced` names the values that were not kept as they came, by path."""

    def __init__(self, value: Mapping[str, Any], replaced: Iterable[str] = ()) -> None:
        super().__init__(value)
        self.replaced = tuple(replaced)


def make_storable(text: str) -> str:
    """Join surrogate pairs, and replace lone halves and NUL, which databases reject, by U+FFFD."""
    sound = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return sound.replace("\x00", REPLACEMENT)


def parse_json(body: bytes, *, in_pieces: bool = False) -> Any:
    """Return the value, fit for every database; an object as a Resource. Raises ValueError.

    Also read what is almost JSON: a bare NaN, bare control characters, bytes that are not UTF-8. What is not
    finite becomes a text, as in protobuf's JSON. With `in_pieces` a text may go on in the next value, so half
    a surrogate pair stays as it is.
    """
    try:
        value, is_doubtful = orjson.loads(body), NUL_ESCAPE in body
    except ValueError:
        value, is_doubtful = _load_leniently(body), True
    cleaner = _Cleaner(in_pieces=in_pieces)
    if is_doubtful:
        value = cleaner.clean(value)
    return Resource(value, cleaner.replaced) if isinstance(value, dict) else value


def _load_leniently(body: bytes) -> Any:
    text = body.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    try:
        return json.loads(text, strict=False, parse_int=_parse_integer)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _parse_integer(digits: str) -> float:
    return int(digits) if len(digits) < LONG_DIGITS else float(digits)


def iter_items(answer: Mapping[str, Any], key: str) -> Iterator[Resource]:
    """Yield the objects of a list in an answer. Whatever else is in the list, or in its place, is left
    out."""
    listed = answer.get(key)
    replaced = getattr(answer, "replaced", ())
    for number, item in enumerate(listed if isinstance(listed, list) else []):
        if isinstance(item, dict):
            start = f"{key}[{number}]."
            yield Resource(item, (path.removeprefix(start) for path in replaced if path.startswith(start)))


def bound_resource(resource: Resource) -> Resource:
    """Return a resource that is kept in a row: its texts, lists and levels cut to what a row should hold.

    Each field has room of its own, so that no field costs another its value.
    """
    cleaner = _Cleaner(longest=MAX_TEXT)
    found = {}
    for key, value in list(resource.items())[:MAX_KEYS]:
        cleaner.room = MAX_FIELD
        found[key[:MAX_KEY]] = cleaner.clean_at(f".{key}", value)
    if len(resource) > MAX_KEYS:
        cleaner.replaced.append(CUT)
    return Resource(found, dict.fromkeys([*resource.replaced, *cleaner.replaced]))


class _Cleaner:
    """Returns copies of values that can be stored, and collects the paths of what it replaced."""

    def __init__(self, *, in_pieces: bool = False, longest: int | None = None) -> None:
        self.replaced: list[str] = []
        self.room: float = math.inf
        self._in_pieces = in_pieces
        self._longest = longest
        self._path: list[str] = []

    def clean_at(self, step: str, value: Any) -> Any:
        self._path.append(step)
        found = self.clean(value)
        self._path.pop()
        return found

    def clean(self, value: Any) -> Any:
        self.room -= VALUE_COST
        if isinstance(value, str):
            return self._clean_text(value)
        if isinstance(value, float) and not math.isfinite(value):
            return self._replace("NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity")
        if not isinstance(value, dict | list):
            return value
        if len(self._path) > MAX_DEPTH:
            return self._replace(CUT)
        return self._clean_list(value) if isinstance(value, list) else self._clean_object(value)

    def _clean_text(self, text: str) -> str:
        sound = text.replace("\x00", REPLACEMENT) if self._in_pieces else make_storable(text)
        if self._longest is not None and len(sound) > (most := int(min(self._longest, max(self.room, 0)))):
            sound = sound[:most] + CUT
        self.room -= len(sound)
        return sound if sound == text else self._replace(sound)

    def _clean_list(self, values: list[Any]) -> list[Any]:
        found = []
        for number, value in enumerate(values):
            if self.room <= 0:
                self._replace(CUT)
                break
            found.append(self.clean_at(f"[{number}]", value))
        return found

    def _clean_object(self, values: dict[str, Any]) -> dict[str, Any]:
        found = {}
        for key, value in values.items():
            if self.room <= 0:
                self._replace(CUT)
                break
            name = self._clean_key(key)
            found[name] = self.clean_at(f".{name}", value)
        return found

    def _clean_key(self, key: str) -> str:
        name = make_storable(key)
        if self._longest is not None:
            name = name[:MAX_KEY]
        self.room -= len(name)
        return name if name == key else self._replace(name)

    def _replace(self, value: str) -> str:
        self.replaced.append("".join(self._path).removeprefix("."))
        return value
