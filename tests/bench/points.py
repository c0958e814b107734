"""Stored points: how fast Django reads and thins them, and how fast the service's answers become points.

Reading stands beside the driver alone on the same rows; storing beside TensorBoard's own event file writer,
point by point as a training loop writes. On SQLite, then on PostgreSQL where one can be reached.
"""

from __future__ import annotations

import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import numpy as np
import psycopg
from django.db import connection
from django.utils import timezone
from tsdownsample import MinMaxLTTBDownsampler

from jobs.models import Submission, TuningJob
from metrics import collect, point_store
from metrics.charts.downsample import MAX_POINTS, downsample_points
from metrics.models import Feed
from metrics.point_store import Points
from studio.models import Project
from studio.vertex import time_series
from studio.vertex.client import _parse_object
from tests.bench.compare.workload import METRICS, TRAIN_LOSS, W2, Curve
from tests.metrics.monitor.page_reader import iter_values

ROUNDS = 9
MOST_READING = 6.0
LEAST_STORING = 4.0
STARTED, PACE = 1.7e9, 0.31
POSTGRESQL = "postgres://postgres@127.0.0.1:5432"
ANSWERS, NEW, AGAIN, RUNS = 25, 200, 50, 2
"""A poll brings 200 new points of three metrics and the 50 before them; 25 polls a run."""
TRAINING = METRICS[:3]

Found = dict[str, list[float]]


def measure() -> Iterator[str]:
    jobs = store_workload()
    yield f"{connection.vendor}: {W2.points:,} points stored"
    yield from measure_reading(jobs)
    yield from measure_storing()
    yield from measure_on_postgresql()


def store_workload() -> list[int]:
    """The whole of W2: what is read stands among what is not."""
    jobs = [new_job(name) for name in W2.names()]
    for job, (_name, curves) in zip(jobs, W2.curves(), strict=True):
        point_store.merge_points(job.pk, {metric: to_points(curve) for metric, curve in curves.items()})
    return [job.pk for job in jobs]


def new_job(name: str) -> TuningJob:
    return TuningJob.objects.create(
        project=Project.objects.get(slug="local"),
        submission=Submission.CREATED,
        state="JOB_STATE_RUNNING",
        name=f"projects/local/locations/us-central1/tuningJobs/{name}",
    )


def to_points(curve: Curve) -> Points:
    steps, values = curve
    return Points.from_arrays(steps, STARTED + PACE * steps, values)


def run_interleaved(runs: Mapping[str, Callable[[], float]]) -> Found:
    """What each measures, by turns, the first of one round the last of the next; one round to warm up."""
    found: Found = {name: [] for name in runs}
    for number in range(ROUNDS + 1):
        for name in sorted(runs, reverse=number % 2 == 0):
            measured = runs[name]()
            if number:
                found[name].append(measured)
    return found


def median_ratio(one: list[float], other: list[float]) -> float:
    """The median of each round's ratio: what slows a whole round down leaves it alone."""
    return statistics.median(first / second for first, second in zip(one, other, strict=True))


def time_call(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


# ---- reading: the training loss of 50 jobs, 10,000 points each, thinned to 1,000 ----


def measure_reading(jobs: list[int]) -> Iterator[str]:
    """Django reads steps, wall times and values by job and metric; the driver alone gets the series' keys
    and reads no wall times."""
    keys = list(
        point_store.Series.objects.filter(job__in=jobs, metric=TRAIN_LOSS).values_list("pk", flat=True)
    )
    with DriverRows() as rows:
        assert [len(kept) for kept in read_with_driver(rows, keys)] == [MAX_POINTS] * W2.runs
        assert [len(kept) // MAX_POINTS for kept in read_with_studio(jobs)] == [1] * W2.runs
        found = run_interleaved(
            {
                "Django": lambda: time_call(lambda: read_with_studio(jobs)),
                "driver": lambda: time_call(lambda: read_with_driver(rows, keys)),
            }
        )
    for name, each in found.items():
        yield f"{name:>12}: reads and thins in {format_milliseconds(each)}"
    ratio = median_ratio(found["Django"], found["driver"])
    yield f"Django takes {ratio:.2f} times as long as the driver; at most {MOST_READING} is asked for"
    assert ratio <= MOST_READING, "Reading takes too long."


def format_milliseconds(each: list[float]) -> str:
    rounds = " ".join(f"{one * 1000:.1f}" for one in each)
    return f"{statistics.median(each) * 1000:.1f} ms ({rounds})"


def read_with_studio(jobs: list[int]) -> list[Any]:
    found = point_store.read_series(jobs, [TRAIN_LOSS])
    return [downsample_points(found[job][TRAIN_LOSS].steps, found[job][TRAIN_LOSS].values) for job in jobs]


def read_with_driver(
    rows: Callable[[list[int]], Iterable[tuple[int, bytes, bytes]]], keys: list[int]
) -> list[Any]:
    whole: dict[int, tuple[list[bytes], list[bytes]]] = {key: ([], []) for key in keys}
    for key, steps, found in rows(keys):
        whole[key][0].append(steps)
        whole[key][1].append(found)
    arrays = ((np.frombuffer(b"".join(x), np.int64), np.frombuffer(b"".join(y))) for x, y in whole.values())
    return [MinMaxLTTBDownsampler().downsample(x, y, n_out=MAX_POINTS) for x, y in arrays]


class DriverRows:
    """A connection of the driver's own, without Django; PostgreSQL answers in its binary form."""

    def __enter__(self) -> Callable[[list[int]], Iterable[tuple[int, bytes, bytes]]]:
        place = connection.settings_dict
        if connection.vendor == "sqlite":
            self.driver: Any = sqlite3.connect(place["NAME"])
            return self.sqlite
        self.driver = psycopg.connect(
            host=place["HOST"],
            port=place["PORT"] or 5432,
            user=place["USER"],
            password=place["PASSWORD"],
            dbname=place["NAME"],
        )
        return self.postgresql

    def __exit__(self, *_: object) -> None:
        self.driver.close()

    def sqlite(self, keys: list[int]) -> Iterable[tuple[int, bytes, bytes]]:
        marks = ",".join("?" * len(keys))
        sql = f'SELECT series_id, steps, "values" FROM metrics_chunk WHERE series_id IN ({marks})'  # noqa: S608
        found: Iterable[tuple[int, bytes, bytes]] = self.driver.execute(
            f'{sql} ORDER BY series_id, "index"', keys
        )
        return found

    def postgresql(self, keys: list[int]) -> Iterable[tuple[int, bytes, bytes]]:
        sql = 'SELECT series_id, steps, "values" FROM metrics_chunk WHERE series_id = ANY(%s)'
        found: Iterable[tuple[int, bytes, bytes]] = self.driver.execute(
            f'{sql} ORDER BY series_id, "index"', [keys], binary=True
        )
        return found


# ---- storing: polls of running jobs, from the JSON of the service to committed points and summary ----


def measure_storing() -> Iterator[str]:
    curves = [found for _name, found in islice(W2.curves(), RUNS)]
    polls = [[answer(found, poll) for poll in range(ANSWERS)] for found in curves]
    count = RUNS * ANSWERS * NEW * len(TRAINING)
    numbers = iter(range(10**6))
    found = run_interleaved(
        {
            "studio": lambda: count / time_call(lambda: [store_answers(next(numbers), run) for run in polls]),
            "TensorBoard": lambda: count / time_call(lambda: [log_events(found) for found in curves]),
        }
    )
    for name, each in found.items():
        rounds = " ".join(f"{one / 1000:.1f}" for one in each)
        yield f"{name:>12}: stores {statistics.median(each):,.0f} new points/s (thousands: {rounds})"
    ratio = median_ratio(found["studio"], found["TensorBoard"])
    yield f"The studio is {ratio:.2f} times as fast as TensorBoard; {LEAST_STORING} is asked for"
    assert ratio >= LEAST_STORING, "Storing takes too long."


def answer(curves: dict[str, Curve], poll: int) -> bytes:
    part = slice(max(0, poll * NEW - AGAIN), (poll + 1) * NEW)
    data = []
    for metric in TRAINING:
        steps, found = curves[metric][0][part].tolist(), curves[metric][1][part].tolist()
        told = iter_values(
            (step, STARTED + PACE * step, value) for step, value in zip(steps, found, strict=True)
        )
        data.append({"tensorboardTimeSeriesId": metric, "valueType": "SCALAR", "values": list(told)})
    return json.dumps({"timeSeriesData": data}).encode()


def store_answers(number: int, answers: list[bytes]) -> None:
    """What the worker does with each answer: parse, merge, summarise, commit."""
    job = new_job(f"followed-{number}")
    feed = Feed.objects.create(job=job, due_at=timezone.now())
    for body in answers:
        told = _parse_object(body)["timeSeriesData"]
        read = {one["tensorboardTimeSeriesId"]: time_series.parse_points(one["values"]) for one in told}
        collect.store_fetched(feed, collect.FetchedSeries("run", collect.parse_points(read)), timezone.now())
    assert len(point_store.read_job_series(job.pk)[TRAIN_LOSS]) == ANSWERS * NEW


def log_events(curves: dict[str, Curve]) -> None:
    """As tf.summary and torch's SummaryWriter do at their core: an event a point."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    columns = [curves[metric][1][: ANSWERS * NEW].tolist() for metric in TRAINING]
    with tempfile.TemporaryDirectory() as folder:
        writer = EventFileWriter(folder)
        for step, row in enumerate(zip(*columns, strict=True), start=1):
            for metric, value in zip(TRAINING, row, strict=True):
                summary = Summary(value=[Summary.Value(tag=metric, simple_value=value)])
                writer.add_event(Event(wall_time=STARTED + PACE * step, step=step, summary=summary))
        writer.close()


# ---- the other database ----


def measure_on_postgresql() -> Iterator[str]:
    """The same on PostgreSQL, in a process of its own, when this one has measured SQLite."""
    if connection.vendor != "sqlite":
        return
    try:
        psycopg.connect(f"{POSTGRESQL}/postgres", connect_timeout=2).close()
    except psycopg.OperationalError:
        yield f"postgresql: not measured, none answers at {POSTGRESQL}"
        return
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", "points"],
        env={**os.environ, "TEST_DATABASE_URL": f"{POSTGRESQL}/bench_points"},
        stdout=subprocess.PIPE,
        text=True,
    )
    yield from (line.removeprefix("points: ") for line in done.stdout.splitlines())
    assert done.returncode == 0, "PostgreSQL falls short."
