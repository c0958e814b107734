"""Lists of resources, as every service of the API gives them: filtered, in an order, in pages."""

import base64
import binascii
import re
from collections.abc import Callable

from django.http import HttpRequest, QueryDict

from engine.protojson.errors import invalid_argument
from engine.protojson.filters import Predicate, Resource, compile_filter
from engine.protojson.message_reader import to_snake_case
from engine.protojson.numbers import parse_whole_number, shorten


def _name(resource: Resource) -> str:
    return str(resource["name"])


def _no_fields(resource: Resource) -> Resource:
    return {}


def build_list_response(
    request: HttpRequest,
    key: str,
    resources: list[Resource],
    default: int = 100,
    *,
    id: Callable[[Resource], str] = _name,
    also: Callable[[Resource], Resource] = _no_fields,
    orders: tuple[str, ...] = (),
) -> Resource:
    """One page of the resources that the request's filter keeps, as {key: [...], nextPageToken}.

    `resources` are in the order of the list, unless orderBy names some of `orders`. `also` gives what a
    filter may ask for beside the resource's own fields. A token names the last resource of the page before
    by its `id`, so that what comes or goes meanwhile neither repeats nor hides another.
    """
    keeps = compile_filter(request.GET.get("filter", ""))
    ordered = sort_resources(resources, request.GET.get("orderBy", ""), orders)
    query = request.GET
    answer = paginate(
        query, key, ordered, default, id=id, keeps=lambda resource: keeps({**also(resource), **resource})
    )
    if key in answer:
        answer[key] = [_apply_read_mask(resource, query.get("readMask", "")) for resource in answer[key]]
    return answer


def _apply_read_mask(resource: Resource, mask: str) -> Resource:
    """The fields that readMask names, by their first part; all without one."""
    wanted = {to_snake_case(path.strip().partition(".")[0]) for path in mask.split(",") if path.strip()}
    if not wanted or "*" in wanted:
        return resource
    return {name: value for name, value in resource.items() if to_snake_case(name) in wanted}


def paginate(
    query: QueryDict,
    key: str,
    resources: list[Resource],
    default: int,
    most: int = 1000,
    *,
    id: Callable[[Resource], str] = _name,
    keeps: Predicate = bool,
) -> Resource:
    """Return what follows the previous page, even if its last resource no longer matches."""
    size = parse_page_size(query.get("pageSize", ""), default, most)
    start = _decode_page_token(query.get("pageToken", ""), list(map(id, resources)))
    left = [resource for resource in resources[start:] if keeps(resource)]
    answer: Resource = {key: left[:size]} if left else {}
    if len(left) > size:
        answer["nextPageToken"] = _encode_page_token(id(left[size - 1]))
    return answer


def parse_page_size(text: str, default: int, most: int) -> int:
    wrong = f"page_size must be a whole number from 0 to {most}, not {shorten(text)}."
    size = parse_whole_number(text or "0", invalid_argument(wrong, "page_size"))
    return min(size or default, most)


def _encode_page_token(id: str) -> str:
    return base64.urlsafe_b64encode(id.encode()).decode()


def _decode_page_token(token: str, ids: list[str]) -> int:
    if not token:
        return 0
    try:
        last = base64.urlsafe_b64decode(token).decode()
    except (binascii.Error, ValueError):
        last = ""
    if last not in ids:
        raise invalid_argument(
            "The page token is invalid or has expired. List again without it.", "page_token"
        )
    return ids.index(last) + 1


def sort_resources(resources: list[Resource], order_by: str, orders: tuple[str, ...]) -> list[Resource]:
    """`display_name, create_time desc`: by the first, then by the next; names in snake or camel case."""
    for part in reversed([part.split() for part in order_by.split(",") if orders and part.strip()]):
        name = to_snake_case(part[0])
        if name not in orders or part[1:] not in ([], ["asc"], ["desc"]):
            able = ", ".join(orders)
            raise invalid_argument(
                f"Invalid order_by: {order_by!r}. Order by {able}, optionally followed by desc.", "order_by"
            )
        field = re.sub(r"_([a-z])", lambda letter: letter[1].upper(), name)
        resources = sorted(
            resources, key=lambda resource: str(resource.get(field, "")), reverse=part[1:] == ["desc"]
        )
    return resources
