"""Numbers and JSON in addresses and forms, which anybody may have edited (pure)."""

from __future__ import annotations

import json
from typing import Any, NoReturn

MAX_DIGITS = 18
"""Any number of that many digits fits into a database's 64 bits; for a longer one the query would fail."""


def parse_pk(text: str) -> int:
    """Return a primary key, or 0 (which no row has) for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS else 0


def parse_json(text: str, *, longest: int, deepest: int) -> Any:
    """Return the value. Raise ValueError for invalid JSON, for more than `longest` characters, and for more
    than `deepest` arrays and objects inside one another."""
    if len(text) > longest:
        raise ValueError("too long")
    try:
        value = json.loads(text, parse_constant=refuse_constant)
    except RecursionError:
        raise ValueError("too deep") from None
    if is_deeper(value, deepest):
        raise ValueError("too deep")
    return value


def refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def is_deeper(value: Any, depth: int) -> bool:
    level = [value]
    for _step in range(depth + 1):
        level = [inner for outer in level for inner in iter_members(outer) if isinstance(inner, dict | list)]
        if not level:
            return False
    return True


def iter_members(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
