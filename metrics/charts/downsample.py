"""Downsampling that keeps the shape of a line, and smoothing. Functions of plain arrays."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from tsdownsample import MinMaxLTTBDownsampler

if TYPE_CHECKING:
    from metrics.point_store import Numbers, Steps

MAX_POINTS = 1000
"""More points than a chart has pixels across cannot be seen."""
SETTLED_LOG = -40.0
"""exp(-40) is below the precision of a float64 beside 1, so the correction can end there."""


def downsample_points(steps: Steps, values: Numbers, limit: int = MAX_POINTS) -> NDArray[np.intp]:
    """Return ascending indices of about `limit` points that draw the same line.

    They include the first, last, smallest and largest finite value, and the first of each stretch of values
    that are not finite (at most `limit` of these), so that the line breaks there.
    """
    if len(values) <= limit:
        return np.arange(len(values))
    finite = np.isfinite(values)
    if finite.all():
        return np.unique(np.append(_min_max_lttb(steps, values, limit), [0, len(values) - 1]))
    solid = np.flatnonzero(finite)
    breaks = np.flatnonzero(~finite & np.append(True, finite[:-1]))
    breaks = breaks[:: max(1, -(-len(breaks) // limit))]
    kept = [np.array([0, len(values) - 1]), breaks]
    if len(solid):
        kept.append(solid[_min_max_lttb(steps[solid], values[solid], limit)])
    return np.unique(np.concatenate(kept))


def _min_max_lttb(steps: Steps, values: Numbers, limit: int) -> NDArray[np.intp]:
    """Return the indices that MinMaxLTTB selects, and those of both extremes, which it may leave out."""
    if len(values) <= limit:
        return np.arange(len(values))
    shape = MinMaxLTTBDownsampler().downsample(steps, values, n_out=limit)
    return np.concatenate([shape.astype(np.intp), [int(values.argmin()), int(values.argmax())]])


def smooth(values: Numbers, weight: float) -> Numbers:
    """Return the exponential moving average, debiased so that the first points are not pulled towards zero.

    Values that are not finite stay as they are and do not count.
    """
    smoothed = values.copy()
    if not 0 < weight < 1:
        return smoothed
    finite = np.isfinite(values)
    averages = _sum_with_decay((1 - weight) * values[finite], weight)
    settling = averages[: math.ceil(SETTLED_LOG / math.log(weight))]
    settling /= 1 - weight ** np.arange(1, len(settling) + 1)
    smoothed[finite] = averages
    return smoothed


def _sum_with_decay(terms: Numbers, weight: float) -> Numbers:
    """Return y[n] = weight * y[n - 1] + terms[n], by doubling: each pass adds the sums that end where its own
    begin.

    A matrix product would start threads, which wait for each other on a busy machine.
    """
    sums, gap = terms.copy(), 1
    while gap < len(sums) and (share := weight**gap):
        sums[gap:] += share * sums[:-gap]
        gap *= 2
    return sums
