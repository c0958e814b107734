"""Which data the runs of a comparison learned from and were judged by, and which two to lay side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from jobs.datasets.models import Dataset
from metrics.compare.runs import RunLine, dataset_content

PURPOSES: dict[str, str | Promise] = {"training": _("Training data"), "validation": _("Validation data")}


@dataclass(frozen=True)
class DatasetUse:
    """One content of a dataset and the runs that used it."""

    dataset: Dataset
    lines: list[RunLine]


@dataclass(frozen=True)
class DatasetComparison:
    """`asked` is the run that somebody wants to see beside the baseline."""

    lines: Sequence[RunLine]
    baseline: RunLine | None
    asked: int | None

    @property
    def other(self) -> RunLine | None:
        """The run whose data is laid beside the baseline's."""
        others = [line for line in self.lines if line is not self.baseline]
        asked = [line for line in others if line.job.pk == self.asked]
        unlike = [line for line in others if self.baseline and not _has_same_training(line, self.baseline)]
        return next(iter([*asked, *unlike, *others]), None)

    def group_by_content(self, purpose: str) -> list[DatasetUse]:
        """The different contents of one dataset, with who used them."""
        used = [(getattr(line.job, purpose), line) for line in self.lines if getattr(line.job, purpose)]
        used.sort(key=lambda one: dataset_content(one[0]) or ("", 0))
        groups = [list(same) for _key, same in groupby(used, key=lambda one: dataset_content(one[0]))]
        return sorted(
            (DatasetUse(same[0][0], [line for _dataset, line in same]) for same in groups),
            key=lambda files: files.lines[0].style.place,
        )

    def purposes(self) -> list[tuple[str | Promise, list[DatasetUse]]]:
        return [(word, self.group_by_content(purpose)) for purpose, word in PURPOSES.items()]

    def changes(self) -> list[tuple[str | Promise, Dataset | None, Dataset | None, bool]]:
        """For each of the two datasets: the baseline's, the other run's, and whether they hold the same."""
        other, base = self.other, self.baseline
        if other is None or base is None:
            return []
        pairs = [
            (word, getattr(base.job, purpose), getattr(other.job, purpose))
            for purpose, word in PURPOSES.items()
        ]
        return [
            (word, before, after, before is not None and dataset_content(before) == dataset_content(after))
            for word, before, after in pairs
        ]


def _has_same_training(line: RunLine, other: RunLine) -> bool:
    return dataset_content(line.job.training) == dataset_content(other.job.training)
