"""JSON as Google's front end reads it: trailing commas, single quotes and unquoted keys are accepted.

The reference page's own request bodies need it: one of them ends an object with a comma.
"""

import json
import re
from typing import Any, NoReturn

import json5

from engine.protojson.errors import ApiError, Violation

MAX_DEPTH = 100
"""Google's parser refuses deeper messages."""
MAX_LENIENT_LENGTH = 16_000
"""Characters. json5 takes 20 to 50 µs for each: up to 0.8 s here, 5 s for 100,000. Requests that people write
by hand are shorter, and programs send strict JSON."""

_GOOGLE_TOKENS = re.compile(
    r"""(?: [ \t\r\n{}\[\]:,]+
          | "(?:[^"\\\x00-\x1f]|\\["'\\/bfnrt]|\\u[0-9a-fA-F]{4})*"
          | '(?:[^'\\\x00-\x1f]|\\["'\\/bfnrt]|\\u[0-9a-fA-F]{4})*'
          | -?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])
          | (?!(?:NaN|Infinity)\b)[A-Za-z_$][\w$]*
        )*+""",
    re.VERBOSE,
)
"""The longest start of a text made of tokens that Google accepts. JSON5 has more, and json5 would read them:
comments, NaN and Infinity, hexadecimal numbers, `+1`, `.5`, `\\x41`, strings over several lines."""


def parse_json(text: str) -> Any:
    """Return the value of `text`. Raises INVALID_ARGUMENT with the line and column of a syntax error."""
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise _too_deep_error() from None
    except ValueError as error:
        value = _parse_lenient_json(text, error)
    if _is_too_deep(value):
        raise _too_deep_error()
    _check_writable(value)
    return value


def _check_writable(value: Any) -> None:
    """What is read here is stored and sent again, as JSON in UTF-8, which has neither of these two."""
    try:
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise _payload_error("A string contains half of a character (a lone surrogate).") from None
    except ValueError:
        raise _payload_error("A number is too large for a double.") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value.")


def _parse_lenient_json(text: str, strict_error: ValueError) -> Any:
    if len(text) > MAX_LENIENT_LENGTH:
        raise _strict_syntax_error(text, strict_error)
    tokens = _GOOGLE_TOKENS.match(text)
    end = tokens.end() if tokens else 0
    if end < len(text) or not text:
        raise _syntax_error(text, end)
    try:
        value, error, position = json5.parse(text, parse_int=_parse_integer)
    except RecursionError:
        # json5 nests about 20 Python calls for each level, so it gives up at about 40 levels.
        raise _too_deep_error() from None
    if error:
        raise _syntax_error(text, position)
    # json5 leaves a surrogate pair, such as \ud83d\ude00, as two halves; json joins them.
    return json.loads(json.dumps(value))


def _parse_integer(digits: str) -> int:
    try:
        return int(digits)
    except ValueError:
        # Python converts at most 4,300 digits, to bound the time.
        raise _payload_error(f"Number too long: {digits[:20]}...") from None


def _strict_syntax_error(text: str, error: ValueError) -> ApiError:
    if isinstance(error, json.JSONDecodeError):
        return _syntax_error(text, error.pos, f"{error.msg}.")
    return _payload_error(str(error))


def _syntax_error(text: str, position: int, reason: str = "") -> ApiError:
    """The error at `position`, with its line as an excerpt; in the middle of a word, at the word's start."""
    reason = reason or ("Unexpected token." if position < len(text) else "Unexpected end of the body.")
    while 0 < position < len(text) and _is_word(text[position - 1]):
        position -= 1
    line_start = text.rfind("\n", 0, position) + 1
    line, column = text.count("\n", 0, position) + 1, position - line_start + 1
    shown = text[max(position - 40, line_start) : position + 40].split("\n")[0]
    pointer = " " * min(column - 1, 40) + "^"
    return _payload_error(f"{reason} Line {line}, column {column}:\n{shown}\n{pointer}")


def _is_word(letter: str) -> bool:
    return letter.isalnum() or letter in "_$"


def _is_too_deep(value: Any) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [inner for outer in level for inner in _nested_values(outer)]
        if not level:
            return False
    return True


def _nested_values(value: Any) -> list[Any]:
    members = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [member for member in members if isinstance(member, dict | list)]


def _too_deep_error() -> ApiError:
    return _payload_error(f"Message too deep. Max recursion depth is {MAX_DEPTH}.")


def _payload_error(description: str) -> ApiError:
    message = f"Invalid JSON payload received. {description}"
    return ApiError("INVALID_ARGUMENT", message, [Violation("", message)])
