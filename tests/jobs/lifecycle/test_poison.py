"""Poisoned answers and unexpected exceptions: what can be stored is, the rest is shown, and no job waits for
another."""

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

from jobs import tasks
from jobs.datasets.models import Dataset
from jobs.lifecycle import polling, submission
from jobs.lifecycle.stored_errors import deserialize, serialize
from jobs.models import JobListPoll, Submission, TuningJob
from jobs.status import describe_alerts
from studio.models import Project
from studio.vertex import client, job_states
from studio.vertex.errors import BadRequest, InternalFault, VertexError
from tests.html import squeeze_html
from tests.jobs.conftest import NAME, PLACE, remote_job
from tests.jobs.lifecycle.test_polling import make_known_job, make_lists_due
from tests.jobs.lifecycle.test_submission import count_posts, make_due
from tests.studio.vertex.double import Answer, FakeVertexServer, json_answer

pytestmark = [pytest.mark.django_db, pytest.mark.sql]
REPLACED = "Parts of the service’s response can’t be stored as they came."
FAULT = "Tuning Studio couldn’t process the service’s response."


def answer_list(service: FakeVertexServer, *jobs: Any) -> None:
    service.otherwise = lambda asked: json_answer({"tuningJobs": list(jobs)})


def answer_raw(service: FakeVertexServer, body: str, status: int = 200) -> None:
    service.otherwise = lambda asked: Answer(status, body)


def poll_again(job: TuningJob) -> TuningJob:
    make_lists_due()
    tasks.poll_due()
    job.refresh_from_db()
    return job


def read_page(client: Client, job: TuningJob, name: str = "jobs:detail") -> str:
    answer = client.get(reverse(name, args=[job.project.slug, job.pk]))
    assert answer.status_code == 200
    return squeeze_html(answer.content.decode())


@pytest.fixture
def browser(tuner: User, browser_of: Callable[[User], Client]) -> Client:
    return browser_of(tuner)


# ---- what arrives in a list ----

POISONS = {
    "NUL": (r'"\u0000"', "\ufffd"),
    "half a pair": (r'"\ud800"', "\ufffd"),
    "NaN": ("NaN", "NaN"),
    "infinity": ("-Infinity", "-Infinity"),
    "beyond a double": ("1e999", "Infinity"),
    "5,000 digits": ("9" * 5000, "Infinity"),
    "not UTF-8": (b'"\xff"'.decode("latin-1"), "\ufffd"),
}


@pytest.mark.parametrize(("written", "stored"), POISONS.values(), ids=POISONS)
def test_a_poisoned_example_freezes_no_state_and_is_told(
    project: Project, tuner: User, service: FakeVertexServer, browser: Client, written: str, stored: str
) -> None:
    job, other = make_known_job(project, tuner, 1), make_known_job(project, tuner, 2)
    bad = json.dumps(remote_job(1, job_states.SUCCEEDED, tuningDataStats={"x": ["POISON"]}))
    good = json.dumps(remote_job(2, job_states.SUCCEEDED))
    body = f'{{"tuningJobs": [{bad}, {good}]}}'.replace('"POISON"', written).encode("latin-1")
    service.otherwise = lambda asked: Answer(200, body)
    tasks.poll_due()
    for each in (job, other):
        each.refresh_from_db()
        assert each.state == job_states.SUCCEEDED
    assert job.remote["tuningDataStats"] == {"x": [stored]}
    assert (job.replaced, other.replaced) == (["tuningDataStats.x[0]"], [])
    page = read_page(browser, job)
    assert REPLACED in page and "tuningDataStats.x[0]" in page
    assert REPLACED not in read_page(browser, other)


def test_a_poisoned_answer_is_stored_once(project: Project, tuner: User, service: FakeVertexServer) -> None:
    """A poll that brings the same answer writes nothing: what was replaced compares as what is stored."""
    job = make_known_job(project, tuner, 1)
    text = json.dumps(remote_job(1, description="POISON", labels={"long": "y" * 100_000}))
    answer_raw(service, f'{{"tuningJobs": [{text}]}}'.replace("POISON", r"\u0000"))
    first = poll_again(job).seen_at
    assert poll_again(job).seen_at == first
    assert set(job.replaced) == {"description", "labels.long"}


BAD_ITEMS: list[Any] = [
    "x",
    None,
    5,
    [],
    {},
    {"name": None},
    {"name": 5},
    {"name": {}},
    {"name": "no name"},
    {"name": "n" * 10_000},
    {"name": f"{PLACE}/tuningJobs/9\0"},
    {"name": f"{PLACE}/tuningJobs/9", "labels": [], "state": {}},
]


@pytest.mark.parametrize("bad", BAD_ITEMS, ids=lambda bad: str(bad)[:50])
def test_a_bad_item_stops_no_list(project: Project, tuner: User, service: FakeVertexServer, bad: Any) -> None:
    job = make_known_job(project, tuner, 1)
    answer_list(service, bad, remote_job(1, job_states.SUCCEEDED), bad)
    tasks.poll_due()
    job.refresh_from_db()
    assert job.state == job_states.SUCCEEDED
    assert JobListPoll.objects.get().failures == 0


@pytest.mark.parametrize("listed", [{}, "x", 5, None, []], ids=str)
def test_a_list_of_another_shape_is_no_deletion(
    project: Project, tuner: User, service: FakeVertexServer, listed: Any
) -> None:
    job = make_known_job(project, tuner, 1)
    service.queue_answers(json_answer({"tuningJobs": listed}))
    answer_list(service, remote_job(1, job_states.SUCCEEDED))
    tasks.poll_due()
    assert poll_again(job).state == job_states.SUCCEEDED and job.deleted_at is None


ODD_FIELDS: dict[str, Any] = {
    "state a list": {"state": ["JOB_STATE_RUNNING"]},
    "state long": {"state": "JOB_STATE_" + "X" * 1000},
    "names long": {"tunedModelDisplayName": "n" * 1000, "experiment": "e" * 1000},
    "times far away": {"startTime": "9999-12-31T23:59:59-23:59", "endTime": "0001-01-01T00:00:00+23:59"},
    "times none": {"startTime": 5, "endTime": {}, "createTime": "2026-02-30T00:00:00Z"},
    "error a text": {"error": "text"},
    "error odd": {"error": {"kind": "Any", "code": {}, "message": ["m"], "violations": 5, "details": "d"}},
    "error like ours": {"error": {"kind": "Violation", "message": "m", "violations": [1, [2], [3, 4]]}},
    "model odd": {"tunedModel": {"model": {}, "endpoint": 5, "checkpoints": ["x", {"checkpointId": "a/b"}]}},
    "deep": {"labels": {"a": json.loads("[" * 200 + "]" * 200)}},
    "huge": {"description": "d" * 5_000_000},
    "wide": {"tuningDataStats": {"x": list(range(300_000))}},
}


@pytest.mark.parametrize("state", [job_states.FAILED, job_states.SUCCEEDED])
@pytest.mark.parametrize("fields", ODD_FIELDS.values(), ids=ODD_FIELDS)
def test_odd_fields_are_stored_and_shown(
    project: Project,
    tuner: User,
    service: FakeVertexServer,
    browser: Client,
    fields: dict[str, Any],
    state: str,
) -> None:
    job = make_known_job(project, tuner, 1)
    answer_list(service, remote_job(1, **{"state": state, **fields}))
    tasks.poll_due()
    job.refresh_from_db()
    assert job.last_error == {} and JobListPoll.objects.get().last_error == {}
    assert len(json.dumps(job.remote)) < 3_000_000
    for name in ("jobs:detail", "jobs:details", "jobs:data", "metrics:monitor", "metrics:figures"):
        assert browser.get(reverse(name, args=["local", job.pk])).status_code == 200
    for sort in ("created", "duration", "progress", "left", "status"):
        assert browser.get(reverse("jobs:list", args=["local"]) + f"?sort={sort}").status_code == 200


def test_an_end_in_the_future_is_now(project: Project, tuner: User, service: FakeVertexServer) -> None:
    """Otherwise the last reads of its metrics would wait for it."""
    job = make_known_job(project, tuner, 1)
    answer_list(service, remote_job(1, job_states.SUCCEEDED, endTime="2199-01-01T00:00:00Z"))
    tasks.poll_due()
    job.refresh_from_db()
    assert job.ended_at is not None and job.ended_at <= timezone.now()


def test_what_was_read_before_a_list_broke_off_is_kept(
    project: Project, tuner: User, service: FakeVertexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list that names a next page for ever: its first page tells of the job, its end is an error in
    words."""
    monkeypatch.setattr(client, "MAX_PAGES", 3)
    job = make_known_job(project, tuner, 1)

    def answer(asked: Any) -> Answer:
        number = len(service.asked)
        return json_answer(
            {
                "tuningJobs": [remote_job(1, job_states.SUCCEEDED)] if number == 1 else [],
                "nextPageToken": str(number),
            }
        )

    service.otherwise = answer
    tasks.poll_due()
    job.refresh_from_db()
    poll = JobListPoll.objects.get()
    assert job.state == job_states.SUCCEEDED
    assert (poll.last_error["kind"], poll.last_error["message"]) == (
        "AnswerTooLarge",
        "The list has more than 3 pages.",
    )


def test_a_bad_stored_name_fails_no_list(
    project: Project, tuner: User, service: FakeVertexServer, browser: Client
) -> None:
    """The row is never found in the list, and can't be read by its name either."""
    bad, good = make_known_job(project, tuner, 1), make_known_job(project, tuner, 2)
    TuningJob.objects.filter(pk=bad.pk).update(name="no resource name")
    for state in (job_states.PENDING, job_states.RUNNING, job_states.SUCCEEDED):
        answer_list(service, remote_job(2, state))
        JobListPoll.objects.update(full_at=None)
        assert poll_again(good).state == state
        assert JobListPoll.objects.get().failures == 0
    bad.refresh_from_db()
    assert bad.last_error["kind"] == "BadName" and bad.deleted_at is None
    assert "is not a resource name of Vertex AI" in read_page(browser, bad)


def test_a_missing_job_that_cannot_be_read_fails_no_list(
    project: Project, tuner: User, service: FakeVertexServer
) -> None:
    bad, _good = make_known_job(project, tuner, 1), make_known_job(project, tuner, 2)
    TuningJob.objects.filter(pk=bad.pk).update(missed_polls=1)
    denied = json_answer({"error": {"code": 403, "message": "No.", "status": "PERMISSION_DENIED"}}, 403)
    service.otherwise = lambda asked: (
        denied
        if asked.path.endswith("/1")
        else json_answer({"tuningJobs": [remote_job(2, job_states.SUCCEEDED)]})
    )
    tasks.poll_due()
    bad.refresh_from_db()
    assert bad.last_error["code"] == 403 and JobListPoll.objects.get().failures == 0


# ---- the create call ----


def test_a_refusal_with_poison_is_a_refusal(
    ready: TuningJob, service: FakeVertexServer, browser: Client
) -> None:
    violations = [{"field": "a\0" * 1000, "description": "d\ud800" * 5000}]
    details = [{"@type": "google.rpc.BadRequest", "fieldViolations": violations}]
    body = {"error": {"code": 400, "message": "No\0 \ud800", "status": "INVALID\0", "details": details}}
    answer_raw(service, json.dumps(body), 400)
    tasks.submit_ready()
    ready.refresh_from_db()
    assert (ready.submission, ready.error["message"], ready.error["status"]) == (
        Submission.REFUSED,
        "No\ufffd \ufffd",
        "INVALID\ufffd",
    )
    assert "a\ufffda\ufffd" in read_page(browser, ready)


@pytest.mark.parametrize("name", [f"{PLACE}/tuningJobs/{'9' * 300}", "no name", 5, None, NAME + "\0"])
def test_a_created_job_with_an_unusable_name_is_searched_for(
    ready: TuningJob, service: FakeVertexServer, name: Any
) -> None:
    labels = {"studio-submission": ready.submission_id}
    service.queue_answers(json_answer({**remote_job(), "name": name, "labels": labels}))
    tasks.submit_ready()
    ready.refresh_from_db()
    assert ready.submission == Submission.UNKNOWN
    make_due(ready)
    answer_list(service, {"name": name, "labels": labels}, {"name": NAME, "labels": []}, None)
    tasks.resolve_unknown()
    ready.refresh_from_db()
    assert ready.submission == Submission.UNKNOWN, "an unusable name is no job that can be shown"
    make_due(ready)
    answer_list(service, "x", remote_job(labels=labels))
    tasks.resolve_unknown()
    ready.refresh_from_db()
    assert (ready.submission, ready.name, count_posts(service)) == (Submission.CREATED, NAME, 1)


def test_a_poisoned_resource_of_a_created_job_is_stored(ready: TuningJob, service: FakeVertexServer) -> None:
    answer_raw(service, json.dumps(remote_job(description="a\0b\ud800", labels={"k\0": "v"})))
    tasks.submit_ready()
    ready.refresh_from_db()
    assert (ready.submission, ready.name) == (Submission.CREATED, NAME)
    assert ready.remote["description"] == "a\ufffdb\ufffd" and ready.remote["labels"] == {"k\ufffd": "v"}


@pytest.mark.parametrize(
    "header", ["99999999999", "9" * 5000, "Fri, 31 Dec 9999 23:59:59 GMT", "Fri, 31 Dec 9999 23:59:59 -2359"]
)
def test_no_retry_after_parks_a_job_or_a_list(
    ready: TuningJob, service: FakeVertexServer, header: str
) -> None:
    known = make_known_job(ready.project, ready.owner, 5)  # type: ignore[arg-type]
    too_many = json_answer({"error": {"code": 429, "message": "wait"}}, 429, **{"Retry-After": header})
    service.otherwise = lambda asked: too_many
    tasks.submit_ready()
    tasks.poll_due()
    TuningJob.objects.filter(pk=known.pk).update(cancel_asked_at=timezone.now())
    tasks.send_cancels()
    latest = timezone.now() + timedelta(minutes=5)
    for job in TuningJob.objects.all():
        assert job.next_try_at is not None and job.next_try_at <= latest
    assert JobListPoll.objects.get().due_at <= latest


# ---- exceptions that nobody expected ----


class Surprise(Exception):
    pass


def raise_for(job: TuningJob, method: Any) -> Any:
    """Replace a method of TuningJob: it raises for one row, and does its work for the others."""

    def work(self: TuningJob, *args: Any, **kwargs: Any) -> Any:
        if self.pk == job.pk:
            raise Surprise("with a secret in its text")
        return method(self, *args, **kwargs)

    return work


def test_a_row_that_raises_stops_no_neighbour_and_shows(
    project: Project,
    tuner: User,
    service: FakeVertexServer,
    browser: Client,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    jobs = [make_known_job(project, tuner, number) for number in range(1, 4)]
    answer_list(service, *(remote_job(number, job_states.SUCCEEDED) for number in range(1, 4)))
    with monkeypatch.context() as patch:
        patch.setattr(TuningJob, "update_from_remote", raise_for(jobs[1], TuningJob.update_from_remote))
        tasks.poll_due()
    for job in jobs:
        job.refresh_from_db()
    assert [job.state for job in jobs] == [job_states.SUCCEEDED, job_states.RUNNING, job_states.SUCCEEDED]
    assert jobs[1].last_error == serialize(InternalFault("Surprise")) and "secret" in caplog.text
    page = read_page(browser, jobs[1])
    assert FAULT in page and "secret" not in page
    assert FAULT in squeeze_html(browser.get(reverse("jobs:list", args=["local"])).content.decode())
    assert [str(alert) for alert in describe_alerts(jobs[1])] == [FAULT]
    with translation.override("ja"):
        assert str(describe_alerts(jobs[1])[0]) != FAULT
    assert poll_again(jobs[1]).state == job_states.SUCCEEDED and jobs[1].last_error == {}


def test_a_fault_ends_with_the_next_answer_even_if_that_is_the_stored_one(
    project: Project, tuner: User, service: FakeVertexServer
) -> None:
    job = make_known_job(project, tuner, 1)
    polling.mark_job(job, InternalFault("Surprise"))
    answer_list(service, remote_job(1))
    assert poll_again(job).last_error == {}


def test_a_list_that_raises_stops_no_other_list_and_shows(
    project: Project,
    tuner: User,
    service: FakeVertexServer,
    browser: Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here, there = make_known_job(project, tuner, 1), make_known_job(project, tuner, 2)
    TuningJob.objects.filter(pk=there.pk).update(location="europe-west4")
    answer_list(service, remote_job(1, job_states.SUCCEEDED), remote_job(2, job_states.SUCCEEDED))
    read = polling.read_job_list

    def raise_here(poll: JobListPoll, **kwargs: Any) -> bool:
        if poll.location == "us-central1":
            raise Surprise
        return read(poll, **kwargs)

    monkeypatch.setattr(polling, "read_job_list", raise_here)
    for _turn in range(2):
        make_lists_due()
        tasks.poll_due()
    here.refresh_from_db()
    there.refresh_from_db()
    assert (here.state, there.state) == (job_states.RUNNING, job_states.SUCCEEDED)
    failed = JobListPoll.objects.get(location="us-central1")
    assert failed.last_error["kind"] == "InternalFault" and failed.failing_since is not None
    assert failed.due_at < timezone.now() + timedelta(minutes=2), "it is read again, not held by its claim"
    assert FAULT in squeeze_html(browser.get(reverse("jobs:list", args=["local"])).content.decode())


@pytest.fixture
def two_ready(ready: TuningJob, tuner: User, dataset: Dataset) -> tuple[TuningJob, TuningJob]:
    second = TuningJob.objects.create(
        project=ready.project,
        owner=tuner,
        tuned_model_display_name="second",
        base_model="studio-tiny",
        location="us-central1",
        training=dataset,
    )
    second.start(tuner)
    return ready, second


def name_by_label(asked: Any) -> Answer:
    """Create a job of its own for each request."""
    number = int(asked.body["labels"]["studio-submission"][:6], 16)
    return json_answer(remote_job(number))


def test_an_exception_before_the_request_is_retried(
    two_ready: tuple[TuningJob, TuningJob], service: FakeVertexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(two_ready) == 2
    service.otherwise = name_by_label
    place = Project.place
    calls: list[int] = []

    def raise_once(self: Project) -> Any:
        calls.append(1)
        if len(calls) == 1:
            raise Surprise
        return place(self)

    monkeypatch.setattr(Project, "place", raise_once)
    tasks.submit_ready()
    states = {job.submission: job for job in TuningJob.objects.all()}
    assert set(states) == {Submission.READY, Submission.CREATED} and count_posts(service) == 1
    waits = states[Submission.READY]
    assert waits.last_error["kind"] == "InternalFault" and waits.next_try_at is not None
    make_due(waits)
    tasks.submit_ready()
    waits.refresh_from_db()
    assert waits.is_created and count_posts(service) == 2


@pytest.mark.parametrize(
    "place", ["jobs.lifecycle.submission.link_remote_job", "studio.vertex.client._parse_object"]
)
def test_an_exception_after_the_request_is_searched_for_and_never_sent_again(
    two_ready: tuple[TuningJob, TuningJob],
    service: FakeVertexServer,
    browser: Client,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
) -> None:
    service.otherwise = name_by_label
    calls: list[int] = []
    name = place.rpartition(".")[2]
    work = getattr(submission if name == "link_remote_job" else client, name)

    def raise_once(*args: Any) -> Any:
        calls.append(1)
        if len(calls) == 1:
            raise Surprise
        return work(*args)

    monkeypatch.setattr(place, raise_once)
    for _turn in range(3):
        tasks.submit_ready()
    states = {job.submission: job for job in TuningJob.objects.all()}
    assert set(states) == {Submission.UNKNOWN, Submission.CREATED} and count_posts(service) == 2
    lost = states[Submission.UNKNOWN]
    assert lost.last_error["kind"] == "InternalFault"
    assert "It’s unknown whether this job was created" in read_page(browser, lost)
    make_due(lost)
    found = remote_job(7, labels={"studio-submission": lost.submission_id})
    answer_list(service, found)
    tasks.resolve_unknown()
    lost.refresh_from_db()
    assert (lost.submission, lost.name) == (Submission.CREATED, found["name"])
    assert lost.last_error == {}


def test_an_exception_while_storing_the_resource_keeps_the_paid_jobs_name(
    ready: TuningJob, service: FakeVertexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.otherwise = lambda asked: json_answer(remote_job())
    with monkeypatch.context() as patch:
        patch.setattr(TuningJob, "update_from_remote", raise_for(ready, TuningJob.update_from_remote))
        tasks.submit_ready()
    ready.refresh_from_db()
    assert (ready.submission, ready.name, ready.last_error["kind"]) == (
        Submission.CREATED,
        NAME,
        "InternalFault",
    )
    answer_list(service, remote_job(1, job_states.RUNNING))
    assert poll_again(ready).state == job_states.RUNNING and ready.last_error == {}


def test_a_name_that_another_row_has_is_an_unknown_outcome(
    two_ready: tuple[TuningJob, TuningJob], service: FakeVertexServer
) -> None:
    """The service answers both create calls with one name: the second row can't have it, and waits for a
    person."""
    service.otherwise = lambda asked: json_answer(remote_job())
    tasks.submit_ready()
    states = sorted(TuningJob.objects.values_list("submission", flat=True))
    assert states == [Submission.CREATED, Submission.UNKNOWN] and count_posts(service) == 2


def test_a_search_that_raises_stops_no_other_search(
    two_ready: tuple[TuningJob, TuningJob], service: FakeVertexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = two_ready
    TuningJob.objects.update(
        submission=Submission.UNKNOWN, unknown_since=timezone.now(), next_try_at=timezone.now()
    )
    answer_list(service, remote_job(3, labels={"studio-submission": second.submission_id}))
    search = submission.list_jobs_with_label

    def raise_for_first(job: TuningJob) -> Any:
        if job.pk == first.pk:
            raise Surprise
        return search(job)

    monkeypatch.setattr(submission, "list_jobs_with_label", raise_for_first)
    tasks.resolve_unknown()
    first.refresh_from_db()
    second.refresh_from_db()
    assert second.is_created
    assert (first.submission, first.last_error["kind"], first.search_attempts) == (
        "unknown",
        "InternalFault",
        1,
    )
    for _attempt in submission.SEARCH_DELAYS[1:]:
        make_due(first)
        tasks.resolve_unknown()
    first.refresh_from_db()
    assert first.can_create_again, "in the end a person decides"


def test_a_cancel_that_raises_stops_no_other_cancel(
    project: Project, tuner: User, service: FakeVertexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = make_known_job(project, tuner, 1), make_known_job(project, tuner, 2)
    for job in (first, second):
        assert job.request_cancel(tuner)
    service.otherwise = lambda asked: json_answer({})
    cancel = client.Vertex.cancel_tuning_job

    def raise_for_first(self: client.Vertex, name: str) -> Any:
        if name == first.name:
            raise Surprise
        return cancel(self, name)

    with monkeypatch.context() as patch:
        patch.setattr(client.Vertex, "cancel_tuning_job", raise_for_first)
        tasks.send_cancels()
    first.refresh_from_db()
    second.refresh_from_db()
    assert second.cancel_sent_at is not None
    assert first.cancel_sent_at is None and first.last_error["kind"] == "InternalFault"
    assert first.next_try_at is not None and first.next_try_at <= timezone.now() + timedelta(minutes=1)
    make_due(first)
    tasks.send_cancels()
    first.refresh_from_db()
    assert first.cancel_sent_at is not None and first.last_error == {}


def test_a_token_count_that_raises_stops_no_other_count(
    project: Project, tuner: User, draft: TuningJob, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Dataset.objects.create(project=project, uri="gs://b/other.jsonl", generation="1", size=1)
    TuningJob.objects.create(
        project=project, owner=tuner, base_model="studio-tiny", location="us-central1", training=other
    )
    asked: list[str] = []

    def raise_always(counted: Dataset, base_model: str, location: str) -> None:
        asked.append(counted.uri)
        raise Surprise

    monkeypatch.setattr(tasks, "calibrate_dataset", raise_always)
    tasks.count_tokens()
    assert sorted(asked) == sorted([dataset.uri, other.uri])


def test_a_row_that_cannot_even_be_marked_stops_no_neighbour(
    project: Project, tuner: User, service: FakeVertexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [make_known_job(project, tuner, number) for number in range(1, 3)]
    answer_list(service, *(remote_job(number, job_states.SUCCEEDED) for number in range(1, 3)))
    monkeypatch.setattr(TuningJob, "update_from_remote", raise_for(jobs[0], TuningJob.update_from_remote))

    def refuse(job: TuningJob, error: VertexError) -> None:
        raise Surprise

    monkeypatch.setattr(polling, "mark_job", refuse)
    tasks.poll_due()
    jobs[1].refresh_from_db()
    assert jobs[1].state == job_states.SUCCEEDED


# ---- stored errors ----


@pytest.mark.parametrize(
    "fault",
    [
        {},
        {"kind": "Any"},
        {"kind": "Violation", "violations": [["a", "b"]]},
        {"kind": "annotations"},
        {"kind": {}, "code": "x", "message": None, "violations": {}},
        {"kind": "NotFound", "violations": [1, ["a"], ["a", "b", "c"], {"a": 1, "b": 2}]},
    ],
    ids=str,
)
def test_any_stored_error_can_be_read(fault: dict[str, Any]) -> None:
    assert isinstance(deserialize(fault), VertexError)


def test_a_stored_error_is_read_as_it_was() -> None:
    found = deserialize(serialize(BadRequest("m", code=400, status="s", reason="r")))
    assert (type(found), found.message, found.code, found.status, found.reason) == (
        BadRequest,
        "m",
        400,
        "s",
        "r",
    )
