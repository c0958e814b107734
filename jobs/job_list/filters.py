"""Filters, order and columns of the job list, as given in the query."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from django.db.models import Count, Q
from django.db.models.expressions import Expression
from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from jobs.job_list import sort_expressions
from jobs.models import TuningJob
from jobs.querysets import FAILED, OPEN, TuningJobQuerySet
from studio.models import Project
from studio.pages.list_query import Heading, ListQuery
from studio.pages.query_values import parse_pk
from studio.vertex import job_states

if TYPE_CHECKING:
    from django.contrib.auth.models import User

PAGE_SIZE = 50
MINE = "mine"
STATUSES: dict[str, tuple[str | Promise, Q]] = {
    "all": (_("All"), Q()),
    "active": (_("Active"), OPEN),
    "succeeded": (_("Succeeded"), Q(state__in=sorted(job_states.WITH_MODEL))),
    "failed": (_("Failed"), FAILED),
    "cancelled": (_("Cancelled"), Q(state=job_states.CANCELLED)),
}
SORT_LABELS: dict[str, str | Promise] = {
    "name": _("Name"),
    "status": _("Status"),
    "base": _("Base model"),
    "best": _("Best"),
    "final": _("Final"),
    "progress": _("Progress"),
    "left": _("Time left"),
    "duration": _("Duration"),
    "created": _("Created"),
}


@dataclass(frozen=True, slots=True)
class Filters(ListQuery):
    SORTS: ClassVar[Mapping[str, str | Expression]] = {
        "name": sort_expressions.lower_or_null("tuned_model_display_name"),
        "status": sort_expressions.status_rank(),
        "base": sort_expressions.lower_or_null("base_model"),
        "best": sort_expressions.json_number("summary__best__value"),
        "final": sort_expressions.json_number("summary__last__value"),
        "progress": sort_expressions.progress_ratio(),
        "left": sort_expressions.time_left(),
        "duration": sort_expressions.run_duration(),
        "created": "created_at",
    }
    ASCENDING_FIRST: ClassVar[frozenset[str]] = frozenset({"name", "status", "base", "best", "final", "left"})

    status: str = "all"
    base: str = ""
    dataset: int = 0
    owner: str = ""

    @classmethod
    def from_query(cls, query: QueryDict) -> Filters:
        status, owner = query.get("status", ""), query.get("owner", "")
        return cls(
            status=status if status in STATUSES else "all",
            base=query.get("base", "")[:100],
            dataset=parse_pk(query.get("dataset", "")),
            owner=owner if owner == MINE else str(parse_pk(owner) or ""),
            **cls.parse_query(query),
        )

    @property
    def sorts(self) -> list[Heading]:
        """All sort orders, the current one reversed, for narrow screens without column headings."""
        return list(headings(self).values())


def headings(filters: Filters) -> dict[str, Heading]:
    return {key: filters.heading(key, label) for key, label in SORT_LABELS.items()}


def list_visible_jobs(project: Project, user: User) -> TuningJobQuerySet:
    jobs: TuningJobQuerySet = TuningJob.objects.filter(project=project)
    return jobs.visible_to(user)


def apply_filters(jobs: TuningJobQuerySet, filters: Filters, user: User) -> TuningJobQuerySet:
    """Apply all filters except the status."""
    conditions: dict[str, Any] = {}
    if filters.base:
        conditions["base_model"] = filters.base
    if filters.dataset:
        conditions["training"] = filters.dataset
    if filters.owner:
        conditions["owner"] = user.pk if filters.owner == MINE else int(filters.owner)
    return jobs.filter(build_search_condition(filters.q), **conditions)


def select_rows(jobs: TuningJobQuerySet, filters: Filters) -> TuningJobQuerySet:
    """Return the sorted rows without columns that the list doesn't show: reports can be large."""
    return (
        jobs.filter(STATUSES[filters.status][1])
        .select_related("project", "owner", "training", "validation")
        .defer("request", "training__report", "validation__report")
        .order_by(filters.build_order_by(), "-pk")
    )


def build_search_condition(q: str) -> Q:
    return (
        Q(tuned_model_display_name__icontains=q) | Q(base_model__icontains=q) | Q(training__uri__icontains=q)
        if q
        else Q()
    )


def count_by_status(jobs: TuningJobQuerySet) -> dict[str, int]:
    """Return the number of jobs per status, in one query."""
    aggregates = {
        key: Count("pk", filter=only) if only else Count("pk") for key, (_label, only) in STATUSES.items()
    }
    return jobs.order_by().aggregate(**aggregates)


def find_best_job(jobs: Iterable[TuningJob]) -> int | None:
    """Return the key of the job with the lowest loss among those validated on the newest run's data.

    Losses on different validation data can't be compared.
    """
    measured = [
        job for job in jobs if job.validation and (job.summary.get("best") or {}).get("value") is not None
    ]
    if not measured:
        return None
    newest = max(measured, key=lambda job: job.pk).validation
    same = [job for job in measured if newest and job.validation and job.validation.has_same_data(newest)]
    return min(same, key=lambda job: job.summary["best"]["value"]).pk if len(same) > 1 else None
