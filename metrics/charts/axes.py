"""The axes of charts: the x of a step in any of four units, and the range of a loss axis with its ticks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from metrics.charts.controls import Axis
from metrics.point_store import Numbers, Points, Steps
from metrics.run import Run
from metrics.summary import measure_rate
from studio.plotly_figures import Json

ELAPSED_UNITS = ((3 * 3600, 3600, "h"), (180, 60, "min"), (0, 1, "s"))
"""(at least this many seconds, seconds in the unit, its sign): axes show at most 180 of a unit, then the next
one."""
WORKING_SHARE = 0.85
"""Share of training values that a clipped loss axis shows in full: the steep start of a run is rarely longer
than the other 15 %, and would flatten everything after it."""


@dataclass(frozen=True, slots=True)
class Ruler:
    """`train` holds the wall time of each step; `offset` is the reader's time zone in seconds from UTC;
    `shared` is the unit of elapsed time if several runs have one axis."""

    axis: Axis
    run: Run
    train: Points
    offset: float = 0.0
    shared: tuple[int, str] | None = None

    @property
    def is_timed(self) -> bool:
        return self.axis in (Axis.ELAPSED, Axis.CLOCK)

    @property
    def start(self) -> float:
        first = float(self.train.wall[0]) if len(self.train) else math.inf
        return min(first, self.run.started_at or math.inf) if self.run.started_at or len(self.train) else 0.0

    @property
    def unit(self) -> tuple[int, str]:
        """The seconds in the unit of elapsed time, and its sign."""
        return self.shared or choose_unit(self.last_wall() - self.start)

    def x_of_points(self, points: Points) -> Numbers | Steps:
        """Return the x of each point."""
        match self.axis:
            case Axis.STEP:
                return points.steps  # whole numbers are sent in two bytes instead of eight
            case Axis.EPOCH:
                return points.steps / (self.run.steps_per_epoch or 1)
        return self.x_of_time(points.wall)

    def x_of_step(self, step: float) -> float:
        """Return the x of a step, whether or not it is recorded."""
        match self.axis:
            case Axis.STEP:
                return step
            case Axis.EPOCH:
                return step / (self.run.steps_per_epoch or 1)
        return float(self.x_of_time(np.array(self.wall_time_of(step))))

    def x_of_time(self, wall: Numbers) -> Numbers:
        if self.axis == Axis.CLOCK:
            return (wall + self.offset) * 1000
        return (wall - self.start) / self.unit[0]

    def wall_time_of(self, step: float) -> float:
        """Return when a step happened or, after the last one, when it will happen at the present rate."""
        if not len(self.train):
            return self.start
        pace = measure_rate(self.train)
        beyond = step - float(self.train.steps[-1])
        if beyond > 0 and pace:
            return float(self.train.wall[-1]) + beyond / pace
        return float(np.interp(step, self.train.steps, self.train.wall))

    def last_wall(self) -> float:
        """Return the time of the last point if the run is over, or else the expected time of the last planned
        step."""
        if not len(self.train):
            return self.start
        last = int(self.train.steps[-1])
        return self.wall_time_of(last if self.run.over else max(last, self.run.steps or 0))

    def x_range(self) -> tuple[float, float]:
        """Return the x of start and planned end; the real end once the run is over or longer than planned."""
        last = int(self.train.steps[-1]) if len(self.train) else 0
        end = (last if self.run.over and last else max(last, self.run.steps or 0)) or 1
        if not self.is_timed:
            return 0, self.x_of_step(end)
        first, final = self.x_of_time(np.array([self.start, max(self.last_wall(), self.start + 1)])).tolist()
        return first, final


def choose_unit(span: float) -> tuple[int, str]:
    """Return the unit for so many seconds, which are negative where a service's clock went back."""
    span = max(0.0, span)
    return next((seconds, sign) for least, seconds, sign in ELAPSED_UNITS if span >= least)


def loss_range(train: Numbers, evaluation: Numbers, *, clip: bool, log: bool) -> tuple[float, float] | None:
    """Return bottom and top of a loss axis (logarithms if `log`), or None if there is no finite value.

    If `clip`, the axis is made for the present values: the first steep steps and single spikes are outside.
    """
    finite = _drop_unusable(np.concatenate([train, evaluation]), log)
    if not len(finite):
        return None
    low, high = float(finite.min()), float(finite.max())
    if clip:
        high = min(high, _working_top(_drop_unusable(train, log), _drop_unusable(evaluation, log)))
    room = (high - low) * 0.05 or abs(high) * 0.05 or 1
    return low - room, high + room


def _drop_unusable(values: Numbers, log: bool) -> Numbers:
    finite = values[np.isfinite(values)]
    return np.log10(finite[finite > 0]) if log else finite


def _working_top(train: Numbers, evaluation: Numbers) -> float:
    """Return a top that includes most training values, and every evaluation of the second half."""
    tops = [float(evaluation[len(evaluation) // 2 :].max())] if len(evaluation) else []
    if len(train):
        low, high = np.quantile(train, [1 - WORKING_SHARE, WORKING_SHARE]).tolist()
        tops.append(float(high + (high - low) / 4))
    return max(tops)


def build_loss_axis(reach: tuple[float, float], log: bool) -> Json:
    """Return Plotly's y axis from bottom to top of a loss, which are logarithms where `log`.

    Ticks have as many decimals as neighbors need to differ. On a logarithmic axis Plotly's own ticks are bare
    digits between two powers of ten, so ours replace them.
    """
    if log:
        ticks = log_ticks(*reach)
        words = [f"{tick:g}" for tick in ticks]
        return {
            "range": [*reach],
            "type": "log",
            "tickmode": "array",
            "tickvals": ticks,
            "ticktext": words,
        }
    decimals = max(1, 1 - math.floor(math.log10((reach[1] - reach[0]) * 2)))
    return {"range": [*reach], "tickformat": f".{decimals}f"}


def log_ticks(low: float, high: float) -> list[float]:
    """Return at least four round values between 10**low and 10**high, if there are any: powers of ten at
    best."""
    decades = range(math.floor(low), math.ceil(high) + 1)
    for mantissas in (
        (1.0,),
        (1, 2, 5),
        (1, 2, 3, 4, 5, 7),
        (1, 1.2, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5, 6, 7, 8, 9),
    ):
        values = [mantissa * 10.0**decade for decade in decades for mantissa in mantissas]
        inside = [value for value in values if low <= math.log10(value) <= high]
        if len(inside) >= 4:
            break
    return inside


def compute_label_shifts(heights: Sequence[float], gap: float) -> list[float]:
    """Return how many pixels to move labels at these heights so that they are `gap` apart."""
    return [place - height for place, height in zip(spread_heights(heights, gap), heights, strict=True)]


def spread_heights(heights: Sequence[float], gap: float) -> list[float]:
    """Return the nearest heights (pixels from the bottom) that are at least `gap` apart, in the same
    order."""
    order = sorted(range(len(heights)), key=lambda at: heights[at])
    groups: list[list[int]] = []
    centers: list[float] = []
    for at in order:
        groups.append([at])
        centers.append(heights[at])
        while len(groups) > 1 and _group_top(groups[-2], centers[-2], gap) + gap > _group_bottom(
            groups[-1], centers[-1], gap
        ):
            joined = groups.pop(-2) + groups.pop()
            del centers[-2:]
            groups.append(joined)
            centers.append(sum(heights[one] for one in joined) / len(joined))
    found = [0.0] * len(heights)
    for group, center in zip(groups, centers, strict=True):
        for rank, at in enumerate(group):
            found[at] = _group_bottom(group, center, gap) + rank * gap
    return found


def _group_bottom(group: Sequence[int], center: float, gap: float) -> float:
    return center - (len(group) - 1) * gap / 2


def _group_top(group: Sequence[int], center: float, gap: float) -> float:
    return center + (len(group) - 1) * gap / 2
