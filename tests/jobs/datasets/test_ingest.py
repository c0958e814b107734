"""The library against the engine's own store: what is added, sent, cleaned, checked again and deleted."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from jobs.datasets import ingest
from jobs.datasets.models import Dataset
from jobs.datasets.sample_data import samples
from jobs.models import TuningJob
from studio.models import AuditEntry, Project
from studio.vertex.errors import Conflict, NotFound
from tests.engine.running_engine import Engine
from tests.jobs.datasets.check.lines import COMMA, GOOD, UNANSWERED, example, line, openai_chat

pytestmark = [pytest.mark.django_db, pytest.mark.sql]
OTHER = line(example("Second?"))
FAULTY = b"\xef\xbb\xbf" + GOOD + COMMA + UNANSWERED + b"\n" + GOOD + OTHER


@pytest.fixture
def stored(project: Project, tuner: User, on_engine: Engine) -> Callable[..., Dataset]:
    """stored(content) -> an uploaded dataset with its object."""

    def store(content: bytes = FAULTY, name: str = "messages.jsonl") -> Dataset:
        return ingest.ingest_upload(project, tuner, io.BytesIO(content), name)

    return store


def read_content(dataset: Dataset) -> bytes:
    return dataset.project.storage().open(dataset.uri).read()


def download(browser: Client, dataset: Dataset, deed: str) -> bytes:
    answer = browser.get(f"{dataset.get_absolute_url()}{deed}/")
    assert answer.status_code == 200 and answer.headers["Content-Disposition"].startswith("attachment;")
    return b"".join(answer.streaming_content)  # type: ignore[attr-defined]


@pytest.mark.parametrize("sample", samples(), ids=lambda sample: sample.name)
def test_sample_is_added_once(browser: Client, project: Project, on_engine: Engine, sample: object) -> None:
    name = sample.name  # type: ignore[attr-defined]
    for _click in range(2):
        assert browser.post("/p/local/datasets/samples/", {"name": name}).status_code == 302
    training, validation = Dataset.objects.order_by("pk")
    assert training.source == validation.source == Dataset.Source.SAMPLE
    assert (str(training), str(validation)) == (f"{name}-train.jsonl", f"{name}-validation.jsonl")
    assert training.parsed_report.ok and training.parsed_report.examples == sample.counts["train"]  # type: ignore[attr-defined]
    assert validation.parsed_report.examples == sample.counts["validation"]  # type: ignore[attr-defined]


def test_draft_starts_with_a_sample(browser: Client, project: Project, on_engine: Engine) -> None:
    answer = browser.post("/p/local/jobs/new/", {"sample": "orders_ja"})
    draft = TuningJob.objects.get()
    assert answer.headers["Location"] == draft.get_absolute_url()
    assert (str(draft.training), str(draft.validation)) == (
        "orders_ja-train.jsonl",
        "orders_ja-validation.jsonl",
    )
    browser.post(f"/p/local/jobs/{draft.pk}/dataset/sample/", {"name": "captain_byte"})
    draft.refresh_from_db()
    assert str(draft.training) == "captain_byte-train.jsonl" and draft.validation_enabled


def test_files_are_added_by_upload_and_by_uri(browser: Client, project: Project, on_engine: Engine) -> None:
    """The second lies in a bucket that is shared with the project."""
    answer = browser.post("/p/local/datasets/add/", {"file": SimpleUploadedFile("my data.jsonl", GOOD)})
    uploaded = Dataset.objects.get()
    assert answer.headers["Location"] == uploaded.get_absolute_url() and read_content(uploaded) == GOOD
    uri = on_engine.upload("library/there.jsonl", GOOD)
    browser.post("/p/local/datasets/add/", {"uri": uri})
    assert Dataset.objects.get(uri=uri).source == Dataset.Source.EXISTING
    assert list(AuditEntry.objects.values_list("action", flat=True)) == ["dataset.add", "dataset.add"]


@pytest.mark.parametrize(
    ("posted", "sentence"),
    [
        ({"uri": "gs://data/none.jsonl"}, "File not found."),
        ({"uri": "gs://../x"}, "This isn’t a file path."),
        ({}, "Choose a JSONL file."),
    ],
)
def test_rejected_file_is_explained_and_input_is_kept(
    browser: Client, project: Project, on_engine: Engine, posted: dict[str, str], sentence: str
) -> None:
    answer = browser.post("/p/local/datasets/add/", posted)
    page = answer.content.decode()
    assert answer.status_code == 422 and sentence in page and posted.get("uri", "") in page


def test_original_is_downloaded_unchanged(browser: Client, stored: Callable[..., Dataset]) -> None:
    dataset = stored()
    assert download(browser, dataset, "file") == FAULTY
    answer = browser.get(f"{dataset.get_absolute_url()}file/")
    assert answer.headers["Content-Length"] == str(len(FAULTY))
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    answer.close()


def test_all_problems_are_downloaded_as_csv(browser: Client, stored: Callable[..., Dataset]) -> None:
    rows = list(
        csv.DictReader(
            io.StringIO(download(browser, stored(GOOD + COMMA * 130), "problems").decode("utf-8-sig"))
        )
    )
    assert len(rows) == 130, "more than the report keeps"
    assert rows[-1]["line"] == "131" and rows[-1]["code"] == "json_trailing_comma"
    assert rows[0]["cure"] == "Remove the comma before the closing bracket."


def test_csv_cells_are_escaped_against_formulas(browser: Client, stored: Callable[..., Dataset]) -> None:
    sheet = download(browser, stored(b"=cmd|' /C calc'!A0\n" + GOOD), "problems").decode("utf-8-sig")
    [row] = csv.DictReader(io.StringIO(sheet))
    assert row["line"] == "1" and not any(cell.startswith(("=", "+", "-", "@")) for cell in row.values())


def test_cleaned_file_is_downloaded_and_added(browser: Client, stored: Callable[..., Dataset]) -> None:
    dataset = stored()
    assert download(browser, dataset, "cleaned") == GOOD + OTHER
    answer = browser.post(f"{dataset.get_absolute_url()}keep-cleaned/")
    made = Dataset.objects.get(parent=dataset)
    assert answer.headers["Location"] == made.get_absolute_url()
    assert (made.source, made.derivation) == (Dataset.Source.DERIVED, {"how": "cleaned"})
    assert read_content(made) == GOOD + OTHER and str(made) == "messages-cleaned.jsonl"
    assert made.parsed_report.ok and not made.parsed_report.counts and made.parsed_report.examples == 2
    assert read_content(dataset) == FAULTY, "the original stays"
    assert AuditEntry.objects.filter(action="dataset.clean", detail__uri=made.uri).count() == 1
    assert "Created from messages.jsonl" in browser.get("/p/local/datasets/").content.decode()


def test_openai_chat_is_converted(browser: Client, stored: Callable[..., Dataset]) -> None:
    dataset = stored(b"".join(line(openai_chat(f"Question {number}?")) for number in range(3)))
    browser.post(f"{dataset.get_absolute_url()}keep-cleaned/")
    made = Dataset.objects.get(parent=dataset)
    assert (
        made.derivation == {"how": "converted"} and made.parsed_report.ok and made.parsed_report.examples == 3
    )
    said = [json.loads(each)["contents"][0]["parts"][0]["text"] for each in read_content(made).splitlines()]
    assert said == ["Question 0?", "Question 1?", "Question 2?"]


def test_cleaning_a_file_without_usable_lines_adds_nothing(
    browser: Client, stored: Callable[..., Dataset]
) -> None:
    dataset = stored(COMMA)
    answer = browser.post(f"{dataset.get_absolute_url()}keep-cleaned/", follow=True)
    assert "the cleaned file would be empty" in answer.content.decode() and Dataset.objects.count() == 1


def test_dataset_is_checked_again(browser: Client, stored: Callable[..., Dataset]) -> None:
    dataset = stored()
    fresh = dataset.report
    Dataset.objects.update(report={"examples": 1})
    browser.post(f"{dataset.get_absolute_url()}check/")
    dataset.refresh_from_db()
    assert dataset.report == json.loads(json.dumps(fresh)) and dataset.checked_at is not None


def test_deleting_an_upload_deletes_its_object(browser: Client, stored: Callable[..., Dataset]) -> None:
    dataset = stored()
    assert "its file is deleted" in browser.get(f"{dataset.get_absolute_url()}delete/").content.decode()
    assert browser.post(f"{dataset.get_absolute_url()}delete/").status_code == 302
    with pytest.raises(NotFound):
        dataset.project.storage().stat(dataset.uri)
    entry = AuditEntry.objects.get(action="dataset.delete")
    assert entry.detail == {"uri": dataset.uri, "generation": dataset.generation}


def test_replaced_object_is_not_deleted(
    browser: Client, stored: Callable[..., Dataset], on_engine: Engine
) -> None:
    dataset = stored()
    bucket, name = dataset.uri.removeprefix("gs://").split("/", 1)
    on_engine.upload(name, OTHER, bucket=bucket)
    with pytest.raises(Conflict):
        dataset.project.storage().delete(dataset.uri, int(dataset.generation))
    answer = browser.post(f"{dataset.get_absolute_url()}delete/", follow=True)
    assert "wasn’t deleted from the bucket" in answer.content.decode() and read_content(dataset) == OTHER


def test_deleting_an_existing_file_keeps_its_object(
    browser: Client, project: Project, tuner: User, on_engine: Engine
) -> None:
    dataset = ingest.ingest_existing(project, tuner, on_engine.upload("library/kept.jsonl", GOOD))
    assert (
        "The file stays in the bucket."
        in browser.get(f"{dataset.get_absolute_url()}delete/").content.decode()
    )
    browser.post(f"{dataset.get_absolute_url()}delete/")
    assert not Dataset.objects.exists() and read_content(dataset) == GOOD


def test_object_shared_with_another_project_is_not_deleted(
    browser: Client, project: Project, stored: Callable[..., Dataset]
) -> None:
    dataset = stored()
    elsewhere = Project.objects.create(slug="elsewhere", name="Elsewhere", project_id="elsewhere")
    Dataset.objects.create(
        project=elsewhere, uri=dataset.uri, generation=dataset.generation, size=1, source="sample"
    )
    browser.post(f"{dataset.get_absolute_url()}delete/")
    assert read_content(dataset) == FAULTY
