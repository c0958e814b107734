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
class Sorting:
    """What the address asks for; whatever it does not say, or says wrongly, is the default.

    A list's own filters are fields of a subclass, `SORTS` its columns, or what is computed of them, by the
    address's word."""

    SORTS: ClassVar[Mapping[str, str | Expression]] = {}
    RISING: ClassVar[frozenset[str]] = frozenset()
    """Columns whose lowest value is asked for first."""

    q: str = ""
    sort: str = "-created"
    page: int = 1

    @classmethod
    def asked(cls, query: QueryDict) -> dict[str, Any]:
        sort, page = query.get("sort", ""), query.get("page", "")
        return {
            "q": query.get("q", "").replace("\0", "").strip()[:128],
            "sort": sort if sort.removeprefix("-") in cls.SORTS else "-created",
            "page": int(page) if page.isascii() and page.isdigit() and 0 < len(page) < 7 else 1,
        }

    @property
    def narrows(self) -> bool:
        return bool(self.changed({"sort", "page"}))

    @property
    def carried(self) -> dict[str, Any]:
        """What a search within this list keeps of its address."""
        return self.changed({"q", "page"})

    @property
    def cleared(self) -> str:
        """The address's query without what narrows."""
        return urlencode({"sort": self.sort} if self.changed(set()).get("sort") else {})

    def query(self, **changed: str | int) -> str:
        """The address's query with some of it changed; a change of filter starts at the first page."""
        wanted = {**self.changed({"page"}), **changed}
        return urlencode({name: value for name, value in wanted.items() if value != self.usual()[name]})

    def changed(self, without: set[str]) -> dict[str, Any]:
        usual = self.usual()
        return {
            name: value
            for name, value in asdict(self).items()
            if value != usual[name] and name not in without
        }

    @classmethod
    def usual(cls) -> dict[str, Any]:
        return {field.name: field.default for field in fields(cls)}

    def ordering(self) -> OrderBy:
        found = self.SORTS[self.sort.removeprefix("-")]
        column = F(found) if isinstance(found, str) else found
        return column.desc(nulls_last=True) if self.sort.startswith("-") else column.asc(nulls_last=True)

    def heading(self, key: str, label: str | Promise) -> Heading:
        now = self.sort.removeprefix("-") == key
        down = now and self.sort.startswith("-")
        direction = ("descending" if down else "ascending") if now else ""
        rises = down if now else key in self.RISING
        return Heading(label, self.query(sort=key if rises else f"-{key}"), direction)


@dataclass(frozen=True, slots=True)
class Heading:
    """A column that can be sorted: where its link leads, and `aria-sort`'s word."""

    label: str | Promise
    query: str
    direction: str
