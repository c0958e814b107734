"""The jobs list: what is asked for in the address, and what a row shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from django.db.models import Count, Q
from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from jobs.models import TuningJob
from jobs.queries import FAILED, OPEN, TuningJobQuerySet
from jobs.sorting import Heading, Sorting
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


@dataclass(frozen=True, slots=True)
class Filters(Sorting):
    SORTS: ClassVar[Mapping[str, str]] = {
        "name": "tuned_model_display_name",
        "base": "base_model",
        "best": "summary__best__value",
        "created": "created_at",
    }

    status: str = "all"

    @classmethod
    def read(cls, query: QueryDict) -> Filters:
        status = query.get("status", "")
        return cls(status=status if status in STATUSES else "all", **cls.asked(query))


def headings(filters: Filters) -> dict[str, Heading]:
    labels = {"name": _("Name"), "base": _("Base model"), "best": _("Best"), "created": _("Created")}
    return {key: filters.heading(key, label) for key, label in labels.items()}


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
