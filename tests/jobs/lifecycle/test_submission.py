"""Exactly one remote job: every outcome of the create call, the search after a lost response, and cancel."""

from __future__ import annotations

from datetime import timedelta
from threading import Barrier, Event, Thread
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from jobs import tasks
from jobs.lifecycle import submission
from jobs.models import JobListPoll, Submission, TuningJob
from studio.models import AuditEntry, Project
from studio.vertex import job_states
from studio.vertex.client import Vertex
from tests.jobs.conftest import NAME, PLACE, remote_job
from tests.stack import wait_until
from tests.studio.vertex.double import Answer, FakeVertexServer, json_answer

pytestmark = [pytest.mark.django_db, pytest.mark.sql]


def refusal(code: int, status: str = "INVALID_ARGUMENT", **headers: str) -> Answer:
    body = {"error": {"code": code, "message": "No.", "status": status}}
    return json_answer(body, code, **headers)


@pytest.fixture
def lost(ready: TuningJob, service: FakeVertexServer) -> TuningJob:
    service.queue_answers(Answer(reset=True))
    tasks.submit_ready()
    ready.refresh_from_db()
    assert ready.has_unknown_outcome and len(service.asked) == 1
    service.asked.clear()
    return ready


@pytest.fixture
def running(ready: TuningJob, service: FakeVertexServer) -> TuningJob:
    service.queue_answers(json_answer(remote_job()))
    tasks.submit_ready()
    ready.refresh_from_db()
    service.asked.clear()
    return ready


def make_due(job: TuningJob) -> None:
    TuningJob.objects.filter(pk=job.pk).update(next_try_at=timezone.now() - timedelta(seconds=1))


def count_posts(service: FakeVertexServer) -> int:
    return sum(asked.method == "POST" for asked in service.asked)


def test_the_stored_request_is_sent(ready: TuningJob, service: FakeVertexServer) -> None:
    service.queue_answers(json_answer(remote_job(state=job_states.PENDING)))
    tasks.submit_ready()
    ready.refresh_from_db()
    assert (ready.submission, ready.name, ready.state) == (Submission.CREATED, NAME, job_states.PENDING)
    assert service.asked[0].path == f"/v1/{PLACE}/tuningJobs"
    assert service.asked[0].body == ready.request


@pytest.mark.parametrize(
    "answer",
    [
        refusal(400),
        refusal(401, "UNAUTHENTICATED"),
        refusal(403, "PERMISSION_DENIED"),
        refusal(404, "NOT_FOUND"),
    ],
    ids=lambda answer: str(answer.status),
)
def test_a_rejected_request_is_refused_with_its_reason(
    ready: TuningJob, service: FakeVertexServer, answer: Answer
) -> None:
    service.queue_answers(answer)
    tasks.submit_ready()
    tasks.submit_ready()
    ready.refresh_from_db()
    assert (ready.submission, ready.error["code"], ready.error["message"]) == (
        Submission.REFUSED,
        answer.status,
        "No.",
    )
    assert len(service.asked) == 1


@pytest.mark.parametrize(
    "answer",
    [
        refusal(408, "DEADLINE_EXCEEDED"),
        refusal(409, "ALREADY_EXISTS"),
        refusal(500, "INTERNAL"),
        refusal(502, "UNAVAILABLE"),
        refusal(503, "UNAVAILABLE"),
        refusal(504, "DEADLINE_EXCEEDED"),
        Answer(reset=True),
        Answer(200, '{"name": "proj', cut=True),
        Answer(200, "<html>welcome</html>"),
        Answer(200, ""),
        Answer(200, "{}"),
        Answer(404, "<html>not here</html>"),
    ],
    ids=[
        "408",
        "409",
        "500",
        "502",
        "503",
        "504",
        "reset",
        "cut",
        "html",
        "empty",
        "nameless",
        "proxy",
    ],
)
def test_a_request_with_unknown_outcome_is_never_resent(
    ready: TuningJob, service: FakeVertexServer, answer: Answer
) -> None:
    service.queue_answers(answer)
    for _turn in range(3):
        tasks.submit_ready()
    ready.refresh_from_db()
    assert ready.submission == Submission.UNKNOWN
    assert ready.unknown_since is not None and ready.next_try_at is not None
    assert count_posts(service) == 1


def test_a_request_without_an_answer_is_never_resent(
    ready: TuningJob, service: FakeVertexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Project, "vertex", lambda self: Vertex(self.place(), timeout=(30.0, 0.5)))
    over = Event()
    service.queue_answers(Answer(until=over))
    for _turn in range(3):
        tasks.submit_ready()
    wait_until(lambda: service.asked)  # a client that does not wait may be faster than the server
    over.set()
    ready.refresh_from_db()
    assert ready.submission == Submission.UNKNOWN
    assert ready.unknown_since is not None and ready.next_try_at is not None
    assert count_posts(service) == 1


def test_an_unsent_request_goes_back_to_the_queue(ready: TuningJob, settings: Settings) -> None:
    settings.ENGINE_URL = "http://127.0.0.1:1"
    before = timezone.now()
    tasks.submit_ready()
    ready.refresh_from_db()
    assert (ready.submission, ready.attempt, ready.last_error["kind"]) == (Submission.READY, 1, "NotSent")
    assert ready.next_try_at is not None and ready.next_try_at > before


def test_too_many_requests_waits_for_retry_after(ready: TuningJob, service: FakeVertexServer) -> None:
    service.queue_answers(
        refusal(429, "RESOURCE_EXHAUSTED", **{"Retry-After": "70"}), json_answer(remote_job())
    )
    before = timezone.now()
    tasks.submit_ready()
    tasks.submit_ready()
    ready.refresh_from_db()
    assert ready.submission == Submission.READY and len(service.asked) == 1
    assert ready.next_try_at is not None and ready.next_try_at >= before + timedelta(seconds=70)
    make_due(ready)
    tasks.submit_ready()
    ready.refresh_from_db()
    assert ready.is_created and not ready.last_error


def test_a_process_that_died_while_sending_leaves_an_unknown_outcome(
    ready: TuningJob, service: FakeVertexServer
) -> None:
    assert submission.claim(ready)
    tasks.resolve_unknown()
    ready.refresh_from_db()
    assert ready.submission == Submission.SENDING
    TuningJob.objects.update(claimed_at=timezone.now() - timedelta(seconds=41))
    tasks.resolve_unknown()
    ready.refresh_from_db()
    assert ready.has_unknown_outcome and not service.asked


def test_only_one_of_two_workers_may_send(ready: TuningJob) -> None:
    assert submission.claim(ready)
    assert not submission.claim(ready)


def make_labelled_job(job: TuningJob, number: int, created: str) -> dict[str, Any]:
    return remote_job(number, labels={"studio-submission": job.submission_id}, createTime=created)


def test_a_lost_job_is_found_by_its_label(lost: TuningJob, service: FakeVertexServer) -> None:
    make_due(lost)
    other = remote_job(7, labels={"studio-submission": "0" * 32})
    service.queue_answers(
        json_answer({"tuningJobs": [other, make_labelled_job(lost, 8, "2026-11-23T10:00:00Z")]})
    )
    tasks.resolve_unknown()
    lost.refresh_from_db()
    assert (lost.submission, lost.name, lost.state) == (
        Submission.CREATED,
        f"{PLACE}/tuningJobs/8",
        job_states.RUNNING,
    )
    assert count_posts(service) == 0


def test_of_two_labelled_jobs_the_older_is_linked_and_the_other_recorded(
    lost: TuningJob, service: FakeVertexServer
) -> None:
    make_due(lost)
    late, early = (
        make_labelled_job(lost, 9, "2026-11-23T10:00:09Z"),
        make_labelled_job(lost, 8, "2026-11-23T10:00:00Z"),
    )
    service.queue_answers(json_answer({"tuningJobs": [late, early]}))
    tasks.resolve_unknown()
    lost.refresh_from_db()
    assert lost.name == early["name"] and lost.duplicates == [late["name"]]
    assert AuditEntry.objects.filter(action="tuning_job.twins").exists()


def test_the_search_by_label_ends_after_ten_minutes(
    lost: TuningJob, service: FakeVertexServer, tuner: User
) -> None:
    service.otherwise = lambda asked: json_answer({})
    planned = []
    for _look in submission.SEARCH_DELAYS:
        assert lost.next_try_at is not None and lost.unknown_since is not None
        planned.append(round((lost.next_try_at - lost.unknown_since).total_seconds()))
        assert not lost.can_create_again
        make_due(lost)
        tasks.resolve_unknown()
        lost.refresh_from_db()
    assert planned == list(submission.SEARCH_DELAYS)
    assert lost.can_create_again
    tasks.resolve_unknown()
    assert len(service.asked) == len(submission.SEARCH_DELAYS) and count_posts(service) == 0
    service.otherwise = lambda asked: json_answer(remote_job())
    assert lost.create_again(tuner)
    tasks.submit_ready()
    lost.refresh_from_db()
    assert lost.is_created and count_posts(service) == 1


def test_a_failed_search_does_not_count_as_an_attempt(lost: TuningJob, service: FakeVertexServer) -> None:
    service.otherwise = lambda asked: refusal(503, "UNAVAILABLE")
    make_due(lost)
    tasks.resolve_unknown()
    lost.refresh_from_db()
    assert (lost.search_attempts, lost.has_unknown_outcome, lost.last_error["code"]) == (0, True, 503)
    assert lost.next_try_at is not None


def test_cancel_is_sent_once(running: TuningJob, service: FakeVertexServer, tuner: User) -> None:
    running.request_cancel(tuner)
    service.queue_answers(json_answer({}))
    tasks.send_cancels()
    tasks.send_cancels()
    running.refresh_from_db()
    assert [asked.path for asked in service.asked] == [f"/v1/{NAME}:cancel"]
    assert running.cancel_sent_at is not None and not running.is_final


def test_cancel_is_resent_after_a_lost_answer(
    running: TuningJob, service: FakeVertexServer, tuner: User
) -> None:
    running.request_cancel(tuner)
    service.queue_answers(Answer(reset=True), json_answer({}))
    tasks.send_cancels()
    running.refresh_from_db()
    assert running.cancel_sent_at is None and running.last_error
    make_due(running)
    tasks.send_cancels()
    running.refresh_from_db()
    assert running.cancel_sent_at is not None and count_posts(service) == 2


def test_a_late_cancel_shows_the_final_state(
    running: TuningJob, service: FakeVertexServer, tuner: User
) -> None:
    running.request_cancel(tuner)
    service.queue_answers(
        refusal(400, "FAILED_PRECONDITION"), json_answer(remote_job(state=job_states.SUCCEEDED))
    )
    tasks.send_cancels()
    running.refresh_from_db()
    assert running.state == job_states.SUCCEEDED


def test_a_refused_cancel_can_be_requested_again(
    running: TuningJob, service: FakeVertexServer, tuner: User
) -> None:
    running.request_cancel(tuner)
    service.queue_answers(refusal(403, "PERMISSION_DENIED"), json_answer(remote_job()))
    tasks.send_cancels()
    running.refresh_from_db()
    assert running.can_cancel and running.last_error["code"] == 403


def test_a_cancel_during_the_search_is_sent_once_the_job_is_found(
    lost: TuningJob, service: FakeVertexServer, tuner: User
) -> None:
    assert lost.request_cancel(tuner)
    make_due(lost)
    service.queue_answers(json_answer({"tuningJobs": [make_labelled_job(lost, 1, "")]}), json_answer({}))
    tasks.resolve_unknown()
    tasks.send_cancels()
    assert service.asked[-1].path == f"/v1/{NAME}:cancel"


@pytest.mark.django_db(transaction=True)
def test_twenty_clicks_start_one_job(draft: TuningJob, tuner: User, service: FakeVertexServer) -> None:
    service.otherwise = lambda asked: json_answer(remote_job())
    together = Barrier(20)
    started: list[bool] = []

    def click() -> None:
        together.wait()
        try:
            started.append(TuningJob.objects.get(pk=draft.pk).start(tuner))
            tasks.submit_ready()
        finally:
            connection.close()

    threads = [Thread(target=click) for _click in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(started) == [False] * 19 + [True]
    assert count_posts(service) == 1
    assert AuditEntry.objects.filter(action="tuning_job.start").count() == 1
    assert TuningJob.objects.get().is_created
    assert not JobListPoll.objects.exists()
