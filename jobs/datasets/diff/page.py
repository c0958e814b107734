"""The changes between two datasets, as their page shows them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from jobs.datasets.check.messages import describe_problem
from jobs.datasets.check.report import Problem
from jobs.datasets.diff import results as diff_results
from jobs.datasets.diff.diff import Answer, Change, Diff, Shift, Side
from jobs.datasets.diff.results import AUTO_COMPARE_BYTES
from jobs.datasets.diff.word_diff import Piece, diff_words
from jobs.datasets.models import Dataset
from jobs.datasets.statistics import format_statistic, list_statistics
from studio.pages.error_messages import explain_error
from studio.vertex.errors import VertexError

T = TypeVar("T")
KINDS: dict[str, str | Promise] = {
    "edited": gettext_lazy("Edited"),
    "added": pgettext_lazy("examples of a dataset", "Added"),
    "removed": gettext_lazy("Removed"),
}


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """One change; `old` and `new` are the words of both answers, each marked as same or changed."""

    change: Change
    old: list[Piece]
    new: list[Piece]

    @classmethod
    def from_change(cls, change: Change) -> ChangeRow:
        pieces = diff_words(change.old, change.new) if change.before and change.after else []
        return cls(
            change,
            [piece for piece in pieces if piece[0] != "in"],
            [piece for piece in pieces if piece[0] != "out"],
        )


@dataclass(frozen=True, slots=True)
class ChangeGroup:
    key: str
    title: str
    count: int
    shown: list[ChangeRow]

    @property
    def more(self) -> int:
        return self.count - len(self.shown)


@dataclass(frozen=True, slots=True)
class Measure:
    """One distribution: `rows` are before and after, each statistic with whether it changed."""

    title: str
    rows: list[tuple[str, list[tuple[str, bool]]]]


@dataclass(frozen=True, slots=True)
class LabelShift:
    """A short answer; shares are percentages of the examples, `points` is their difference."""

    answer: Answer
    before: float
    after: float

    @property
    def points(self) -> float:
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class BrokenLines:
    title: str
    side: Side
    problems: list[tuple[Problem, str]]

    @property
    def more(self) -> int:
        return self.side.broken - len(self.problems)


@dataclass(frozen=True)
class ChangesPage:
    """`diff` is set if the two were compared, `failure` if that failed."""

    before: Dataset
    after: Dataset
    diff: Diff | None = None
    failure: str = ""

    @classmethod
    def for_pair(cls, before: Dataset, after: Dataset, *, asked: bool = False) -> ChangesPage:
        """Compare small files at once, others only if `asked`."""
        page = cls(
            before, after, None if before.has_same_data(after) else diff_results.find_diff(before, after)
        )
        return page.compute_diff() if page.needs_diff and (asked or page.is_small) else page

    def compute_diff(self) -> ChangesPage:
        found, failure = read_or_explain(
            self.before, lambda: diff_results.get_or_compute_diff(self.before, self.after)
        )
        return ChangesPage(self.before, self.after, found, failure)

    @property
    def id(self) -> str:
        """A page may have several comparisons."""
        return f"changes-{self.before.pk}-{self.after.pk}"

    @property
    def is_same_data(self) -> bool:
        return self.before.has_same_data(self.after)

    @property
    def needs_diff(self) -> bool:
        return self.diff is None and not self.is_same_data

    @property
    def bytes(self) -> int:
        return self.before.size + self.after.size

    @property
    def is_small(self) -> bool:
        return self.bytes <= AUTO_COMPARE_BYTES

    @cached_property
    def kinds(self) -> list[ChangeGroup]:
        if not self.diff:
            return []
        listed = {"edited": self.diff.edited, "added": self.diff.added, "removed": self.diff.removed}
        return [
            ChangeGroup(
                key,
                str(title),
                self.diff.counts[key],
                [ChangeRow.from_change(change) for change in listed[key]],
            )
            for key, title in KINDS.items()
            if self.diff.counts[key]
        ]

    @cached_property
    def measures(self) -> list[Measure]:
        if not self.diff:
            return []
        titled = [
            (_("Input tokens per example"), self.diff.input),
            (_("Output tokens per example"), self.diff.output),
            (_("Turns per example"), self.diff.turns),
        ]
        return [measure(title, shift) for title, shift in titled]

    @property
    def columns(self) -> list[str]:
        return [word for _key, word, _value in list_statistics(self.diff.input.before)] if self.diff else []

    @cached_property
    def labels(self) -> list[LabelShift]:
        if not self.diff:
            return []
        olds, news = (max(1, side.examples) for side in (self.diff.before, self.diff.after))
        return [
            LabelShift(answer, 100 * answer.before / olds, 100 * answer.after / news)
            for answer in self.diff.answers
        ]

    @property
    def broken(self) -> list[BrokenLines]:
        if not self.diff:
            return []
        sides = ((str(self.before), self.diff.before), (str(self.after), self.diff.after))
        return [
            BrokenLines(title, side, [(problem, describe_problem(problem).what) for problem in side.problems])
            for title, side in sides
            if side.broken
        ]


def measure(title: str, shift: Shift) -> Measure:
    old, new = (
        [format_statistic(value) for _key, _word, value in list_statistics(spread)]
        for spread in (shift.before, shift.after)
    )
    shifted = [was != now for was, now in zip(old, new, strict=True)]
    return Measure(
        title,
        [
            (_("Before"), [(value, False) for value in old]),
            (_("After"), list(zip(new, shifted, strict=True))),
        ],
    )


def read_or_explain(dataset: Dataset, read: Callable[[], T]) -> tuple[T | None, str]:
    """Return what `read` returns, or None and the reason why it failed."""
    try:
        return read(), ""
    except diff_results.VersionGone as gone:
        return None, describe_deletion(gone.dataset)
    except VertexError as error:
        return None, str(explain_error(error, on_engine=dataset.project.on_engine))


def describe_deletion(dataset: Dataset) -> str:
    sentence = _(
        "“%(file)s” was deleted or replaced. Generation %(generation)s is no longer in Cloud Storage."
    )
    return sentence % {"file": dataset, "generation": dataset.generation}
