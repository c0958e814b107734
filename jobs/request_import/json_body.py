"""Reads the JSON of a pasted request (pure).

Like Google's own parser, it accepts what people write by hand: trailing commas, single quotes, unquoted keys.
"""

from __future__ import annotations

import json
from typing import Any

import json5
from django.utils.translation import gettext as _

from jobs.request_import.tokens import Unreadable, line_number

MAX_LENIENT_LENGTH = 16_000
"""Characters. json5 takes 20 to 50 µs for each: up to 0.8 s here, 5 s for 100,000. Requests that
people write by hand are shorter."""
EXCERPT_LENGTH = 24
"""Characters of the text that an error quotes: enough to find the place."""


def parse_json_object(text: str) -> dict[str, Any]:
    """Return the object in `text`. Raises Unreadable with the line and column of a syntax error."""
    if not text.strip():
        raise Unreadable(_("This text has no request body. Paste the whole request, including its JSON."))
    try:
        value = parse_json(text)
    except RecursionError:
        raise unsupported_json_error() from None
    if not isinstance(value, dict):
        raise Unreadable(_("The body isn’t a JSON object. Paste everything from { to }."))
    return value


def parse_json(text: str) -> Any:
    """Return the value. NaN and Infinity become strings, so that messages about their field show them."""
    try:
        return json.loads(text, parse_constant=str)
    except json.JSONDecodeError as error:
        if len(text) > MAX_LENIENT_LENGTH:
            raise syntax_error(text, error.pos) from None
    except ValueError:
        raise unsupported_json_error() from None
    value, message, position = json5.parse(text, parse_int=parse_integer, parse_constant=str)
    if message:
        raise syntax_error(text, position)
    # json5 leaves a surrogate pair, such as \ud83d\ude00, as two halves; json joins them.
    return json.loads(json.dumps(value), parse_constant=str)


def parse_integer(digits: str, base: int = 10) -> int:
    try:
        return int(digits, base)
    except ValueError:
        # Python converts at most 4,300 digits, to bound the time.
        raise unsupported_json_error() from None


def unsupported_json_error() -> Unreadable:
    return Unreadable(
        _("This JSON can’t be read: it’s nested too deeply or contains a number that’s too long.")
    )


def syntax_error(text: str, position: int) -> Unreadable:
    """The error at `position`; in the middle of a word, at the word's start."""
    rest = text[position:].lstrip()
    while rest and position and text[position - 1].isalnum():
        position -= 1
        rest = text[position:]
    place = {
        "line": line_number(text, position),
        "column": position - text.rfind("\n", 0, position),
        "near": rest[:EXCERPT_LENGTH].partition("\n")[0],
    }
    if not rest:
        return Unreadable(
            _("The JSON ends early at line %(line)d, column %(column)d. Paste it through its last bracket.")
            % place
        )
    return Unreadable(
        _("Invalid JSON at line %(line)d, column %(column)d, near “%(near)s”. Fix it, then try again.")
        % place
    )
