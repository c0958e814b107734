"""The dataset library: what is asked for in the address, what a row shows, and which jobs use a dataset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.db.models import Count, F, Func, IntegerField, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.expressions import OrderBy
from django.db.models.functions import Lower, Replace
from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from jobs.models import Dataset, TuningJob
from studio.models import Project, Role

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from jobs.queries import TuningJobQuerySet

PAGE = 50
PICKED = 50
"""Datasets offered in the wizard, newest first; older ones are found in the library."""
WHOSE: dict[str, str | Promise] = {"all": _("All"), "mine": _("Mine")}
SORTS = {
    "name": "name",
    "examples": "examples",
    "tokens": "tokens",
    "size": "size",
    "used": "used",
    "created": "created_at",
}


@dataclass(frozen=True, slots=True)
class Filters:
    """What the address asks for; whatever it does not say, or says wrongly, is the default."""

    whose: str = "all"
    q: str = ""
    sort: str = "-created"
    page: int = 1

    @classmethod
    def read(cls, query: QueryDict) -> Filters:
        sort, page = query.get("sort", ""), query.get("page", "")
        return cls(
            whose=query.get("whose", "") if query.get("whose") in WHOSE else "all",
            q=query.get("q", "").replace("\0", "").strip()[:128],
            sort=sort if sort.removeprefix("-") in SORTS else "-created",
            page=int(page) if page.isascii() and page.isdigit() and 0 < len(page) < 7 else 1,
        )

    @property
    def narrows(self) -> bool:
        return self.whose != "all" or bool(self.q)

    def query(self, **changed: str | int) -> str:
        """The address's query with some of it changed; a change of filter starts at the first page."""
        wanted = {"whose": self.whose, "q": self.q, "sort": self.sort, "page": 1, **changed}
        usual = {"whose": "all", "q": "", "sort": "-created", "page": 1}
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


def headings(filters: Filters) -> dict[str, Heading]:
    labels = {
        "name": _("Name"),
        "examples": _("Examples"),
        "tokens": _("Tokens"),
        "size": _("Size"),
        "used": _("Used by"),
        "created": _("Added"),
    }
    return {key: heading(filters, key, label) for key, label in labels.items()}


def heading(filters: Filters, key: str, label: str | Promise) -> Heading:
    now = filters.sort.removeprefix("-") == key
    down = now and filters.sort.startswith("-")
    direction = ("descending" if down else "ascending") if now else ""
    return Heading(label, filters.query(sort=key if down else f"-{key}"), direction)


def matching(project: Project, user: User, filters: Filters) -> QuerySet[Dataset]:
    """Rows with their report's figures, but without the report itself: it may be large."""
    found = Dataset.objects.filter(project=project).filter(owned(filters, user))
    if filters.q:
        found = found.filter(uri__icontains=filters.q)
    return (
        found.annotate(used=uses(user), name=file_name(), **figures())
        .select_related("owner", "parent")
        .defer("report", "parent__report")
        .order_by(filters.ordering(), "-pk")
    )


def owned(filters: Filters, user: User) -> Q:
    return Q(owner=user) if filters.whose == "mine" else Q()


def figures() -> dict[str, F]:
    return {
        "examples": F("report__examples"),
        "errors": F("report__errors"),
        "warnings": F("report__warnings"),
        "tokens": F("report__tokens__total"),
    }


def file_name() -> Lower:
    """The last segment of the address, to sort by: the folder is what is left when every character that is no
    slash is stripped from the end."""
    no_slash = Replace(F("uri"), Value("/"), Value(""))
    folder = Func(F("uri"), no_slash, function="RTRIM")
    return Lower(Func(F("uri"), folder, Value(""), function="REPLACE"))


def uses(user: User) -> Subquery:
    """How many jobs and drafts that `user` may see have the dataset, in either place."""
    jobs = TuningJob.objects.visible_to(user).filter(using(OuterRef("pk"))).order_by()
    counted = jobs.annotate(n=Func(F("pk"), function="COUNT", output_field=IntegerField())).values("n")
    return Subquery(counted, output_field=IntegerField())


def using(dataset: Any) -> Q:
    return Q(training=dataset) | Q(validation=dataset)


def counts(project: Project, user: User) -> dict[str, int]:
    """Rows behind each segment, in one query."""
    rows = Dataset.objects.filter(project=project).order_by()
    return rows.aggregate(all=Count("pk"), mine=Count("pk", filter=Q(owner=user)))


def recent(project: Project) -> QuerySet[Dataset]:
    """What the wizard offers to choose from."""
    return Dataset.objects.filter(project=project).annotate(**figures()).defer("report")[:PICKED]


@dataclass(frozen=True, slots=True)
class Users:
    """The jobs of a dataset: those that a person may see, and the owners of further drafts."""

    jobs: list[TuningJob]
    hidden: list[User | None]

    def __bool__(self) -> bool:
        return bool(self.jobs or self.hidden)

    @property
    def owners(self) -> list[User | None]:
        return list(dict.fromkeys(self.hidden))


def users(dataset: Dataset, user: User) -> Users:
    everyone: TuningJobQuerySet = TuningJob.objects.filter(using(dataset))
    jobs = list(everyone.select_related("project", "owner"))
    seen = set(everyone.visible_to(user).values_list("pk", flat=True))
    return Users([job for job in jobs if job.pk in seen], [job.owner for job in jobs if job.pk not in seen])


def may_change(dataset: Dataset, user: User, role: Role) -> bool:
    """Its owner's, and an admin's."""
    return role.covers(Role.ADMIN) or (role.covers(Role.TUNER) and dataset.owner_id == user.pk)


def erases(dataset: Dataset) -> bool:
    """Deleting the dataset takes its object along: it is one that the studio stored, and no other project of
    this installation has it."""
    shared = Dataset.objects.filter(uri=dataset.uri, generation=dataset.generation).exclude(pk=dataset.pk)
    return dataset.source != Dataset.Source.EXISTING and not shared.exists()
