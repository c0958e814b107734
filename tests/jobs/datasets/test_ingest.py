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
from tests.jobs.datasets.check.lines import COMMA, GOOD, UNANSWERED, chat, example, line

pytestmark = pytest.mark.django_db
OTHER = line(example("Second?"))
FAULTY = b"\xef\xbb\xbf" + GOOD + COMMA + UNANSWERED + b"\n" + GOOD + OTHER


@pytest.fixture
def stored(project: Project, tuner: User, on_engine: Engine) -> Callable[..., Dataset]:
    """stored(content) -> an uploaded dataset with its object."""

    def store(content: bytes = FAULTY, name: str = "messages.jsonl") -> Dataset:
        return ingest.upload(project, tuner, io.BytesIO(content), name)

    return store


def content(dataset: Dataset) -> bytes:
    return dataset.project.storage().open(dataset.uri).read()


def sent(browser: Client, dataset: Dataset, deed: str) -> bytes:
    answer = browser.get(f"{dataset.get_absolute_url()}{deed}/")
    assert answer.status_code == 200 and answer.headers["Content-Disposition"].startswith("attachment;")
    return b"".join(answer.streaming_content)  # type: ignore[attr-defined]


@pytest.mark.parametrize("sample", samples(), ids=lambda sample: sample.name)
def test_a_sample_is_added_once(browser: Client, project: Project, on_engine: Engine, sample: object) -> None:
    name = sample.name  # type: ignore[attr-defined]
    for _click in range(2):
        assert browser.post("/p/local/datasets/samples/", {"name": name}).status_code == 302
    training, validation = Dataset.objects.order_by("pk")
    assert training.source == validation.source == Dataset.Source.SAMPLE
    assert (str(training), str(validation)) == (f"{name}-train.jsonl", f"{name}-validation.jsonl")
    assert training.checked.ok and training.checked.examples == sample.counts["train"]  # type: ignore[attr-defined]
    assert validation.checked.examples == sample.counts["validation"]  # type: ignore[attr-defined]


def test_a_draft_begins_with_a_sample(browser: Client, project: Project, on_engine: Engine) -> None:
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


def test_files_are_added_in_both_ways(browser: Client, project: Project, on_engine: Engine) -> None:
    answer = browser.post("/p/local/datasets/add/", {"file": SimpleUploadedFile("my data.jsonl", GOOD)})
    uploaded = Dataset.objects.get()
    assert answer.headers["Location"] == uploaded.get_absolute_url() and content(uploaded) == GOOD
    uri = on_engine.upload("library/there.jsonl", GOOD, bucket="library-data")
    browser.post("/p/local/datasets/add/", {"uri": uri})
    assert Dataset.objects.get(uri=uri).source == Dataset.Source.EXISTING
    assert list(AuditEntry.objects.values_list("action", flat=True)) == ["dataset.add", "dataset.add"]


@pytest.mark.parametrize(
    ("posted", "sentence"),
    [
        ({"uri": "gs://library-data/none.jsonl"}, "There is no such file."),
        ({"uri": "gs://../x"}, "This is not the path of a file."),
        ({}, "Choose a JSONL file."),
    ],
)
def test_what_cannot_be_added_is_said_and_kept(
    browser: Client, project: Project, on_engine: Engine, posted: dict[str, str], sentence: str
) -> None:
    answer = browser.post("/p/local/datasets/add/", posted)
    page = answer.content.decode()
    assert answer.status_code == 422 and sentence in page and posted.get("uri", "") in page


def test_the_original_is_sent_as_it_is(browser: Client, stored: Callable[..., Dataset]) -> None:
    dataset = stored()
    assert sent(browser, dataset, "file") == FAULTY
    answer = browser.get(f"{dataset.get_absolute_url()}file/")
    assert answer.headers["Content-Length"] == str(len(FAULTY))
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    answer.close()


def test_all_problems_are_sent_as_a_table(browser: Client, stored: Callable[..., Dataset]) -> None:
    rows = list(
        csv.DictReader(io.StringIO(sent(browser, stored(GOOD + COMMA * 130), "problems").decode("utf-8-sig")))
    )
    assert len(rows) == 130, "more than the report keeps"
    assert rows[-1]["line"] == "131" and rows[-1]["code"] == "json_trailing_comma"
    assert rows[0]["cure"] == "Remove the comma before the bracket."


def test_no_cell_begins_like_a_formula(browser: Client, stored: Callable[..., Dataset]) -> None:
    sheet = sent(browser, stored(b"=cmd|' /C calc'!A0\n" + GOOD), "problems").decode("utf-8-sig")
    [row] = csv.DictReader(io.StringIO(sheet))
    assert row["line"] == "1" and not any(cell.startswith(("=", "+", "-", "@")) for cell in row.values())


def test_a_cleaned_file_is_sent_and_kept(browser: Client, stored: Callable[..., Dataset]) -> None:
    dataset = stored()
    assert sent(browser, dataset, "cleaned") == GOOD + OTHER
    answer = browser.post(f"{dataset.get_absolute_url()}keep-cleaned/")
    made = Dataset.objects.get(parent=dataset)
    assert answer.headers["Location"] == made.get_absolute_url()
    assert (made.source, made.derivation) == (Dataset.Source.DERIVED, {"how": "cleaned"})
    assert content(made) == GOOD + OTHER and str(made) == "messages-cleaned.jsonl"
    assert made.checked.ok and not made.checked.counts and made.checked.examples == 2
    assert content(dataset) == FAULTY, "the original stays"
    assert AuditEntry.objects.filter(action="dataset.clean", detail__uri=made.uri).count() == 1
    assert "made from messages.jsonl" in browser.get("/p/local/datasets/").content.decode()


def test_a_chat_is_converted(browser: Client, stored: Callable[..., Dataset]) -> None:
    dataset = stored(b"".join(line(chat(f"Question {number}?")) for number in range(3)))
    browser.post(f"{dataset.get_absolute_url()}keep-cleaned/")
    made = Dataset.objects.get(parent=dataset)
    assert made.derivation == {"how": "converted"} and made.checked.ok and made.checked.examples == 3
    said = [json.loads(each)["contents"][0]["parts"][0]["text"] for each in content(made).splitlines()]
    assert said == ["Question 0?", "Question 1?", "Question 2?"]


def test_nothing_is_kept_where_nothing_is_usable(browser: Client, stored: Callable[..., Dataset]) -> None:
    dataset = stored(COMMA)
    answer = browser.post(f"{dataset.get_absolute_url()}keep-cleaned/", follow=True)
    assert "nothing would be left" in answer.content.decode() and Dataset.objects.count() == 1


def test_a_dataset_is_checked_again(browser: Client, stored: Callable[..., Dataset]) -> None:
    dataset = stored()
    fresh = dataset.report
    Dataset.objects.update(report={"examples": 1})
    browser.post(f"{dataset.get_absolute_url()}check/")
    dataset.refresh_from_db()
    assert dataset.report == json.loads(json.dumps(fresh)) and dataset.checked_at is not None


def test_a_deleted_upload_takes_its_object_along(browser: Client, stored: Callable[..., Dataset]) -> None:
    dataset = stored()
    assert "its file is deleted" in browser.get(f"{dataset.get_absolute_url()}delete/").content.decode()
    assert browser.post(f"{dataset.get_absolute_url()}delete/").status_code == 302
    with pytest.raises(NotFound):
        dataset.project.storage().stat(dataset.uri)
    entry = AuditEntry.objects.get(action="dataset.delete")
    assert entry.detail == {"uri": dataset.uri, "generation": dataset.generation}


def test_an_object_that_was_replaced_stays(
    browser: Client, stored: Callable[..., Dataset], on_engine: Engine
) -> None:
    dataset = stored()
    bucket, name = dataset.uri.removeprefix("gs://").split("/", 1)
    on_engine.upload(name, OTHER, bucket=bucket)
    with pytest.raises(Conflict):
        dataset.project.storage().delete(dataset.uri, int(dataset.generation))
    answer = browser.post(f"{dataset.get_absolute_url()}delete/", follow=True)
    assert "stays in the bucket" in answer.content.decode() and content(dataset) == OTHER


def test_an_existing_file_is_only_forgotten(
    browser: Client, project: Project, tuner: User, on_engine: Engine
) -> None:
    dataset = ingest.existing(project, tuner, on_engine.upload("library/kept.jsonl", GOOD))
    assert (
        "The file stays in the bucket."
        in browser.get(f"{dataset.get_absolute_url()}delete/").content.decode()
    )
    browser.post(f"{dataset.get_absolute_url()}delete/")
    assert not Dataset.objects.exists() and content(dataset) == GOOD


def test_an_object_that_another_project_has_stays(
    browser: Client, project: Project, stored: Callable[..., Dataset]
) -> None:
    dataset = stored()
    elsewhere = Project.objects.create(slug="elsewhere", name="Elsewhere", project_id="elsewhere")
    Dataset.objects.create(
        project=elsewhere, uri=dataset.uri, generation=dataset.generation, size=1, source="sample"
    )
    browser.post(f"{dataset.get_absolute_url()}delete/")
    assert content(dataset) == FAULTY
