"""Download of a tuned adapter from the real engine."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from jobs.models import Submission, TuningJob
from studio.models import Backend, Project
from tests.engine.running_engine import Engine

pytestmark = pytest.mark.django_db


@pytest.fixture
def job(project: Project, tuner: User, on_engine: Engine, tuned: dict[str, Any]) -> TuningJob:
    return TuningJob.objects.create(
        project=project,
        owner=tuner,
        base_model="studio-tiny",
        location="us-central1",
        submission=Submission.CREATED,
        state=tuned["state"],
        name=tuned["name"],
        remote=tuned,
    )


def build_url(job: TuningJob, checkpoint: int) -> str:
    return reverse("jobs:adapter", args=[job.project.slug, job.pk, checkpoint])


@pytest.mark.engine
def test_peft_loads_the_adapter_linked_from_the_details(
    client: Client, job: TuningJob, base_folder: Path, tmp_path: Path
) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    client.force_login(job.owner)
    page = client.get(reverse("jobs:details", args=[job.project.slug, job.pk])).content.decode()
    assert build_url(job, 1) in page and build_url(job, 2) in page
    answer = client.get(build_url(job, 2))
    assert answer["Content-Disposition"].endswith('-2.zip"')
    with ZipFile(io.BytesIO(b"".join(answer.streaming_content))) as zipped:  # type: ignore[attr-defined]
        zipped.extractall(tmp_path)
    PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base_folder), tmp_path)


def test_a_job_with_only_its_last_checkpoint_offers_that_adapter(client: Client, job: TuningJob) -> None:
    model = {key: value for key, value in job.remote["tunedModel"].items() if key != "checkpoints"}
    job.remote = {**job.remote, "tunedModel": model}
    job.save()
    client.force_login(job.owner)
    page = client.get(reverse("jobs:details", args=[job.project.slug, job.pk])).content.decode()
    assert build_url(job, 1) in page


def test_a_missing_checkpoint_redirects_with_a_message(client: Client, job: TuningJob) -> None:
    client.force_login(job.owner)
    answer = client.get(build_url(job, 9), follow=True)
    assert answer.redirect_chain == [(reverse("jobs:details", args=[job.project.slug, job.pk]), 302)]
    assert [str(each) for each in answer.context["messages"]] == ["The service couldn’t find this."]


def test_google_jobs_offer_no_adapter(client: Client, job: TuningJob) -> None:
    Project.objects.filter(pk=job.project_id).update(backend=Backend.GOOGLE)
    client.force_login(job.owner)
    assert client.get(build_url(job, 1)).status_code == 404
    page = client.get(reverse("jobs:details", args=[job.project.slug, job.pk])).content.decode()
    assert build_url(job, 1) not in page
