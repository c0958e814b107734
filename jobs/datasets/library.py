"""Queries of the dataset library: filters, sorting, the columns of a row, and which jobs use a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from django.db.models import Count, F, Func, IntegerField, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Lower, Replace
from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from jobs.datasets.models import Dataset
from jobs.models import TuningJob
from studio.models import Project, Role
from studio.pages.list_query import Heading, ListQuery

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from jobs.querysets import TuningJobQuerySet

PAGE = 50
"""Rows of a page of the library: a query counts the jobs of each."""
PICKER_SIZE = 50
"""Datasets offered in the wizard, the newest ones; older ones are found in the library."""
WHOSE: dict[str, str | Promise] = {"all": _("All"), "mine": _("Mine")}


@dataclass(frozen=True, slots=True)
class Filters(ListQuery):
    SORTS: ClassVar[Mapping[str, str]] = {
        "name": "name",
        "examples": "examples",
        "tokens": "tokens",
        "size": "size",
        "used": "used",
        "created": "created_at",
    }

    whose: str = "all"

    @classmethod
    def from_query(cls, query: QueryDict) -> Filters:
        whose = query.get("whose", "")
        return cls(whose=whose if whose in WHOSE else "all", **cls.parse_query(query))


def headings(filters: Filters) -> dict[str, Heading]:
    labels = {
        "name": _("Name"),
        "examples": _("Examples"),
        "tokens": _("Tokens"),
        "size": _("Size"),
        "used": _("Used by"),
        "created": _("Added"),
    }
    return {key: filters.heading(key, label) for key, label in labels.items()}


def filter_datasets(project: Project, user: User, filters: Filters) -> QuerySet[Dataset]:
    """Return the rows with their report's figures, but without the report itself, which may be large."""
    found = Dataset.objects.filter(project=project).filter(build_owner_filter(filters, user))
    if filters.q:
        found = found.filter(uri__icontains=filters.q)
    return (
        found.annotate(used=count_uses(user), name=build_name_expression(), **get_report_fields())
        .select_related("owner", "parent")
        .defer("report", "parent__report")
        .order_by(filters.build_order_by(), "-pk")
    )


def build_owner_filter(filters: Filters, user: User) -> Q:
    return Q(owner=user) if filters.whose == "mine" else Q()


def get_report_fields() -> dict[str, F]:
    return {
        "examples": F("report__examples"),
        "errors": F("report__errors"),
        "warnings": F("report__warnings"),
        "tokens": F("report__tokens__total"),
    }


def build_name_expression() -> Lower:
    """The last segment of the URI, to sort by. The folder is what remains when all characters other than a
    slash are stripped from the end."""
    no_slash = Replace(F("uri"), Value("/"), Value(""))
    folder = Func(F("uri"), no_slash, function="RTRIM")
    return Lower(Func(F("uri"), folder, Value(""), function="REPLACE"))


def count_uses(user: User) -> Subquery:
    """Count the jobs and drafts visible to `user` that use the dataset for training or validation."""
    jobs = TuningJob.objects.visible_to(user).filter(build_usage_filter(OuterRef("pk"))).order_by()
    counted = jobs.annotate(n=Func(F("pk"), function="COUNT", output_field=IntegerField())).values("n")
    return Subquery(counted, output_field=IntegerField())


def build_usage_filter(dataset: Any) -> Q:
    return Q(training=dataset) | Q(validation=dataset)


def count_by_owner(project: Project, user: User) -> dict[str, int]:
    """Count the rows of each segment in one query."""
    rows = Dataset.objects.filter(project=project).order_by()
    return rows.aggregate(all=Count("pk"), mine=Count("pk", filter=Q(owner=user)))


def recent(project: Project) -> QuerySet[Dataset]:
    """The datasets that the wizard offers."""
    return (
        Dataset.objects.filter(project=project).annotate(**get_report_fields()).defer("report")[:PICKER_SIZE]
    )


def others(dataset: Dataset) -> QuerySet[Dataset]:
    """The datasets that this one can be compared with, the newest first."""
    rest = Dataset.objects.filter(project=dataset.project_id).exclude(pk=dataset.pk)
    return rest.annotate(**get_report_fields()).defer("report")[:PICKER_SIZE]


@dataclass(frozen=True, slots=True)
class DatasetUsage:
    """The jobs that use a dataset: those a person may see, and the owners of other people's drafts."""

    jobs: list[TuningJob]
    hidden: list[User | None]

    def __bool__(self) -> bool:
        return bool(self.jobs or self.hidden)

    @property
    def owners(self) -> list[User | None]:
        return list(dict.fromkeys(self.hidden))


def find_usage(dataset: Dataset, user: User) -> DatasetUsage:
    everyone: TuningJobQuerySet = TuningJob.objects.filter(build_usage_filter(dataset))
    jobs = list(everyone.select_related("project", "owner"))
    seen = set(everyone.visible_to(user).values_list("pk", flat=True))
    return DatasetUsage(
        [job for job in jobs if job.pk in seen], [job.owner for job in jobs if job.pk not in seen]
    )


def can_change(dataset: Dataset, user: User, role: Role) -> bool:
    """Its owner may, and a project admin."""
    return role.covers(Role.ADMIN) or (role.covers(Role.TUNER) and dataset.owner_id == user.pk)


def can_delete_object(dataset: Dataset) -> bool:
    """Whether the stored file is deleted with the dataset: the studio stored it, and no other project of this
    installation uses it."""
    shared = Dataset.objects.filter(uri=dataset.uri, generation=dataset.generation).exclude(pk=dataset.pk)
    return dataset.source != Dataset.Source.EXISTING and not shared.exists()
