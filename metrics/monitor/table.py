"""The numbers of a chart as a table, and every point as rows of CSV (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from metrics.charts.downsample import downsample_points
from metrics.charts.figures import CHARTS
from metrics.point_store import NO_POINTS, Points
from metrics.run import Run

CSV_HEADER = ["metric", "step", "wall_time", "value"]


@dataclass(slots=True)
class PointRow:
    """One step; None for a series without a point there."""

    step: int
    epoch: float | None
    at: datetime
    train: float | None = None
    evaluation: float | None = None


def build_table_rows(series: Mapping[str, Points], chart: str, run: Run) -> list[PointRow]:
    """Return the rows, the latest step first; a long series is downsampled as on the chart."""
    found: dict[int, PointRow] = {}
    for column, metric in (("train", CHARTS[chart].train), ("evaluation", CHARTS[chart].evaluation)):
        for step, wall, value in iter_drawn_points(series.get(metric, NO_POINTS)):
            at = datetime.fromtimestamp(wall, UTC)
            row = found.setdefault(step, PointRow(step, run.epoch_of(step), at))
            setattr(row, column, value)
    return [found[step] for step in sorted(found, reverse=True)]


def iter_drawn_points(points: Points) -> Iterator[tuple[int, float, float]]:
    kept = downsample_points(points.steps, points.values)
    return zip(*(array[kept].tolist() for array in points.arrays()), strict=True)


def select_chart_series(series: Mapping[str, Points], chart: str) -> dict[str, Points]:
    """Return the series of one chart, or all of them if there is no chart of that name."""
    names = {CHARTS[chart].train, CHARTS[chart].evaluation} if chart in CHARTS else series.keys()
    return {metric: points for metric, points in series.items() if metric in names}


def iter_csv_rows(series: Mapping[str, Points]) -> Iterator[tuple[str, int, str, float]]:
    """Yield every point as a row of CSV_HEADER."""
    for metric, points in sorted(series.items()):
        for step, wall, value in zip(*(array.tolist() for array in points.arrays()), strict=True):
            yield metric, step, datetime.fromtimestamp(wall, UTC).isoformat(), value
