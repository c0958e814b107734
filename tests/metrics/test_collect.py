"""From the service to the stored points: everything once, whatever fails in between."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from jobs.models import Submission, TuningJob
from metrics import collect, point_store
from metrics.diagnosis.analysis import find_alerts
from metrics.models import CLAIM, Feed
from metrics.run import Run
from metrics.summary import summarize_curves
from metrics.tasks import pull_due
from studio.models import Project
from studio.vertex.errors import OutcomeUnknown
from tests.engine.running_engine import Engine
from tests.metrics.charts.test_figures import decode_numbers
from tests.metrics.conftest import get_feed
from tests.metrics.monitor.page_reader import RUN, Board, Point
from tests.studio.vertex.double import Answer, json_answer

LOSS, EVAL = "/train_total_loss", "/eval_total_loss"
ACCURACY = "/eval_fraction_of_correct_next_step_preds"
pytestmark = [pytest.mark.django_db, pytest.mark.sql]


@pytest.fixture
def browser(tuner: User, browser_of: Callable[[User], Client]) -> Client:
    return browser_of(tuner)


def falling_points(first: int, last: int) -> list[Point]:
    return [(step, 1.7e9 + step, 4 / step) for step in range(first, last)]


def read_stored(job: TuningJob, metric: str = LOSS) -> list[Point]:
    found = point_store.read_job_series(job.pk).get(metric, point_store.NO_POINTS)
    return list(zip(*(array.tolist() for array in found.arrays()), strict=True))


def make_due(job: TuningJob) -> None:
    Feed.objects.filter(job=job).update(due_at=timezone.now() - timedelta(seconds=1))


def pull_again(job: TuningJob) -> None:
    make_due(job)
    pull_due()


def test_first_pull_stores_every_point(job: TuningJob, board: Board) -> None:
    board.series = {LOSS: falling_points(1, 300), EVAL: falling_points(20, 40)}
    begin = timezone.now()
    pull_due()
    assert read_stored(job) == falling_points(1, 300)
    assert read_stored(job, EVAL) == falling_points(20, 40)
    feed = get_feed(job)
    assert (feed.run, feed.error) == (RUN, {})
    assert feed.read_at
    assert feed.due_at
    assert feed.due_at > begin


def test_unchanged_series_are_not_fetched_again(job: TuningJob, board: Board) -> None:
    board.series = {LOSS: falling_points(1, 300), EVAL: falling_points(20, 40)}
    pull_due()
    board.pop_requests()
    pull_again(job)
    assert board.pop_requests() == ["timeSeries"]
    board.series[LOSS] = falling_points(1, 310)
    pull_again(job)
    assert board.pop_requests() == ["timeSeries", "batchRead"]
    assert read_stored(job) == falling_points(1, 310)
    assert read_stored(job, EVAL) == falling_points(20, 40)


def test_pull_without_news_takes_few_queries(
    job: TuningJob, board: Board, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    board.series = {LOSS: falling_points(1, 300)}
    pull_due()
    make_due(job)
    with django_assert_max_num_queries(6):
        pull_due()


def test_series_longer_than_one_read_is_complete(job: TuningJob, board: Board) -> None:
    board.series = {LOSS: falling_points(1, 2500)}
    pull_due()
    assert read_stored(job) == falling_points(1, 2500)


def test_rewritten_point_replaces_the_old_one(job: TuningJob, board: Board) -> None:
    board.series = {LOSS: falling_points(1, 50)}
    pull_due()
    board.series = {
        LOSS: [*falling_points(1, 40), *((step, wall + 100, 9.0) for step, wall, _ in falling_points(40, 50))]
    }
    pull_again(job)
    assert read_stored(job) == board.series[LOSS]


def test_nonfinite_values_are_stored_unchanged(job: TuningJob, board: Board) -> None:
    board.series = {LOSS: [(1, 1.7e9, math.nan), (2, 1.7e9, math.inf), (3, 1.7e9, -math.inf)]}
    pull_due()
    found = point_store.read_job_series(job.pk)[LOSS].values
    assert np.array_equal(found, [math.nan, math.inf, -math.inf], equal_nan=True)
    job.refresh_from_db()
    assert job.summary["train_last"] is None


def test_announced_but_missing_points_are_fetched_later(job: TuningJob, board: Board) -> None:
    board.series, board.held_back = {LOSS: falling_points(1, 50)}, 7
    pull_due()
    assert read_stored(job) == falling_points(1, 43)
    board.held_back = 0
    pull_again(job)
    assert read_stored(job) == falling_points(1, 50)


def test_unordered_repeated_and_odd_points_are_stored_correctly(job: TuningJob, board: Board) -> None:
    dice = random.Random(5)
    whole = [*falling_points(1, 300), (300, 1.7e9 + 300, math.nan), (301, 1.7e9 + 301, math.inf)]
    for reached in (100, 40, 250, len(whole)):  # the second answer is older than the first
        board.series = {
            metric: [*whole[:reached], *dice.choices(whole[:reached], k=30)] for metric in (LOSS, EVAL)
        }
        for told in board.series.values():
            dice.shuffle(told)
        pull_again(job) if Feed.objects.exists() else pull_due()
        pull_again(job)
    for metric in (LOSS, EVAL):
        assert np.array_equal(read_stored(job, metric), whole, equal_nan=True)
    job.refresh_from_db()
    series, run = point_store.read_job_series(job.pk), Run.from_job(job)
    assert job.summary == summarize_curves(series, run) | {"alerts": find_alerts(series, run)}
    assert job.summary["best"]["step"] == 299


def test_points_stay_when_the_experiment_is_deleted(job: TuningJob, board: Board, browser: Client) -> None:
    board.series = {LOSS: falling_points(1, 60), EVAL: falling_points(20, 40)}
    pull_due()
    job.refresh_from_db()
    summary = job.summary
    board.series, board.fault = {}, json_answer({"error": {"code": 404, "status": "NOT_FOUND"}}, 404)
    TuningJob.objects.update(state="JOB_STATE_SUCCEEDED", ended_at=timezone.now() - timedelta(hours=25))
    pull_again(job)
    assert get_feed(job).error["kind"] == "NotFound"
    assert get_feed(job).due_at is None
    assert read_stored(job) == falling_points(1, 60)
    job.refresh_from_db()
    assert job.summary == summary
    assert browser.get(reverse("metrics:monitor", args=["local", job.pk])).status_code == 200
    charts = browser.get(reverse("metrics:figures", args=["local", job.pk])).json()["charts"]
    drawn = {
        trace["name"]: decode_numbers(trace["y"]).tolist()
        for trace in charts["loss"]["data"]
        if "name" in trace
    }
    assert drawn["Train (raw)"] == [value for _, _, value in falling_points(1, 60)]
    assert drawn["Validation"] == [value for _, _, value in falling_points(20, 40)]


def test_a_run_that_lost_its_series_keeps_their_points(job: TuningJob, board: Board) -> None:
    board.series = {LOSS: falling_points(1, 60), EVAL: falling_points(20, 40)}
    pull_due()
    board.series = {}
    pull_again(job)
    assert get_feed(job).error == {}
    assert (read_stored(job), read_stored(job, EVAL)) == (falling_points(1, 60), falling_points(20, 40))


def test_permission_error_is_stored_and_cleared_later(job: TuningJob, board: Board) -> None:
    board.series = {LOSS: falling_points(1, 20)}
    pull_due()
    board.fault = json_answer({"error": {"code": 403, "status": "PERMISSION_DENIED", "message": "no"}}, 403)
    pull_again(job)
    feed = get_feed(job)
    assert (feed.error["kind"], feed.error["code"]) == ("PermissionDenied", 403)
    assert read_stored(job) == falling_points(1, 20)
    board.fault = None
    pull_again(job)
    assert get_feed(job).error == {}


@pytest.mark.parametrize(
    "fault", [Answer(503), Answer(reset=True), Answer(200, "not json"), Answer(cut=True)]
)
def test_any_fault_is_retried_soon(job: TuningJob, board: Board, fault: Answer) -> None:
    board.series, board.fault = {LOSS: falling_points(1, 20)}, fault
    pull_due()
    feed = get_feed(job)
    assert feed.error
    assert feed.due_at
    assert feed.due_at <= timezone.now() + collect.RETRY
    board.fault = None
    pull_again(job)
    assert read_stored(job) == falling_points(1, 20)


def test_worker_death_while_writing_leaves_no_gap_or_duplicate(
    job: TuningJob, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    board.series = {LOSS: falling_points(1, 30)}
    pull_due()
    board.series = {LOSS: falling_points(1, 60), EVAL: falling_points(10, 20)}

    def fail_to_summarize(*_: object) -> None:
        raise SystemExit("killed")

    with monkeypatch.context() as patch:
        patch.setattr(collect, "summarize_curves", fail_to_summarize)
        begin = timezone.now()
        with pytest.raises(SystemExit):
            pull_again(job)
    assert read_stored(job) == falling_points(1, 30)
    assert read_stored(job, EVAL) == []
    due = get_feed(job).due_at
    assert due
    assert begin + CLAIM <= due <= timezone.now() + CLAIM
    pull_again(job)
    assert read_stored(job) == falling_points(1, 60)
    assert read_stored(job, EVAL) == falling_points(10, 20)


def test_job_without_experiment_sends_no_request(job: TuningJob, board: Board) -> None:
    TuningJob.objects.update(remote={"state": "JOB_STATE_PENDING"})
    pull_due()
    assert board.pop_requests() == []
    assert get_feed(job).due_at


def test_drafts_have_no_feed(project: Project, board: Board) -> None:
    TuningJob.objects.create(project=project)
    pull_due()
    assert not Feed.objects.exists()


def test_feed_is_claimed_by_one_worker_only(job: TuningJob) -> None:
    Feed.objects.create_missing(timezone.now())
    first = Feed.objects.claim_due(timezone.now())
    assert next(first).job_id == job.pk
    assert list(Feed.objects.claim_due(timezone.now())) == []
    Feed.objects.create_missing(timezone.now())
    assert Feed.objects.count() == 1


def test_one_broken_job_does_not_block_others(
    project: Project, job: TuningJob, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = TuningJob.objects.create(project=project, name="projects/x/other", remote=job.remote)
    board.series = {LOSS: falling_points(1, 9)}
    visit = collect.fetch_new_points

    def raise_for_broken_job(feed: Feed) -> collect.FetchedSeries:
        if feed.job_id == job.pk:
            raise OutcomeUnknown("down")
        return visit(feed)

    monkeypatch.setattr(collect, "fetch_new_points", raise_for_broken_job)
    pull_due()
    assert get_feed(job).error
    assert read_stored(other) == falling_points(1, 9)


END = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0, 60), (59, 60), (60, 600), (300, 600), (600, None), (9000, None)]
)
def test_ended_job_is_read_twice_more(seconds: int, expected: int | None) -> None:
    at = collect.next_read(END, END + timedelta(seconds=seconds))
    assert at == (None if expected is None else END + timedelta(seconds=expected))


def test_running_job_is_read_at_the_poll_interval(settings: Settings) -> None:
    assert collect.next_read(None, END) == END + timedelta(seconds=settings.POLL_SECONDS)


def test_starting_job_is_read_each_second_until_its_first_point(
    job: TuningJob, board: Board, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: now)
    settings.POLL_SECONDS = 5.0
    TuningJob.objects.update(submitted_at=now)
    pull_due()
    assert get_feed(job).due_at == now + timedelta(seconds=1)
    board.series = {LOSS: falling_points(1, 3)}
    pull_again(job)
    assert get_feed(job).due_at == now + timedelta(seconds=5)


def test_last_points_after_the_end_are_kept(job: TuningJob, board: Board) -> None:
    board.series = {LOSS: falling_points(1, 20)}
    pull_due()
    TuningJob.objects.update(state="JOB_STATE_SUCCEEDED", ended_at=timezone.now() - timedelta(seconds=61))
    board.series = {LOSS: falling_points(1, 25)}
    pull_again(job)
    assert read_stored(job) == falling_points(1, 25)
    TuningJob.objects.update(ended_at=timezone.now() - timedelta(seconds=601))
    board.series = {LOSS: falling_points(1, 26)}
    pull_again(job)
    assert read_stored(job) == falling_points(1, 26)
    assert get_feed(job).due_at is None


def test_unreadable_ended_job_is_abandoned_after_a_day(job: TuningJob, board: Board) -> None:
    board.fault = Answer(503)
    TuningJob.objects.update(ended_at=timezone.now() - timedelta(hours=8))
    pull_due()
    due = get_feed(job).due_at
    assert due
    assert due > timezone.now() + timedelta(hours=1)
    TuningJob.objects.update(ended_at=timezone.now() - timedelta(hours=25))
    pull_again(job)
    assert get_feed(job).due_at is None


def test_pull_updates_only_the_summary_of_the_job(job: TuningJob, board: Board) -> None:
    Feed.objects.create_missing(timezone.now())
    feed = get_feed(job)
    TuningJob.objects.update(state="JOB_STATE_CANCELLED")
    board.series = {
        LOSS: falling_points(1, 432),
        EVAL: [(s, w, v + (s > 360)) for s, w, v in falling_points(20, 421)[::20]],
        ACCURACY: [(s, w, s / 1000) for s, w, _value in falling_points(20, 421)[::20]],
    }
    collect.pull_feed(feed)
    job.refresh_from_db()
    assert job.state == "JOB_STATE_CANCELLED"
    assert job.summary == {
        "best": {"value": 4 / 360, "step": 360, "epoch": 2.55},
        "last": {"value": 4 / 420 + 1, "step": 420, "epoch": 2.98},
        "accuracy": {"value": 0.36, "step": 360},
        "train_last": 4 / 431,
        "step": 431,
        "steps": 564,
        "spark": [v for _, _, v in board.series[EVAL]],
        "rate": 1.0,
        "at": "2023-11-14T22:20:31+00:00",
        "alerts": ["plateau"],
    }


def test_points_of_the_real_engine_are_stored_exactly(
    project: Project, engine: Engine, tuned: dict[str, Any], settings: Settings
) -> None:
    settings.ENGINE_URL = engine.url
    job = TuningJob.objects.create(
        project=project, name=tuned["name"], remote=tuned, state=tuned["state"], ended_at=timezone.now()
    )
    pull_due()
    found = point_store.read_job_series(job.pk)
    assert sorted(found) == sorted(
        f"/{part}_{metric}"
        for part in ("train", "eval")
        for metric in ("total_loss", "fraction_of_correct_next_step_preds", "num_predictions")
    )
    steps = int(tuned["tuningDataStats"]["supervisedTuningDataStats"]["tuningStepCount"])
    assert found[LOSS].steps.tolist() == list(range(1, steps + 1))
    assert {metric: read_from_engine(engine, get_feed(job).run, metric) for metric in found} == {
        metric: list(zip(series.steps.tolist(), series.values.tolist(), strict=True))
        for metric, series in found.items()
    }


def test_polling_a_live_run_stores_every_point(project: Project, engine: Engine, settings: Settings) -> None:
    settings.ENGINE_URL = engine.url
    settings.POLL_SECONDS = 0
    made = engine.tune(examples=40, epochs=3)
    job = TuningJob.objects.create(project=project, submission=Submission.CREATED, name=made["name"])
    growth = [0]
    while not job.is_final:
        job.update_from_remote(engine.get(f"v1/{made['name']}").json())
        pull_again(job)
        growth.append(len(read_stored(job)))
    assert growth == sorted(growth)
    assert len(set(growth)) > 2
    found = point_store.read_job_series(job.pk)
    assert found[LOSS].steps.tolist() == list(range(1, job.progress.steps + 1 if job.progress.steps else 0))
    for metric, series in found.items():
        numbers = list(zip(series.steps.tolist(), series.values.tolist(), strict=True))
        assert numbers == read_from_engine(engine, get_feed(job).run, metric)


def read_from_engine(engine: Engine, run: str, metric: str) -> list[tuple[int, float]]:
    """What the engine says by the other method of reading, `:read`."""
    listed = engine.get(f"v1/{run}/timeSeries").json()["tensorboardTimeSeries"]
    name = next(one["name"] for one in listed if one["displayName"] == metric)
    read = engine.get(f"v1/{name}:read?maxDataPoints=-1").json()["timeSeriesData"]["values"]
    return [(int(one.get("step", 0)), one["scalar"].get("value", 0.0)) for one in read]
