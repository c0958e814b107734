"""Packed points against a plain dict: one value per step, the latest wall time wins, nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from django.db import connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from jobs.models import TuningJob
from metrics import point_store
from metrics.models import Chunk, Series
from metrics.point_store import Points
from metrics.run import Run
from metrics.summary import RATE_WINDOW, summarize_curves
from studio.models import Project

LOSS, EVAL = "/train_total_loss", "/eval_total_loss"
pytestmark = [pytest.mark.django_db, pytest.mark.sql]


@pytest.fixture
def job(project: Project) -> TuningJob:
    return TuningJob.objects.create(project=project)


def make_points(first: int, last: int, value: float = 0.5) -> Points:
    steps = np.arange(first, last)
    return Points.from_arrays(steps, steps * 2.0, np.full(len(steps), value))


def read_stored(job: TuningJob, metric: str = LOSS) -> list[tuple[int, float, float]]:
    found = point_store.read_job_series(job.pk)[metric]
    return list(zip(*(array.tolist() for array in found.arrays()), strict=True))


def test_points_round_trip_exactly(job: TuningJob) -> None:
    odd = [float("inf"), -float("inf"), 0.1 + 0.2, 5e-324]
    point_store.merge_points(
        job.pk, {LOSS: Points.from_arrays([1, 2, 3, 2**40], [1.5, 2.5, 3.5, 1.7e9], odd)}
    )
    assert read_stored(job) == [(1, 1.5, odd[0]), (2, 2.5, odd[1]), (3, 3.5, odd[2]), (2**40, 1.7e9, odd[3])]


def test_nan_is_kept(job: TuningJob) -> None:
    point_store.merge_points(job.pk, {LOSS: Points.from_arrays([1, 2], [1, 2], [float("nan"), 1.0])})
    assert np.isnan(point_store.read_job_series(job.pk)[LOSS].values).tolist() == [True, False]


def test_repeated_points_change_nothing(job: TuningJob, django_assert_max_num_queries: Any) -> None:
    point_store.merge_points(job.pk, {LOSS: make_points(0, 5000)})
    before = list(Chunk.objects.order_by("index").values_list("pk", "steps", "wall", "values"))
    point_store.merge_points(job.pk, {LOSS: make_points(4500, 5000)})
    point_store.merge_points(job.pk, {LOSS: make_points(0, 5000)})
    assert list(Chunk.objects.order_by("index").values_list("pk", "steps", "wall", "values")) == before


def test_the_later_wall_time_wins_whichever_comes_first(job: TuningJob) -> None:
    early, late = Points.from_arrays([7], [10.0], [1.0]), Points.from_arrays([7], [11.0], [2.0])
    point_store.merge_points(job.pk, {LOSS: late, "/other": early})
    point_store.merge_points(job.pk, {LOSS: early, "/other": late})
    assert read_stored(job) == read_stored(job, "/other") == [(7, 11.0, 2.0)]


def test_points_before_the_last_chunk_are_merged_in_order(job: TuningJob) -> None:
    point_store.merge_points(job.pk, {LOSS: make_points(1000, 7000)})
    point_store.merge_points(job.pk, {LOSS: make_points(0, 1500)})
    assert [step for step, _, _ in read_stored(job)] == list(range(7000))
    assert list(Chunk.objects.order_by("index").values_list("index", flat=True)) == [0, 1, 2, 3]


def test_poll_of_six_series_takes_few_queries(
    job: TuningJob, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    names = [f"/metric_{n}" for n in range(6)]
    point_store.merge_points(job.pk, {name: make_points(0, 3000) for name in names})
    with django_assert_max_num_queries(8):
        point_store.merge_points(job.pk, {name: make_points(2900, 3100) for name in names})
    assert all(len(series) == 3100 for series in point_store.read_job_series(job.pk).values())


def test_reading_many_jobs_takes_one_query(
    job: TuningJob, project: Project, django_assert_num_queries: Callable[[int], Any]
) -> None:
    other = TuningJob.objects.create(project=project)
    for pk in (job.pk, other.pk):
        point_store.merge_points(pk, {LOSS: make_points(0, 2500), "/eval_total_loss": make_points(0, 10)})
    with django_assert_num_queries(1):
        found = point_store.read_series([job.pk, other.pk])
    assert {pk: {name: len(got) for name, got in series.items()} for pk, series in found.items()} == {
        pk: {LOSS: 2500, "/eval_total_loss": 10} for pk in (job.pk, other.pk)
    }


def test_reading_one_metric_skips_the_others(
    job: TuningJob, project: Project, django_assert_num_queries: Callable[[int], Any]
) -> None:
    other = TuningJob.objects.create(project=project)
    point_store.merge_points(job.pk, {LOSS: make_points(0, 4500), EVAL: make_points(0, 10)})
    point_store.merge_points(other.pk, {EVAL: make_points(0, 20)})
    with django_assert_num_queries(1):
        found = point_store.read_series([job.pk, other.pk], [LOSS])
    assert list(found) == [job.pk]
    assert list(found[job.pk]) == [LOSS]
    assert found[job.pk][LOSS].steps.tolist() == list(range(4500))
    assert point_store.read_series([job.pk], []) == {}


def test_empty_batch_creates_no_series(job: TuningJob) -> None:
    point_store.merge_points(job.pk, {LOSS: point_store.NO_POINTS})
    assert not Series.objects.exists()
    assert point_store.read_job_series(job.pk) == {}


def test_rolled_back_transaction_leaves_nothing(job: TuningJob) -> None:
    point_store.merge_points(job.pk, {LOSS: make_points(0, 10)})
    with pytest.raises(RuntimeError), transaction.atomic():
        point_store.merge_points(job.pk, {LOSS: make_points(5, 4000)})
        raise RuntimeError("killed here")
    assert len(point_store.read_job_series(job.pk)[LOSS]) == 10


batches = st.lists(
    st.lists(
        st.tuples(st.integers(0, 60), st.integers(0, 5), st.floats(allow_nan=False, width=32)), max_size=40
    ),
    max_size=6,
)


@given(batches=batches, chunk=st.integers(1, 9))
def test_any_order_of_any_points_equals_a_dict(
    job: TuningJob,
    monkeypatch: pytest.MonkeyPatch,
    batches: list[list[tuple[int, int, float]]],
    chunk: int,
) -> None:
    Series.objects.all().delete()
    monkeypatch.setattr(point_store, "CHUNK", chunk)
    model: dict[int, tuple[int, float]] = {}
    for batch in batches:
        for step, wall, value in batch:
            if step not in model or wall >= model[step][0]:
                model[step] = wall, value
        point_store.merge_points(
            job.pk, {LOSS: Points.from_arrays(*zip(*batch, strict=True))} if batch else {}
        )
    found = point_store.read_job_series(job.pk).get(LOSS, point_store.NO_POINTS)
    assert found.steps.tolist() == sorted(model)
    assert list(zip(found.wall.tolist(), found.values.tolist(), strict=True)) == [
        model[step] for step in sorted(model)
    ]


odd = st.floats() | st.sampled_from([float("nan"), float("inf"), -float("inf")])
distinct = st.dictionaries(st.integers(0, 400), st.tuples(st.integers(0, 9), odd), min_size=1, max_size=60)


def read_chunk_bytes(job: TuningJob) -> list[tuple[bytes, ...]]:
    """What is stored, bit by bit: NaN equals itself here."""
    chunks = Chunk.objects.filter(series__job=job).order_by("series__metric", "index")
    return [tuple(map(bytes, row)) for row in chunks.values_list("steps", "wall", "values")]


@given(points_of=distinct, chunk=st.integers(1, 30), shuffled=st.randoms(use_true_random=False))
def test_order_repetition_and_batches_do_not_matter(
    job: TuningJob,
    monkeypatch: pytest.MonkeyPatch,
    points_of: dict[int, tuple[int, float]],
    chunk: int,
    shuffled: Any,
) -> None:
    monkeypatch.setattr(point_store, "CHUNK", chunk)
    whole = [(step, wall, value) for step, (wall, value) in points_of.items()]
    Series.objects.all().delete()
    point_store.merge_points(job.pk, {LOSS: Points.from_arrays(*zip(*whole, strict=True))})
    at_once = read_chunk_bytes(job)
    Series.objects.all().delete()
    left = whole + shuffled.choices(whole, k=len(whole))
    shuffled.shuffle(left)
    while left:
        size = shuffled.randint(1, 40)
        poll, left = {LOSS: Points.from_arrays(*zip(*left[:size], strict=True))}, left[size:]
        point_store.merge_points(job.pk, poll)
        if shuffled.random() < 0.3:
            point_store.merge_points(job.pk, poll)
    assert read_chunk_bytes(job) == at_once


@given(
    polls=st.lists(st.dictionaries(st.sampled_from([LOSS, EVAL, "/other"]), distinct), max_size=5),
    chunk=st.integers(RATE_WINDOW, 2 * RATE_WINDOW),
    start=st.integers(0, 500),
)
def test_summary_of_merge_result_equals_summary_of_all_points(
    job: TuningJob,
    monkeypatch: pytest.MonkeyPatch,
    polls: list[dict[str, dict[int, tuple[int, float]]]],
    chunk: int,
    start: int,
) -> None:
    monkeypatch.setattr(point_store, "CHUNK", chunk)
    Series.objects.all().delete()
    point_store.merge_points(
        job.pk,
        {LOSS: make_points(0, start), EVAL: make_points(start, 2 * start), "/still": make_points(0, start)},
    )
    for poll in polls:
        batch = {
            metric: Points.from_arrays(
                *zip(*((step, wall, value) for step, (wall, value) in found.items()), strict=True)
            )
            for metric, found in poll.items()
        }
        ends = point_store.merge_points(job.pk, batch, whole=[EVAL])
        assert summarize_curves(ends, Run()) == summarize_curves(point_store.read_job_series(job.pk), Run())
        assert (
            ends.get(EVAL, point_store.NO_POINTS).pack()
            == point_store.read_job_series(job.pk).get(EVAL, point_store.NO_POINTS).pack()
        )


def test_merge_result_is_enough_for_a_summary() -> None:
    assert point_store.CHUNK >= RATE_WINDOW


def test_postgresql_stores_points_uncompressed() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("asked of PostgreSQL only: set TEST_DATABASE_URL")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT attstorage FROM pg_attribute"
            " WHERE attrelid = 'metrics_chunk'::regclass AND attname IN ('steps', 'wall', 'values')"
        )
        assert cursor.fetchall() == [("e",)]
