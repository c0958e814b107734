"""Google's discovery documents: which method a request called, and whether an answer is what it promises.

Stricter than the clients: a property that the document has not, a number where it has a string, or an enum
value that it does not list, is a fault.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.conformance.recorder import Exchange

Json = dict[str, Any]

DOCUMENTS = ("aiplatform.v1", "aiplatform.v1beta1", "storage.v1")
BITS = {"int32": 32, "int64": 64, "uint64": 64}
NOT_NUMBERS = {"NaN", "Infinity", "-Infinity"}
BASE64 = re.compile(r"(?:[A-Za-z0-9+/_-]{4})*(?:[A-Za-z0-9+/_-]{2}==|[A-Za-z0-9+/_-]{3}=)?")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z")


@dataclass(frozen=True)
class Method:
    name: str
    http_method: str
    pattern: re.Pattern[str]
    response: str


class Document:
    """One version of one API."""

    def __init__(self, content: Json) -> None:
        self.schemas: Json = content["schemas"]
        self.methods = [method for found in _iter_methods(content) for method in _iter_routes(content, found)]

    @classmethod
    def read(cls, path: Path) -> Document:
        return cls(json.loads(path.read_text(encoding="utf-8")))

    def find_method(self, http_method: str, path: str) -> Method | None:
        for method in self.methods:
            if method.http_method == http_method and method.pattern.fullmatch(path):
                return method
        return None

    def find_faults(self, schema: str, value: Any) -> list[str]:
        """What is wrong with the value, each with its path in it."""
        return list(self._check({"$ref": schema}, value, ""))

    def _check(self, schema: Json, value: Any, path: str) -> Iterator[str]:
        if "$ref" in schema:
            yield from self._check(self.schemas[schema["$ref"]], value, path)
            return
        match schema["type"]:
            case "object":
                yield from self._check_object(schema, value, path)
            case "array":
                if not isinstance(value, list):
                    yield f"{path} is no list: {value!r}"
                    return
                for number, inner in enumerate(value):
                    yield from self._check(schema["items"], inner, f"{path}[{number}]")
            case "any":
                return
            case _:
                if (wrong := _check_scalar(schema, value)) is not None:
                    yield f"{path} {wrong}: {value!r}"

    def _check_object(self, schema: Json, value: Any, path: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{path} is no object: {value!r}"
            return
        for key, inner in value.items():
            found = schema.get("properties", {}).get(key) or schema.get("additionalProperties")
            if found is None:
                yield f"{path}.{key} is not in the schema {schema.get('id', '')}"
            else:
                yield from self._check(found, inner, f"{path}.{key}")


def _iter_methods(resource: Json) -> Iterator[Json]:
    yield from resource.get("methods", {}).values()
    for inner in resource.get("resources", {}).values():
        yield from _iter_methods(inner)


def _iter_routes(document: Json, method: Json) -> Iterator[Method]:
    """The method at its own path, and where content goes up or comes down beside it."""
    schema = method.get("response", {}).get("$ref", "")
    own = "/" + document["servicePath"] + method.get("flatPath", method["path"])
    yield Method(shorten_name(method["id"]), method["httpMethod"], _compile_path(own), schema)
    if method.get("supportsMediaDownload"):
        yield Method(
            shorten_name(method["id"]), method["httpMethod"], _compile_path("/download" + own), schema
        )
    if "mediaUpload" in method:
        upload = _compile_path(method["mediaUpload"]["protocols"]["simple"]["path"])
        for verb in ("POST", "PUT"):
            yield Method(shorten_name(method["id"]), verb, upload, schema)


def _compile_path(path: str) -> re.Pattern[str]:
    """An object's name may hold anything but a bare slash; other ids hold no colon, which leads a verb."""
    parts = re.split(r"(\{[^}]+\})", path)
    id = r"[^/]+" if path.startswith(("/storage", "/download", "/upload")) else r"[^/:]+"
    return re.compile("".join(id if part.startswith("{") else re.escape(part) for part in parts))


def shorten_name(method: str) -> str:
    """`aiplatform.projects.locations.tensorboards.experiments.runs.list` -> `runs.list`"""
    parts = method.split(".")
    return ".".join(parts[-3:] if "publishers" in parts else parts[-2:])


def _check_scalar(schema: Json, value: Any) -> str | None:
    """What is wrong with it, if anything is."""
    kind, format = schema["type"], schema.get("format", "")
    if kind == "boolean":
        return None if isinstance(value, bool) else "is not true or false"
    if kind in ("integer", "number"):
        return _check_number(kind, format, value)
    if not isinstance(value, str):
        return "is no string"
    if "enum" in schema:
        return None if value in schema["enum"] else "is not in the enum"
    return _check_text(format, value)


def _check_number(kind: str, format: str, value: Any) -> str | None:
    if kind == "number" and isinstance(value, str):
        return None if value in NOT_NUMBERS else "is no number"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "is no number"
    if kind == "integer" and (not isinstance(value, int) or abs(value) >= 2 ** (BITS[format] - 1)):
        return f"is no {format}"
    return None


def _check_text(format: str, value: str) -> str | None:
    if format in BITS:
        most = 2 ** (BITS[format] - (not format.startswith("u")))
        fits = re.fullmatch(r"-?\d+", value) and -most <= int(value) < most
        return None if fits else f"is no {format}"
    if format in ("google-datetime", "date-time"):
        return None if TIME.fullmatch(value) and _is_time(value) else "is no time"
    if format == "byte":
        return None if BASE64.fullmatch(value) else "is not base64"
    return None


def _is_time(value: str) -> bool:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


class Discovery:
    """The documents as google-api-python-client ships them."""

    def __init__(self, folder: Path) -> None:
        self.documents = {name: Document.read(folder / f"{name}.json") for name in DOCUMENTS}

    def find_method(self, exchange: Exchange) -> tuple[Document, Method] | None:
        for document in self.documents.values():
            if method := document.find_method(exchange.method, exchange.path):
                return document, method
        return None

    def find_faults(self, exchange: Exchange) -> list[str]:
        found = self.find_method(exchange)
        if found is None:
            return ["is a method of no document"]
        document, method = found
        if exchange.status >= 400:
            return find_error_faults(exchange, storage="/b/" in exchange.path)
        return [fault for value in iter_answers(exchange, method) for fault in document.find_faults(*value)]


def iter_answers(exchange: Exchange, method: Method) -> Iterator[tuple[str, Any]]:
    """Each value in an answer, with the schema that it should have; content itself has none."""
    begun = exchange.query.get("uploadType") == "resumable" and not exchange.body
    if begun or exchange.status in (204, 308) or exchange.query.get("alt") == "media":
        return
    if exchange.content_type.startswith("text/event-stream"):
        events = exchange.body.decode().removesuffix("\r\n\r\n").split("\r\n\r\n")
        yield from ((method.response, json.loads(event.removeprefix("data: "))) for event in events)
        return
    value = json.loads(exchange.body)
    parts = value if method.name.endswith("streamGenerateContent") else [value]
    yield from ((method.response, part) for part in parts)


def find_error_faults(exchange: Exchange, storage: bool) -> list[str]:
    """google.rpc.Status, or Cloud Storage's own form."""
    error = json.loads(exchange.body).get("error", {})
    wanted = {"code": int, "message": str} | ({"errors": list} if storage else {"status": str})
    faults = [
        f".error.{key} is missing" for key, kind in wanted.items() if not isinstance(error.get(key), kind)
    ]
    if error.get("code") != exchange.status:
        faults.append(f".error.code is {error.get('code')}, the status is {exchange.status}")
    untyped = [
        detail for detail in error.get("details", []) if not str(detail.get("@type")).startswith("type.")
    ]
    return faults + [f".error.details has no @type: {detail}" for detail in untyped]
