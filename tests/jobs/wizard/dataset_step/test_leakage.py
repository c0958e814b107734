"""Step 2 reports validation examples that are in the training data, and can remove them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from jobs.datasets.diff.results import AUTO_COMPARE_BYTES
from jobs.datasets.leakage import results as leakage_results
from jobs.datasets.leakage.detector import Leaks
from jobs.datasets.models import Dataset
from jobs.models import Overlap, TuningJob
from tests.engine.running_engine import Engine
from tests.html import squeeze_html
from tests.studio.vertex.double import FakeVertexServer, json_answer

pytestmark = [pytest.mark.django_db, pytest.mark.sql]
FORBIDDEN = json_answer({"error": {"code": 403, "message": "no", "errors": [{"reason": "forbidden"}]}}, 403)
HTMX = {"HX-Request": "true"}
TRAINING = [f"How do I cancel my order number {number}?" for number in ("one", "two", "three", "four")]
FRESH = ["Where is the shop in Osaka?", "May I pay by invoice this month?"]
LEAKED = [TRAINING[1], TRAINING[2].upper() + "!"]


@pytest.fixture
def browser(tuner: User, browser_of: Callable[[User], Client]) -> Client:
    return browser_of(tuner)


@pytest.fixture(autouse=True)
def own_uploads(settings: Settings, tmp_path: Path) -> None:
    settings.FILE_UPLOAD_TEMP_DIR = tmp_path / "uploads"
    settings.FILE_UPLOAD_TEMP_DIR.mkdir()


def address(name: str, job: TuningJob) -> str:
    return reverse(f"jobs:{name}", args=[job.project.slug, job.pk])


def make_jsonl(asked: list[str]) -> bytes:
    rows = []
    for text in asked:
        turns = [("user", text), ("model", "yes")]
        rows.append({"contents": [{"role": role, "parts": [{"text": said}]} for role, said in turns]})
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def upload_dataset(browser: Client, job: TuningJob, purpose: str, asked: list[str]) -> None:
    file = SimpleUploadedFile(f"{purpose}.jsonl", make_jsonl(asked))
    answer = browser.post(address("upload", job), {"purpose": purpose, "file": file})
    assert answer.status_code == 302
    job.refresh_from_db()


@pytest.fixture
def chosen(browser: Client, draft: TuningJob, on_engine: Engine) -> TuningJob:
    upload_dataset(browser, draft, "training", TRAINING)
    upload_dataset(browser, draft, "validation", [*FRESH, *LEAKED])
    return draft


def get_page(browser: Client, job: TuningJob) -> str:
    return squeeze_html(browser.get(address("dataset", job)).content.decode())


def get_comparison(browser: Client, job: TuningJob) -> str:
    answer = browser.get(address("compare", job), headers=HTMX)
    assert answer.status_code == 200
    return answer.content.decode()


def create_unreadable_dataset(
    project: Any, owner: User, name: str, size: int = 9000, **report: Any
) -> Dataset:
    """Create a dataset whose file doesn't exist in the storage."""
    return Dataset.objects.create(
        project=project,
        owner=owner,
        uri=f"gs://tuning-data/{name}.jsonl",
        generation="7",
        crc32c=f"{name[:6]:A<6}==",
        size=size,
        source=Dataset.Source.EXISTING,
        report={"examples": 4, "lines": 4, **report},
    )


@pytest.fixture
def unreachable(draft: TuningJob, tuner: User, service: FakeVertexServer) -> TuningJob:
    draft.update_draft(
        validation=create_unreadable_dataset(draft.project, tuner, "validation"), validation_enabled=True
    )
    draft.refresh_from_db()
    service.otherwise = lambda asked: FORBIDDEN
    return draft


def test_page_loads_the_comparison_once(browser: Client, chosen: TuningJob) -> None:
    before = get_page(browser, chosen)
    assert f'hx-get="{address("compare", chosen)}" hx-trigger="load"' in before
    fragment = get_comparison(browser, chosen)
    assert "2 of 4 validation examples are also in the training data." in fragment
    assert "Same prompt: 1. Nearly the same: 1." in fragment
    assert (
        "same example as line 2 of the training data" in fragment
        and "Line 4" in fragment
        and "Leave out these 2 examples" in fragment
    )
    after = get_page(browser, chosen)
    assert "2 of 4 validation examples" in after and 'hx-trigger="load"' not in after.split('id="overlap"')[1]


def test_review_warns_about_leakage(browser: Client, chosen: TuningJob) -> None:
    told = "2 of 4 validation examples are also in the training data."
    assert told not in browser.get(address("review", chosen)).content.decode()
    get_comparison(browser, chosen)
    page = browser.get(address("review", chosen)).content.decode()
    assert told in page and f"{address('dataset', chosen)}#overlap" in page


def test_compare_link_redirects_without_javascript(browser: Client, chosen: TuningJob) -> None:
    answer = browser.get(address("compare", chosen), follow=True)
    assert answer.redirect_chain == [(address("dataset", chosen) + "#validation", 302)]
    assert "2 of 4 validation examples" in answer.content.decode()


def test_files_are_read_once(chosen: TuningJob, monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen.training and chosen.validation
    first = leakage_results.get_or_compute_overlap(chosen.training, chosen.validation)
    monkeypatch.setattr(Dataset, "iter_chunks", lambda dataset: pytest.fail("read again"))
    assert leakage_results.get_or_compute_overlap(chosen.training, chosen.validation) == first
    found = Leaks.from_json(first.found)
    assert (found.training, found.validation, found.exact, found.near) == (4, 4, 1, 1)


def test_concurrent_comparisons_store_one_row(chosen: TuningJob, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second comparison finishes while the first one is still reading."""
    training, validation = chosen.training, chosen.validation
    assert training and validation
    reading = leakage_results.find_leaks

    def find_after_insert(*contents: Any) -> Leaks:
        Overlap.objects.create(training=training, validation=validation, found={"validation": 4})
        return reading(*contents)

    monkeypatch.setattr(leakage_results, "find_leaks", find_after_insert)
    assert leakage_results.get_or_compute_overlap(training, validation).found == {"validation": 4}
    assert Overlap.objects.count() == 1


def test_identical_datasets_are_detected_without_reading(
    browser: Client, draft: TuningJob, service: FakeVertexServer
) -> None:
    draft.update_draft(validation=draft.training, validation_enabled=True)
    page = get_page(browser, draft)
    assert "The validation dataset is the same as the training dataset." in page
    assert "Choose another validation dataset" in page and address("leave_out", draft) not in page
    assert (
        draft.training
        and leakage_results.get_or_compute_overlap(draft.training, draft.training).found["exact"] == 480
    )
    assert not service.asked


def test_no_leakage_is_reported(browser: Client, draft: TuningJob, on_engine: Engine) -> None:
    upload_dataset(browser, draft, "training", TRAINING)
    upload_dataset(browser, draft, "validation", FRESH)
    assert "2 validation examples compared; none are in the training data." in get_comparison(browser, draft)


def test_storage_failure_does_not_block_the_step(browser: Client, unreachable: TuningJob) -> None:
    fragment = get_comparison(browser, unreachable)
    assert "Couldn’t compare the datasets." in fragment and "Try again" in fragment
    answer = browser.get(address("compare", unreachable), follow=True)
    assert answer.status_code == 200
    page = answer.content.decode()
    assert "Couldn’t compare the datasets." in page and "data-continue" in page
    assert not Overlap.objects.exists()


def test_large_files_are_compared_on_request(browser: Client, unreachable: TuningJob) -> None:
    Dataset.objects.filter(pk=unreachable.training_id).update(size=AUTO_COMPARE_BYTES)
    note = get_page(browser, unreachable).split('id="overlap"')[1]
    assert 'hx-trigger="load"' not in note and "takes a few minutes" in note
    assert address("compare", unreachable) in note


def test_comparison_requires_two_datasets(browser: Client, draft: TuningJob) -> None:
    assert 'id="overlap"' not in get_page(browser, draft)
    assert get_comparison(browser, draft).strip() == ""
    browser.post(address("leave_out", draft))
    draft.refresh_from_db()
    assert draft.validation is None


def test_leaks_are_removed_into_a_new_file(browser: Client, chosen: TuningJob) -> None:
    before, training = chosen.validation, chosen.training
    assert before and training
    answer = browser.post(address("leave_out", chosen), follow=True)
    assert "2 examples were left out." in answer.content.decode()
    chosen.refresh_from_db()
    rest = chosen.validation
    assert rest and (rest.source, rest.parent) == (Dataset.Source.DERIVED, before)
    assert rest.derivation == {"how": "without_leaks", "training": training.pk, "lines": 2}
    assert b"".join(rest.iter_chunks()) == make_jsonl(FRESH)
    assert str(rest) == "validation-without-leaks.jsonl" and rest.parsed_report.examples == 2
    assert "2 validation examples compared; none are" in get_comparison(browser, chosen)
    chosen.update_draft(validation=before)
    browser.post(address("leave_out", chosen))
    chosen.refresh_from_db()
    assert chosen.validation == rest, "made once"


def test_removing_every_example_is_rejected(browser: Client, draft: TuningJob, on_engine: Engine) -> None:
    upload_dataset(browser, draft, "training", TRAINING)
    upload_dataset(browser, draft, "validation", TRAINING[:2])
    before = draft.validation
    assert address("leave_out", draft) not in get_comparison(browser, draft)
    answer = browser.post(address("leave_out", draft), follow=True)
    assert "No examples would be left." in answer.content.decode()
    draft.refresh_from_db()
    assert draft.validation == before


def test_leaks_cannot_be_removed_from_a_file_with_problems(
    browser: Client, unreachable: TuningJob, tuner: User
) -> None:
    broken = create_unreadable_dataset(unreachable.project, tuner, "broken", errors=2)
    unreachable.update_draft(validation=broken)
    answer = browser.post(address("leave_out", unreachable), follow=True)
    assert "The validation dataset has problems." in answer.content.decode()


def test_storage_failure_keeps_the_dataset(browser: Client, unreachable: TuningJob) -> None:
    before = unreachable.validation
    answer = browser.post(address("leave_out", unreachable), follow=True)
    assert answer.status_code == 200 and "The local engine rejected this request." in answer.content.decode()
    unreachable.refresh_from_db()
    assert unreachable.validation == before


def test_started_job_is_not_changed(browser: Client, chosen: TuningJob, tuner: User) -> None:
    chosen.start(tuner)
    chosen.refresh_from_db()
    before = chosen.validation
    assert browser.post(address("leave_out", chosen)).headers["Location"] == chosen.get_absolute_url()
    chosen.refresh_from_db()
    assert chosen.validation == before
