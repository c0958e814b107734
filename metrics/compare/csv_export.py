"""The rows of Compare's CSV files: every point of the curves, and the runs with their settings (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from metrics.compare.runs import RunLine
from metrics.compare.settings import SettingRow
from metrics.compare.table import RunRow
from metrics.metric_names import Metric
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


def iter_curves_rows(
    rows: Sequence[RunRow], series: Mapping[int, Mapping[str, Points]], metrics: Sequence[Metric]
) -> Iterator[tuple[object, ...]]:
    """Yield every stored point of the visible runs as a row of CURVES_HEADER."""
    for row in rows:
        if row.line.hidden:
            continue
        job = row.line.job
        name, run = str(job), Run.from_job(job)
        for metric in metrics:
            found = series.get(job.pk, {}).get(metric.series_name, NO_POINTS)
            for step, wall, value in zip(*(array.tolist() for array in found.arrays()), strict=True):
                yield (
                    job.pk,
                    name,
                    metric.series_name,
                    step,
                    None if run.steps_per_epoch is None else step / run.steps_per_epoch,
                    None if run.started_at is None else wall - run.started_at,
                    datetime.fromtimestamp(wall, UTC).isoformat(),
                    value,
                )


def build_runs_header(settings: Sequence[SettingRow]) -> list[str]:
    return [*RUNS_HEADER, *(str(setting.label) for setting in settings)]


def iter_runs_rows(
    rows: Sequence[RunRow], lines: Sequence[RunLine], settings: Sequence[SettingRow]
) -> Iterator[tuple[object, ...]]:
    """Yield a row for each run: unrounded numbers, then settings, whose cells are in the order of `lines`."""
    for row in rows:
        line, job, at = row.line, row.line.job, lines.index(row.line)
        best, last = line.get_summary_part("best"), line.get_summary_part("last")
        yield (
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
            *(setting.cells[at].text for setting in settings),
        )
