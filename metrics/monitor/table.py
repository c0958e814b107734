"""The table twin of a chart, and every point as CSV: the same numbers, without a picture (pure)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from metrics.charts.downsample import thin
from metrics.charts.figures import CHARTS
from metrics.point_store import NONE, Points
from metrics.run import Run

HEAD = ["metric", "step", "wall_time", "value"]


@dataclass(slots=True)
class Row:
    """One step; a series without a point there has None."""

    step: int
    epoch: float | None
    at: datetime
    train: float | None = None
    evaluation: float | None = None


def rows(series: Mapping[str, Points], chart: str, run: Run) -> list[Row]:
    """The latest step first; a long series is thinned as on the chart."""
    found: dict[int, Row] = {}
    for column, metric in (("train", CHARTS[chart].train), ("evaluation", CHARTS[chart].evaluation)):
        for step, wall, value in drawn(series.get(metric, NONE)):
            at = datetime.fromtimestamp(wall, UTC)
            row = found.setdefault(step, Row(step, run.epoch_of(step), at))
            setattr(row, column, value)
    return [found[step] for step in sorted(found, reverse=True)]


def drawn(points: Points) -> Iterator[tuple[int, float, float]]:
    kept = thin(points.steps, points.values)
    return zip(*(array[kept].tolist() for array in points.arrays()), strict=True)


def of_chart(series: Mapping[str, Points], chart: str) -> dict[str, Points]:
    """The series that one chart shows; all of them for a name that is no chart."""
    names = {CHARTS[chart].train, CHARTS[chart].evaluation} if chart in CHARTS else series.keys()
    return {metric: points for metric, points in series.items() if metric in names}


def csv_lines(series: Mapping[str, Points]) -> Iterator[str]:
    """Every point, exact: a float is written with as many digits as it takes to read it back."""
    yield line(HEAD)
    for metric, points in sorted(series.items()):
        for step, wall, value in zip(*(array.tolist() for array in points.arrays()), strict=True):
            yield line([metric, step, datetime.fromtimestamp(wall, UTC).isoformat(), repr(value)])


def line(cells: Sequence[object]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()
