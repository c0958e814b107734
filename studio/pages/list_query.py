"""What the address of a list asks for: words, order and page, and headings that change the order (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar
from urllib.parse import urlencode

from django.db.models import F
from django.db.models.expressions import Expression, OrderBy
from django.http import QueryDict
from django.utils.functional import Promise


@dataclass(frozen=True, slots=True)
class ListQuery:
    """What the address asks for; whatever it does not say, or says wrongly, is the default.

    A list's own filters are fields of a subclass, `SORTS` its columns, or what is computed of them, by the
    address's word."""

    SORTS: ClassVar[Mapping[str, str | Expression]] = {}
    ASCENDING_FIRST: ClassVar[frozenset[str]] = frozenset()
    """Columns whose lowest value is asked for first."""

    q: str = ""
    sort: str = "-created"
    page: int = 1

    @classmethod
    def parse_query(cls, query: QueryDict) -> dict[str, Any]:
        sort, page = query.get("sort", ""), query.get("page", "")
        return {
            "q": query.get("q", "").replace("\0", "").strip()[:128],
            "sort": sort if sort.removeprefix("-") in cls.SORTS else "-created",
            "page": int(page) if page.isascii() and page.isdigit() and 0 < len(page) < 7 else 1,
        }

    @property
    def is_filtered(self) -> bool:
        return bool(self.non_default_values({"sort", "page"}))

    @property
    def hidden_fields(self) -> dict[str, Any]:
        """What a search within this list keeps of its address."""
        return self.non_default_values({"q", "page"})

    @property
    def unfiltered_query(self) -> str:
        """The address's query without what narrows."""
        return urlencode({"sort": self.sort} if self.non_default_values(set()).get("sort") else {})

    def query(self, **changed: str | int) -> str:
        """The address's query with some of it changed; a change of filter starts at the first page."""
        wanted = {**self.non_default_values({"page"}), **changed}
        return urlencode(
            {name: value for name, value in wanted.items() if value != self.default_values()[name]}
        )

    def non_default_values(self, without: set[str]) -> dict[str, Any]:
        usual = self.default_values()
        return {
            name: value
            for name, value in asdict(self).items()
            if value != usual[name] and name not in without
        }

    @classmethod
    def default_values(cls) -> dict[str, Any]:
        return {field.name: field.default for field in fields(cls)}

    def build_order_by(self) -> OrderBy:
        found = self.SORTS[self.sort.removeprefix("-")]
        column = F(found) if isinstance(found, str) else found
        return column.desc(nulls_last=True) if self.sort.startswith("-") else column.asc(nulls_last=True)

    def heading(self, key: str, label: str | Promise) -> Heading:
        now = self.sort.removeprefix("-") == key
        down = now and self.sort.startswith("-")
        direction = ("descending" if down else "ascending") if now else ""
        rises = down if now else key in self.ASCENDING_FIRST
        return Heading(label, self.query(sort=key if rises else f"-{key}"), direction)


@dataclass(frozen=True, slots=True)
class Heading:
    """A column that can be sorted: where its link leads, and `aria-sort`'s word."""

    label: str | Promise
    query: str
    direction: str
