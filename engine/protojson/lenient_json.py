"""JSON as Google's front end reads it: trailing commas, single quotes and bare keys are allowed.

The reference page's own request bodies need it: one of them ends an object with a comma.
"""

import json
import re
from typing import Any, NoReturn

from engine.protojson.errors import ApiError, Violation

MAX_DEPTH = 100

_TOKEN = re.compile(
    r"""(?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
      | (?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
      | (?P<word>[A-Za-z_$][\w$]*)
      | (?P<mark>[{}\[\]:,])""",
    re.VERBOSE,
)
_SPACE = re.compile(r"[ \t\r\n]*")
_WORDS = {"true": True, "false": False, "null": None}


def parse_json(text: str) -> Any:
    """The value in `text`; INVALID_ARGUMENT names line and column where there is none."""
    try:
        value = json.loads(text, parse_constant=_reject_constant)
    except (ValueError, RecursionError):
        value = _LenientParser(text).parse_document()
    if _is_too_deep(value):
        raise _payload_error(f"Message too deep. Max recursion depth is {MAX_DEPTH}.")
    return value


def _reject_constant(name: str) -> NoReturn:
    raise ValueError(name)


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


def _payload_error(description: str) -> ApiError:
    message = f"Invalid JSON payload received. {description}"
    return ApiError("INVALID_ARGUMENT", message, [Violation("", message)])


class _LenientParser:
    """A recursive descent over the tokens of `text`."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.kind = "end"
        self.shown = ""
        self.start = 0
        self.end = 0
        self.next_token()

    def next_token(self) -> str:
        """Move on to the next token; answer the one left behind."""
        left = self.shown
        self.start = self._skip_space(self.end)
        match = _TOKEN.match(self.text, self.start)
        if match:
            self.kind, self.shown, self.end = str(match.lastgroup), match.group(), match.end()
        elif self.start == len(self.text):
            self.kind, self.shown, self.end = "end", "", self.start
        else:
            self.fail("Unexpected token.")
        return left

    def _skip_space(self, position: int) -> int:
        match = _SPACE.match(self.text, position)
        return match.end() if match else position

    def parse_document(self) -> Any:
        value = self.parse_value(depth=0)
        if self.kind != "end":
            self.fail("Expected the end of the body.")
        return value

    def parse_value(self, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise _payload_error(f"Message too deep. Max recursion depth is {MAX_DEPTH}.")
        match self.kind, self.shown:
            case "mark", "{":
                return self.parse_object(depth)
            case "mark", "[":
                return self.parse_array(depth)
            case "string", _:
                return self.parse_string()
            case "number", _:
                return self.parse_number()
            case "word", word if word in _WORDS:
                return _WORDS[self.next_token()]
        return self.fail("Expected a value.")

    def parse_object(self, depth: int) -> dict[str, Any]:
        members = {}
        self.next_token()
        while self.shown != "}":
            key = self.parse_key()
            if self.shown != ":":
                self.fail("Expected : between key and value.")
            self.next_token()
            members[key] = self.parse_value(depth + 1)
            self.expect_comma("}", "Expected , or } after key:value pair.")
        self.next_token()
        return members

    def parse_array(self, depth: int) -> list[Any]:
        members = []
        self.next_token()
        while self.shown != "]":
            members.append(self.parse_value(depth + 1))
            self.expect_comma("]", "Expected , or ] after array value.")
        self.next_token()
        return members

    def expect_comma(self, closing: str, otherwise: str) -> None:
        if self.kind == "mark" and self.shown == ",":
            self.next_token()
        elif self.shown != closing:
            self.fail(otherwise)

    def parse_key(self) -> str:
        if self.kind == "word":
            return self.next_token()
        if self.kind == "string":
            return self.parse_string()
        return self.fail("Expected an object key or }.")

    def parse_string(self) -> str:
        token = self.shown
        if token[0] == "'":
            inner = token[1:-1].replace("\\'", "'")
            token = '"' + re.sub(r'(?<!\\)"', r"\"", inner) + '"'
        try:
            value: str = json.loads(token)
        except ValueError:
            self.fail("Invalid escape sequence or control character in string.")
        self.next_token()
        return value

    def parse_number(self) -> int | float:
        try:
            value: int | float = json.loads(self.shown)
        except ValueError:
            self.fail("Invalid number.")
        self.next_token()
        return value

    def fail(self, what: str) -> NoReturn:
        before = self.text[: self.start]
        line, column = before.count("\n") + 1, self.start - before.rfind("\n")
        shown = self.text[max(self.start - 40, before.rfind("\n") + 1) : self.start + 40].split("\n")[0]
        pointer = " " * min(column - 1, 40) + "^"
        raise _payload_error(f"{what} Line {line}, column {column}:\n{shown}\n{pointer}")
