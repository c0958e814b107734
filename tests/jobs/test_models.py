"""State changes of a job, each of which happens at most once."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User

from jobs.models import Submission, TuningJob
from studio.models import AuditEntry
from studio.vertex import job_states
from tests.jobs.conftest import NAME

pytestmark = [pytest.mark.django_db, pytest.mark.sql]


def make_created_job(job: TuningJob, **remote: Any) -> TuningJob:
    TuningJob.objects.filter(pk=job.pk).update(submission=Submission.CREATED, name=NAME)
    job.refresh_from_db()
    job.update_from_remote({"name": NAME, "state": job_states.RUNNING, **remote})
    return job


def test_start_stores_the_request_and_audits_the_user(draft: TuningJob, tuner: User) -> None:
    assert draft.start(tuner)
    draft.refresh_from_db()
    assert draft.submission == Submission.READY
    assert draft.request["supervisedTuningSpec"] == {"trainingDatasetUri": "gs://tuning-data/train.jsonl"}
    assert draft.request["labels"] == {"studio-submission": draft.submission_id}
    assert AuditEntry.objects.get().action == "tuning_job.start"


def test_a_second_start_does_nothing(draft: TuningJob, tuner: User) -> None:
    assert draft.start(tuner)
    assert not draft.start(tuner)
    assert AuditEntry.objects.count() == 1


def test_a_final_state_never_changes_but_gains_missing_fields(draft: TuningJob) -> None:
    job = make_created_job(draft)
    job.update_from_remote({"name": NAME, "state": job_states.SUCCEEDED, "endTime": "2026-11-23T10:00:00Z"})
    job.update_from_remote({"name": NAME, "state": job_states.RUNNING, "tunedModel": {"endpoint": "e"}})
    job.refresh_from_db()
    assert job.state == job_states.SUCCEEDED
    assert job.remote["state"] == job_states.SUCCEEDED
    assert job.endpoint == "e"
    assert job.ended_at is not None and job.ended_at.isoformat() == "2026-11-23T10:00:00+00:00"


def test_an_unknown_state_is_stored_verbatim(draft: TuningJob) -> None:
    job = make_created_job(draft, state="JOB_STATE_DREAMING")
    assert job.state == "JOB_STATE_DREAMING"
    assert not job.is_final
    assert TuningJob.objects.active().get() == job


def test_a_failed_job_stores_its_error(draft: TuningJob) -> None:
    job = make_created_job(draft, state=job_states.FAILED, error={"code": 13, "message": "no capacity"})
    assert job.error == {"code": 13, "message": "no capacity"}
    assert TuningJob.objects.failed().get() == job


def test_a_deleted_job_ignores_later_answers(draft: TuningJob) -> None:
    job = make_created_job(draft)
    TuningJob.objects.filter(pk=job.pk).update(deleted_at=job.seen_at)
    job.update_from_remote({"name": NAME, "state": job_states.SUCCEEDED})
    job.refresh_from_db()
    assert job.state == job_states.RUNNING


def test_cancel_before_sending_makes_it_a_draft_again(draft: TuningJob, tuner: User) -> None:
    draft.start(tuner)
    assert draft.request_cancel(tuner)
    draft.refresh_from_db()
    assert draft.is_draft


def test_cancel_is_requested_once_and_only_before_the_end(draft: TuningJob, tuner: User) -> None:
    job = make_created_job(draft)
    assert job.request_cancel(tuner)
    assert not job.request_cancel(tuner)
    assert AuditEntry.objects.filter(action="tuning_job.cancel").count() == 1
    job.update_from_remote({"name": NAME, "state": job_states.CANCELLED, "error": {"code": 1}})
    assert not job.can_cancel


def test_create_again_waits_until_the_search_is_over(draft: TuningJob, tuner: User) -> None:
    draft.start(tuner)
    now = draft.created_at
    TuningJob.objects.update(submission=Submission.UNKNOWN, next_try_at=now)
    assert not draft.create_again(tuner)
    TuningJob.objects.update(next_try_at=None)
    before = draft.submission_id
    assert draft.create_again(tuner)
    draft.refresh_from_db()
    assert (draft.submission, draft.submission_id) == (Submission.READY, before)


def test_tune_again_copies_the_settings_only(draft: TuningJob, tuner: User) -> None:
    job = make_created_job(draft, tunedModel={"endpoint": "e"})
    copy = job.copy_to_draft(tuner)
    assert copy.is_draft and copy.training == job.training and copy.base_model == job.base_model
    assert copy.submission_id != job.submission_id
    assert (copy.remote, copy.state, copy.name) == ({}, "", None)


def test_a_draft_is_visible_to_its_owner_only(draft: TuningJob, tuner: User, admin_exists: User) -> None:
    assert TuningJob.objects.visible_to(tuner).get() == draft
    assert not TuningJob.objects.visible_to(admin_exists).exists()
    draft.start(tuner)
    assert TuningJob.objects.visible_to(admin_exists).get() == draft


def test_a_resolved_value_takes_precedence_over_the_requested_one(draft: TuningJob) -> None:
    draft.adapter_size = 16
    draft.save()
    spec = {
        "hyperParameters": {
            "epochCount": "7",
            "adapterSize": "ADAPTER_SIZE_SIXTEEN",
            "learningRateMultiplier": 1,
        }
    }
    job = make_created_job(draft, supervisedTuningSpec=spec)
    assert (job.epochs.requested, job.epochs.resolved, job.epochs.changed) == (None, 7, False)
    assert (job.adapter.requested, job.adapter.resolved, job.adapter.changed) == (16, 16, True)
    assert job.learning_rate.effective == 1
