"""The table of a comparison: a row for each run, its distance from the baseline, and headings that sort."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from django.utils.translation import gettext as _

from metrics.compare.query import CompareQuery
from metrics.compare.runs import RunLine


@dataclass(frozen=True)
class RunRow:
    """One run; `delta` is the distance from the baseline's best loss, `ranked` whether that can be
    compared."""

    line: RunLine
    is_baseline: bool
    ranked: bool
    delta: float | None
    bold: frozenset[str]
    view: CompareQuery

    @property
    def delta_text(self) -> str:
        """`delta` with a minus sign and three digits, or as many as it takes to differ from zero."""
        if self.delta is None:
            return ""
        digits = next((n for n in (3, 4, 5) if round(self.delta, n)), 3)
        return f"{self.delta:+.{digits}f}".replace("-", "−")

    @property
    def remove_query(self) -> str:
        return self.view.without_run(self.line.job.pk).query()

    @property
    def baseline_query(self) -> str:
        return self.view.with_baseline(self.line.job.pk).query()

    @property
    def toggle_query(self) -> str:
        return self.view.toggle_run(self.line.job.pk).query()

    @property
    def isolate_query(self) -> str:
        return self.view.isolate_run(self.line.job.pk).query()


@dataclass(frozen=True)
class Heading:
    """A column; `query` sorts by it, `direction` is the value of aria-sort."""

    label: str
    css: str = ""
    query: str = ""
    direction: str = ""
    title: str = ""


@dataclass(frozen=True)
class Table:
    lines: Sequence[RunLine]
    baseline: RunLine | None
    view: CompareQuery

    @cached_property
    def rows(self) -> list[RunRow]:
        bold = self._find_best_runs()
        return [
            RunRow(
                line,
                line is self.baseline,
                self.is_ranked(line),
                self._delta(line),
                frozenset(name for name, key in bold.items() if key == line.key),
                self.view,
            )
            for line in self._sort_lines()
        ]

    def _sort_lines(self) -> Sequence[RunLine]:
        """Sort; unknown values come last in either direction."""
        key, down = self.view.sort.removeprefix("-"), self.view.sort.startswith("-")
        if not key:
            return self.lines
        values = {line.key: _sort_value(line, key) for line in self.lines}
        known = [line for line in self.lines if values[line.key] is not None]
        known.sort(key=lambda line: values[line.key], reverse=down)
        return [*known, *(line for line in self.lines if values[line.key] is None)]

    def headings(self) -> list[Heading]:
        words = [
            ("name", _("Run"), "ps-3", ""),
            ("", _("Status"), "not-narrow", ""),
            ("", _("Epochs"), "num not-narrow", ""),
            ("", _("Adapter"), "num not-narrow", ""),
            ("", _("LR ×"), "num not-narrow", _("Learning rate multiplier")),
            ("best", _("Best loss"), "num", self.sources["best"]),
            ("", _("vs baseline"), "num", _("Best loss of this run minus the baseline’s best loss")),
            ("", _("At step"), "num not-narrow", ""),
            ("final", _("Final loss"), "num not-narrow", self.sources["final"]),
            ("accuracy", _("Token acc."), "num not-narrow", self.sources["accuracy"]),
            ("duration", _("Duration"), "num not-narrow", ""),
            (
                "tokens",
                _("Tokens"),
                "num not-narrow",
                _("Billable tokens in the training dataset (one pass), as counted by the service"),
            ),
        ]
        if self.has_costs:
            words.append(("cost", _("Cost"), "num not-narrow", _("Tokens × epochs × configured price")))
        words.append(("", _("Validation data"), "not-narrow", ""))
        return [self._heading(*each) for each in words]

    def _heading(self, key: str, label: str, css: str, title: str) -> Heading:
        now = bool(key) and self.view.sort.removeprefix("-") == key
        down = now and self.view.sort.startswith("-")
        turned = replace(self.view, sort="" if down else f"-{key}" if now else key).query() if key else ""
        return Heading(label, css, turned, ("descending" if down else "ascending") if now else "", title)

    @property
    def sources(self) -> dict[str, str]:
        """Where the numbers of a column come from, for tooltips."""
        return {
            "best": _("Lowest raw value of /eval_total_loss"),
            "final": _("Last raw value of /eval_total_loss"),
            "accuracy": _("/eval_fraction_of_correct_next_step_preds at the step with the best loss"),
        }

    @property
    def has_costs(self) -> bool:
        return any(line.cost is not None for line in self.lines)

    def is_ranked(self, line: RunLine) -> bool:
        return self.baseline is not None and (line is self.baseline or line.is_comparable_to(self.baseline))

    def _delta(self, line: RunLine) -> float | None:
        base = self.baseline
        if base is None or line is base or line.best is None or base.best is None:
            return None
        return line.best - base.best

    def _find_best_runs(self) -> dict[str, str]:
        """Return, by column, the best of at least two runs that can be compared with the baseline."""
        ranked = [line for line in self.lines if self.is_ranked(line)]
        found = {}
        for name, sign in (("best", 1), ("final", 1), ("accuracy", -1)):
            known = [
                (sign * value, line.key) for line in ranked if (value := getattr(line, name)) is not None
            ]
            if len(known) > 1:
                found[name] = min(known)[1]
        return found


def _sort_value(line: RunLine, key: str) -> Any:
    return {
        "name": str(line.job).casefold(),
        "best": line.best,
        "final": line.final,
        "accuracy": line.accuracy,
        "duration": line.job.elapsed,
        "tokens": line.tokens,
        "cost": line.cost,
    }[key]
