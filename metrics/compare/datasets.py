"""The datasets of compared runs, and which two runs to compare in detail (pure)."""

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
    """A dataset and the runs that used its content."""

    dataset: Dataset
    lines: list[RunLine]


@dataclass(frozen=True)
class DatasetComparison:
    """`requested` is the run that the user chose to compare with the baseline."""

    lines: Sequence[RunLine]
    baseline: RunLine | None
    requested: int | None

    @property
    def other(self) -> RunLine | None:
        """The run whose data is compared with the baseline's: the requested one, or one with other training
        data."""
        others = [line for line in self.lines if line is not self.baseline]
        requested = [line for line in others if line.job.pk == self.requested]
        different = [line for line in others if self.baseline and not _has_same_training(line, self.baseline)]
        return next(iter([*requested, *different, *others]), None)

    def group_by_content(self, purpose: str) -> list[DatasetUse]:
        """Return the different contents of one dataset, each with its runs."""
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
        """Return, for both datasets: the baseline's, the other run's, and whether their content is the
        same."""
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
