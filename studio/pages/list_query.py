"""Search, sorting and paging of a list, as its address says it; and headings that sort (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar
from urllib.parse import urlencode

from django.db.models import F
from django.db.models.expressions import Expression, OrderBy
from django.http import QueryDict
from django.utils.functional import Promise

from studio.pages.query_values import parse_pk


@dataclass(frozen=True, slots=True)
class ListQuery:
    """The query of a list's address; missing and invalid values are the defaults.

    A list's own filters are fields of a subclass; `SORTS` maps words to columns or expressions.
    """

    SORTS: ClassVar[Mapping[str, str | Expression]] = {}
    ASCENDING_FIRST: ClassVar[frozenset[str]] = frozenset()
    """Columns whose first click sorts the lowest value to the top."""

    q: str = ""
    sort: str = "-created"
    page: int = 1

    @classmethod
    def parse_query(cls, query: QueryDict) -> dict[str, Any]:
        sort, page = query.get("sort", ""), query.get("page", "")
        return {
            "q": query.get("q", "").strip()[:128],
            "sort": sort if sort.removeprefix("-") in cls.SORTS else "-created",
            "page": parse_pk(page) or 1,
        }

    @property
    def is_filtered(self) -> bool:
        return bool(self.non_default_values({"sort", "page"}))

    @property
    def hidden_fields(self) -> dict[str, Any]:
        """Values that a search form carries along."""
        return self.non_default_values({"q", "page"})

    @property
    def unfiltered_query(self) -> str:
        """The query without filters."""
        return urlencode({"sort": self.sort} if self.non_default_values(set()).get("sort") else {})

    def query(self, **changed: str | int) -> str:
        """Return the query with some values changed; any change starts at the first page."""
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
    """A sortable column's heading: the query of its link, and the value of `aria-sort`."""

    label: str | Promise
    query: str
    direction: str
