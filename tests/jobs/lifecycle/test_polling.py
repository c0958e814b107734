"""Polling by lists; the rows keep their data if the service doesn't respond."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from jobs import tasks
from jobs.lifecycle import polling
from jobs.models import JobListPoll, Submission, TuningJob
from studio.models import Project
from studio.vertex import job_states
from tests.jobs.conftest import PLACE, remote_job
from tests.studio.vertex.double import Answer, FakeVertexServer, ReceivedRequest, json_answer

pytestmark = [pytest.mark.django_db, pytest.mark.sql]


def make_known_job(project: Project, owner: User, number: int, state: str = job_states.RUNNING) -> TuningJob:
    job = TuningJob.objects.create(
        project=project,
        owner=owner,
        location="us-central1",
        submission=Submission.CREATED,
        submitted_at=timezone.now(),
        name=f"{PLACE}/tuningJobs/{number}",
    )
    job.update_from_remote(remote_job(number, state))
    return job


def make_lists_due() -> None:
    JobListPoll.objects.update(due_at=timezone.now())


def test_one_list_serves_all_jobs_of_a_place(
    project: Project, tuner: User, service: FakeVertexServer
) -> None:
    jobs = [make_known_job(project, tuner, number) for number in range(1, 8)]
    service.otherwise = lambda asked: json_answer(
        {"tuningJobs": [remote_job(number, job_states.SUCCEEDED) for number in range(1, 8)]}
    )
    tasks.poll_due()
    assert [asked.path for asked in service.asked] == [f"/v1beta1/{PLACE}/tuningJobs"]
    assert all(TuningJob.objects.get(pk=job.pk).state == job_states.SUCCEEDED for job in jobs)
    make_lists_due()
    tasks.poll_due()
    assert len(service.asked) == 1


def test_pages_are_read_until_every_active_job_was_seen(
    project: Project, tuner: User, service: FakeVertexServer
) -> None:
    job = make_known_job(project, tuner, 150)
    pages = [
        [remote_job(number, job_states.SUCCEEDED) for number in range(100 * n + 1, 100 * n + 101)]
        for n in range(3)
    ]

    def answer(asked: ReceivedRequest) -> Answer:
        token = int(dict(asked.query).get("pageToken", 0))
        following = {"nextPageToken": str(token + 1)} if token < 2 else {}
        return json_answer({"tuningJobs": pages[token], **following})

    service.otherwise = answer
    tasks.poll_due()
    assert len(service.asked) == 3, "the first poll reads to the end"
    TuningJob.objects.filter(pk=job.pk).update(state=job_states.RUNNING, remote={})
    service.asked.clear()
    make_lists_due()
    tasks.poll_due()
    assert len(service.asked) == 2, "later ones stop where all active jobs were seen"


def test_a_list_is_not_polled_before_it_is_due(
    project: Project, tuner: User, service: FakeVertexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: now)
    make_known_job(project, tuner, 1)
    service.otherwise = lambda asked: json_answer({"tuningJobs": [remote_job(1)]})
    tasks.poll_due()
    tasks.poll_due()
    assert len(service.asked) == 1


def test_the_poll_interval_depends_on_activity(project: Project, tuner: User, settings: Settings) -> None:
    settings.POLL_SECONDS = 5.0
    job, now = make_known_job(project, tuner, 1), timezone.now()
    poll = JobListPoll.objects.create(project=project, location="us-central1", due_at=now)
    assert polling.choose_poll_interval(poll, now).total_seconds() == 1
    TuningJob.objects.update(summary={"steps": 1})
    assert polling.choose_poll_interval(poll, now).total_seconds() == 10
    TuningJob.objects.update(submitted_at=now - timedelta(minutes=6))
    assert polling.choose_poll_interval(poll, now).total_seconds() == 30
    job.update_from_remote(remote_job(1, job_states.PENDING))
    assert polling.choose_poll_interval(poll, now).total_seconds() == 300
    poll.watched_at = now
    assert polling.choose_poll_interval(poll, now).total_seconds() == 10


def test_failures_keep_the_state_and_show_since_when(
    project: Project, tuner: User, service: FakeVertexServer
) -> None:
    job = make_known_job(project, tuner, 1)
    service.otherwise = lambda asked: json_answer(
        {"error": {"code": 403, "message": "No.", "status": "PERMISSION_DENIED"}}, 403
    )
    tasks.poll_due()
    first = JobListPoll.objects.get()
    assert first.failing_since is not None and first.last_error["kind"] == "PermissionDenied"
    make_lists_due()
    tasks.poll_due()
    again = JobListPoll.objects.get()
    job.refresh_from_db()
    assert (again.failing_since, again.failures, job.state) == (first.failing_since, 2, job_states.RUNNING)
    service.otherwise = lambda asked: json_answer({"tuningJobs": [remote_job(1)]})
    make_lists_due()
    tasks.poll_due()
    well = JobListPoll.objects.get()
    assert (well.failing_since, well.failures, well.last_error) == (None, 0, {})
    assert well.read_at is not None


def test_five_failures_lengthen_the_pause(project: Project, tuner: User, service: FakeVertexServer) -> None:
    make_known_job(project, tuner, 1)
    service.otherwise = lambda asked: json_answer({}, 503)
    for _failure in range(5):
        make_lists_due()
        begin = timezone.now()
        tasks.poll_due()
    assert JobListPoll.objects.get().due_at >= begin + timedelta(seconds=30)


def test_a_job_missing_twice_and_not_found_is_deleted(
    project: Project, tuner: User, service: FakeVertexServer
) -> None:
    job = make_known_job(project, tuner, 1)
    gone = json_answer({"error": {"code": 404, "message": "Gone.", "status": "NOT_FOUND"}}, 404)
    service.queue_answers(json_answer({}), json_answer({}), gone)
    tasks.poll_due()
    job.refresh_from_db()
    assert (job.missed_polls, job.deleted_at) == (1, None)
    make_lists_due()
    tasks.poll_due()
    job.refresh_from_db()
    assert job.deleted_at is not None and job.is_final
    assert len(service.asked) == 3


def test_one_missing_entry_is_not_a_deletion(
    project: Project, tuner: User, service: FakeVertexServer
) -> None:
    job = make_known_job(project, tuner, 1)
    service.queue_answers(json_answer({}), json_answer({"tuningJobs": [remote_job(1)]}))
    tasks.poll_due()
    make_lists_due()
    tasks.poll_due()
    job.refresh_from_db()
    assert (job.missed_polls, job.deleted_at) == (0, None)


def test_an_overdue_list_is_reported(
    project: Project, tuner: User, browser_of: Callable[[User], Client]
) -> None:
    make_known_job(project, tuner, 1)
    poll = JobListPoll.objects.create(project=project, location="us-central1", due_at=timezone.now())
    page = reverse("jobs:list", args=[project.slug])
    assert b"being updated right now" not in browser_of(tuner).get(page).content
    JobListPoll.objects.filter(pk=poll.pk).update(due_at=timezone.now() - timedelta(minutes=5))
    assert b"being updated right now" in browser_of(tuner).get(page).content


def test_a_long_queue_time_is_reported(project: Project, tuner: User) -> None:
    job = make_known_job(project, tuner, 1, job_states.PENDING)
    assert not job.is_queued_long
    job.submitted_at = timezone.now() - timedelta(minutes=31)
    assert job.is_queued_long


def test_an_older_list_does_not_overwrite_a_newer_read(project: Project, tuner: User) -> None:
    """Another default checkpoint is set between the list request and its response."""
    job, other = make_known_job(project, tuner, 1), make_known_job(project, tuner, 2)
    old, new = (
        remote_job(1, job_states.SUCCEEDED, tunedModel={"endpoint": f"{PLACE}/endpoints/{n}"}) for n in (1, 2)
    )
    poll = JobListPoll.objects.create(project=project, location="us-central1", due_at=timezone.now())
    job.update_from_remote(old)
    asked_at = timezone.now()
    job.update_from_remote(new)
    TuningJob.objects.filter(pk=other.pk).update(seen_at=asked_at)
    assert polling.update_known_jobs(poll, [old, remote_job(2, job_states.SUCCEEDED)], asked_at) == {
        job.name,
        other.name,
    }
    job.refresh_from_db()
    other.refresh_from_db()
    assert (job.endpoint, other.state) == (f"{PLACE}/endpoints/2", job_states.SUCCEEDED)
    polling.update_known_jobs(poll, [old], timezone.now())
    job.refresh_from_db()
    assert job.endpoint == f"{PLACE}/endpoints/1", "a later list tells of a default chosen elsewhere"
