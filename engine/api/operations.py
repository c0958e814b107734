"""Long-running operations: all are done when they are returned, and can be read again later."""

import re
import time
from typing import Any

from django.http import HttpRequest, HttpResponse

from engine.api.resource_names import Place
from engine.protojson import message_reader
from engine.protojson.errors import not_found
from engine.protojson.pagination import build_list_response
from engine.queue.atomic_files import read_json, write_json
from engine.queue.job_folder import utc_now
from engine.services import root

Json = dict[str, Any]

EMPTY = "protobuf.Empty"


def complete_operation(place: Place, kind: str, response: str = EMPTY) -> HttpResponse:
    """`kind` and `response` are message names of the service; the response has no fields."""
    number, at = str(time.time_ns()), utc_now()
    operation = {
        "name": place.resource_name("operations", number),
        "metadata": {
            "@type": _type_url(f"{kind}OperationMetadata"),
            "genericMetadata": {"createTime": at, "updateTime": at},
        },
        "done": True,
        "response": {"@type": _type_url(response)},
    }
    folder = root() / "operations"
    folder.mkdir(exist_ok=True)
    write_json(folder / f"{number}.json", operation)
    return message_reader.json_response(operation)


def _type_url(message: str) -> str:
    package = "google" if message == EMPTY else "google.cloud.aiplatform.v1"
    return f"type.googleapis.com/{package}.{message}"


def list_operations(request: HttpRequest, place: Place) -> HttpResponse:
    """Those of the project and location, the newest first."""
    found = [read_json(path) for path in sorted((root() / "operations").glob("*.json"), reverse=True)]
    of_place = [
        operation for operation in found if operation["name"].startswith(place.resource_name("operations"))
    ]
    return message_reader.json_response(build_list_response(request, "operations", of_place))


def get_operation(request: HttpRequest, place: Place, operation: str) -> HttpResponse:
    """Also for :wait, since there is nothing to wait for."""
    name = place.resource_name("operations", operation)
    known = re.fullmatch(r"[0-9]{1,19}", operation)  # nanoseconds, as complete_operation numbers them
    found = read_json(root() / "operations" / f"{operation}.json") if known else {}
    if found.get("name") != name:
        raise not_found(f"The Operation {name} does not exist.")
    return message_reader.json_response(found)
