"""The jobs list: what is asked for in the address, and what a row shows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from django.db.models import Count, F, Q
from django.db.models.expressions import OrderBy
from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from jobs.models import TuningJob
from jobs.queries import FAILED, OPEN, TuningJobQuerySet
from studio.models import Project
from studio.vertex import states

if TYPE_CHECKING:
    from django.contrib.auth.models import User

PAGE = 50
STATUSES: dict[str, tuple[str | Promise, Q]] = {
    "all": (_("All"), Q()),
    "active": (_("Active"), OPEN),
    "succeeded": (_("Succeeded"), Q(state__in=sorted(states.WITH_MODEL))),
    "failed": (_("Failed"), FAILED),
    "cancelled": (_("Cancelled"), Q(state=states.CANCELLED)),
}
SORTS = {
    "name": "tuned_model_display_name",
    "base": "base_model",
    "best": "summary__best__value",
    "created": "created_at",
}


@dataclass(frozen=True, slots=True)
class Filters:
    """What the address asks for; whatever it does not say, or says wrongly, is the default."""

    status: str = "all"
    q: str = ""
    sort: str = "-created"
    page: int = 1

    @classmethod
    def read(cls, query: QueryDict) -> Filters:
        sort, page = query.get("sort", ""), query.get("page", "")
        return cls(
            status=query.get("status", "") if query.get("status") in STATUSES else "all",
            q=query.get("q", "").replace("\0", "").strip()[:128],
            sort=sort if sort.removeprefix("-") in SORTS else "-created",
            page=int(page) if page.isascii() and page.isdigit() and 0 < len(page) < 7 else 1,
        )

    @property
    def narrows(self) -> bool:
        return self.status != "all" or bool(self.q)

    def query(self, **changed: str | int) -> str:
        """The address's query with some of it changed; a change of filter starts at the first page."""
        wanted = {"status": self.status, "q": self.q, "sort": self.sort, "page": 1, **changed}
        usual = {"status": "all", "q": "", "sort": "-created", "page": 1}
        return urlencode({name: value for name, value in wanted.items() if value != usual[name]})

    def ordering(self) -> OrderBy:
        column = F(SORTS[self.sort.removeprefix("-")])
        return column.desc(nulls_last=True) if self.sort.startswith("-") else column.asc(nulls_last=True)


@dataclass(frozen=True, slots=True)
class Heading:
    """A column that can be sorted: where its link leads, and `aria-sort`'s word."""

    label: str | Promise
    query: str
    direction: str


def heading(filters: Filters, key: str, label: str | Promise) -> Heading:
    now = filters.sort.removeprefix("-") == key
    down = now and filters.sort.startswith("-")
    direction = ("descending" if down else "ascending") if now else ""
    return Heading(label, filters.query(sort=key if down else f"-{key}"), direction)


def headings(filters: Filters) -> dict[str, Heading]:
    labels = {"name": _("Name"), "base": _("Base model"), "best": _("Best"), "created": _("Created")}
    return {key: heading(filters, key, label) for key, label in labels.items()}


def shown(project: Project, user: User) -> TuningJobQuerySet:
    jobs: TuningJobQuerySet = TuningJob.objects.filter(project=project)
    return jobs.visible_to(user)


def matching(jobs: TuningJobQuerySet, filters: Filters) -> TuningJobQuerySet:
    return (
        jobs.filter(STATUSES[filters.status][1], named(filters.q))
        .select_related("project", "owner", "training", "validation")
        .order_by(filters.ordering(), "-pk")
    )


def named(q: str) -> Q:
    return (
        Q(tuned_model_display_name__icontains=q) | Q(base_model__icontains=q) | Q(training__uri__icontains=q)
        if q
        else Q()
    )


def counts(jobs: TuningJobQuerySet) -> dict[str, int]:
    """Rows behind each status segment, in one query."""
    asked = {
        key: Count("pk", filter=only) if only else Count("pk") for key, (_label, only) in STATUSES.items()
    }
    return jobs.order_by().aggregate(**asked)


def best_of(jobs: Iterable[TuningJob]) -> int | None:
    """The row whose best loss is bold: the lowest of those validated on the newest run's data. Losses on
    other data do not compare."""
    measured = [
        job for job in jobs if job.validation and (job.summary.get("best") or {}).get("value") is not None
    ]
    if not measured:
        return None
    newest = max(measured, key=lambda job: job.pk).validation
    same = [job for job in measured if newest and job.validation and job.validation.same_data(newest)]
    return min(same, key=lambda job: job.summary["best"]["value"]).pk if len(same) > 1 else None
