"""Filters of the job list besides the status, with the values that occur in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from django.contrib.auth import get_user_model
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from jobs.datasets.models import Dataset
from jobs.job_list.filters import MINE, Filters
from studio.templatetags.studio import person

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from jobs.querysets import TuningJobQuerySet

MAX_VALUES = 100
"""Values per menu, so that it stays readable; older datasets can be found with the search field."""
Value = tuple[str | int, str | Promise]


@dataclass(frozen=True, slots=True)
class Choice:
    label: str | Promise
    query: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class Facet:
    """One filter menu. `value` is the label of its current value, or of "all"."""

    key: str
    label: str | Promise
    value: str | Promise
    on: bool
    choices: list[Choice]


def facets(jobs: TuningJobQuerySet, filters: Filters, user: User) -> list[Facet]:
    """Return the filters that are set or offer at least two values."""
    if filters.owner == str(user.pk):
        filters = replace(filters, owner=MINE)
    known = [
        facet_of("base", _("Base model"), _("Any"), base_model_values(jobs), filters),
        facet_of("dataset", _("Dataset"), _("Any"), dataset_values(jobs), filters),
        facet_of("owner", _("Owner"), _("Anyone"), owner_values(jobs, user), filters),
    ]
    return [facet for facet in known if facet.on or len(facet.choices) > 2]


def facet_of(
    key: str, label: str | Promise, everything: str | Promise, values: Iterable[Value], filters: Filters
) -> Facet:
    now, unset = getattr(filters, key), Filters.default_values()[key]
    labels: dict[str | int, str | Promise] = {unset: everything, **dict(values)}
    choices = [Choice(name, filters.query(**{key: value}), value == now) for value, name in labels.items()]
    return Facet(key, label, labels.get(now, str(now)), now != unset, choices)


def base_model_values(jobs: TuningJobQuerySet) -> Iterator[Value]:
    used = jobs.exclude(base_model="").order_by("base_model").values_list("base_model", flat=True)
    return ((name, name) for name in used.distinct()[:MAX_VALUES])


def dataset_values(jobs: TuningJobQuerySet) -> Iterator[Value]:
    """Yield datasets by file name, with their folders where file names are equal."""
    used = Dataset.objects.filter(pk__in=jobs.order_by().values("training")).only("uri")
    found = list(used.order_by("-created_at", "-pk")[:MAX_VALUES])
    names = [str(dataset) for dataset in found]
    return (
        (dataset.pk, str(dataset) if names.count(str(dataset)) == 1 else dataset.uri) for dataset in found
    )


def owner_values(jobs: TuningJobQuerySet, user: User) -> Iterator[Value]:
    """Yield owners, the user first if they have jobs."""
    found = list(get_user_model().objects.filter(pk__in=jobs.order_by().values("owner"))[:MAX_VALUES])
    if user in found:
        yield MINE, _("Mine")
    for other in sorted((each for each in found if each != user), key=person):
        yield str(other.pk), person(other)
