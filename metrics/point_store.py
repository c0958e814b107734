"""Store and read points; no other module knows how they are packed.

A point is a step, the wall time at which it was recorded, and a value, which may be NaN or infinite. A series
holds one point for each step, in step order, in whatever order the points arrived; of two points with the
same step the one with the later wall time is kept.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from operator import itemgetter
from typing import TypeAlias

import numpy as np
from django.db import connection, transaction
from numpy.typing import ArrayLike, NDArray

from metrics.models import Chunk, Series

CHUNK = 2000
"""Points in a row: 48 kB, which a poll of a live job reads and writes again while it grows."""
COLUMNS = ("steps", "wall", "values")
BINARY = 1
"""PostgreSQL's format code for bytes that are sent as they are, not as hexadecimal digits."""
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
    def from_arrays(cls, steps: ArrayLike, wall: ArrayLike, values: ArrayLike) -> Points:
        """Make Points of arrays in any order, with repetitions."""
        return cls(
            np.asarray(steps, STEP), np.asarray(wall, NUMBER), np.asarray(values, NUMBER)
        )._sort_unique()

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, part: slice) -> Points:
        return Points(self.steps[part], self.wall[part], self.values[part])

    def merge_newer(self, other: Points) -> Points:
        """Return both; if a step and its wall time are in both, those of `other`."""
        if not len(other):
            return self
        before = int(self.steps.searchsorted(other.steps[0]))
        after = self[before:]._concatenate(other)._sort_unique() if before < len(self) else other
        return self[:before]._concatenate(after)

    def _concatenate(self, other: Points) -> Points:
        pairs = zip(self.arrays(), other.arrays(), strict=True)
        return Points(*(np.concatenate(pair) for pair in pairs))

    def drop_nonfinite(self) -> Points:
        """Return the points whose value is neither NaN nor infinite."""
        solid = np.isfinite(self.values)
        return Points(self.steps[solid], self.wall[solid], self.values[solid])

    def nonfinite_steps(self) -> Steps:
        """Return the steps whose value is NaN or infinite."""
        return self.steps[~np.isfinite(self.values)]

    def arrays(self) -> tuple[Steps, Numbers, Numbers]:
        return self.steps, self.wall, self.values

    def pack(self) -> tuple[bytes, bytes, bytes]:
        return self.steps.tobytes(), self.wall.tobytes(), self.values.tobytes()

    def _sort_unique(self) -> Points:
        if (self.steps[1:] > self.steps[:-1]).all():
            return self
        order = np.lexsort((self.wall, self.steps))
        steps = self.steps[order]
        kept = order[np.append(steps[1:] != steps[:-1], True)]
        return Points(self.steps[kept], self.wall[kept], self.values[kept])


NO_POINTS = Points.from_arrays([], [], [])


def unpack_chunks(chunks: Iterable[Sequence[Packed]]) -> Points:
    """Return the points of consecutive chunks: (steps, values) or (steps, values, wall times)."""
    steps, values, *wall = (b"".join(column) for column in zip(*chunks, strict=True))
    found = np.frombuffer(values, NUMBER)
    when = np.frombuffer(wall[0], NUMBER) if wall else np.broadcast_to(np.nan, found.shape)
    return Points(np.frombuffer(steps, STEP), when, found)


def read_series(
    jobs: Iterable[int], metrics: Iterable[str] | None = None, timed: bool = True
) -> dict[int, dict[str, Points]]:
    """Return the series of these jobs, all or those of `metrics`, by job and metric, with one query.

    Wall times are NaN unless `timed`: they are a third of the data. Rows are sorted here, since a database
    would move whole chunks to sort them.
    """
    chunks = Chunk.objects.filter(series__job__in=jobs)
    if metrics is not None:
        chunks = chunks.filter(series__metric__in=metrics)
    columns = ("steps", "values", *(["wall"] if timed else []))
    rows = chunks.values_list("series_id", "index", "series__job_id", "series__metric", *columns)
    found: dict[int, dict[str, Points]] = defaultdict(dict)
    for (job, metric), pieces in groupby(sorted(rows, key=itemgetter(0, 1)), key=itemgetter(2, 3)):
        found[job][metric] = unpack_chunks([columns for _series, _index, _job, _metric, *columns in pieces])
    return found


def read_job_series(job: int) -> dict[str, Points]:
    return read_series([job]).get(job, {})


@transaction.atomic(savepoint=False)
def merge_points(job: int, batch: Mapping[str, Points], whole: Sequence[str] = ()) -> dict[str, Points]:
    """Add points to a job's series; points that are stored already change nothing.

    Return all series of the job: those of the metrics `whole` with every point, the others with at least the
    last CHUNK points.
    """
    batch = {metric: new for metric, new in batch.items() if len(new)}
    keys = _lock_series(job, batch)
    stored = _read_ends(job, keys, whole)
    behind = [metric for metric, new in batch.items() if stored[metric].begins_after(new)]
    if behind:
        stored |= {metric: SeriesEnd(0, found) for metric, found in read_series([job], behind)[job].items()}
    merged = {metric: stored[metric].points.merge_newer(batch.get(metric, NO_POINTS)) for metric in keys}
    chunks = (_iter_changed_chunks(keys[metric], stored[metric], merged[metric]) for metric in batch)
    Chunk.objects.bulk_create(
        chain.from_iterable(chunks),
        update_conflicts=True,
        unique_fields=["series", "index"],
        update_fields=COLUMNS,
    )
    return merged


def _lock_series(job: int, metrics: Iterable[str]) -> dict[str, int]:
    """Return the keys of a job's series by metric, and lock them against other merges; missing ones are
    created."""
    keys = _select_keys(job)
    missing = [Series(job_id=job, metric=metric) for metric in metrics if metric not in keys]
    if missing:
        Series.objects.bulk_create(missing, ignore_conflicts=True)
        keys = _select_keys(job)
    return keys


def _select_keys(job: int) -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute(
            SELECT_KEYS + (" FOR UPDATE" if connection.features.has_select_for_update else ""), [job]
        )
        return dict(cursor.fetchall())


@dataclass(frozen=True, slots=True)
class SeriesEnd:
    """The points of a series, beginning with its chunk `index`."""

    index: int
    points: Points

    def begins_after(self, new: Points) -> bool:
        return self.index > 0 and bool(new.steps[0] < self.points.steps[0])


MAX_WHOLE_METRICS = 3
"""Metrics that `merge_points` can return with every point: as many as SELECT_ENDS has placeholders for."""
SELECT_KEYS = "SELECT metric, id FROM metrics_series WHERE job_id = %s"
SELECT_ENDS = """
SELECT series.metric, chunk."index", chunk.steps, chunk."values", chunk.wall
FROM metrics_chunk chunk JOIN metrics_series series ON series.id = chunk.series_id
WHERE series.job_id = %s AND (series.metric = %s OR series.metric = %s OR series.metric = %s
  OR chunk."index" >= (SELECT MAX(one."index") - 1 FROM metrics_chunk one WHERE one.series_id = series.id))
"""
"""SQL, like SELECT_KEYS: every poll of every job runs it, and the ORM takes longer to build it than it
runs."""


def _read_ends(job: int, keys: Mapping[str, int], whole: Sequence[str]) -> dict[str, SeriesEnd]:
    """Return the last two chunks of each series, or all chunks for the metrics `whole`."""
    found: dict[str, list[tuple[int, Packed, Packed, Packed]]] = defaultdict(list)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.cursor.format = BINARY
        cursor.execute(SELECT_ENDS, [job, *([*whole] + [""] * MAX_WHOLE_METRICS)[:MAX_WHOLE_METRICS]])
        for metric, *chunk in cursor.fetchall():
            found[metric].append(tuple(chunk))
    return {metric: _end(found[metric]) for metric in keys}


def _end(chunks: list[tuple[int, Packed, Packed, Packed]]) -> SeriesEnd:
    if not chunks:
        return SeriesEnd(0, NO_POINTS)
    chunks.sort(key=itemgetter(0))
    return SeriesEnd(chunks[0][0], unpack_chunks([columns for _index, *columns in chunks]))


def _iter_changed_chunks(series: int, stored: SeriesEnd, merged: Points) -> Iterator[Chunk]:
    """Yield the chunks that differ from the stored ones."""
    for place in range(0, len(merged), CHUNK):
        piece = merged[place : place + CHUNK].pack()
        if piece != stored.points[place : place + CHUNK].pack():
            index = stored.index + place // CHUNK
            yield Chunk(series_id=series, index=index, **dict(zip(COLUMNS, piece, strict=True)))
