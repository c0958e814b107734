"""Which checkpoint is the default: asked, said to the service, followed by the job; or refused in words."""

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
    "en": "The service did not accept these values.",
    "ja": "サービスがこれらの値を受け付けませんでした。",
}


def remote(default: int = 2, checkpoints: int = 2, **fields: Any) -> dict[str, Any]:
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
    job.absorb(remote())
    return job


@pytest.fixture
def browser(tuner: User, browser_of: Callable[[User], Client]) -> Client:
    return browser_of(tuner)


def address(job: TuningJob, checkpoint: str) -> str:
    return f"/p/local/jobs/{job.pk}/checkpoints/{checkpoint}/default/"


def choose(browser: Client, job: TuningJob, checkpoint: str = "1", **options: Any) -> str:
    """The page at which the choice ends, as one line."""
    return " ".join(browser.post(address(job, checkpoint), follow=True, **options).content.decode().split())


def chosen() -> int:
    return AuditEntry.objects.filter(action="tuning_job.set_default").count()


def test_it_asks_without_javascript_too(browser: Client, job: TuningJob) -> None:
    page = browser.get(address(job, "1")).content.decode()
    assert "Make checkpoint 1 the default?" in page
    assert f"{PLACE}/endpoints/11001" in page
    assert f'action="{address(job, "1")}"' in page


def test_the_job_follows_what_the_service_took(
    browser: Client, job: TuningJob, tuner: User, service: FakeVertexServer
) -> None:
    service.queue_answers(json_answer({"name": MODEL, "defaultCheckpointId": "1"}), json_answer(remote(default=1)))
    assert "Checkpoint 1 is the default now." in choose(browser, job)
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
        "Made a checkpoint the default",
    )


@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_refusal_is_a_banner_and_changes_nothing(
    browser: Client, job: TuningJob, service: FakeVertexServer, language: str
) -> None:
    error = {"code": 400, "status": "FAILED_PRECONDITION", "message": "The model is being deployed."}
    service.queue_answers(json_answer({"error": error}, status=400))
    page = choose(browser, job, headers={"Accept-Language": language})
    assert 'role="alert"' in page
    assert "The model is being deployed." in page
    assert REFUSED[language] in page
    job.refresh_from_db()
    assert (job.endpoint, chosen()) == (f"{PLACE}/endpoints/11002", 0)
    assert [asked.method for asked in service.asked] == ["PATCH"]


@pytest.mark.parametrize("done", [True, False])
def test_an_answer_that_was_lost_is_looked_up(
    browser: Client, job: TuningJob, service: FakeVertexServer, done: bool
) -> None:
    service.queue_answers(Answer(reset=True), json_answer(remote(default=1 if done else 2)))
    page = choose(browser, job)
    assert [asked.method for asked in service.asked] == ["PATCH", "GET"], "never sent twice by itself"
    assert ("Checkpoint 1 is the default now." in page) is done
    assert ("It is not known whether this was done." in page) is not done
    assert chosen() == done


def test_a_job_that_cannot_be_read_again_is_not_called_changed(
    browser: Client, job: TuningJob, service: FakeVertexServer
) -> None:
    service.queue_answers(json_answer({"defaultCheckpointId": "1"}), Answer(503), Answer(503))
    page = choose(browser, job)
    assert "Checkpoint 1 is the model’s default now; the job still names another endpoint." in page
    assert chosen() == 1


@pytest.mark.parametrize(
    ("made", "checkpoint", "words"),
    [
        (remote(checkpoints=0), "1", "This model has no checkpoints to choose from."),
        (remote(default=1, checkpoints=1), "1", "once the job has left a model with several of them"),
        (remote(), "2", "Checkpoint 2 is the default already."),
    ],
)
def test_where_there_is_nothing_to_choose_it_says_so(
    browser: Client, job: TuningJob, service: FakeVertexServer, made: dict[str, Any], checkpoint: str, words: str
) -> None:
    TuningJob.objects.update(remote=made)
    assert words in choose(browser, job, checkpoint)
    assert service.asked == []


def test_a_checkpoint_that_is_none_is_not_found(browser: Client, job: TuningJob) -> None:
    assert browser.get(address(job, "7")).status_code == 404


def test_a_viewer_may_not(
    person: Callable[..., User], browser_of: Callable[[User], Client], job: TuningJob
) -> None:
    assert browser_of(person(Role.VIEWER)).post(address(job, "1")).status_code == 403


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
        job.absorb(project.vertex().get_tuning_job(made["name"]))
        time.sleep(0.1)
    first, last = job.checkpoints
    assert job.is_default(last), job.error
    assert "Checkpoint 1 is the default now." in choose(browser, job, first.id)
    job.refresh_from_db()
    assert job.is_default(first)
    model = project.vertex().get(job.tuned_model)
    assert model["defaultCheckpointId"] == first.id
    assert "Checkpoint 2 is the default now." in choose(browser, job, last.id)
