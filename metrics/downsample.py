"""Many points to few, shape kept; and smoothing. Functions of plain arrays."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from tsdownsample import MinMaxLTTBDownsampler

if TYPE_CHECKING:
    from metrics.points import Numbers, Steps

LIMIT = 1000


def thin(steps: Steps, values: Numbers, limit: int = LIMIT) -> NDArray[np.intp]:
    """Ascending indices of about `limit` points that draw the same line.

    First, last, smallest and largest finite value are always among them. Where values are not finite, the
    first of each such stretch stays, so that the line breaks there (at most `limit` of these).
    """
    if len(values) <= limit:
        return np.arange(len(values))
    finite = np.isfinite(values)
    solid = np.flatnonzero(finite)
    breaks = np.flatnonzero(~finite & np.append(True, finite[:-1]))
    breaks = breaks[:: max(1, -(-len(breaks) // limit))]
    kept = [np.array([0, len(values) - 1]), breaks]
    if len(solid):
        kept.append(solid[_outline(steps[solid], values[solid], limit)])
    return np.unique(np.concatenate(kept))


def _outline(steps: Steps, values: Numbers, limit: int) -> NDArray[np.intp]:
    """Indices by MinMaxLTTB, with the two extremes, which it may pass over."""
    if len(values) <= limit:
        return np.arange(len(values))
    shape = MinMaxLTTBDownsampler().downsample(steps, values, n_out=limit)
    return np.concatenate([shape.astype(np.intp), [int(values.argmin()), int(values.argmax())]])


def smooth(values: Numbers, weight: float) -> Numbers:
    """Exponential moving average, debiased so that the first points are not drawn towards zero.

    Values that are not finite stay as they are and count for nothing.
    """
    smoothed = values.copy()
    if not 0 < weight < 1:
        return smoothed
    finite = np.isfinite(values)
    terms = values[finite].tolist()
    averages = list(accumulate(terms, lambda mean, value: weight * mean + (1 - weight) * value, initial=0.0))
    smoothed[finite] = np.array(averages[1:]) / (1 - weight ** np.arange(1, len(terms) + 1))
    return smoothed
