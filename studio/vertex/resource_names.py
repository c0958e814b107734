"""Resource names, `projects/P/locations/L/...`, and their parts."""

from __future__ import annotations

import re
from typing import Any, TypeGuard

from studio.vertex.errors import BadName

MAX_LENGTH = 300
"""Characters of a name in a row; Google's have up to 200."""
NAME = re.compile(
    r"projects/(?P<project>[a-z0-9:.-]+)/locations/(?P<location>[a-z0-9-]+)(?:/[A-Za-z0-9_.@-]+)*"
)


def check_name(name: str) -> str:
    """Return `name`, or raise BadName: it becomes part of an address, so nothing else may pass."""
    if not NAME.fullmatch(name) or "/.." in name or "/./" in name:
        raise BadName(f"{name[:200]!r} is not a resource name of Vertex AI.")
    return name


def is_name(value: Any, longest: int = MAX_LENGTH) -> TypeGuard[str]:
    """Whether this, from an answer, is a resource name that a row can hold."""
    try:
        return isinstance(value, str) and len(check_name(value)) <= longest
    except BadName:
        return False


def location_of(name: str) -> str:
    """Return a resource's location; a tuned model's endpoint may differ from its tuning job."""
    return check_name(name).split("/")[3]


def region_of(name: str) -> str:
    """Like `location_of`, but blank for what is not a resource name."""
    try:
        return location_of(name)
    except BadName:
        return ""


def id_of(name: str) -> str:
    return name.rsplit("/", 1)[-1]


def location_name(project_id: str, location: str) -> str:
    return check_name(f"projects/{project_id}/locations/{location}")


def publisher_model_name(project_id: str, location_id: str, model_id: str) -> str:
    """Return the resource name of an untuned base model."""
    return check_name(f"{location_name(project_id, location_id)}/publishers/google/models/{model_id}")
