"""The page that creates a draft from a pasted request."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.messages import get_messages
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from jobs.models import TuningJob
from jobs.request_import import views
from studio.models import Project
from tests.engine.running_engine import Engine
from tests.jobs.request_import.samples import BODY, URL


def post_text(client: Client, project: Project, text: str) -> HttpResponse:
    address = reverse("jobs:paste", args=[project.slug])
    return client.post(address, {"request": text})


def get_message_text(answer: HttpResponse) -> str:
    return " ".join(str(message) for message in get_messages(answer.wsgi_request))  # type: ignore[attr-defined]


@pytest.fixture
def here(client: Client, tuner: User) -> Client:
    client.force_login(tuner)
    return client


@pytest.mark.django_db
def test_page_has_one_form_and_is_linked_from_the_list(here: Client, project: Project) -> None:
    address = reverse("jobs:paste", args=[project.slug])
    assert address in here.get(reverse("jobs:list", args=[project.slug])).content.decode()
    page = here.get(address).content.decode()
    assert page.count("<textarea") == 1 and "csrfmiddlewaretoken" in page
    assert not TuningJob.objects.exists()


@pytest.mark.django_db
def test_rejected_text_stays_in_the_form(here: Client, project: Project) -> None:
    answer = post_text(here, project, "{\n<b>")
    assert answer.status_code == 422
    assert "line 2" in answer.content.decode() and "{\n&lt;b&gt;</textarea>" in answer.content.decode()
    too_long = post_text(here, project, "{" * (views.MAX_CHARACTERS + 1))
    assert f"longer than {views.MAX_CHARACTERS}" in too_long.content.decode()
    assert not TuningJob.objects.exists()


@pytest.mark.django_db
def test_pasted_command_creates_a_draft(here: Client, project: Project, on_engine: Engine) -> None:
    request = {
        **BODY,
        "supervisedTuningSpec": {
            "trainingDatasetUri": on_engine.upload_examples("pasted.jsonl", 8),
            "validationDatasetUri": on_engine.upload_examples("pasted-validation.jsonl", 4),
            "hyperParameters": {"epochCount": 3, "adapterSize": "ADAPTER_SIZE_EIGHT"},
        },
        "labels": {"team": "red", "studio-submission": "another"},
    }
    url = f"http://x/v1/projects/{project.project_id}/locations/us-central1/tuningJobs"
    answer = post_text(here, project, f"curl {url} -d @- <<'E'\n{json.dumps(request)}\nE")
    job = TuningJob.objects.get()
    assert answer.headers["Location"] == reverse("jobs:model", args=[project.slug, job.pk])
    assert (job.tuned_model_display_name, job.epoch_count, job.adapter_size) == ("it's “x”", 3, 8)
    assert job.training and job.validation and job.validation_enabled and job.is_draft
    assert job.labels == {"team": "red"} and job.submission_id != "another"
    assert "Filled in from the request" in get_message_text(
        answer
    ) and "is for project" not in get_message_text(answer)
    assert here.get(answer.headers["Location"]).status_code == 200


@pytest.mark.django_db
def test_missing_file_is_prefilled_in_step_2(here: Client, project: Project, on_engine: Engine) -> None:
    spec = {"trainingDatasetUri": "gs://data/nowhere.jsonl", "validationDatasetUri": "projects/1/datasets/2"}
    answer = post_text(here, project, json.dumps({**BODY, "supervisedTuningSpec": spec}))
    job = TuningJob.objects.get()
    assert job.training is None and job.validation is None and job.validation_enabled
    assert "gs://data/nowhere.jsonl: File not found." in get_message_text(answer)
    assert "projects/1/datasets/2: This isn’t a file path." in get_message_text(answer)
    page = here.get(reverse("jobs:dataset", args=[project.slug, job.pk])).content.decode()
    assert 'value="gs://data/nowhere.jsonl"' in page and 'value="projects/1/datasets/2"' in page
    other = TuningJob.objects.create(project=project, owner=job.owner, base_model="studio-tiny")
    assert "nowhere" not in here.get(reverse("jobs:dataset", args=[project.slug, other.pk])).content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "request_,said",
    [
        ({"baseModel": "gemini-99"}, "Base model gemini-99 isn’t available here."),
        ({"baseModel": "studio-tiny", "name": "projects/1/locations/mars-east1/tuningJobs/1"}, "mars-east1"),
        (
            {"baseModel": "gemini-1.5-pro-002", "hyperParameters": {"adapterSize": "ADAPTER_SIZE_SIXTEEN"}},
            "gemini-1.5-pro-002 doesn’t support adapter size 16.",
        ),
        (
            {"preTunedModel": {"tunedModelName": "projects/1/locations/l/models/2@1"}},
            "doesn’t name the base model of the tuned model",
        ),
        ({"baseModel": "studio-tiny", "tunedModelDisplayName": "x" * 129}, "it has 129 characters"),
        ({"baseModel": "studio-tiny", "labels": {"\x00": "\ud800"}}, "Filled in from the request"),
    ],
)
def test_unsupported_values_are_reported_and_the_draft_is_created(
    here: Client, project: Project, request_: dict[str, Any], said: str
) -> None:
    spec = {"hyperParameters": request_.pop("hyperParameters", {})}
    answer = post_text(here, project, json.dumps({**request_, "supervisedTuningSpec": spec}))
    job = TuningJob.objects.get()
    assert said in get_message_text(answer)
    for step in ("jobs:model", "jobs:dataset", "jobs:request"):
        assert here.get(reverse(step, args=[project.slug, job.pk])).status_code == 200


@pytest.mark.django_db
def test_other_project_in_the_url_is_reported(here: Client, project: Project) -> None:
    answer = post_text(
        here,
        project,
        f"curl -d '{json.dumps({**BODY, 'supervisedTuningSpec': {}})}' {URL}".replace("it's", "its"),
    )
    assert "is for project their-project" in get_message_text(answer)


@pytest.mark.django_db
def test_long_field_lists_are_truncated(here: Client, project: Project) -> None:
    request = {**BODY, "supervisedTuningSpec": {}, **{f"field{number}": 1 for number in range(500)}}
    assert "480 more" in get_message_text(post_text(here, project, json.dumps(request)))
