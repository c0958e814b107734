"""Protocol buffers in JSON, read with the leniency of Google's front end and written as it writes them.

Reading is driven by the tables of schema.py: names in snake or camel case at every depth, enums by name
or number, 64-bit integers as numbers or strings, a lone object where a list is declared, null for unset.
What comes out is one form: camel case, enum names, 64-bit integers as strings.
"""

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse

from engine.protojson import lenient_json
from engine.protojson.enums import ENUMS
from engine.protojson.errors import JSON, ApiError, Violation
from engine.protojson.request_body import read_body_text
from engine.protojson.schema import MESSAGES, ONEOFS

_PACKAGE = "type.googleapis.com/google.cloud.aiplatform.v1."
_UNSET = object()


def read_message(request: HttpRequest, message: str, root: str = "") -> dict[str, Any]:
    """The request's body as `message`, in its one form; `root` leads the paths of wrong fields.

    An empty body is an empty message. Raises INVALID_ARGUMENT with a violation per wrong field.
    """
    return normalize_message(message, lenient_json.parse_json(read_body_text(request) or "{}"), root)


def normalize_message(message: str, value: Any, root: str = "") -> dict[str, Any]:
    reader = _MessageReader()
    result = reader.read_message(message, value, root)
    if reader.violations:
        lines = "\n".join(violation.description for violation in reader.violations)
        raise ApiError("INVALID_ARGUMENT", lines, reader.violations)
    return result if isinstance(result, dict) else {}


def json_response(content: Any) -> HttpResponse:
    return JsonResponse(content, safe=False, content_type=JSON, json_dumps_params={"ensure_ascii": False})


def format_timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def to_snake_case(name: str) -> str:
    return re.sub(r"[A-Z]", lambda letter: f"_{letter.group().lower()}", name)


@cache
def _field_names(message: str) -> dict[str, str]:
    """Every spelling of a field of `message` -> its camel-case name."""
    return {spelling: name for name in MESSAGES[message] for spelling in (name, to_snake_case(name))}


class _MessageReader:
    """Walks a body by the schema and gathers what is wrong with it."""

    def __init__(self) -> None:
        self.violations: list[Violation] = []

    def add_violation(self, path: str, description: str) -> Any:
        self.violations.append(Violation(path, description))
        return _UNSET

    def add_invalid_value(self, path: str, kind: str, value: Any) -> Any:
        shown = f'"{value}"' if isinstance(value, str) else describe_json_value(value)
        return self.add_violation(path, f"Invalid value{_format_path(path)} ({kind}), {shown}")

    def add_unknown_name(self, path: str, name: str, why: str) -> Any:
        text = f'Invalid JSON payload received. Unknown name "{name}"{_format_path(path)}: {why}'
        return self.add_violation(path, text)

    def read_message(self, name: str, value: Any, path: str) -> Any:
        if not isinstance(value, dict):
            return self.add_invalid_value(path, _PACKAGE + name, value)
        known = _field_names(name)
        result: dict[str, Any] = {}
        for key, inner in value.items():
            if key in known:
                self.read_member(result, name, known[key], inner, path)
            elif not key.startswith("@"):
                self.add_unknown_name(path, key, "Cannot find field.")
        self.check_oneofs(name, result, path)
        return result

    def read_member(self, result: dict[str, Any], message: str, field: str, value: Any, path: str) -> None:
        kind = MESSAGES[message][field]
        if value is None or kind == "output":
            return
        read = self.read_field(
            kind, value, f"{path}.{to_snake_case(field)}" if path else to_snake_case(field)
        )
        if read is not _UNSET:
            result[field] = read

    def check_oneofs(self, message: str, result: dict[str, Any], path: str) -> None:
        for oneof, members in ONEOFS.get(message, {}).items():
            first, *others = [member for member in result if member in members] or [""]
            for other in others:
                conflict = f"oneof field '{oneof}' is already set by '{first}'. Cannot set '{other}'"
                self.add_violation(path, f"Invalid value{_format_path(path)} (oneof), {conflict}")

    def read_field(self, kind: str, value: Any, path: str) -> Any:
        if kind.startswith("["):
            return self.read_list(kind[1:-1], value, path)
        if kind.startswith("{"):
            return self.read_map(kind[1:-1], value, path)
        if kind == "data":
            return value
        if isinstance(value, list):
            parent, _, name = path.rpartition(".")
            return self.add_unknown_name(parent, name, "Proto field is not repeating, cannot start list.")
        return self.read_single(kind, value, path)

    def read_single(self, kind: str, value: Any, path: str) -> Any:
        if kind in MESSAGES:
            return self.read_message(kind, value, path)
        if kind in ENUMS:
            found = _parse_enum(ENUMS[kind], value)
            return self.add_invalid_value(path, _PACKAGE + kind, value) if found is None else found
        found = _SCALARS[kind](value)
        return self.add_invalid_value(path, f"TYPE_{kind.upper()}", value) if found is None else found

    def read_list(self, kind: str, value: Any, path: str) -> list[Any]:
        """A lone value becomes a list of one; lists inside lists are flattened; null is an empty element."""
        values = _flatten(value) if kind != "data" or isinstance(value, list) else [value]
        read = [
            _default_value(kind) if inner is None else self.read_field(kind, inner, f"{path}[{number}]")
            for number, inner in enumerate(values)
        ]
        return [inner for inner in read if inner is not _UNSET]

    def read_map(self, kind: str, value: Any, path: str) -> Any:
        if not isinstance(value, dict):
            return self.add_invalid_value(path, "map", value)
        read = {
            key: _default_value(kind) if inner is None else self.read_field(kind, inner, f"{path}[{key}]")
            for key, inner in value.items()
        }
        return {key: inner for key, inner in read.items() if inner is not _UNSET}


def _format_path(path: str) -> str:
    return f" at '{path}'" if path else ""


def describe_json_value(value: Any) -> str:
    """How Google's front end shows a value that is not a string."""
    match value:
        case bool():
            return str(value).lower()
        case dict():
            return "an object"
        case list():
            return "a list"
    return str(value)


def _flatten(value: Any) -> list[Any]:
    if not isinstance(value, list):
        return [value]
    return [leaf for inner in value for leaf in (_flatten(inner) if isinstance(inner, list) else [inner])]


def _default_value(kind: str) -> Any:
    return {} if kind in MESSAGES else {"string": "", "bytes": "", "data": None}.get(kind, 0)


def _parse_enum(names: tuple[str, ...], value: Any) -> str | None:
    if isinstance(value, str) and value in names:
        return value
    number = _parse_integer(value)
    return names[number] if number is not None and 0 <= number < len(names) else None


def _parse_integer(value: Any) -> int | None:
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,20}(\.0+)?", value):
        return int(value.split(".")[0])
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # An int may be too large for isfinite, which makes a float of it.
    if isinstance(value, int):
        return value
    return int(value) if math.isfinite(value) and value == int(value) else None


def _integer_parser(bits: int) -> Callable[[Any], int | None]:
    def parse_bounded(value: Any) -> int | None:
        number = _parse_integer(value)
        return number if number is not None and -(2 ** (bits - 1)) <= number < 2 ** (bits - 1) else None

    return parse_bounded


def _parse_int64(value: Any) -> str | None:
    number = _integer_parser(64)(value)
    return None if number is None else str(number)


def _parse_double(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def _parse_bool(value: Any) -> bool | None:
    return {"true": True, "false": False}.get(value) if isinstance(value, str) else _type_parser(bool)(value)


def _type_parser(kind: type) -> Callable[[Any], Any]:
    return lambda value: value if isinstance(value, kind) else None


_SCALARS: dict[str, Callable[[Any], Any]] = {
    "string": _type_parser(str),
    "bytes": _type_parser(str),
    "int32": _integer_parser(32),
    "int64": _parse_int64,
    "double": _parse_double,
    "bool": _parse_bool,
}
