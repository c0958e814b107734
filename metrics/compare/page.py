"""The compare page: the runs of an address side by side, with what may be said about them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db.models import Q
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext

from jobs.models import TuningJob
from jobs.queries import TuningJobQuerySet
from metrics import points
from metrics.compare import curves, effect, guard
from metrics.compare import settings as setting_rows
from metrics.compare.lines import Line, baseline_of, content, lines_of
from metrics.compare.view import FEWEST, MOST, PLAIN, Metric, Outcome, Setting, Tab, View
from metrics.controls import Axis, Scale
from metrics.points import NONE, Points
from metrics.run import Run
from metrics.summary import TRAIN_LOSS
from studio.models import Project

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from jobs.models import Dataset

LIVE = 8
"""Seconds between two looks of the page while one of its runs goes on."""
FOUND = 12
METRICS: dict[Metric, str | Promise] = {
    Metric.EVAL_LOSS: gettext_lazy("Validation loss"),
    Metric.TRAIN_LOSS: gettext_lazy("Training loss"),
    Metric.EVAL_ACCURACY: gettext_lazy("Validation token accuracy"),
    Metric.TRAIN_ACCURACY: gettext_lazy("Training token accuracy"),
    Metric.EVAL_TOKENS: gettext_lazy("Validation tokens predicted"),
    Metric.TRAIN_TOKENS: gettext_lazy("Training tokens predicted"),
}


@dataclass(frozen=True)
class Row:
    """One run in the table; `delta` is to the baseline's best, and `ranked` says whether it may be judged."""

    line: Line
    is_baseline: bool
    ranked: bool
    delta: float | None
    bold: frozenset[str]
    view: View

    @property
    def delta_words(self) -> str:
        """With a true minus sign; three digits, or as many as show that it is not nothing."""
        if self.delta is None:
            return ""
        digits = next((n for n in (3, 4, 5) if round(self.delta, n)), 3)
        return f"{self.delta:+.{digits}f}".replace("-", "−")

    @property
    def without(self) -> str:
        return self.view.without(self.line.job.pk).query()

    @property
    def against(self) -> str:
        return self.view.against(self.line.job.pk).query()

    @property
    def toggled(self) -> str:
        return self.view.toggled(self.line.job.pk).query()

    @property
    def only(self) -> str:
        return self.view.only(self.line.job.pk).query()


@dataclass(frozen=True)
class Heading:
    """A column: `query` orders by it, `direction` is aria-sort's word."""

    label: str
    css: str = ""
    query: str = ""
    direction: str = ""
    title: str = ""


@dataclass(frozen=True)
class Files:
    """One content of a dataset and the runs that used it."""

    dataset: Dataset
    lines: list[Line]


@dataclass(frozen=True)
class Compare:
    project: Project
    user: User
    view: View
    offset: float = 0.0

    @cached_property
    def visible(self) -> TuningJobQuerySet:
        jobs: TuningJobQuerySet = TuningJob.objects.filter(project=self.project)
        return jobs.visible_to(self.user).exclude(submission="draft")

    @cached_property
    def lines(self) -> list[Line]:
        jobs = self.visible.filter(pk__in=self.view.runs).with_all()
        prices = {} if self.project.on_engine else settings.PRICES.by_model
        return lines_of(jobs, self.view, prices)

    @cached_property
    def baseline(self) -> Line | None:
        return baseline_of(self.lines, self.view.baseline)

    @property
    def missing(self) -> int:
        """Runs of the address that are not in this project, or not any more."""
        return len(self.view.runs) - len(self.lines)

    @property
    def few(self) -> bool:
        return len(self.lines) < FEWEST

    @property
    def full(self) -> bool:
        return len(self.lines) >= MOST

    @property
    def every(self) -> int | None:
        return LIVE if any(not line.job.is_final for line in self.lines) else None

    # ---- the table ----

    @cached_property
    def rows(self) -> list[Row]:
        bold = self._bold()
        return [
            Row(
                line,
                line is self.baseline,
                self.ranked(line),
                self._delta(line),
                frozenset(name for name, key in bold.items() if key == line.key),
                self.view,
            )
            for line in self._sorted()
        ]

    def _sorted(self) -> list[Line]:
        """Unknown values come last, whichever way."""
        key, down = self.view.sort.removeprefix("-"), self.view.sort.startswith("-")
        if not key:
            return self.lines
        values = {line.key: _sort_value(line, key) for line in self.lines}
        known = [line for line in self.lines if values[line.key] is not None]
        known.sort(key=lambda line: values[line.key], reverse=down)
        return known + [line for line in self.lines if values[line.key] is None]

    def headings(self) -> list[Heading]:
        words = [
            ("name", _("Run"), "ps-3", ""),
            ("", _("Status"), "not-narrow", ""),
            ("", _("Epochs"), "num not-narrow", ""),
            ("", _("Adapter"), "num not-narrow", ""),
            ("", _("LR ×"), "num not-narrow", _("Learning rate multiplier")),
            ("best", _("Best loss"), "num", self.sources["best"]),
            ("", _("vs baseline"), "num", _("Best loss of the run minus that of the baseline")),
            ("", _("At step"), "num not-narrow", ""),
            ("final", _("Final loss"), "num not-narrow", self.sources["final"]),
            ("accuracy", _("Token acc."), "num not-narrow", self.sources["accuracy"]),
            ("duration", _("Duration"), "num not-narrow", ""),
            (
                "tokens",
                _("Tokens"),
                "num not-narrow",
                _("Billable tokens of the training dataset, as the service counted them, read once"),
            ),
        ]
        if self.priced:
            words.append(("cost", _("Cost"), "num not-narrow", _("Tokens × epochs × the operator’s price")))
        words.append(("", _("Validation data"), "not-narrow", ""))
        return [self._heading(*each) for each in words]

    def _heading(self, key: str, label: str, css: str, title: str) -> Heading:
        now = bool(key) and self.view.sort.removeprefix("-") == key
        down = now and self.view.sort.startswith("-")
        turned = replace(self.view, sort="" if down else f"-{key}" if now else key).query() if key else ""
        return Heading(label, css, turned, ("descending" if down else "ascending") if now else "", title)

    @property
    def sources(self) -> dict[str, str]:
        """Where a column's numbers come from."""
        return {
            "best": _("Lowest value of /eval_total_loss, as measured"),
            "final": _("Last value of /eval_total_loss, as measured"),
            "accuracy": _("/eval_fraction_of_correct_next_step_preds at the step of the best loss"),
        }

    @property
    def priced(self) -> bool:
        return any(line.cost is not None for line in self.lines)

    def ranked(self, line: Line) -> bool:
        return self.baseline is not None and (line is self.baseline or line.compares(self.baseline))

    def _delta(self, line: Line) -> float | None:
        base = self.baseline
        if base is None or line is base or line.best is None or base.best is None:
            return None
        return line.best - base.best

    def _bold(self) -> dict[str, str]:
        """By column, the run that is best among those that compare with the baseline; only among several."""
        ranked = [line for line in self.lines if self.ranked(line)]
        found = {}
        for name, sign in (("best", 1), ("final", 1), ("accuracy", -1)):
            known = [
                (sign * value, line.key) for line in ranked if (value := getattr(line, name)) is not None
            ]
            if len(known) > 1:
                found[name] = min(known)[1]
        return found

    @property
    def notes(self) -> list[guard.Warned]:
        return guard.notes(self.lines, self.baseline)

    def hiding(self) -> Iterator[tuple[guard.Warned, str]]:
        """Each note with the address that hides its runs."""
        for note in self.notes:
            hidden = {*note.runs} <= self.view.hidden
            yield note, "" if hidden or not note.runs else self.view.hiding(note.runs).query()

    # ---- settings ----

    @cached_property
    def settings(self) -> list[setting_rows.Row]:
        return setting_rows.rows(self.lines, self.baseline)

    @property
    def differing(self) -> int:
        return sum(row.differs for row in self.settings)

    # ---- charts ----

    def figures(self) -> dict[str, dict[str, Any]]:
        """By metric, what Plotly draws."""
        if self.view.tab == Tab.EFFECT:
            drawn = effect.figure(self.lines, self.baseline, self.view.setting, self.view.outcome)
            return {"effect": drawn}
        wanted = [metric.series for metric in self.view.metrics]
        series = self.series({*wanted, TRAIN_LOSS} if self._needs_clock else {*wanted})
        return {metric: self._figure(metric, series) for metric in self.view.metrics}

    @property
    def _needs_clock(self) -> bool:
        return self.view.controls.axis in (Axis.ELAPSED, Axis.CLOCK)

    def series(self, metrics: set[str]) -> dict[int, dict[str, Points]]:
        return points.read([line.job.pk for line in self.lines], metrics)

    def _figure(self, metric: Metric, series: dict[int, dict[str, Points]]) -> dict[str, Any]:
        found = [series.get(line.job.pk, {}) for line in self.lines]
        runs = [Run.of(line.job) for line in self.lines]
        clocks = [max(of_run.values(), key=len, default=NONE) for of_run in found]
        rulers = curves.rulers(self.view.controls.axis, list(zip(runs, clocks, strict=True)), self.offset)
        drawn = [
            curves.Curve(
                line.key,
                str(line.job),
                line.short,
                line.look,
                ruler,
                of_run.get(metric.series, NONE),
                line.hidden,
                line is self.baseline,
                self.ranked(line),
            )
            for line, ruler, of_run in zip(self.lines, rulers, found, strict=True)
        ]
        return curves.figure(metric, drawn, self.view)

    # ---- the effect of a setting ----

    @property
    def unplaced(self) -> list[Line]:
        """Runs of which the effect tab does not know both numbers."""
        known = effect.known(self.lines, self.view.setting, self.view.outcome)
        placed = {line.key for line, _x, _y in known}
        return [line for line in self.lines if line.key not in placed]

    def choices(self) -> dict[str, list[tuple[str, str | Promise, bool]]]:
        """By parameter of the address: value, word, and whether it is chosen."""
        view = self.view
        return {
            "by": [(one, effect.SETTINGS[one], one == view.setting) for one in Setting],
            "outcome": [(one, effect.OUTCOMES[one], one == view.outcome) for one in Outcome],
        }

    # ---- data ----

    @property
    def other(self) -> Line | None:
        """The run whose data is laid beside the baseline's."""
        others = [line for line in self.lines if line is not self.baseline]
        asked = [line for line in others if line.job.pk == self.view.other]
        unlike = [line for line in others if self.baseline and not _same_training(line, self.baseline)]
        return next(iter([*asked, *unlike, *others]), None)

    def files(self, purpose: str) -> list[Files]:
        """The different contents of one dataset, with who used them."""
        used = [(getattr(line.job, purpose), line) for line in self.lines if getattr(line.job, purpose)]
        used.sort(key=lambda one: content(one[0]) or ("", 0))
        groups = [list(same) for _key, same in groupby(used, key=lambda one: content(one[0]))]
        return sorted(
            (Files(same[0][0], [line for _dataset, line in same]) for same in groups),
            key=lambda files: files.lines[0].look.place,
        )

    def data(self) -> list[tuple[str, str, list[Files]]]:
        return [
            (purpose, word, self.files(purpose))
            for purpose, word in (("training", _("Training data")), ("validation", _("Validation data")))
        ]

    def changes(self) -> list[tuple[str, str, Dataset | None, Dataset | None, bool]]:
        """For each of the two datasets: the baseline's, the other run's, and whether they hold the same."""
        other, base = self.other, self.baseline
        if other is None or base is None:
            return []
        pairs = [
            ("training", _("Training data"), base.job.training, other.job.training),
            ("validation", _("Validation data"), base.job.validation, other.job.validation),
        ]
        return [
            (purpose, word, before, after, before is not None and content(before) == content(after))
            for purpose, word, before, after in pairs
        ]

    # ---- adding runs ----

    def candidates(self, q: str) -> list[tuple[TuningJob, str]]:
        """Further runs by name, model or dataset, newest first, each with the address that takes it in."""
        jobs = self.visible.exclude(pk__in=self.view.runs).with_all()
        if q:
            jobs = jobs.filter(
                Q(tuned_model_display_name__icontains=q)
                | Q(base_model__icontains=q)
                | Q(training__uri__icontains=q)
            )
        return [(job, self.view.plus(job.pk).query()) for job in jobs[:FOUND]]

    # ---- words ----

    @property
    def panels(self) -> list[tuple[Metric, str | Promise]]:
        return [(metric, METRICS[metric]) for metric in self.view.metrics]

    @property
    def chosen(self) -> list[tuple[Metric, str | Promise, bool]]:
        return [(metric, word, metric in self.view.metrics) for metric, word in METRICS.items()]

    @property
    def axes(self) -> list[tuple[Axis, str]]:
        words = {
            Axis.STEP: _("Step"),
            Axis.EPOCH: _("Epoch"),
            Axis.ELAPSED: _("Elapsed"),
            Axis.CLOCK: _("Clock"),
        }
        return list(words.items())

    @property
    def scales(self) -> list[tuple[Scale, str]]:
        return [(Scale.LINEAR, _("Linear")), (Scale.LOG, _("Log"))]

    @property
    def plain_smoothing(self) -> float:
        return PLAIN.smoothing

    def tabs(self) -> list[tuple[Tab, str, str]]:
        words = {
            Tab.CURVES: _("Curves and settings"),
            Tab.EFFECT: _("Effect of a setting"),
            Tab.DATA: _("Data"),
        }
        return [(tab, word, self.view.on(tab).query()) for tab, word in words.items()]

    def words(self) -> str:
        """What the page's script says, as JSON."""
        said = {
            "live": _("Live · {age}"),
            "stale": _("No news · {age}"),
            "paused": _("Paused"),
            "over": pgettext("state of a run", "Ended"),
            "waiting": _("Waiting"),
            "seconds": _("{n} s ago"),
            "minutes": _("{n} min ago"),
            "hours": _("{n} h ago"),
            "pause": _("Pause updates"),
            "resume": _("Resume updates"),
            "more": _("{n} more"),
            "raw": _("raw {value}"),
            "above": _("{n} points above the axis, up to {most}"),
            "none": _("None of these runs has points of this metric yet."),
            "step": _("Step {x}"),
            "epoch": _("Epoch {x}"),
        }
        return json.dumps(said, ensure_ascii=False)


def _sort_value(line: Line, key: str) -> Any:
    return {
        "name": str(line.job).casefold(),
        "best": line.best,
        "final": line.final,
        "accuracy": line.accuracy,
        "duration": line.job.elapsed,
        "tokens": line.tokens,
        "cost": line.cost,
    }[key]


def _same_training(line: Line, other: Line) -> bool:
    return content(line.job.training) == content(other.job.training)
