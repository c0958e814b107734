"""Step 2 of the wizard: every source of datasets, kept input, and the reasons of rejections."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from jobs.datasets.models import Dataset
from jobs.datasets.uploads import resumable_upload
from jobs.datasets.uploads.resumable_upload import UploadSession
from jobs.models import TuningJob
from jobs.wizard.dataset_step.bucket_browser import explain_listing_error
from studio.models import Project, Role
from studio.vertex.errors import PermissionDenied
from tests.engine.running_engine import Engine
from tests.engine.tiny_base import example
from tests.studio.vertex.double import Answer, FakeVertexServer, json_answer

pytestmark = pytest.mark.django_db
FORBIDDEN = json_answer({"error": {"code": 403, "message": "no", "errors": [{"reason": "forbidden"}]}}, 403)
HTMX = {"HX-Request": "true"}


@pytest.fixture
def browser(tuner: User, browser_of: Callable[[User], Client]) -> Client:
    return browser_of(tuner)


@pytest.fixture
def empty(draft: TuningJob) -> TuningJob:
    """A draft without datasets."""
    TuningJob.objects.filter(pk=draft.pk).update(training=None)
    draft.refresh_from_db()
    return draft


@pytest.fixture(autouse=True)
def shared_buckets(share: Callable[..., None]) -> None:
    share("gs://team-data/", "gs://my-bucket/", "gs://bucket/", "gs://missing-bucket/", "gs://closed-bucket/")
    share(*(f"gs://browse-{name}/" for name in ("data", "odd", "pages", "new", "near")))


@pytest.fixture(autouse=True)
def own_uploads(settings: Settings, tmp_path: Path) -> Path:
    settings.FILE_UPLOAD_TEMP_DIR = tmp_path / "uploads"
    settings.FILE_UPLOAD_TEMP_DIR.mkdir()
    return settings.FILE_UPLOAD_TEMP_DIR


def address(name: str, job: TuningJob) -> str:
    return reverse(f"jobs:{name}", args=[job.project.slug, job.pk])


def make_jsonl(count: int, word: str = "word") -> bytes:
    return b"".join(
        json.dumps(example(f"{word} {number}", "red" if number % 2 else "green")).encode() + b"\n"
        for number in range(count)
    )


def get_page(browser: Client, job: TuningJob, query: str = "") -> str:
    return browser.get(address("dataset", job) + query).content.decode()


def upload(browser: Client, job: TuningJob, content: bytes, name: str = "train.jsonl", **fields: str) -> Any:
    given = {"purpose": "training", **fields, "file": SimpleUploadedFile(name, content)}
    return browser.post(address("upload", job), given)


# ---- the ways ----


def test_every_source_is_a_plain_form(browser: Client, empty: TuningJob, dataset: Dataset) -> None:
    page = get_page(browser, empty)
    actions = set(re.findall(r'method="post"[^>]*action="([^"]+)"', page))
    assert {address(name, empty) for name in ("upload", "locate", "pick", "validation")} <= actions
    ways = re.findall(r'name="source-training"[^>]*? value="(\w+)"( checked)?>', page)
    assert ways == [("upload", " checked"), ("existing", ""), ("library", "")]
    assert "up to 1 GB" in page and str(dataset) in page


@pytest.mark.parametrize("way", ["upload", "existing", "library", "hold_out"])
def test_each_source_has_a_url(browser: Client, draft: TuningJob, way: str) -> None:
    """The Back link of the browser page uses this URL."""
    TuningJob.objects.filter(pk=draft.pk).update(validation_enabled=True)
    page = get_page(browser, draft, f"?replace=validation&for=validation&way={way}")
    assert re.search(rf'id="[\w-]+-validation" value="{way}" checked', page)
    assert "Dataset check" in page, "the training dataset stays"


def test_library_dataset_can_be_reused(browser: Client, empty: TuningJob, dataset: Dataset) -> None:
    answer = browser.post(address("pick", empty), {"purpose": "training", "dataset": dataset.pk})
    assert answer.headers["Location"] == address("dataset", empty) + "#training"
    empty.refresh_from_db()
    assert empty.training == dataset and not empty.validation_enabled
    browser.post(address("pick", empty), {"purpose": "validation", "dataset": dataset.pk})
    empty.refresh_from_db()
    assert empty.validation == dataset and empty.validation_enabled


@pytest.mark.parametrize("number", ["999999", "9" * 30, "", "x", "²", "-1"])
def test_unknown_library_dataset_returns_422(browser: Client, empty: TuningJob, number: str) -> None:
    answer = browser.post(address("pick", empty), {"purpose": "training", "dataset": number})
    assert answer.status_code == 422 and "no longer in the library" in answer.content.decode()


def test_library_excludes_other_projects(browser: Client, empty: TuningJob, dataset: Dataset) -> None:
    other = Project.objects.create(slug="other", name="Other", project_id="other")
    Dataset.objects.filter(pk=dataset.pk).update(project=other)
    assert str(dataset) not in get_page(browser, empty)
    answer = browser.post(address("pick", empty), {"purpose": "training", "dataset": dataset.pk})
    assert answer.status_code == 422


def test_replacing_one_dataset_keeps_the_other(
    browser: Client, draft: TuningJob, dataset: Dataset, on_engine: Engine
) -> None:
    TuningJob.objects.filter(pk=draft.pk).update(validation=dataset, validation_enabled=True)
    upload(browser, draft, make_jsonl(20), "other.jsonl")
    draft.refresh_from_db()
    assert str(draft.training) == "other.jsonl" and draft.validation == dataset
    browser.post(address("remove", draft), {"purpose": "training"})
    draft.refresh_from_db()
    assert draft.training is None and draft.validation == dataset


# ---- upload ----


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("data.csv", "Export it as JSONL"),
        ("data.xlsx", "Export it as JSONL"),
        ("data.jsonl.gz", "Extract it"),
        ("data.zip", "Extract it"),
        ("notes.txt", "Choose a file ending in .jsonl, not notes.txt."),
        ("data", "Choose a file ending in .jsonl, not data."),
    ],
)
def test_wrong_file_names_are_rejected_with_advice(
    browser: Client, empty: TuningJob, name: str, sentence: str
) -> None:
    for answer in (upload(browser, empty, b"{}", name), begin_upload(browser, empty, name=name)):
        assert answer.status_code == 422 and sentence in answer.content.decode()
    assert 'aria-invalid="true"' in upload(browser, empty, b"{}", name).content.decode()


@pytest.mark.parametrize("name", ["train.jsonl.txt", "Train.JSONL.TXT", "train.json.txt"])
def test_txt_suffix_is_dropped_with_a_message(
    browser: Client, empty: TuningJob, on_engine: Engine, name: str
) -> None:
    upload(browser, empty, make_jsonl(20), name)
    empty.refresh_from_db()
    assert empty.training and str(empty.training).lower() == "train.jsonl"
    assert "without the .txt ending" in get_page(browser, empty)


def test_upload_goes_to_the_chosen_folder(browser: Client, empty: TuningJob, on_engine: Engine) -> None:
    upload(browser, empty, make_jsonl(20), upload_to="gs://team-data/mine")
    empty.refresh_from_db()
    assert empty.upload_to == "gs://team-data/mine/", "kept for the next upload, the slash mended"
    assert empty.training and empty.training.uri == "gs://team-data/mine/train.jsonl"
    upload(browser, empty, make_jsonl(21), upload_to="gs://team-data/mine/")
    empty.refresh_from_db()
    assert re.fullmatch(r"gs://team-data/mine/train-[\d-]{10}-\w{8}\.jsonl", empty.training.uri)
    assert empty.project.storage().open("gs://team-data/mine/train.jsonl").read() == make_jsonl(20)


@pytest.mark.parametrize(
    "place",
    ["http://bucket/", "gs://bucket/../x/", "gs://b/%2e%2e/", "gs:///x", "/etc/", "gs://bucket/a\\b/"],
)
def test_invalid_folder_shows_a_field_error(
    browser: Client, empty: TuningJob, service: FakeVertexServer, place: str
) -> None:
    for answer in (
        upload(browser, empty, make_jsonl(2), upload_to=place),
        browser.post(address("location", empty), {"purpose": "training", "upload_to": place}),
    ):
        page = answer.content.decode()
        assert answer.status_code == 422 and "This isn’t a Cloud Storage folder." in page
        assert 'id="upload-to-training-error"' in page and f'value="{place}"' in page
    assert begin_upload(browser, empty, upload_to=place).status_code == 422
    assert not service.asked
    empty.refresh_from_db()
    assert empty.upload_to == ""


def test_upload_folder_is_saved_on_change(browser: Client, empty: TuningJob) -> None:
    values = {"purpose": "training", "upload_to": " my-bucket/sub "}
    field = browser.post(address("location", empty), values, headers=HTMX).content.decode()
    assert "<html" not in field and 'value="gs://my-bucket/sub/"' in field
    assert 'value="gs://my-bucket/sub/"' in get_page(browser, empty)
    field = browser.post(address("location", empty), {"upload_to": "..:"}, headers=HTMX).content.decode()
    assert 'value="..:"' in field and "aria-invalid" in field
    assert browser.post(address("location", empty), {"upload_to": ""}).status_code == 302
    empty.refresh_from_db()
    assert empty.upload_to == ""


def test_storage_failure_is_retried_without_uploading_again(
    browser: Client, empty: TuningJob, on_engine: Engine, settings: Settings
) -> None:
    working, settings.ENGINE_URL = settings.ENGINE_URL, "http://127.0.0.1:1"
    answer = upload(browser, empty, make_jsonl(20))
    page = answer.content.decode()
    assert answer.status_code == 422 and "The local engine isn’t responding." in page
    assert (
        "The file is already on the server. You don’t need to upload it again." in page
        and "train.jsonl" in page
    )
    token = re.search(r'name="token" value="([^"]+)"', page)
    assert token
    settings.ENGINE_URL = working
    answer = browser.post(address("upload", empty), {"purpose": "training", "token": token[1]})
    assert answer.status_code == 302
    empty.refresh_from_db()
    assert empty.training and empty.training.parsed_report.examples == 20
    again = browser.post(address("upload", empty), {"purpose": "training", "token": token[1]})
    assert again.status_code == 422 and "no longer on the server" in again.content.decode()


def test_file_with_problems_is_kept_and_shown(browser: Client, empty: TuningJob, on_engine: Engine) -> None:
    upload(browser, empty, make_jsonl(20) + b"{}\n")
    page = get_page(browser, empty)
    assert "Line 21" in page and "1 problem in train.jsonl." in page


def test_oversized_form_is_not_written_to_disk(
    browser: Client, empty: TuningJob, settings: Settings, own_uploads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DATASET_MAX_BYTES = 1000
    monkeypatch.setattr("jobs.datasets.uploads.upload_handler.ROOM", 500)
    answer = upload(browser, empty, make_jsonl(100))
    assert answer.status_code == 422 and "The file is larger than 1 GB." in answer.content.decode()
    assert not [path for path in own_uploads.rglob("*") if path.is_file()]


# ---- upload in parts ----


def begin_upload(browser: Client, job: TuningJob, **fields: Any) -> Any:
    values = {"purpose": "training", "name": "train.jsonl", "size": 100, "modified": "1", **fields}
    return browser.post(address("parts", job), values)


def put_chunk(browser: Client, job: TuningJob, token: str, start: int, piece: bytes, size: int) -> Any:
    span = f"bytes {start}-{start + len(piece) - 1}/{size}"
    headers = {"Upload-Token": token, "Content-Range": span}
    return browser.put(address("parts", job), piece, content_type="application/octet-stream", headers=headers)


def test_chunks_become_one_dataset(
    browser: Client, empty: TuningJob, on_engine: Engine, own_uploads: Path
) -> None:
    content = make_jsonl(50)
    token, size, at = begin_upload(browser, empty, size=len(content)).json()["token"], len(content), 0
    while at < size:
        at = put_chunk(browser, empty, token, at, content[at : at + 999], size).json()["received"]
    browser.post(address("upload", empty), {"purpose": "training", "token": token})
    empty.refresh_from_db()
    assert empty.training and empty.project.storage().open(empty.training.uri).read() == content
    assert not [path for path in own_uploads.rglob("*") if path.is_file()]


def test_same_file_resumes_and_another_starts_over(browser: Client, empty: TuningJob) -> None:
    token = begin_upload(browser, empty).json()["token"]
    assert put_chunk(browser, empty, token, 0, b"x" * 40, 100).json() == {"received": 40}
    assert begin_upload(browser, empty).json()["received"] == 40
    for other in ({"size": 101}, {"modified": "2"}, {"name": "b.jsonl"}, {"purpose": "validation"}):
        assert begin_upload(browser, empty, **other).json()["received"] == 0


def test_out_of_order_chunks_return_409_with_the_offset(browser: Client, empty: TuningJob) -> None:
    token = begin_upload(browser, empty).json()["token"]
    put_chunk(browser, empty, token, 0, b"x" * 40, 100)
    for start in (0, 39, 41, 60):
        answer = put_chunk(browser, empty, token, start, b"y" * 10, 100)
        assert (answer.status_code, answer.json()["received"]) == (409, 40)
    assert put_chunk(browser, empty, token, 40, b"x" * 90, 100).json() == {"received": 100}, (
        "no more than promised"
    )


def test_broken_connection_keeps_received_bytes(empty: TuningJob, tuner: User) -> None:
    part = UploadSession(tuner.pk, empty.pk, "training", "a.jsonl", 100)
    part.begin()

    class Broken:
        pieces = [b"x" * 30, b"y" * 10]

        def read(self, size: int, /) -> bytes:
            if not self.pieces:
                raise OSError("reset")
            return self.pieces.pop(0)

    with pytest.raises(OSError, match="reset"):
        part.append(Broken(), 0)
    assert part.received == 40 and not part.is_whole


def test_late_chunk_is_rejected(empty: TuningJob, tuner: User) -> None:
    part = UploadSession(tuner.pk, empty.pk, "training", "a.jsonl", 100)
    part.begin()
    part.write(b"x" * 30, 0)
    with pytest.raises(resumable_upload.OutOfOrder):
        part.write(b"late", 20)
    assert part.received == 30


def test_cancelled_upload_is_deleted(browser: Client, empty: TuningJob, own_uploads: Path) -> None:
    token = begin_upload(browser, empty).json()["token"]
    put_chunk(browser, empty, token, 0, b"x" * 40, 100)
    browser.delete(address("parts", empty), headers={"Upload-Token": token})
    assert not [path for path in own_uploads.rglob("*") if path.is_file()]
    answer = put_chunk(browser, empty, token, 40, b"x", 100)
    assert answer.status_code == 410 and "no longer on the server" in answer.json()["message"]


def test_upload_belongs_to_one_user_and_one_draft(
    browser: Client,
    empty: TuningJob,
    person: Callable[..., User],
    browser_of: Callable[[User], Client],
) -> None:
    token = begin_upload(browser, empty).json()["token"]
    other = browser_of(person(Role.ADMIN))
    assert put_chunk(other, empty, token, 0, b"x", 100).status_code == 403
    second = TuningJob.objects.create(
        project=empty.project, owner=empty.owner, base_model="studio-tiny", location="us-central1"
    )
    assert put_chunk(browser, second, token, 0, b"x", 100).status_code == 410
    assert put_chunk(browser, empty, token[:-1] + "_", 0, b"x", 100).status_code == 410
    answer = browser.post(address("upload", second), {"purpose": "training", "token": token})
    assert answer.status_code == 422


@pytest.mark.parametrize(
    "span", ["", "bytes 0-9/99", "bytes 0-9/*", "bytes */100", "0-9/100", "bytes ²-9/100"]
)
def test_invalid_content_range_returns_400(browser: Client, empty: TuningJob, span: str) -> None:
    token = begin_upload(browser, empty).json()["token"]
    headers = {"Upload-Token": token, "Content-Range": span.encode().decode("latin-1")}
    answer = browser.put(address("parts", empty), b"x" * 10, headers=headers)
    assert answer.status_code == 400


@pytest.mark.parametrize("size", ["", "x", "-1", str(2**30 + 1), "9" * 30])
def test_invalid_upload_size_returns_422(browser: Client, empty: TuningJob, size: str) -> None:
    answer = begin_upload(browser, empty, size=size)
    assert answer.status_code == 422 and answer.json()["field"] == "size" and answer.json()["message"]


def test_uploads_per_user_are_limited(
    browser: Client, empty: TuningJob, settings: Settings, own_uploads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DATASET_MAX_BYTES = 100
    for name in ("a.jsonl", "b.jsonl"):
        put_chunk(browser, empty, begin_upload(browser, empty, name=name).json()["token"], 0, b"x" * 100, 100)
    answer = begin_upload(browser, empty, name="c.jsonl")
    assert answer.status_code == 429 and "other uploads" in answer.json()["message"]
    monkeypatch.setattr(resumable_upload, "IDLE", -1)
    assert begin_upload(browser, empty, name="c.jsonl").status_code == 200
    assert sum(path.stat().st_size for path in own_uploads.rglob("*") if path.is_file()) == 100


def test_full_disk_returns_507(browser: Client, empty: TuningJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studio.disk_space.measure_free_bytes", lambda folder: 10)
    answer = begin_upload(browser, empty)
    assert answer.status_code == 507 and "doesn’t have room" in answer.json()["message"]


def test_abandoned_uploads_are_swept_after_a_day(
    browser: Client, empty: TuningJob, own_uploads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = begin_upload(browser, empty).json()["token"]
    (own_uploads / "tmp1.upload").write_bytes(b"left by a killed process")
    assert resumable_upload.delete_stale_files() == 0
    monkeypatch.setattr(resumable_upload, "DAY", -1)
    assert resumable_upload.delete_stale_files() == 2
    assert put_chunk(browser, empty, token, 0, b"x", 100).status_code == 410


def test_started_draft_rejects_chunks(browser: Client, draft: TuningJob, tuner: User) -> None:
    token = begin_upload(browser, draft).json()["token"]
    draft.start(tuner)
    assert put_chunk(browser, draft, token, 0, b"x", 100).status_code == 410
    assert begin_upload(browser, draft).status_code == 410


# ---- hold out ----


def upload_training(browser: Client, job: TuningJob, count: int = 50, name: str = "train.jsonl") -> Dataset:
    upload(browser, job, make_jsonl(count), name)
    job.refresh_from_db()
    assert job.training
    return job.training


def hold_out(browser: Client, job: TuningJob, **typed: str) -> Any:
    given = {"purpose": "validation", "percent": "10", "seed": "0", **typed}
    answer = browser.post(address("hold_out", job), given)
    job.refresh_from_db()
    return answer


def test_hold_out_splits_and_removal_restores(browser: Client, empty: TuningJob, on_engine: Engine) -> None:
    whole = upload_training(browser, empty, 50)
    answer = hold_out(browser, empty)
    assert answer.headers["Location"] == address("dataset", empty) + "#validation"
    training, validation = empty.training, empty.validation
    assert training and validation and empty.validation_enabled
    assert (training.parsed_report.examples, validation.parsed_report.examples) == (45, 5)
    assert training.derivation == {"how": "held_out", "percent": 10, "seed": 0, "part": "training"}
    assert validation.derivation == {"how": "held_out", "percent": 10, "seed": 0, "part": "validation"}
    assert training.parent == validation.parent == whole
    assert {training.source, validation.source} == {Dataset.Source.DERIVED}
    storage = empty.project.storage()
    stored = [storage.open(part.uri).read().splitlines() for part in (training, validation)]
    assert sorted(stored[0] + stored[1]) == sorted(make_jsonl(50).splitlines())
    page = get_page(browser, empty)
    assert "45 for training, 5 held out for validation (10%, seed 0)" in page
    browser.post(address("remove", empty), {"purpose": "validation"})
    empty.refresh_from_db()
    assert empty.training == whole and empty.validation is None


def test_new_hold_out_starts_from_the_whole_file(
    browser: Client, empty: TuningJob, on_engine: Engine
) -> None:
    whole = upload_training(browser, empty, 50)
    hold_out(browser, empty)
    first = (empty.training, empty.validation)
    hold_out(browser, empty, percent="20", seed="7")
    assert empty.training and empty.validation and empty.training.parent == whole
    assert (empty.training.parsed_report.examples, empty.validation.parsed_report.examples) == (40, 10)
    hold_out(browser, empty)
    assert (empty.training, empty.validation) == first, "made once"


def test_switching_validation_off_undoes_the_hold_out(
    browser: Client, empty: TuningJob, on_engine: Engine
) -> None:
    whole = upload_training(browser, empty, 50)
    hold_out(browser, empty)
    browser.post(address("validation", empty), {})
    empty.refresh_from_db()
    assert (empty.training, empty.validation, empty.validation_enabled) == (whole, None, False)
    assert "there are no validation curves" in get_page(browser, empty)


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ({"percent": "0"}, "Enter 1 or more."),
        ({"percent": "51"}, "Enter 50 or less."),
        ({"percent": "1e3"}, "Enter a whole number from 1 to 50."),
        ({"percent": "7.5"}, "Enter a whole number from 1 to 50."),
        ({"percent": ""}, "Enter a whole number from 1 to 50."),
        ({"seed": "-1"}, "Enter 0 or more."),
        ({"seed": "99999999999"}, "Enter 2147483647 or less."),
        ({"seed": "x"}, "Enter a whole number, such as 0."),
    ],
)
def test_invalid_hold_out_shows_a_field_error(
    browser: Client, draft: TuningJob, typed: dict[str, str], sentence: str
) -> None:
    answer = hold_out(browser, draft, **typed)
    page = answer.content.decode()
    assert answer.status_code == 422 and sentence in page
    name, value = next(iter(typed.items()))
    assert re.search(rf'name="{name}"[^>]*value="{value or 10}"[^>]*aria-invalid="true"', page)
    assert 'value="hold_out" checked' in page
    assert draft.validation is None


def test_hold_out_requires_a_training_dataset(browser: Client, empty: TuningJob) -> None:
    answer = hold_out(browser, empty)
    assert answer.status_code == 422 and "Choose the training dataset first." in answer.content.decode()


def test_hold_out_rejects_a_file_with_problems(browser: Client, empty: TuningJob, on_engine: Engine) -> None:
    upload(browser, empty, make_jsonl(20) + b"{}\n")
    assert "Fix them first." in hold_out(browser, empty).content.decode()


def test_hold_out_requires_two_different_examples(
    browser: Client, empty: TuningJob, on_engine: Engine
) -> None:
    upload(browser, empty, make_jsonl(1) * 5)
    assert "fewer than two different examples" in hold_out(browser, empty).content.decode()


def test_hold_out_files_go_to_the_chosen_folder(browser: Client, empty: TuningJob, on_engine: Engine) -> None:
    upload(browser, empty, make_jsonl(50), "mine.jsonl", upload_to="gs://team-data/held/")
    hold_out(browser, empty, seed="3")
    assert empty.training and empty.training.uri == "gs://team-data/held/mine-training-90-seed-3.jsonl"
    assert empty.validation and empty.validation.uri == "gs://team-data/held/mine-validation-10-seed-3.jsonl"


# ---- an existing file, and the browser of Cloud Storage ----


def test_existing_txt_file_is_rejected_with_advice(browser: Client, empty: TuningJob) -> None:
    values = {"purpose": "training", "uri": "gs://bucket/a.jsonl.txt"}
    page = browser.post(address("locate", empty), values).content.decode()
    assert "Rename the file in Cloud Storage" in page and 'value="gs://bucket/a.jsonl.txt"' in page
    assert 'value="existing" checked' in page and 'aria-describedby="uri-training-error"' in page


def browse(browser: Client, job: TuningJob, headers: Any = None, **query: str) -> str:
    answer = browser.get(
        address("browse", job), {"choose": "file", "for": "training", **query}, headers=headers
    )
    assert answer.status_code == 200
    return answer.content.decode()


def test_file_is_found_by_browsing(browser: Client, empty: TuningJob, on_engine: Engine) -> None:
    on_engine.upload("walk/deep er/a.jsonl", make_jsonl(3), bucket="browse-data")
    on_engine.upload("walk/b.jsonl", make_jsonl(30), bucket="browse-data")
    on_engine.upload("walk/c.csv", "x", bucket="browse-data")
    assert "gs%3A%2F%2Fbrowse-data%2F" in browse(browser, empty, at="")
    page = browse(browser, empty, at="gs://browse-data/walk/")
    assert page.count("<html") == 1 and "Create tuned model" in page
    assert "gs%3A%2F%2Fbrowse-data%2Fwalk%2Fdeep%20er%2F" in page
    assert re.search(r'name="uri" value="gs://browse-data/walk/b.jsonl"', page)
    assert (
        "c.csv" in page and "not a .jsonl file" in page and 'value="gs://browse-data/walk/c.csv"' not in page
    )
    assert re.findall(r'<a[^>]*aria-current="location"[^>]*>([^<]*)', page) == ["walk"]
    fragment = browse(browser, empty, HTMX, at="gs://browse-data/walk/deep er/")
    assert "<html" not in fragment and 'value="gs://browse-data/walk/deep er/a.jsonl"' in fragment
    browser.post(
        address("locate", empty), {"purpose": "training", "uri": "gs://browse-data/walk/deep er/a.jsonl"}
    )
    empty.refresh_from_db()
    assert empty.training and empty.training.parsed_report.examples == 3


def test_browser_links_work_without_htmx(browser: Client, empty: TuningJob, on_engine: Engine) -> None:
    on_engine.upload("q&a/100%/x.jsonl", make_jsonl(3), bucket="browse-odd")
    page = browse(browser, empty, at="gs://browse-odd/")
    links = re.findall(r'<a[^>]*href="([^"]+)"[^>]*hx-get="([^"]+)"', page)
    assert len(links) >= 3 and all(href == fetched for href, fetched in links)
    deep = next(href for href, _ in links if "q%26a" in href).replace("&amp;", "&")
    deeper = re.search(r'href="([^"]*100%25[^"]*)"', browser.get(deep).content.decode())
    assert deeper
    assert (
        'value="gs://browse-odd/q&amp;a/100%/x.jsonl"'
        in browser.get(deeper[1].replace("&amp;", "&")).content.decode()
    )


def test_long_folder_is_paginated(
    browser: Client, empty: TuningJob, on_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.datasets.gcs_paths.PER_PAGE", 2)
    for number in range(5):
        on_engine.upload(f"long/{number}.jsonl", "", bucket="browse-pages")
    seen, query = [], {"at": "gs://browse-pages/long/"}
    for _page in range(3):
        page = browse(browser, empty, **query)
        seen += re.findall(r'name="uri" value="gs://browse-pages/long/(\d).jsonl"', page)
        more = re.search(r'page=([^"]+)"\s+hx-get', page)
        query["page"] = unquote(more[1]) if more else ""
    assert seen == ["0", "1", "2", "3", "4"] and not more


def test_new_folder_can_be_chosen(browser: Client, empty: TuningJob, on_engine: Engine) -> None:
    on_engine.upload("sub/a.jsonl", "", bucket="browse-new")
    page = browse(browser, empty, choose="folder", at="gs://browse-new/", new="later")
    assert "This folder is new." in page
    assert 'name="upload_to" value="gs://browse-new/later/"' in page
    answer = browser.post(
        address("location", empty), {"purpose": "training", "upload_to": "gs://browse-new/later/"}
    )
    assert answer.status_code == 302 and "replace=training" in answer.headers["Location"]
    empty.refresh_from_db()
    assert empty.upload_to == "gs://browse-new/later/"
    assert 'aria-current="location">later' in browse(browser, empty, choose="folder")


def test_browser_opens_near_the_typed_path(browser: Client, draft: TuningJob, on_engine: Engine) -> None:
    current = r'aria-current="location">([^<]*)'
    assert re.findall(current, browse(browser, draft)) == ["tuning-data-local"]
    assert re.findall(current, browse(browser, draft, uri="gs://browse-near/a/b.jsonl")) == ["a"]
    assert re.findall(current, browse(browser, draft, uri="nonsense")) == ["tuning-data-local"]
    assert re.findall(current, browse(browser, draft, choose="folder", upload_to="gs://browse-near/c/")) == [
        "c"
    ]


@pytest.mark.parametrize(
    "at",
    ["gs://../", "http://169.254.169.254/", "gs://bucket/../", "gs://b/%2e%2e/", "file:///etc/", "gs://B/"],
)
def test_invalid_browse_path_sends_no_request(
    browser: Client, empty: TuningJob, service: FakeVertexServer, at: str
) -> None:
    page = browse(browser, empty, at=at)
    assert "This isn’t a bucket or folder." in page and f'value="{at}"' in page
    assert "isn’t a bucket or folder" in browse(browser, empty, at="gs://bucket/", new="../x")
    assert not service.asked


def test_missing_list_permission_is_explained(
    browser: Client, empty: TuningJob, service: FakeVertexServer
) -> None:
    words = explain_listing_error(PermissionDenied("no"), "", on_engine=False)
    assert "needs the storage.buckets.list permission" in words
    service.queue_answers(FORBIDDEN)
    page = browse(browser, empty, at="closed-bucket")
    assert "Storage Object Viewer" in page and "closed-bucket" in page
    service.queue_answers(json_answer({"error": {"code": 404, "message": "no"}}, 404))
    assert "Bucket missing-bucket doesn’t exist." in browse(browser, empty, at="missing-bucket")


def test_browser_shows_storage_errors(browser: Client, empty: TuningJob, service: FakeVertexServer) -> None:
    service.otherwise = lambda asked: Answer(400, "what?")
    assert "didn’t accept" in browse(browser, empty, at="gs://bucket/")


def test_started_draft_redirects_to_the_job(browser: Client, draft: TuningJob, tuner: User) -> None:
    draft.start(tuner)
    for name in ("browse", "dataset"):
        assert browser.get(address(name, draft)).headers["Location"] == address("detail", draft)
    for name in ("upload", "locate", "pick", "sample", "hold_out", "remove"):
        answer = browser.post(address(name, draft), {"purpose": "training"})
        assert answer.headers["Location"] == address("detail", draft)


@pytest.mark.parametrize("name", ["parts", "browse", "hold_out", "pick", "location"])
def test_viewer_gets_403(
    draft: TuningJob, person: Callable[..., User], browser_of: Callable[[User], Client], name: str
) -> None:
    viewer = browser_of(person(Role.VIEWER))
    TuningJob.objects.filter(pk=draft.pk).update(owner=User.objects.get(username="viewer"))
    answer = viewer.get(address(name, draft)) if name == "browse" else viewer.post(address(name, draft))
    assert answer.status_code == 403
