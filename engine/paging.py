"""Lists of resources: Google's standard filter, and pages."""

import base64
import binascii
import re
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, QueryDict

from engine.errors import invalid
from engine.wire import snake

Resource = dict[str, Any]

_TERM = re.compile(r"""\s*([\w.-]+)\s*(!=|=|:)\s*("[^"]*"|'[^']*'|[^\s"']+)\s*""")


def listing(request: HttpRequest, key: str, resources: list[Resource], default: int = 100) -> Resource:
    """One page of the resources that the request's filter keeps, as {key: [...], nextPageToken}.

    `resources` are in the order of the list. A token names the last resource of the page before, so
    that what comes or goes meanwhile neither repeats nor hides another.
    """
    keep = filter_of(request.GET.get("filter", ""))
    return page(request.GET, key, [resource for resource in resources if keep(resource)], default)


def page(query: QueryDict, key: str, resources: list[Resource], default: int, most: int = 1000) -> Resource:
    size = page_size(query.get("pageSize", ""), default, most)
    start = _start(query.get("pageToken", ""), resources)
    shown = resources[start : start + size]
    answer: Resource = {key: shown} if shown else {}
    if start + size < len(resources):
        answer["nextPageToken"] = _token(shown[-1]["name"])
    return answer


def page_size(text: str, default: int, most: int) -> int:
    if not re.fullmatch(r"\d*", text):
        raise invalid(f"page_size must be a whole number from 0 to {most}, not {text!r}.", "page_size")
    return min(int(text or 0) or default, most)


def _token(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode()


def _start(token: str, resources: list[Resource]) -> int:
    if not token:
        return 0
    try:
        last = base64.urlsafe_b64decode(token).decode()
    except (binascii.Error, ValueError):
        last = ""
    names = [resource["name"] for resource in resources]
    if last not in names:
        raise invalid("The page token is invalid, or has expired: list again from the start.", "page_token")
    return names.index(last) + 1


def filter_of(text: str) -> Callable[[Resource], bool]:
    """`labels.a=b AND state="JOB_STATE_RUNNING"`; `labels.a:*` asks whether the label is there."""
    if not text.strip():
        return lambda resource: True
    terms = [_term(part, text) for part in re.split(r"\s+AND\s+", text.strip())]
    return lambda resource: all(term(resource) for term in terms)


def _term(part: str, whole: str) -> Callable[[Resource], bool]:
    match = _TERM.fullmatch(part)
    if match is None:
        raise invalid(f"Invalid filter: {whole!r}. Write field=value, joined by AND.", "filter")
    field, operator, value = match.group(1), match.group(2), match.group(3).strip("\"'")

    def matches(resource: Resource) -> bool:
        found = _value(resource, field)
        if operator == ":":
            return found is not None and (value == "*" or value in _words(found))
        return (str(found) == value) == (operator == "=")

    return matches


def _words(found: Any) -> list[str]:
    return [str(inner) for inner in found] if isinstance(found, list | dict) else [str(found)]


def _value(resource: Resource, field: str) -> Any:
    first, _, rest = field.partition(".")
    values = {snake(name): value for name, value in resource.items()}
    value = values.get(snake(first))
    if rest:
        return value.get(rest) if isinstance(value, dict) else None
    return value
