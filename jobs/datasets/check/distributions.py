"""Exact distributions of the sizes and turns of many examples, in bounded memory (pure)."""

from __future__ import annotations

from array import array
from heapq import nsmallest

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jobs.datasets.check.report import Distribution
from jobs.datasets.check.tokens import BYTES_PER_TOKEN

SMALL = 2**16
"""Smaller values are counted in an array of this length (512 kB); greater ones are rare and are listed."""
PENDING = 2**16
"""Examples collected before numpy adds them up: for fewer, its calls cost more than the sums."""
MAX_LONGEST = 20
"""The longest examples of a file, for warnings about a model's limit: as many as a report has of one code."""
MOST_BUCKETS = 30
"""Bars of a chart: each still has ten pixels on a phone."""


class Histogram:
    def __init__(self) -> None:
        self.small = np.zeros(SMALL, np.int64)
        self.large = array("Q")

    def add(self, values: NDArray[np.int64]) -> None:
        self.small += np.bincount(values[values < SMALL], minlength=SMALL)
        self.large.extend(values[values >= SMALL].tolist())

    def distribution(self) -> Distribution:
        small = np.flatnonzero(self.small)
        large, large_counts = np.unique(np.array(self.large, np.int64), return_counts=True)
        values = np.concatenate([small, large])
        counts = np.concatenate([self.small[small], large_counts])
        return distribution(values, counts)


def distribution(values: NDArray[np.int64], counts: NDArray[np.int64]) -> Distribution:
    """Describe ascending `values`, each of which occurs `counts` times. Quantiles are values that occur
    (nearest rank)."""
    if not values.size:
        return Distribution()
    upto = np.cumsum(counts)
    count, total = int(upto[-1]), int(values @ counts)

    def quantile(percent: int) -> int:
        return int(values[np.searchsorted(upto, -(-count * percent // 100))])

    return Distribution(
        count=count,
        total=total,
        minimum=int(values[0]),
        p5=quantile(5),
        median=quantile(50),
        mean=total / count,
        p95=quantile(95),
        maximum=int(values[-1]),
        buckets=buckets(values, counts),
    )


def buckets(values: NDArray[np.int64], counts: NDArray[np.int64]) -> list[tuple[int, int, int]]:
    """Return buckets of equal widths as (left, right, count), each from `left` to below `right`."""
    low, span = int(values[0]), int(values[-1] - values[0]) + 1
    width = -(-span // MOST_BUCKETS)
    held = np.bincount((values - low) // width, weights=counts)
    return [(low + n * width, low + (n + 1) * width, int(count)) for n, count in enumerate(held)]


class LengthStats:
    """Collects the tokens and turns of all usable examples, and which examples are longest."""

    def __init__(self) -> None:
        self._clear_pending()
        self._tokens, self._turns = Histogram(), Histogram()
        self.longest: list[tuple[int, int]] = []

    def _clear_pending(self) -> None:
        self.lines, self.sizes, self.turns = array("q"), array("q"), array("q")

    def extend(self, lines: ArrayLike, sizes: ArrayLike, turns: ArrayLike) -> None:
        """`sizes` are in bytes of UTF-8."""
        for held, more in ((self.lines, lines), (self.sizes, sizes), (self.turns, turns)):
            held.frombytes(np.asarray(more, np.int64).tobytes())
        if len(self.lines) >= PENDING:
            self.flush()

    def flush(self) -> None:
        tokens = -(-np.array(self.sizes, np.int64) // BYTES_PER_TOKEN)
        self._tokens.add(tokens)
        self._turns.add(np.array(self.turns, np.int64))
        found = [*self.longest, *((self.lines[place], int(tokens[place])) for place in find_greatest(tokens))]
        self.longest = nsmallest(MAX_LONGEST, found, key=lambda entry: (-entry[1], entry[0]))
        self._clear_pending()

    def distributions(self) -> tuple[Distribution, Distribution]:
        """Return the distributions of tokens and of turns."""
        self.flush()
        return self._tokens.distribution(), self._turns.distribution()


def find_greatest(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the places of the MAX_LONGEST greatest values, the first ones among equals."""
    least = np.partition(values, -MAX_LONGEST)[-MAX_LONGEST] if len(values) > MAX_LONGEST else 0
    above, equal = np.flatnonzero(values > least), np.flatnonzero(values == least)
    return np.concatenate([above, equal[: MAX_LONGEST - len(above)]])
