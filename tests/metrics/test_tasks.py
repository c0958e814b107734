"""Jobs that have just started are read each second until their first point, and no others; without open jobs
nothing is sent."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from jobs.models import Submission, TuningJob
from metrics import tasks
from metrics.models import Feed
from studio.celery import app
from studio.models import Backend, Project
from studio.vertex import job_states

pytestmark = pytest.mark.django_db


@pytest.fixture
def starting(project: Project) -> TuningJob:
    return TuningJob.objects.create(
        project=project,
        location="us-central1",
        submission=Submission.CREATED,
        state=job_states.PENDING,
        submitted_at=timezone.now(),
    )


@pytest.fixture
def countdowns(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Those of the ticks that were asked for."""
    asked: list[float] = []
    monkeypatch.setattr(tasks.tick, "apply_async", lambda countdown, expires: asked.append(countdown))
    return asked


@pytest.mark.parametrize(("seconds", "expected"), [(5.0, [0, 1, 2, 3, 4]), (1.0, [0]), (0.2, [0])])
def test_ticks_fill_the_time_until_the_next_beat(
    starting: TuningJob, countdowns: list[float], settings: Settings, seconds: float, expected: list[float]
) -> None:
    settings.POLL_SECONDS = seconds
    tasks.follow_starts()
    assert countdowns == expected


NOT_STARTING: list[dict[str, Any]] = [
    {"submitted_at": None, "submission": Submission.DRAFT},
    {"submission": Submission.REFUSED},
    {"state": job_states.FAILED},
    {"summary": {"alerts": []}},
    {"deleted_at": timezone.now()},
]


@pytest.mark.parametrize("change", NOT_STARTING, ids=["draft", "rejected", "failed", "points", "deleted"])
def test_other_jobs_ask_for_no_ticks(
    starting: TuningJob, countdowns: list[float], change: dict[str, Any]
) -> None:
    assert starting.is_starting
    TuningJob.objects.update(**change)
    starting.refresh_from_db()
    tasks.follow_starts()
    assert (countdowns, starting.is_starting) == ([], False)


def test_hurry_ends_after_two_minutes(
    starting: TuningJob, countdowns: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: now)
    TuningJob.objects.update(submitted_at=now - timedelta(seconds=119))
    assert TuningJob.objects.starting(now).get().is_starting
    TuningJob.objects.update(submitted_at=now - timedelta(seconds=121))
    tasks.follow_starts()
    starting.refresh_from_db()
    assert (countdowns, starting.is_starting) == ([], False)


def test_jobs_on_vertex_ai_are_not_hurried(starting: TuningJob, countdowns: list[float]) -> None:
    Project.objects.update(backend=Backend.GOOGLE)
    tasks.follow_starts()
    assert (countdowns, TuningJob.objects.get().is_starting) == ([], False)


def test_a_job_that_is_being_sent_is_starting(starting: TuningJob, countdowns: list[float]) -> None:
    TuningJob.objects.update(submission=Submission.SENDING, state="")
    tasks.follow_starts()
    assert countdowns
    assert TuningJob.objects.get().is_starting


def test_tick_reads_states_before_points(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    monkeypatch.setattr("jobs.tasks.poll_due", lambda: read.append("states"))
    monkeypatch.setattr("metrics.collect.pull_due", lambda: read.append("points"))
    tasks.tick()
    assert read == ["states", "points"]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tasks that were sent to the worker."""
    found: list[str] = []
    monkeypatch.setattr(tasks, "send_on_commit", found.append)
    return found


def test_an_installation_without_open_jobs_rests(
    starting: TuningJob, sent: list[str], django_assert_max_num_queries: Any
) -> None:
    TuningJob.objects.update(state=job_states.SUCCEEDED, name="projects/local/tuningJobs/1")
    Feed.objects.create(job=starting, due_at=None)
    with django_assert_max_num_queries(3):
        tasks.send_due()
    assert sent == []


@pytest.mark.parametrize(
    "change",
    [
        {"submission": Submission.READY, "state": ""},
        {"submission": Submission.SENDING, "state": ""},
        {"submission": Submission.UNKNOWN, "state": ""},
        {"state": job_states.RUNNING},
        {"state": job_states.SUCCEEDED, "name": "projects/local/tuningJobs/1"},
    ],
    ids=["ready", "sending", "unknown", "running", "never read"],
)
def test_an_open_job_is_moved_on_by_every_task(
    starting: TuningJob, sent: list[str], change: dict[str, Any]
) -> None:
    TuningJob.objects.update(**change)
    tasks.send_due()
    assert sent == list(tasks.OPEN_JOB_TASKS)
    assert set(sent) <= set(app.tasks)


def test_points_that_are_still_to_be_read_are_read(starting: TuningJob, sent: list[str]) -> None:
    TuningJob.objects.update(state=job_states.SUCCEEDED, name="projects/local/tuningJobs/1")
    Feed.objects.create(job=starting, due_at=timezone.now() + timedelta(minutes=9))
    tasks.send_due()
    assert sent == list(tasks.OPEN_JOB_TASKS)
