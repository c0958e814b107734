"""The tasks with the real engine: a job is created once, polled, cancelled, and found by its label."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from jobs import tasks
from jobs.datasets import ingest
from jobs.lifecycle import submission
from jobs.models import JobListPoll, Submission, TuningJob
from studio.models import Project
from studio.vertex import job_states
from tests.engine.running_engine import Engine

pytestmark = pytest.mark.django_db


@pytest.fixture
def ready(project: Project, tuner: User, on_engine: Engine) -> TuningJob:
    draft = TuningJob.objects.create(
        project=project,
        owner=tuner,
        tuned_model_display_name="colours",
        base_model="studio-tiny",
        location="us-central1",
        epoch_count=1,
        adapter_size=4,
        training=ingest.ingest_existing(project, tuner, on_engine.upload_examples("studio-train.jsonl", 8)),
    )
    draft.start(tuner)
    draft.refresh_from_db()
    return draft


def poll_until(job: TuningJob, holds: Callable[[TuningJob], bool], seconds: float = 240) -> None:
    """Poll like the beat, without its pauses."""
    deadline = time.monotonic() + seconds
    while not holds(job):
        assert time.monotonic() < deadline, (job.state, job.last_error)
        JobListPoll.objects.update(due_at=timezone.now())
        tasks.poll_due()
        job.refresh_from_db()
        time.sleep(0.1)


def test_a_job_is_created_polled_and_ends(ready: TuningJob) -> None:
    tasks.submit_ready()
    ready.refresh_from_db()
    assert ready.is_created and ready.state == job_states.PENDING, ready.error
    poll_until(ready, lambda job: job.is_final)
    assert ready.state == job_states.SUCCEEDED, ready.error
    assert (ready.epochs.resolved, ready.adapter.resolved) == (1, 4)
    assert ready.learning_rate.resolved == 1.0
    assert ready.endpoint.startswith("projects/local/") and "@" in ready.tuned_model
    assert ready.statistics["tuningDatasetExampleCount"] == "8"
    assert ready.checkpoints and ready.ended_at is not None and ready.elapsed is not None


def test_a_job_is_cancelled(ready: TuningJob, tuner: User) -> None:
    tasks.submit_ready()
    ready.refresh_from_db()
    assert ready.request_cancel(tuner)
    tasks.send_cancels()
    poll_until(ready, lambda job: job.is_final)
    assert ready.state in {job_states.CANCELLED, job_states.SUCCEEDED}
    assert ready.cancel_sent_at is not None


def test_a_refusal_stores_the_field(ready: TuningJob) -> None:
    ready.request["supervisedTuningSpec"]["trainingDatasetUri"] = "gs://data/nowhere.jsonl"
    ready.save()
    tasks.submit_ready()
    ready.refresh_from_db()
    assert ready.submission == Submission.REFUSED
    assert ready.error["violations"][0][0] == "tuning_job.supervised_tuning_spec.training_dataset_uri"


def test_a_created_job_with_a_lost_answer_is_linked_not_created_again(ready: TuningJob) -> None:
    """The response is dropped after the engine has accepted the request; a second request would create a
    second job."""
    assert submission.claim(ready)
    created = ready.project.vertex().create_tuning_job(ready.location, ready.request)
    ready.refresh_from_db()
    submission.mark_stuck_unknown(ready)
    TuningJob.objects.filter(pk=ready.pk).update(next_try_at=timezone.now())
    tasks.resolve_unknown()
    ready.refresh_from_db()
    assert (ready.name, ready.submission) == (created["name"], Submission.CREATED)
    assert len(submission.list_jobs_with_label(ready)) == 1


@pytest.mark.slow
def test_a_draft_can_continue_from_a_tuned_model(
    ready: TuningJob, tuner: User, browser_of: Callable[[User], Client]
) -> None:
    """A tuned model is chosen in step 1 with its first checkpoint; tuning it creates the next version of the
    model."""
    tasks.submit_ready()
    ready.refresh_from_db()
    poll_until(ready, lambda job: job.is_final, 240)
    draft, browser = ready.copy_to_draft(tuner), browser_of(tuner)
    page = f"/p/local/jobs/{draft.pk}/model/"
    checkpoint = ready.checkpoints[0].id
    shown = browser.get(page).content.decode()
    assert f'<option value="{ready.tuned_model}">colours' in shown
    values = {"source": "pre_tuned", "pre_tuned_model": ready.tuned_model, "location": "us-central1"}
    chosen = {"pre_tuned_checkpoint": checkpoint, "epoch_count": "1", "labels": "crew=red"}
    assert browser.post(page, {**values, **chosen}).status_code == 302
    browser.post(f"/p/local/jobs/{draft.pk}/start/")
    tasks.submit_ready()
    draft.refresh_from_db()
    assert draft.is_created, draft.error
    poll_until(draft, lambda job: job.is_final, 240)
    assert draft.state == job_states.SUCCEEDED, draft.error
    model = ready.tuned_model.partition("@")[0]
    assert draft.tuned_model.startswith(f"{model}@") and draft.tuned_model != ready.tuned_model
    assert draft.adapter.resolved == 4 and draft.remote["labels"]["crew"] == "red"
    told = browser.get(f"/p/local/jobs/{draft.pk}/details/").content.decode()
    assert ready.tuned_model in told and "Starting checkpoint" in told
