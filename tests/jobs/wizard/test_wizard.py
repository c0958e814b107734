"""The wizard: valid input, kept input, and the request that is sent."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from jobs.datasets.ingest import sanitize_filename
from jobs.datasets.models import Dataset
from jobs.models import Submission, TuningJob
from studio.models import Project
from tests.engine.running_engine import Engine

pytestmark = pytest.mark.django_db

EXAMPLE = {
    "contents": [
        {"role": "user", "parts": [{"text": "Where is my <b>card</b>?"}]},
        {"role": "model", "parts": [{"text": "card_arrival"}]},
    ]
}


@pytest.fixture
def browser(tuner: User, browser_of: Callable[[User], Client]) -> Client:
    return browser_of(tuner)


@pytest.fixture
def flash(project: Project, draft: TuningJob) -> TuningJob:
    """A draft on Google, where the models differ in their limits."""
    Project.objects.filter(pk=project.pk).update(backend="google", regions=["us-central1", "asia-northeast1"])
    TuningJob.objects.filter(pk=draft.pk).update(base_model="gemini-2.5-flash")
    draft.refresh_from_db()
    return draft


def address(name: str, job: TuningJob) -> str:
    return reverse(f"jobs:{name}", args=[job.project.slug, job.pk])


def details(**changed: str) -> dict[str, str]:
    return {
        "tuned_model_display_name": "intents",
        "base_model": "gemini-2.5-flash",
        "location": "us-central1",
        "epoch_count": "",
        "adapter_size": "",
        "learning_rate_multiplier": "",
        **changed,
    }


def examples(count: int) -> bytes:
    return b"\n".join(json.dumps({**EXAMPLE, "x": number}).encode() for number in range(count)).replace(
        b', "x"', b', "tools"'
    )


def file(content: bytes, name: str = "train.jsonl") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)


def test_one_click_creates_a_draft(browser: Client, project: Project, tuner: User) -> None:
    answer = browser.post(reverse("jobs:create", args=[project.slug]))
    job = TuningJob.objects.get()
    assert (job.owner, job.base_model, job.location, job.is_draft) == (
        tuner,
        "studio-tiny",
        "us-central1",
        True,
    )
    assert answer.headers["Location"] == address("model", job)
    assert "Tuned model name" in browser.get(address("model", job)).content.decode()


def test_step_one_saves_and_redirects_to_step_two(browser: Client, flash: TuningJob) -> None:
    values = details(
        epoch_count="3",
        adapter_size="16",
        learning_rate_multiplier="0.5",
        export_last_checkpoint_only="on",
        tuned_model_display_name="意図の分類 👩‍💻",
    )
    answer = browser.post(address("model", flash), values)
    assert answer.headers["Location"] == address("dataset", flash)
    flash.refresh_from_db()
    assert (flash.epoch_count, flash.adapter_size, flash.learning_rate_multiplier) == (3, 16, 0.5)
    assert flash.export_last_checkpoint_only and flash.tuned_model_display_name == "意図の分類 👩‍💻"
    again = browser.get(address("model", flash)).content.decode()
    assert "4 changed" in again and 'value="0.5"' in again


def test_stand_in_models_are_labelled(browser: Client, draft: TuningJob) -> None:
    TuningJob.objects.filter(pk=draft.pk).update(base_model="gemini-2.5-flash")
    page = browser.get(address("model", draft)).content.decode()
    assert "A tiny stand-in" in page and "On this server" in page and "Gemini (retired)" in page


def test_upload_is_stored_checked_and_shown(browser: Client, draft: TuningJob, on_engine: Engine) -> None:
    content = examples(20)
    answer = browser.post(
        address("upload", draft), {"purpose": "training", "file": file(content, "My data (1).jsonl")}
    )
    assert answer.headers["Location"] == address("dataset", draft) + "#training"
    draft.refresh_from_db()
    assert draft.training is not None
    stored = draft.project.storage().open(draft.training.uri).read()
    assert stored == content and draft.training.uri.endswith("/My-data-1.jsonl")
    assert draft.training.crc32c and draft.training.parsed_report.examples == 20
    page = browser.get(address("dataset", draft)).content.decode()
    assert (
        "Where is my &lt;b&gt;card&lt;/b&gt;?" in page
        and "At least 100 examples are recommended; this file has 20." in page
    )
    page = browser.get(address("review", draft)).content.decode()
    assert 'id="start">' in page, "a warning does not stop the start"


def test_file_errors_block_the_start_with_a_reason(
    browser: Client, draft: TuningJob, on_engine: Engine
) -> None:
    content = examples(200) + b'\n{"contents": [],}\n'
    browser.post(address("upload", draft), {"purpose": "training", "file": file(content)})
    page = browser.get(address("dataset", draft)).content.decode()
    assert "Line 201" in page and "trailing comma (column 16)" in page
    assert "Remove the comma before the closing bracket." in page
    assert "1 problem in train.jsonl." in page
    answer = browser.post(address("start", draft), follow=True)
    assert answer.redirect_chain[0][0] == address("review", draft)
    page = answer.content.decode()
    assert 'id="start" disabled' in page and "1 problem in train.jsonl." in page
    draft.refresh_from_db()
    assert draft.is_draft


@pytest.mark.parametrize(
    ("upload", "sentence"),
    [({}, "Choose a JSONL file."), ({"file": file(b"{}", "data.csv")}, "Export it as JSONL")],
)
def test_missing_or_non_jsonl_uploads_return_422(
    browser: Client, draft: TuningJob, upload: dict[str, Any], sentence: str
) -> None:
    answer = browser.post(address("upload", draft), {"purpose": "training", **upload})
    assert answer.status_code == 422 and sentence in answer.content.decode()


def test_existing_file_is_checked_only_once(
    browser: Client, draft: TuningJob, on_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = on_engine.upload("team/existing.jsonl", examples(3))
    browser.post(address("locate", draft), {"purpose": "validation", "uri": uri})
    draft.refresh_from_db()
    assert draft.validation is not None and draft.validation.source == Dataset.Source.EXISTING
    assert draft.validation_enabled
    monkeypatch.setattr("jobs.datasets.ingest.check_file", lambda chunks: pytest.fail("checked again"))
    browser.post(address("locate", draft), {"purpose": "training", "uri": uri})
    draft.refresh_from_db()
    assert draft.training == draft.validation


def test_missing_gcs_file_returns_422(browser: Client, draft: TuningJob, on_engine: Engine) -> None:
    answer = browser.post(address("locate", draft), {"purpose": "training", "uri": "gs://data/none.jsonl"})
    page = answer.content.decode()
    assert answer.status_code == 422 and "File not found." in page
    assert 'value="gs://data/none.jsonl"' in page


def test_unreachable_storage_shows_an_error(browser: Client, draft: TuningJob, settings: Settings) -> None:
    settings.ENGINE_URL = "http://127.0.0.1:1"
    answer = browser.post(
        address("locate", draft), {"purpose": "training", "uri": "gs://tuning-data-local/x.jsonl"}
    )
    assert "The local engine isn’t responding." in answer.content.decode()


def test_upload_without_a_bucket_shows_an_error(browser: Client, flash: TuningJob) -> None:
    answer = browser.post(address("upload", flash), {"purpose": "training", "file": file(examples(1))})
    assert "has no bucket for uploads" in answer.content.decode()


def test_choosing_sample_data_twice_creates_one_version(
    browser: Client, draft: TuningJob, on_engine: Engine
) -> None:
    for _click in range(2):
        assert browser.post(address("sample", draft)).status_code == 302
    draft.refresh_from_db()
    assert draft.training is not None and draft.validation is not None and draft.validation_enabled
    assert (draft.training.parsed_report.examples, draft.validation.parsed_report.examples) == (480, 120)
    assert draft.training.parsed_report.ok and draft.validation.parsed_report.ok
    assert Dataset.objects.filter(uri__contains="/samples/").count() == 2


def test_switching_validation_off_keeps_the_file(browser: Client, draft: TuningJob, dataset: Dataset) -> None:
    TuningJob.objects.filter(pk=draft.pk).update(validation=dataset)
    browser.post(address("validation", draft), {"enabled": "on"})
    draft.refresh_from_db()
    assert draft.validation_enabled
    browser.post(address("validation", draft), {})
    draft.refresh_from_db()
    assert not draft.validation_enabled and draft.validation == dataset
    browser.post(address("remove", draft), {"purpose": "validation"})
    draft.refresh_from_db()
    assert draft.validation is None and Dataset.objects.filter(pk=dataset.pk).exists()


def test_start_submits_the_reviewed_draft(browser: Client, draft: TuningJob) -> None:
    shown = browser.get(address("review", draft)).content.decode()
    assert draft.submission_id in shown and "gs://tuning-data/train.jsonl" in shown
    answer = browser.post(address("start", draft))
    draft.refresh_from_db()
    assert draft.submission == Submission.READY
    assert answer.headers["Location"] == address("detail", draft)
    assert browser.post(address("start", draft)).headers["Location"] == address("detail", draft)


@pytest.mark.parametrize("name", ["model", "dataset", "review"])
def test_steps_of_a_started_draft_redirect_to_the_job(
    browser: Client, draft: TuningJob, tuner: User, name: str
) -> None:
    draft.start(tuner)
    assert browser.get(address(name, draft)).headers["Location"] == address("detail", draft)
    browser.post(address("model", draft), details(base_model="gemini-2.5-flash"))
    browser.post(address("remove", draft), {"purpose": "training"})
    draft.refresh_from_db()
    assert draft.base_model == "studio-tiny" and draft.training is not None


def test_revise_fails_after_the_start(draft: TuningJob, tuner: User) -> None:
    assert draft.start(tuner)
    assert not draft.update_draft(base_model="gemini-2.5-flash")


def test_tune_again_creates_my_draft(browser: Client, draft: TuningJob, tuner: User) -> None:
    draft.start(tuner)
    answer = browser.post(address("again", draft))
    copy = TuningJob.objects.drafts().get()
    assert answer.headers["Location"] == address("model", copy)
    answer = browser.post(address("again", draft), {"validation": "1"})
    assert answer.headers["Location"].endswith("/dataset/#validation")


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("../../etc/passwd.jsonl", "etc-passwd.jsonl"),
        ("..\\..\\x.jsonl", "x.jsonl"),
        ("訓練 データ.jsonl", "訓練-データ.jsonl"),
        (".jsonl", "dataset.jsonl"),
        ("a" * 300 + ".jsonl", "a" * 80 + ".jsonl"),
    ],
)
def test_object_names_are_sanitized(given: str, name: str) -> None:
    assert sanitize_filename(given) == name
