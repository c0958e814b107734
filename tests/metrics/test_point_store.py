"""Packed points against a plain dict: one value per step, the latest wall time wins, nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.models import TuningJob
from metrics import point_store
from metrics.models import Chunk, Series
from metrics.point_store import Points
from metrics.run import Run
from metrics.summary import RECENT, summarise
from studio.models import Project

LOSS, EVAL = "/train_total_loss", "/eval_total_loss"
pytestmark = pytest.mark.django_db


@pytest.fixture
def job(project: Project) -> TuningJob:
    return TuningJob.objects.create(project=project)


def line(first: int, last: int, value: float = 0.5) -> Points:
    steps = np.arange(first, last)
    return Points.of(steps, steps * 2.0, np.full(len(steps), value))


def stored(job: TuningJob, metric: str = LOSS) -> list[tuple[int, float, float]]:
    found = point_store.of_job(job.pk)[metric]
    return list(zip(*(array.tolist() for array in found.arrays()), strict=True))


def test_what_goes_in_comes_out_exactly(job: TuningJob) -> None:
    odd = [float("inf"), -float("inf"), 0.1 + 0.2, 5e-324]
    point_store.merge(job.pk, {LOSS: Points.of([1, 2, 3, 2**40], [1.5, 2.5, 3.5, 1.7e9], odd)})
    assert stored(job) == [(1, 1.5, odd[0]), (2, 2.5, odd[1]), (3, 3.5, odd[2]), (2**40, 1.7e9, odd[3])]


def test_nan_is_kept(job: TuningJob) -> None:
    point_store.merge(job.pk, {LOSS: Points.of([1, 2], [1, 2], [float("nan"), 1.0])})
    assert np.isnan(point_store.of_job(job.pk)[LOSS].values).tolist() == [True, False]


def test_repeated_points_change_nothing(job: TuningJob, django_assert_max_num_queries: Any) -> None:
    point_store.merge(job.pk, {LOSS: line(0, 5000)})
    before = list(Chunk.objects.order_by("index").values_list("pk", "steps", "wall", "values"))
    point_store.merge(job.pk, {LOSS: line(4500, 5000)})
    point_store.merge(job.pk, {LOSS: line(0, 5000)})
    assert list(Chunk.objects.order_by("index").values_list("pk", "steps", "wall", "values")) == before


def test_the_later_wall_time_wins_whichever_comes_first(job: TuningJob) -> None:
    early, late = Points.of([7], [10.0], [1.0]), Points.of([7], [11.0], [2.0])
    point_store.merge(job.pk, {LOSS: late, "/other": early})
    point_store.merge(job.pk, {LOSS: early, "/other": late})
    assert stored(job) == stored(job, "/other") == [(7, 11.0, 2.0)]


def test_points_before_the_last_chunk_find_their_place(job: TuningJob) -> None:
    point_store.merge(job.pk, {LOSS: line(1000, 7000)})
    point_store.merge(job.pk, {LOSS: line(0, 1500)})
    assert [step for step, _, _ in stored(job)] == list(range(7000))
    assert list(Chunk.objects.order_by("index").values_list("index", flat=True)) == [0, 1, 2, 3]


def test_a_poll_of_six_series_is_a_handful_of_queries(
    job: TuningJob, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    names = [f"/metric_{n}" for n in range(6)]
    point_store.merge(job.pk, {name: line(0, 3000) for name in names})
    with django_assert_max_num_queries(8):
        point_store.merge(job.pk, {name: line(2900, 3100) for name in names})
    assert all(len(series) == 3100 for series in point_store.of_job(job.pk).values())


def test_all_series_of_many_jobs_are_one_query(
    job: TuningJob, project: Project, django_assert_num_queries: Callable[[int], Any]
) -> None:
    other = TuningJob.objects.create(project=project)
    for pk in (job.pk, other.pk):
        point_store.merge(pk, {LOSS: line(0, 2500), "/eval_total_loss": line(0, 10)})
    with django_assert_num_queries(1):
        found = point_store.read([job.pk, other.pk])
    assert {pk: {name: len(got) for name, got in series.items()} for pk, series in found.items()} == {
        pk: {LOSS: 2500, "/eval_total_loss": 10} for pk in (job.pk, other.pk)
    }


def test_asked_for_one_metric_the_others_are_left_alone(
    job: TuningJob, project: Project, django_assert_num_queries: Callable[[int], Any]
) -> None:
    other = TuningJob.objects.create(project=project)
    point_store.merge(job.pk, {LOSS: line(0, 4500), EVAL: line(0, 10)})
    point_store.merge(other.pk, {EVAL: line(0, 20)})
    with django_assert_num_queries(1):
        found = point_store.read([job.pk, other.pk], [LOSS])
    assert list(found) == [job.pk]
    assert list(found[job.pk]) == [LOSS]
    assert found[job.pk][LOSS].steps.tolist() == list(range(4500))
    assert point_store.read([job.pk], []) == {}


def test_an_empty_batch_makes_no_series(job: TuningJob) -> None:
    point_store.merge(job.pk, {LOSS: point_store.NONE})
    assert not Series.objects.exists()
    assert point_store.of_job(job.pk) == {}


def test_a_transaction_that_is_cut_leaves_nothing(job: TuningJob) -> None:
    point_store.merge(job.pk, {LOSS: line(0, 10)})
    with pytest.raises(RuntimeError), transaction.atomic():
        point_store.merge(job.pk, {LOSS: line(5, 4000)})
        raise RuntimeError("killed here")
    assert len(point_store.of_job(job.pk)[LOSS]) == 10


batches = st.lists(
    st.lists(
        st.tuples(st.integers(0, 60), st.integers(0, 5), st.floats(allow_nan=False, width=32)), max_size=40
    ),
    max_size=6,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
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
        point_store.merge(job.pk, {LOSS: Points.of(*zip(*batch, strict=True))} if batch else {})
    found = point_store.of_job(job.pk).get(LOSS, point_store.NONE)
    assert found.steps.tolist() == sorted(model)
    assert list(zip(found.wall.tolist(), found.values.tolist(), strict=True)) == [
        model[step] for step in sorted(model)
    ]


odd = st.floats() | st.sampled_from([float("nan"), float("inf"), -float("inf")])
distinct = st.dictionaries(st.integers(0, 400), st.tuples(st.integers(0, 9), odd), min_size=1, max_size=60)


def told(job: TuningJob) -> list[tuple[bytes, ...]]:
    """What is stored, bit by bit: NaN equals itself here."""
    chunks = Chunk.objects.filter(series__job=job).order_by("series__metric", "index")
    return [tuple(map(bytes, row)) for row in chunks.values_list("steps", "wall", "values")]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(points_of=distinct, chunk=st.integers(1, 30), shuffled=st.randoms(use_true_random=False))
def test_order_repetition_and_splits_make_no_difference(
    job: TuningJob,
    monkeypatch: pytest.MonkeyPatch,
    points_of: dict[int, tuple[int, float]],
    chunk: int,
    shuffled: Any,
) -> None:
    monkeypatch.setattr(point_store, "CHUNK", chunk)
    whole = [(step, wall, value) for step, (wall, value) in points_of.items()]
    Series.objects.all().delete()
    point_store.merge(job.pk, {LOSS: Points.of(*zip(*whole, strict=True))})
    at_once = told(job)
    Series.objects.all().delete()
    left = whole + shuffled.choices(whole, k=len(whole))
    shuffled.shuffle(left)
    while left:
        size = shuffled.randint(1, 40)
        poll, left = {LOSS: Points.of(*zip(*left[:size], strict=True))}, left[size:]
        point_store.merge(job.pk, poll)
        if shuffled.random() < 0.3:
            point_store.merge(job.pk, poll)
    assert told(job) == at_once


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    polls=st.lists(st.dictionaries(st.sampled_from([LOSS, EVAL, "/other"]), distinct), max_size=5),
    chunk=st.integers(RECENT, 2 * RECENT),
    start=st.integers(0, 500),
)
def test_what_a_merge_answers_sums_up_as_everything_does(
    job: TuningJob,
    monkeypatch: pytest.MonkeyPatch,
    polls: list[dict[str, dict[int, tuple[int, float]]]],
    chunk: int,
    start: int,
) -> None:
    monkeypatch.setattr(point_store, "CHUNK", chunk)
    Series.objects.all().delete()
    point_store.merge(job.pk, {LOSS: line(0, start), EVAL: line(start, 2 * start), "/still": line(0, start)})
    for poll in polls:
        batch = {
            metric: Points.of(
                *zip(*((step, wall, value) for step, (wall, value) in found.items()), strict=True)
            )
            for metric, found in poll.items()
        }
        ends = point_store.merge(job.pk, batch, whole=[EVAL])
        assert summarise(ends, Run()) == summarise(point_store.of_job(job.pk), Run())
        assert (
            ends.get(EVAL, point_store.NONE).packed()
            == point_store.of_job(job.pk).get(EVAL, point_store.NONE).packed()
        )


def test_a_summary_needs_no_more_than_a_merge_answers() -> None:
    assert point_store.CHUNK >= RECENT


def test_postgresql_stores_points_as_they_are() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("asked of PostgreSQL only: set TEST_DATABASE_URL")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT attstorage FROM pg_attribute"
            " WHERE attrelid = 'metrics_chunk'::regclass AND attname IN ('steps', 'wall', 'values')"
        )
        assert cursor.fetchall() == [("e",)]
