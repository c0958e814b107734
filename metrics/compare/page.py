"""The compare page: the runs of its address side by side."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db.models import Min
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from jobs.job_list.filters import build_search_condition
from jobs.models import TuningJob
from jobs.querysets import TuningJobQuerySet
from metrics import point_store
from metrics.charts.control_labels import axis_labels, chip_labels, scale_labels
from metrics.charts.controls import Axis, Scale
from metrics.compare import comparability
from metrics.compare.charts import setting_effect
from metrics.compare.charts.figures import (
    RunCurve,
    build_metric_figure,
    build_rulers,
    build_smoothed_lines,
)
from metrics.compare.datasets import DatasetComparison
from metrics.compare.query import DEFAULT_CONTROLS, MAX_RUNS, MIN_RUNS, CompareQuery, Outcome, Setting, Tab
from metrics.compare.runs import RunLine, build_run_lines, find_baseline
from metrics.compare.settings import SettingRow, build_setting_rows
from metrics.compare.table import Table
from metrics.metric_names import TRAIN_LOSS, Metric
from metrics.models import Feed
from metrics.point_store import NO_POINTS, Points
from metrics.run import Run
from studio.models import Project
from studio.plotly_figures import encode_typed_array

if TYPE_CHECKING:
    from django.contrib.auth.models import User


LIVE_POLL_SECONDS = 8
"""Seconds between two requests while a run goes on: twice as long as on Monitor, since figures are larger."""
MAX_CANDIDATES = 12
"""Runs in the list of the dialog: as many as fit without scrolling."""
METRIC_LABELS: dict[Metric, str | Promise] = {
    Metric.EVAL_LOSS: gettext_lazy("Validation loss"),
    Metric.TRAIN_LOSS: gettext_lazy("Training loss"),
    Metric.EVAL_ACCURACY: gettext_lazy("Validation token accuracy"),
    Metric.TRAIN_ACCURACY: gettext_lazy("Training token accuracy"),
    Metric.EVAL_TOKENS: gettext_lazy("Validation tokens predicted"),
    Metric.TRAIN_TOKENS: gettext_lazy("Training tokens predicted"),
}


@dataclass(frozen=True)
class Comparison:
    project: Project
    user: User
    view: CompareQuery
    offset: float = 0.0

    @cached_property
    def visible_jobs(self) -> TuningJobQuerySet:
        jobs: TuningJobQuerySet = TuningJob.objects.filter(project=self.project)
        return jobs.visible_to(self.user).exclude(submission="draft")

    @cached_property
    def lines(self) -> list[RunLine]:
        jobs = self.visible_jobs.filter(pk__in=self.view.runs).with_related()
        prices = {} if self.project.on_engine else settings.PRICES.by_model
        return build_run_lines(jobs, self.view, prices)

    @cached_property
    def baseline(self) -> RunLine | None:
        return find_baseline(self.lines, self.view.baseline)

    @property
    def missing(self) -> int:
        """The number of runs in the address that are not in this project, or no longer."""
        return len(self.view.runs) - len(self.lines)

    @property
    def has_too_few(self) -> bool:
        return len(self.lines) < MIN_RUNS

    @property
    def is_full(self) -> bool:
        return len(self.lines) >= MAX_RUNS

    @property
    def poll_seconds(self) -> int | None:
        return LIVE_POLL_SECONDS if any(not line.job.is_final for line in self.lines) else None

    @property
    def read_at(self) -> datetime | None:
        """The oldest last read among live runs; None if all have ended."""
        live = [line.job.pk for line in self.lines if not line.job.is_final]
        if not live:
            return None
        found: datetime | None = Feed.objects.filter(job__in=live).aggregate(oldest=Min("read_at"))["oldest"]
        return found

    # ---- the table ----

    @cached_property
    def table(self) -> Table:
        return Table(self.lines, self.baseline, self.view)

    @property
    def warnings(self) -> list[comparability.ComparabilityWarning]:
        return comparability.list_warnings(self.lines, self.baseline)

    def hideable_warnings(self) -> Iterator[tuple[comparability.ComparabilityWarning, str]]:
        """Yield each note with the query that hides its runs, empty if they are hidden."""
        for note in self.warnings:
            hidden = {*note.runs} <= self.view.hidden
            yield note, "" if hidden or not note.runs else self.view.hide_runs(note.runs).query()

    # ---- settings ----

    @cached_property
    def settings(self) -> list[SettingRow]:
        return build_setting_rows(self.lines, self.baseline)

    @property
    def differing_count(self) -> int:
        return sum(row.differs for row in self.settings)

    # ---- charts ----

    def build_figures(self) -> dict[str, dict[str, Any]]:
        """Return the figures by metric, or that of the effect tab."""
        if self.view.tab == Tab.EFFECT:
            drawn = setting_effect.build_effect_figure(
                self.lines, self.baseline, self.view.setting, self.view.outcome
            )
            return {"effect": drawn}
        return {metric: build_metric_figure(metric, drawn, self.view) for metric, drawn in self._curves()}

    def build_smoothed_lines(self) -> dict[str, dict[str, Any]]:
        """Return, by metric, the number of points and only the smoothed lines."""
        return {
            metric: {
                "points": sum(len(curve.points) for curve in drawn),
                "lines": build_smoothed_lines(drawn, self.view),
            }
            for metric, drawn in self._curves()
        }

    def _curves(self) -> Iterator[tuple[Metric, list[RunCurve]]]:
        wanted = [metric.series_name for metric in self.view.metrics]
        series = self.read_series(
            {*wanted, TRAIN_LOSS} if self._needs_clock else {*wanted}, self._needs_clock
        )
        for metric in self.view.metrics:
            yield metric, self._build_curves(metric, series)

    @property
    def _needs_clock(self) -> bool:
        return self.view.controls.axis in (Axis.ELAPSED, Axis.CLOCK)

    def read_series(self, metrics: set[str], timed: bool = True) -> dict[int, dict[str, Points]]:
        return point_store.read_series([line.job.pk for line in self.lines], metrics, timed)

    def encode_training_values(self) -> dict[str, dict[str, Any]]:
        """Return every training value by metric and run, which the page smooths itself. Single precision is
        much finer than a pixel."""
        wanted = [metric for metric in self.view.metrics if metric.is_training]
        series = self.read_series({metric.series_name for metric in wanted}, timed=False)
        return {
            metric: {
                line.key: encode_typed_array(series[line.job.pk][metric.series_name].values.astype("<f4"))
                for line in self.lines
                if metric.series_name in series.get(line.job.pk, {})
            }
            for metric in wanted
        }

    def _build_curves(self, metric: Metric, series: dict[int, dict[str, Points]]) -> list[RunCurve]:
        found = [series.get(line.job.pk, {}) for line in self.lines]
        runs = [Run.from_job(line.job) for line in self.lines]
        clocks = [max(of_run.values(), key=len, default=NO_POINTS) for of_run in found]
        rulers = build_rulers(self.view.controls.axis, list(zip(runs, clocks, strict=True)), self.offset)
        return [
            RunCurve(
                line.key,
                str(line.job),
                line.short,
                line.style,
                ruler,
                of_run.get(metric.series_name, NO_POINTS),
                line.hidden,
                line is self.baseline,
                self.table.is_ranked(line),
            )
            for line, ruler, of_run in zip(self.lines, rulers, found, strict=True)
        ]

    # ---- the effect of a setting ----

    @property
    def lines_without_values(self) -> list[RunLine]:
        """Runs for which the effect tab lacks one of the two numbers."""
        known = setting_effect.select_drawable(self.lines, self.view.setting, self.view.outcome)
        placed = {line.key for line, _x, _y in known}
        return [line for line in self.lines if line.key not in placed]

    def effect_choices(self) -> dict[str, list[tuple[str, str | Promise, bool]]]:
        """Return, by parameter of the address: value, label, and whether it is selected."""
        view = self.view
        return {
            "by": [(one, setting_effect.SETTING_LABELS[one], one == view.setting) for one in Setting],
            "outcome": [(one, setting_effect.OUTCOME_LABELS[one], one == view.outcome) for one in Outcome],
        }

    # ---- data ----

    @cached_property
    def data(self) -> DatasetComparison:
        return DatasetComparison(self.lines, self.baseline, self.view.other)

    # ---- adding runs ----

    def find_candidates(self, q: str) -> list[tuple[TuningJob, str]]:
        """Find more runs by name, model or dataset, newest first, each with the query that adds it."""
        jobs = (
            self.visible_jobs.filter(build_search_condition(q)).exclude(pk__in=self.view.runs).with_related()
        )
        return [(job, self.view.with_run(job.pk).query()) for job in jobs[:MAX_CANDIDATES]]

    # ---- labels ----

    @property
    def panels(self) -> list[tuple[Metric, str | Promise]]:
        return [(metric, METRIC_LABELS[metric]) for metric in self.view.metrics]

    @property
    def metric_choices(self) -> list[tuple[Metric, str | Promise, bool]]:
        return [(metric, word, metric in self.view.metrics) for metric, word in METRIC_LABELS.items()]

    @property
    def axes(self) -> list[tuple[Axis, str]]:
        return axis_labels()

    @property
    def scales(self) -> list[tuple[Scale, str]]:
        return scale_labels()

    @property
    def plain_smoothing(self) -> float:
        return DEFAULT_CONTROLS.smoothing

    def tabs(self) -> list[tuple[Tab, str, str]]:
        words = {
            Tab.CURVES: _("Curves and settings"),
            Tab.EFFECT: _("Effect of a setting"),
            Tab.DATA: _("Data"),
        }
        return [(tab, word, self.view.with_tab(tab).query()) for tab, word in words.items()]

    def script_labels(self) -> str:
        """Return the texts of the page's script as JSON."""
        said = chip_labels() | {
            "more": _("{n} more"),
            "raw": _("raw {value}"),
            "above_one": _("1 point above the axis, {most}"),
            "above": _("{n} points above the axis, up to {most}"),
            "none": _("None of these runs has data for this metric yet."),
            "step": _("Step {x}"),
            "epoch": _("Epoch {x}"),
        }
        return json.dumps(said, ensure_ascii=False)
