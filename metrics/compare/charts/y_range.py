"""The y axis of a chart of many runs, and what is outside it (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from metrics.charts.axes import build_loss_axis, loss_range
from metrics.charts.controls import Controls, Scale
from metrics.metric_names import Metric
from metrics.point_store import NO_POINTS, Numbers
from studio.plotly_figures import Json


def build_y_axis(metric: Metric, runs: Sequence[Numbers], controls: Controls) -> Json:
    """Return Plotly's y axis for the values of these runs."""
    if metric.is_loss:
        return _build_loss_axis(metric, runs, controls)
    if metric.is_accuracy:
        return {"range": [0, 1.03], "tickformat": ".0%", "hoverformat": ".1%"}
    most = max((float(known.max(initial=0)) for known in map(_drop_nonfinite, runs)), default=0.0)
    return {"range": [0, most * 1.1 or 1], "tickformat": "~s", "hoverformat": ",d"}


def _build_loss_axis(metric: Metric, runs: Sequence[Numbers], controls: Controls) -> Json:
    """Return an axis that covers the range of every run."""
    log = controls.scale == Scale.LOG
    nothing = NO_POINTS.values
    pairs = [(values, nothing) if metric.is_training else (nothing, values) for values in runs]
    reaches = [loss_range(*pair, clip=controls.clip, log=log) for pair in pairs]
    known = [reach for reach in reaches if reach]
    if not known:
        return {"hoverformat": ".3f"}
    reach = min(low for low, _high in known), max(high for _low, high in known)
    return {"hoverformat": ".3f"} | build_loss_axis(reach, log)


def describe_clipped_points(metric: Metric, runs: Sequence[Numbers], axis: Mapping[str, Any]) -> Json | None:
    """Return how many points lie above the axis, and the highest; None if there are none."""
    if not metric.is_loss or "range" not in axis:
        return None
    top = 10 ** axis["range"][1] if axis.get("type") == "log" else axis["range"][1]
    above = [known[known > top] for known in map(_drop_nonfinite, runs)]
    count = sum(map(len, above))
    return {"count": count, "most": max(float(found.max(initial=0)) for found in above)} if count else None


def _drop_nonfinite(values: Numbers) -> Numbers:
    return values[np.isfinite(values)]
