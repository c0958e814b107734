"""Everything a comparison shows as CSV: every point of the curves; the runs with their settings (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from metrics.compare.query import Metric
from metrics.compare.runs import RunLine
from metrics.compare.settings import SettingRow as SettingRow
from metrics.compare.table import RunRow
from metrics.monitor.table import format_csv_line as csv_line
from metrics.point_store import NO_POINTS, Points
from metrics.run import Run

CURVES_HEADER = ["job", "run", "metric", "step", "epoch", "elapsed_seconds", "wall_time", "value"]
RUNS_HEADER = [
    "job",
    "run",
    "state",
    "baseline",
    "comparable",
    "best_eval_loss",
    "best_step",
    "best_epoch",
    "vs_baseline",
    "final_eval_loss",
    "final_step",
    "eval_accuracy_at_best",
    "duration_seconds",
    "billable_tokens",
    "cost_usd",
]


def iter_curves_csv(
    rows: Sequence[RunRow], series: Mapping[int, Mapping[str, Points]], metrics: Sequence[Metric]
) -> Iterator[str]:
    """Every stored point, exact, of the runs that are not hidden."""
    yield csv_line(CURVES_HEADER)
    for row in rows:
        job = row.line.job
        run = Run.from_job(job)
        for metric in metrics if not row.line.hidden else ():
            found = series.get(job.pk, {}).get(metric.series_name, NO_POINTS)
            for step, wall, value in zip(*(array.tolist() for array in found.arrays()), strict=True):
                yield csv_line(
                    [
                        job.pk,
                        job,
                        metric.series_name,
                        step,
                        "" if run.steps_per_epoch is None else repr(step / run.steps_per_epoch),
                        "" if run.started_at is None else repr(wall - run.started_at),
                        datetime.fromtimestamp(wall, UTC).isoformat(),
                        repr(value),
                    ]
                )


def iter_runs_csv(
    rows: Sequence[RunRow], lines: Sequence[RunLine], settings: Sequence[SettingRow]
) -> Iterator[str]:
    """A line for each run, its settings, in the order of `lines`, behind its unrounded numbers."""
    yield csv_line([*RUNS_HEADER, *(str(setting.label) for setting in settings)])
    for row in rows:
        line, job, at = row.line, row.line.job, lines.index(row.line)
        best, last = line.get_summary_part("best"), line.get_summary_part("last")
        cells = [
            job.pk,
            job,
            job.state or job.submission,
            int(row.is_baseline),
            int(row.ranked),
            line.best,
            best.get("step"),
            best.get("epoch"),
            row.delta,
            line.final,
            last.get("step"),
            line.accuracy,
            job.elapsed,
            line.tokens,
            line.cost,
        ]
        written = ["" if cell is None else cell for cell in cells]
        yield csv_line([*written, *(setting.cells[at].text for setting in settings)])
