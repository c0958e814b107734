"""Poisoned metrics: what can be read is stored and drawn, the rest is counted and told, and no job waits."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone, translation

from jobs.models import Submission, TuningJob
from metrics import collect
from metrics.models import Feed
from metrics.tasks import pull_due, tick
from studio.models import Project
from tests.html import squeeze_html
from tests.metrics.conftest import get_feed
from tests.metrics.monitor.page_reader import RUN, Board
from tests.metrics.test_collect import EVAL, LOSS, falling_points, make_due, pull_again, read_stored
from tests.studio.vertex.double import Answer, ReceivedRequest, json_answer

pytestmark = [pytest.mark.django_db, pytest.mark.sql]
BAD_POINTS: list[Any] = [
    None,
    "x",
    {"step": "x"},
    {"step": "-3"},
    {"step": "9" * 5000},
    {"step": "5", "wallTime": "soon"},
    {"step": "5", "wallTime": "0001-01-01T00:00:00+14:00"},
    {"step": "5", "scalar": {"value": []}},
]
BAD_SERIES: list[Any] = [
    None,
    "x",
    {},
    {"name": "x", "displayName": "/x"},
    {"name": f"{RUN}/timeSeries/8", "displayName": "/x" * 500},
    {"name": f"{RUN}/timeSeries/9", "displayName": {}},
]


@pytest.fixture
def browser(tuner: User, browser_of: Callable[[User], Client]) -> Client:
    return browser_of(tuner)


def poison(board: Board, change: Callable[[Any], Any]) -> None:
    """Answer as the board does, with each answer changed."""

    def answer(asked: ReceivedRequest) -> Answer:
        found = board.answer_request(asked)
        return Answer(found.status, json.dumps(change(json.loads(found.content))), found.headers)

    board.double.otherwise = answer


def add_bad_values(answer: Any) -> Any:
    """Put bad points and bad series among the good ones."""
    if "tensorboardTimeSeries" in answer:
        return {"tensorboardTimeSeries": [*BAD_SERIES, *answer["tensorboardTimeSeries"]]}
    data = answer.get("timeSeriesData")
    for each in data if isinstance(data, list) else [data] if data else []:
        each["values"] = [*each["values"], *BAD_POINTS]
    return answer


def read_monitor(browser: Client, job: TuningJob) -> str:
    answer = browser.get(reverse("metrics:monitor", args=["local", job.pk]))
    assert answer.status_code == 200
    return squeeze_html(answer.content.decode())


def test_bad_points_and_series_are_left_out_counted_and_told(
    job: TuningJob, board: Board, browser: Client
) -> None:
    board.series = {LOSS: falling_points(1, 30), EVAL: falling_points(5, 9)}
    poison(board, add_bad_values)
    pull_due()
    assert (read_stored(job), read_stored(job, EVAL)) == (falling_points(1, 30), falling_points(5, 9))
    feed = get_feed(job)
    bad = len(BAD_POINTS)
    assert (feed.error, feed.left_out) == ({}, {"": len(BAD_SERIES), LOSS: bad, EVAL: bad})
    page = read_monitor(browser, job)
    assert "Some of the service’s metrics can’t be read." in page
    assert f"{len(BAD_SERIES)} curves are left out. {2 * bad} points are left out." in page
    with translation.override("ja"):
        translated = browser.get(
            reverse("metrics:monitor", args=["local", job.pk]), headers={"Accept-Language": "ja"}
        )
        assert "Some of the service" not in translated.content.decode()
    board.double.otherwise = board.answer_request
    board.series = {LOSS: falling_points(1, 40), EVAL: falling_points(5, 19)}
    pull_again(job)
    assert get_feed(job).left_out == {}
    assert "can’t be read" not in read_monitor(browser, job)


def test_points_with_bare_nan_and_infinity_are_kept_as_they_are(job: TuningJob, board: Board) -> None:
    board.series = {LOSS: falling_points(1, 5)}

    def answer(asked: ReceivedRequest) -> Answer:
        found = board.answer_request(asked)
        return Answer(found.status, found.content.replace(b'"value": 4.0', b'"value": NaN'), found.headers)

    board.double.otherwise = answer
    pull_due()
    first, *others = read_stored(job)
    assert str(first[2]) == "nan" and others == falling_points(2, 5)
    assert get_feed(job).error == {}


@pytest.mark.parametrize(
    "experiment",
    [5, [], {}, "no name", "e" * 10_000, "projects/p/locations/us-central1/x\ufffd"],
    ids=lambda e: str(e)[:20],
)
def test_an_odd_experiment_stops_no_other_job(
    project: Project, job: TuningJob, board: Board, experiment: Any
) -> None:
    other = TuningJob.objects.create(project=project, name="projects/x/other", remote=job.remote)
    TuningJob.objects.filter(pk=job.pk).update(remote={"experiment": experiment})
    board.series = {LOSS: falling_points(1, 9)}
    pull_due()
    assert read_stored(other) == falling_points(1, 9)
    feed = get_feed(job)
    assert feed.due_at is not None and feed.due_at <= timezone.now() + timedelta(minutes=1)


def test_an_exception_stops_no_other_job_and_shows(
    project: Project, job: TuningJob, board: Board, browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it happens while points are fetched or while they are stored: the claim is given back."""
    other = TuningJob.objects.create(project=project, name="projects/x/other", remote=job.remote)
    board.series = {LOSS: falling_points(1, 9)}
    for place in ("fetch_new_points", "store_fetched"):
        work = getattr(collect, place)

        def raise_for_job(feed: Feed, *args: Any, work: Any = work) -> Any:
            if feed.job_id == job.pk:
                raise RuntimeError("with a secret in its text")
            return work(feed, *args)

        with monkeypatch.context() as patch:
            patch.setattr(collect, place, raise_for_job)
            Feed.objects.update(due_at=timezone.now())
            begin = timezone.now()
            pull_due()
        feed = get_feed(job)
        assert (feed.error["kind"], feed.error["message"]) == ("InternalFault", "RuntimeError")
        assert feed.due_at is not None and feed.due_at < begin + timedelta(seconds=40)
        assert read_stored(job) == [] and read_stored(other) == falling_points(1, 9)
        page = read_monitor(browser, job)
        assert "Tuning Studio couldn’t process the service’s response." in page and "secret" not in page
    pull_again(job)
    assert read_stored(job) == falling_points(1, 9) and get_feed(job).error == {}


def test_a_tick_reads_points_even_if_states_raise(
    job: TuningJob, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> bool:
        raise RuntimeError

    monkeypatch.setattr("jobs.lifecycle.polling.read_job_list", refuse)
    board.series = {LOSS: falling_points(1, 9)}
    tick()
    assert read_stored(job) == falling_points(1, 9)


@pytest.mark.parametrize("header", ["99999999999", "9" * 5000, "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_no_retry_after_parks_the_metrics(job: TuningJob, board: Board, header: str) -> None:
    board.fault = json_answer({"error": {"code": 429, "message": "wait"}}, 429, **{"Retry-After": header})
    pull_due()
    due = get_feed(job).due_at
    assert due is not None and due <= timezone.now() + timedelta(minutes=5)


@pytest.mark.parametrize("ended", [timedelta(days=-9000), timedelta(days=9000)], ids=["past", "future"])
def test_no_time_of_an_end_parks_the_last_reads(job: TuningJob, board: Board, ended: timedelta) -> None:
    """They follow our own clock: a minute and ten minutes after the end, and a failed one is repeated."""
    board.series = {LOSS: falling_points(1, 9)}
    now = timezone.now()
    TuningJob.objects.update(
        submission=Submission.CREATED, submitted_at=now, ended_at=now + ended, state="JOB_STATE_SUCCEEDED"
    )
    pull_due()
    due = get_feed(job).due_at
    assert due is not None and due <= timezone.now() + timedelta(seconds=61)
    board.fault = Answer(503)
    make_due(job)
    pull_due()
    due = get_feed(job).due_at
    assert due is not None and due <= timezone.now() + timedelta(seconds=30)
