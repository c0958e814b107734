"""A job's pages: head, cancellation, and unknown states."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from jobs.models import TuningJob
from jobs.querysets import Submission
from studio.models import AuditEntry, Project, Role

pytestmark = pytest.mark.django_db
PLACE = "projects/local/locations/us-central1"
REMOTE: dict[str, Any] = {
    "name": f"{PLACE}/tuningJobs/11",
    "state": "JOB_STATE_SUCCEEDED",
    "startTime": "2026-11-23T10:00:00Z",
    "endTime": "2026-11-23T10:04:05Z",
    "experiment": f"{PLACE}/metadataStores/default/contexts/tuning-experiment-11",
    "supervisedTuningSpec": {
        "trainingDatasetUri": "gs://b/train.jsonl",
        "hyperParameters": {
            "epochCount": "6",
            "adapterSize": "ADAPTER_SIZE_EIGHT",
            "learningRateMultiplier": 1.0,
        },
    },
    "tunedModel": {
        "model": f"{PLACE}/models/110@1",
        "endpoint": f"{PLACE}/endpoints/11002",
        "checkpoints": [
            {"checkpointId": "1", "epoch": "1", "step": "60", "endpoint": f"{PLACE}/endpoints/11001"},
            {"checkpointId": "2", "epoch": "2", "step": "120", "endpoint": f"{PLACE}/endpoints/11002"},
        ],
    },
    "tuningDataStats": {
        "supervisedTuningDataStats": {
            "tuningDatasetExampleCount": "480",
            "tuningStepCount": "360",
            "totalBillableTokenCount": "15123",
            "totalTruncatedExampleCount": "2",
            "truncatedExampleIndices": ["7", "9"],
            "droppedExampleReasons": ["too long: 2000 tokens", "no model turn"],
            "userInputTokenDistribution": {
                "min": 4,
                "max": 40,
                "buckets": [{"left": 4, "right": 40, "count": 480}],
            },
        }
    },
}


@pytest.fixture
def make(project: Project, tuner: User) -> Callable[..., TuningJob]:
    def make_job(**fields: Any) -> TuningJob:
        usual = {
            "tuned_model_display_name": "intents",
            "base_model": "studio-tiny",
            "location": "us-central1",
            "submission": Submission.CREATED,
            "state": "JOB_STATE_RUNNING",
            "name": f"{PLACE}/tuningJobs/11",
        }
        return TuningJob.objects.create(**{"project": project, "owner": tuner, **usual, **fields})

    return make_job


@pytest.fixture
def done(make: Callable[..., TuningJob]) -> TuningJob:
    job = make(epoch_count=None, adapter_size=8)
    job.update_from_remote(REMOTE)
    return job


def read_page(browser: Client, job: TuningJob, tab: str = "", **headers: str) -> str:
    answer = browser.get(f"/p/local/jobs/{job.pk}/{tab}", headers=headers)
    assert answer.status_code in {200, 286}, answer.status_code
    return answer.content.decode()


def test_a_cancelled_job_shows_one_cancelled_notice(
    make: Callable[..., TuningJob], tuner: User, browser_of: Callable[[User], Client]
) -> None:
    job = make()
    job.update_from_remote(
        {**REMOTE, "state": "JOB_STATE_CANCELLED", "error": {"code": 1, "message": "Job was cancelled."}}
    )
    html = " ".join(read_page(browser_of(tuner), job, "data/").split())
    assert "This job was cancelled.</b> Checkpoints created before that are kept." in html
    assert "Job was cancelled." not in html and "code 1" not in html


def test_the_head_refreshes_until_the_job_is_over(
    make: Callable[..., TuningJob], tuner: User, browser_of: Callable[[User], Client]
) -> None:
    job, browser = make(), browser_of(tuner)
    url = f"/p/local/jobs/{job.pk}/"
    going = browser.get(url, headers={"HX-Request": "true"})
    assert (going.status_code, b'hx-trigger="every 4s"' in going.content) == (200, True)
    job.update_from_remote(REMOTE)
    over = browser.get(url, headers={"HX-Request": "true"})
    assert (over.status_code, b"hx-trigger" in over.content) == (286, False)
    assert b"Succeeded" in over.content


def test_the_test_button_is_disabled_until_there_is_an_endpoint(
    make: Callable[..., TuningJob], done: TuningJob, tuner: User, browser_of: Callable[[User], Client]
) -> None:
    assert "disabled" not in read_page(browser_of(tuner), done)
    waiting = make(name="other")
    assert "Available when the endpoint is ready." in read_page(browser_of(tuner), waiting)


def test_cancel_is_requested_once_and_audited(
    make: Callable[..., TuningJob], tuner: User, browser_of: Callable[[User], Client]
) -> None:
    job, browser = make(), browser_of(tuner)
    assert "Cancel “intents”?" in read_page(browser, job, "cancel/")
    assert browser.post(f"/p/local/jobs/{job.pk}/cancel/").status_code == 302
    browser.post(f"/p/local/jobs/{job.pk}/cancel/")
    job.refresh_from_db()
    assert job.cancel_asked_at is not None
    assert AuditEntry.objects.filter(action="tuning_job.cancel", actor=tuner).count() == 1
    assert "Cancelling" in read_page(browser, job)


def test_a_viewer_has_no_buttons(
    make: Callable[..., TuningJob], person: Callable[..., User], browser_of: Callable[[User], Client]
) -> None:
    job, browser = make(), browser_of(person(Role.VIEWER))
    html = read_page(browser, job)
    assert "btn-primary" not in html
    assert browser.post(f"/p/local/jobs/{job.pk}/cancel/").status_code == 403


def test_an_unknown_outcome_offers_to_create_again_only_when_the_search_is_over(
    make: Callable[..., TuningJob], tuner: User, browser_of: Callable[[User], Client]
) -> None:
    soon = timezone.now() + timedelta(minutes=1)
    lost = make(
        submission=Submission.UNKNOWN, state="", name=None, unknown_since=timezone.now(), next_try_at=soon
    )
    browser = browser_of(tuner)
    searching = read_page(browser, lost)
    assert ("Search again" in searching, "Create again" in searching) == (True, False)
    browser.post(f"/p/local/jobs/{lost.pk}/create-again/")
    lost.refresh_from_db()
    assert lost.submission == Submission.UNKNOWN
    TuningJob.objects.filter(pk=lost.pk).update(next_try_at=None)
    assert "Create again" in read_page(browser, lost)
    browser.post(f"/p/local/jobs/{lost.pk}/create-again/")
    lost.refresh_from_db()
    assert lost.submission == Submission.READY


def test_a_failed_job_shows_the_reason_and_keeps_its_model(
    make: Callable[..., TuningJob], tuner: User, browser_of: Callable[[User], Client]
) -> None:
    job = make()
    words = "Failed to create endpoint. Tuned model is uploaded <b>here</b>."
    job.update_from_remote({**REMOTE, "state": "JOB_STATE_FAILED", "error": {"code": 13, "message": words}})
    html = read_page(browser_of(tuner), job)
    assert "This job failed." in html
    assert "&lt;b&gt;here&lt;/b&gt;" in html


def test_a_job_of_another_project_is_not_found(
    done: TuningJob, tuner: User, browser_of: Callable[[User], Client]
) -> None:
    other = Project.objects.create(slug="other", name="Other", project_id="other", backend="engine")
    TuningJob.objects.filter(pk=done.pk).update(project=other)
    assert browser_of(tuner).get(f"/p/local/jobs/{done.pk}/").status_code == 404
