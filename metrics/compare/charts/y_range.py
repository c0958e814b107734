"""How far the y axis of a chart of many runs reaches, and what it leaves out (pure)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from metrics.charts.axes import log_ticks, loss_range
from metrics.charts.controls import Controls, Scale
from metrics.metric_names import Metric
from metrics.point_store import NO_POINTS, Numbers

Json = dict[str, Any]


def build_y_axis(metric: Metric, runs: Sequence[Numbers], controls: Controls) -> Json:
    """Plotly's y axis for the values of these runs."""
    if metric.is_loss:
        return _build_loss_axis(metric, runs, controls)
    if metric.endswith("preds"):
        return {"range": [0, 1.03], "tickformat": ".0%", "hoverformat": ".1%"}
    most = max((float(known.max(initial=0)) for known in map(_drop_nonfinite, runs)), default=0.0)
    return {"range": [0, most * 1.1 or 1], "tickformat": "~s", "hoverformat": ",d"}


def _build_loss_axis(metric: Metric, runs: Sequence[Numbers], controls: Controls) -> Json:
    log = controls.scale == Scale.LOG
    nothing = NO_POINTS.values
    pairs = [(values, nothing) if metric.is_training else (nothing, values) for values in runs]
    reaches = [loss_range(*pair, clip=controls.clip, log=log) for pair in pairs]
    known = [reach for reach in reaches if reach]
    found: Json = {"hoverformat": ".3f"}
    if not known:
        return found
    low, high = min(low for low, _high in known), max(high for _low, high in known)
    found["range"] = [low, high]
    if log:
        ticks = log_ticks(low, high)
        words = [f"{tick:g}" for tick in ticks]
        return found | {"type": "log", "tickmode": "array", "tickvals": ticks, "ticktext": words}
    decimals = max(1, 1 - math.floor(math.log10((high - low) * 2)))
    return found | {"tickformat": f".{decimals}f"}


def describe_clipped_points(metric: Metric, runs: Sequence[Numbers], axis: Mapping[str, Any]) -> Json | None:
    """How many points lie above what the axis shows, and the highest: what is clipped is told."""
    if not metric.is_loss or "range" not in axis:
        return None
    top = 10 ** axis["range"][1] if axis.get("type") == "log" else axis["range"][1]
    above = [known[known > top] for known in map(_drop_nonfinite, runs)]
    count = sum(map(len, above))
    return {"count": count, "most": max(float(found.max(initial=0)) for found in above)} if count else None


def _drop_nonfinite(values: Numbers) -> Numbers:
    return values[np.isfinite(values)]
