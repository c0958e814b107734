"""What Cloud Storage says of buckets and objects, read so that one odd entry is left out, never the listing.

https://cloud.google.com/storage/docs/json_api/v1/objects/list
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeGuard

from studio.vertex.storable import make_storable

MAX_NUMBER = 2**63 - 1
"""The largest size and generation: both are 64-bit numbers, in the API as in a row."""
CRC32C_LENGTH, MD5_LENGTH, TYPE_LENGTH = 8, 24, 200
"""Characters of the checksums in base64, and of a content type. A longer one is none."""
TOKEN_LENGTH = 4000
"""Characters of a page's token: it becomes part of an address, which servers limit to 8,000."""
EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
"""A time beyond is a mistake, and near the ends of the calendar it breaks conversions between time zones."""
UNREADABLE = (ValueError, TypeError, AttributeError, LookupError, OverflowError, RecursionError)
"""What Google's library raises for an answer that is not shaped as documented."""


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """One object; `generation` identifies this content. crc32c and md5 are base64."""

    uri: str
    size: int
    generation: int
    crc32c: str
    md5: str
    updated: datetime | None
    content_type: str


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of a listing; `next_page` is the token of the next one, blank on the last. `left_out` counts
    the entries that can't be read."""

    objects: tuple[ObjectInfo, ...]
    prefixes: tuple[str, ...]
    next_page: str = ""
    left_out: int = 0

    @property
    def complete(self) -> bool:
        return not self.next_page


def parse_listing(bucket: str, answer: Mapping[str, Any]) -> Listing:
    """Return what can be read of one page, https://cloud.google.com/storage/docs/json_api/v1/objects/list"""
    items, prefixes = answer.get("items") or [], answer.get("prefixes") or []
    objects = [info for item in _iter_objects(items) if (info := _parse_or_skip(bucket, item))]
    folders = sorted({prefix for prefix in prefixes if _is_storable(prefix)})
    return Listing(
        tuple(objects),
        tuple(folders),
        parse_page_token(answer),
        len(items) + len(prefixes) - len(objects) - len(folders),
    )


def parse_bucket_names(answer: Mapping[str, Any]) -> list[str]:
    named = (item.get("name") for item in _iter_objects(answer.get("items")))
    return [name for name in named if _is_storable(name)]


def parse_page_token(answer: Mapping[str, Any]) -> str:
    """Return the token of the next page; blank on the last one."""
    return _parse_text(answer.get("nextPageToken"), TOKEN_LENGTH)


def _iter_objects(items: Any) -> Iterator[Mapping[str, Any]]:
    return (item for item in (items if isinstance(items, list) else []) if isinstance(item, Mapping))


def _parse_or_skip(bucket: str, item: Mapping[str, Any]) -> ObjectInfo | None:
    name = item.get("name")
    try:
        return parse_object_info(f"gs://{bucket}/{name}", item) if _is_storable(name) else None
    except UNREADABLE:
        return None


def parse_object_info(uri: str, fields: Mapping[str, Any]) -> ObjectInfo:
    """Return an object's metadata; raise ValueError or TypeError for a size or generation that is none."""
    return ObjectInfo(
        uri=uri,
        size=_parse_number(fields.get("size")),
        generation=_parse_number(fields.get("generation")),
        crc32c=_parse_text(fields.get("crc32c"), CRC32C_LENGTH),
        md5=_parse_text(fields.get("md5Hash"), MD5_LENGTH),
        updated=_parse_time(fields.get("updated")),
        content_type=_parse_text(fields.get("contentType"), TYPE_LENGTH),
    )


def _parse_number(value: Any) -> int:
    number = 0 if value is None else int(value)
    if not 0 <= number <= MAX_NUMBER:
        raise ValueError("not a size or generation")
    return number


def _parse_text(value: Any, longest: int) -> str:
    return make_storable(value) if isinstance(value, str) and len(value) <= longest else ""


def _parse_time(value: Any) -> datetime | None:
    """Return a timestamp; None where it is missing or odd, since pages only show it."""
    try:
        found = datetime.fromisoformat(value)
        return found if EARLIEST < found < LATEST else None
    except (ValueError, TypeError):
        return None


def _is_storable(name: Any) -> TypeGuard[str]:
    """Whether this is a name that a page can show; no other can be chosen anyway."""
    return isinstance(name, str) and bool(name) and make_storable(name) == name
