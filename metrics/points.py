"""The one place that knows how points are packed: merge them, read them.

A point is a step, the wall time at which it was recorded and a value, which may be NaN or infinite. A series
holds one point per step, in step order, whatever the order in which its points arrived; of two points of one
step the later wall time stays.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TypeAlias

import numpy as np
from django.db import transaction
from django.db.models import OuterRef, Subquery
from numpy.typing import ArrayLike, NDArray

from metrics.models import Chunk, Series

CHUNK = 2000
STEP, NUMBER = np.dtype("<i8"), np.dtype("<f8")
Steps: TypeAlias = NDArray[np.int64]
Numbers: TypeAlias = NDArray[np.float64]
Packed: TypeAlias = bytes | memoryview


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Three arrays of one length: steps (ascending, unique), wall times in epoch seconds, values."""

    steps: Steps
    wall: Numbers
    values: Numbers

    @classmethod
    def of(cls, steps: ArrayLike, wall: ArrayLike, values: ArrayLike) -> Points:
        """Points in any order, with repetitions, brought into order."""
        return cls(np.asarray(steps, STEP), np.asarray(wall, NUMBER), np.asarray(values, NUMBER))._settled()

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, part: slice) -> Points:
        return Points(self.steps[part], self.wall[part], self.values[part])

    def merged(self, other: Points) -> Points:
        """Both; where a step and its wall time are in both, `other` stays."""
        arrays = zip(self.arrays(), other.arrays(), strict=True)
        return Points(*(np.concatenate(pair) for pair in arrays))._settled()

    def finite(self) -> Points:
        """Without values that are NaN or infinite."""
        solid = np.isfinite(self.values)
        return Points(self.steps[solid], self.wall[solid], self.values[solid])

    def odd_steps(self) -> Steps:
        """The steps whose value is NaN or infinite."""
        return self.steps[~np.isfinite(self.values)]

    def arrays(self) -> tuple[Steps, Numbers, Numbers]:
        return self.steps, self.wall, self.values

    def packed(self) -> tuple[bytes, bytes, bytes]:
        return self.steps.tobytes(), self.wall.tobytes(), self.values.tobytes()

    def _settled(self) -> Points:
        order = np.lexsort((self.wall, self.steps))
        steps = self.steps[order]
        kept = order[np.append(steps[1:] != steps[:-1], True)] if len(order) else order
        return Points(self.steps[kept], self.wall[kept], self.values[kept])


NONE = Points.of([], [], [])


def unpacked(chunks: Sequence[tuple[Packed, Packed, Packed]]) -> Points:
    """The points of chunks that follow one another."""
    steps, wall, values = (b"".join(column) for column in zip(*chunks, strict=True))
    return Points(np.frombuffer(steps, STEP), np.frombuffer(wall, NUMBER), np.frombuffer(values, NUMBER))


def read(jobs: Iterable[int], metrics: Iterable[str] | None = None) -> dict[int, dict[str, Points]]:
    """The series of these jobs, all or those of `metrics`, by job and metric, in one query."""
    wanted = Chunk.objects.filter(series__job__in=jobs)
    rows = (
        (wanted if metrics is None else wanted.filter(series__metric__in=metrics))
        .order_by("series_id", "index")
        .values_list("series__job_id", "series__metric", "steps", "wall", "values")
    )
    found: dict[int, dict[str, Points]] = defaultdict(dict)
    for (job, metric), chunks in groupby(rows.iterator(), key=lambda row: row[:2]):
        found[job][metric] = unpacked([row[2:] for row in chunks])
    return found


def of_job(job: int) -> dict[str, Points]:
    return read([job]).get(job, {})


@transaction.atomic
def merge(job: int, batch: Mapping[str, Points]) -> None:
    """Adds points to a job's series; points that are there already change nothing."""
    batch = {metric: new for metric, new in batch.items() if len(new)}
    Series.objects.bulk_create([Series(job_id=job, metric=metric) for metric in batch], ignore_conflicts=True)
    series = Series.objects.select_for_update().filter(job=job, metric__in=batch)
    keys = dict(series.values_list("pk", "metric"))
    stored = _reached({pk: batch[metric] for pk, metric in keys.items()})
    Chunk.objects.bulk_create(
        [chunk for pk, metric in keys.items() for chunk in _rewritten(pk, *stored[pk], batch[metric])],
        update_conflicts=True,
        unique_fields=["series", "index"],
        update_fields=["steps", "wall", "values"],
    )


def _reached(batch: Mapping[int, Points]) -> dict[int, tuple[int, Points]]:
    """By series: the index from which chunks may change, and the points stored from there on.

    Training writes forward, so nearly always that is the last chunk alone.
    """
    last = Chunk.objects.filter(series=OuterRef("series")).order_by("-index").values("index")[:1]
    tails = Chunk.objects.filter(series__in=batch, index=Subquery(last))
    found = {chunk.series_id: (chunk.index, _points_in([chunk])) for chunk in tails}
    behind = [pk for pk, (_, tail) in found.items() if batch[pk].steps[0] < tail.steps[0]]
    chunks = Chunk.objects.filter(series__in=behind).order_by("series_id", "index")
    for pk, whole in groupby(chunks, key=lambda chunk: chunk.series_id):
        found[pk] = 0, _points_in(whole)
    return defaultdict(lambda: (0, NONE), found)


def _points_in(chunks: Iterable[Chunk]) -> Points:
    return unpacked([(chunk.steps, chunk.wall, chunk.values) for chunk in chunks])


def _rewritten(series: int, index: int, stored: Points, new: Points) -> list[Chunk]:
    """The chunks from `index` on that differ once `new` is in."""
    points, chunks = stored.merged(new), []
    for place in range(0, len(points), CHUNK):
        piece = points[place : place + CHUNK].packed()
        if piece != stored[place : place + CHUNK].packed():
            steps, wall, values = piece
            chunks.append(
                Chunk(series_id=series, index=index + place // CHUNK, steps=steps, wall=wall, values=values)
            )
    return chunks
