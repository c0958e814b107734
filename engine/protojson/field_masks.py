"""updateMask: which fields of a resource a PATCH changes, and to what."""

from collections.abc import Collection, Iterator
from typing import Any

from engine.protojson.errors import invalid_argument
from engine.protojson.message_reader import to_snake_case

Json = dict[str, Any]


def resolve_update_mask(mask: str, body: Json, current: Json, changeable: Collection[str]) -> Json:
    """Field -> its new value, empty where it is cleared. No mask means the fields of the body; `*` means all.

    A path may name one entry of a map, as `labels.team` does. Names in camel and in snake case are the same.
    """
    found: Json = {}
    for name, entry in _parse_paths(mask, body, changeable):
        if not entry:
            found[name] = body.get(name, {} if isinstance(current.get(name), dict) else "")
        elif isinstance(held := found.get(name) or current.get(name, {}), dict):
            found[name] = _set_entry(held, entry, body.get(name, {}))
        else:
            raise invalid_argument(f"{to_snake_case(name)} has no subfields.", "update_mask")
    return found


def _parse_paths(mask: str, body: Json, changeable: Collection[str]) -> Iterator[tuple[str, str]]:
    given = [path.strip() for path in mask.split(",") if path.strip()] or list(body)
    names = {spelling: name for name in changeable for spelling in (name, to_snake_case(name))}
    for path in changeable if given == ["*"] else given:
        first, _, entry = path.partition(".")
        if first not in names:
            able = ", ".join(map(to_snake_case, changeable))
            raise invalid_argument(
                f"{to_snake_case(first)} cannot be changed. Only {able} can be.", "update_mask"
            )
        yield names[first], to_snake_case(entry)


def _set_entry(held: Json, entry: str, given: Json) -> Json:
    others = {key: value for key, value in held.items() if key != entry}
    return {**others, entry: given[entry]} if entry in given else others
