"""Default checkpoint: confirmation, the call to the service, the job's new endpoint, and rejections."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from jobs.datasets import ingest
from jobs.models import Submission, TuningJob
from studio.models import AuditEntry, Project, Role
from studio.vertex import job_states
from tests.engine.running_engine import Engine
from tests.jobs.conftest import PLACE, remote_job
from tests.studio.vertex.double import Answer, FakeVertexServer, json_answer

pytestmark = pytest.mark.django_db
MODEL = f"{PLACE}/models/110@1"
REFUSED = {
    "en": "The service didn’t accept these values.",
    "ja": "サービスがこれらの値を受け付けませんでした。",
}


def make_remote(default: int = 2, checkpoints: int = 2, **fields: Any) -> dict[str, Any]:
    made = [
        {
            "checkpointId": str(n),
            "epoch": str(n),
            "step": str(60 * n),
            "endpoint": f"{PLACE}/endpoints/1100{n}",
        }
        for n in range(1, checkpoints + 1)
    ]
    tuned = {"model": MODEL, "endpoint": f"{PLACE}/endpoints/1100{default}", "checkpoints": made}
    return remote_job(11, job_states.SUCCEEDED, tunedModel=tuned, **fields)


@pytest.fixture
def job(project: Project, tuner: User) -> TuningJob:
    job = TuningJob.objects.create(
        project=project,
        owner=tuner,
        tuned_model_display_name="intents",
        base_model="studio-tiny",
        location="us-central1",
        submission=Submission.CREATED,
        submitted_at=timezone.now(),
        name=f"{PLACE}/tuningJobs/11",
    )
    job.update_from_remote(make_remote())
    return job


@pytest.fixture
def browser(tuner: User, browser_of: Callable[[User], Client]) -> Client:
    return browser_of(tuner)


def build_url(job: TuningJob, checkpoint: str) -> str:
    return f"/p/local/jobs/{job.pk}/checkpoints/{checkpoint}/default/"


def post_default(browser: Client, job: TuningJob, checkpoint: str = "1", **options: Any) -> str:
    """Set the default checkpoint and return the resulting page as one line."""
    return " ".join(browser.post(build_url(job, checkpoint), follow=True, **options).content.decode().split())


def count_audit_entries() -> int:
    return AuditEntry.objects.filter(action="tuning_job.set_default").count()


def test_the_confirmation_works_without_javascript(browser: Client, job: TuningJob) -> None:
    page = browser.get(build_url(job, "1")).content.decode()
    assert "Make checkpoint 1 the default?" in page
    assert f"{PLACE}/endpoints/11001" in page
    assert f'action="{build_url(job, "1")}"' in page


def test_the_job_takes_the_new_default_from_the_service(
    browser: Client, job: TuningJob, tuner: User, service: FakeVertexServer
) -> None:
    service.queue_answers(
        json_answer({"name": MODEL, "defaultCheckpointId": "1"}), json_answer(make_remote(default=1))
    )
    assert "Checkpoint 1 is now the default." in post_default(browser, job)
    said, read = service.asked
    assert (said.method, said.path, said.query) == ("PATCH", f"/v1/{MODEL}", [])
    assert said.body == {"defaultCheckpointId": "1"}
    assert (read.method, read.path) == ("GET", f"/v1beta1/{job.name}")
    job.refresh_from_db()
    assert (job.endpoint, job.state) == (f"{PLACE}/endpoints/11001", job_states.SUCCEEDED)
    entry = AuditEntry.objects.get(action="tuning_job.set_default")
    assert (entry.actor, entry.detail, entry.deed) == (
        tuner,
        {"checkpoint": "1"},
        "Set a checkpoint as default",
    )


@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_refusal_shows_a_banner_and_changes_nothing(
    browser: Client, job: TuningJob, service: FakeVertexServer, language: str
) -> None:
    error = {"code": 400, "status": "FAILED_PRECONDITION", "message": "The model is being deployed."}
    service.queue_answers(json_answer({"error": error}, status=400))
    page = post_default(browser, job, headers={"Accept-Language": language})
    assert 'role="alert"' in page
    assert "The model is being deployed." in page
    assert REFUSED[language] in page
    job.refresh_from_db()
    assert (job.endpoint, count_audit_entries()) == (f"{PLACE}/endpoints/11002", 0)
    assert [asked.method for asked in service.asked] == ["PATCH"]


@pytest.mark.parametrize("done", [True, False])
def test_a_lost_answer_is_looked_up(
    browser: Client, job: TuningJob, service: FakeVertexServer, done: bool
) -> None:
    service.queue_answers(Answer(reset=True), json_answer(make_remote(default=1 if done else 2)))
    page = post_default(browser, job)
    assert [asked.method for asked in service.asked] == ["PATCH", "GET"], "never sent twice by itself"
    assert ("Checkpoint 1 is now the default." in page) is done
    assert ("It’s unknown whether this was done." in page) is not done
    assert count_audit_entries() == done


def test_a_failed_refresh_does_not_report_a_new_default(
    browser: Client, job: TuningJob, service: FakeVertexServer
) -> None:
    service.queue_answers(json_answer({"defaultCheckpointId": "1"}), Answer(503), Answer(503))
    page = post_default(browser, job)
    assert "Checkpoint 1 is now the model’s default, but the job still points to another endpoint." in page
    assert count_audit_entries() == 1


@pytest.mark.parametrize(
    ("made", "checkpoint", "words"),
    [
        (make_remote(checkpoints=0), "1", "This model has no checkpoints to choose from."),
        (
            make_remote(default=1, checkpoints=1),
            "1",
            "once the job has produced a model with several checkpoints",
        ),
        (make_remote(), "2", "Checkpoint 2 is already the default."),
    ],
)
def test_a_job_without_a_choice_shows_the_reason(
    browser: Client,
    job: TuningJob,
    service: FakeVertexServer,
    made: dict[str, Any],
    checkpoint: str,
    words: str,
) -> None:
    TuningJob.objects.update(remote=made)
    assert words in post_default(browser, job, checkpoint)
    assert service.asked == []


def test_an_unknown_checkpoint_is_not_found(browser: Client, job: TuningJob) -> None:
    assert browser.get(build_url(job, "7")).status_code == 404


def test_a_viewer_cannot_set_the_default(
    person: Callable[..., User], browser_of: Callable[[User], Client], job: TuningJob
) -> None:
    assert browser_of(person(Role.VIEWER)).post(build_url(job, "1")).status_code == 403


@pytest.mark.slow
def test_on_the_engine_the_endpoint_of_the_job_changes(
    project: Project, tuner: User, browser: Client, on_engine: Engine
) -> None:
    job = TuningJob.objects.create(
        project=project,
        owner=tuner,
        base_model="studio-tiny",
        location="us-central1",
        epoch_count=2,
        adapter_size=4,
        training=ingest.ingest_existing(project, tuner, on_engine.upload_examples("default-train.jsonl", 8)),
    )
    job.start(tuner)
    job.refresh_from_db()
    made = project.vertex().create_tuning_job(job.location, job.request)
    TuningJob.objects.filter(pk=job.pk).update(name=made["name"], submission=Submission.CREATED)
    job.refresh_from_db()
    deadline = time.monotonic() + 240
    while not job.is_final and time.monotonic() < deadline:
        job.update_from_remote(project.vertex().get_tuning_job(made["name"]))
        time.sleep(0.1)
    first, last = job.checkpoints
    assert job.is_default(last), job.error
    assert "Checkpoint 1 is now the default." in post_default(browser, job, first.id)
    job.refresh_from_db()
    assert job.is_default(first)
    model = project.vertex().get(job.tuned_model)
    assert model["defaultCheckpointId"] == first.id
    assert "Checkpoint 2 is now the default." in post_default(browser, job, last.id)
