"""Step 2 of a draft: every way to a dataset, what is typed is kept, and what is refused says why."""

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
from studio.models import Project, Role
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
def own_uploads(settings: Settings, tmp_path: Path) -> Path:
    settings.FILE_UPLOAD_TEMP_DIR = tmp_path / "uploads"
    settings.FILE_UPLOAD_TEMP_DIR.mkdir()
    return settings.FILE_UPLOAD_TEMP_DIR


def address(name: str, job: TuningJob) -> str:
    return reverse(f"jobs:{name}", args=[job.project.slug, job.pk])


def lines(count: int, word: str = "word") -> bytes:
    return b"".join(
        json.dumps(example(f"{word} {number}", "red" if number % 2 else "green")).encode() + b"\n"
        for number in range(count)
    )


def page_of(browser: Client, job: TuningJob, query: str = "") -> str:
    return browser.get(address("dataset", job) + query).content.decode()


def upload(browser: Client, job: TuningJob, content: bytes, name: str = "train.jsonl", **fields: str) -> Any:
    given = {"purpose": "training", **fields, "file": SimpleUploadedFile(name, content)}
    return browser.post(address("upload", job), given)


# ---- the ways ----


def test_every_way_is_a_form_that_needs_no_script(
    browser: Client, empty: TuningJob, dataset: Dataset
) -> None:
    page = page_of(browser, empty)
    actions = set(re.findall(r'method="post"[^>]*action="([^"]+)"', page))
    assert {address(name, empty) for name in ("upload", "locate", "pick", "validation")} <= actions
    ways = re.findall(r'name="source-training"[^>]*? value="(\w+)"( checked)?>', page)
    assert ways == [("upload", " checked"), ("existing", ""), ("library", "")]
    assert "up to 1 GB" in page and str(dataset) in page


@pytest.mark.parametrize("way", ["upload", "existing", "library", "hold_out"])
def test_a_way_has_an_address(browser: Client, draft: TuningJob, way: str) -> None:
    """The way back from the browser page leads to it."""
    TuningJob.objects.filter(pk=draft.pk).update(validation_enabled=True)
    page = page_of(browser, draft, f"?replace=validation&for=validation&way={way}")
    assert re.search(rf'id="[\w-]+-validation" value="{way}" checked', page)
    assert "Dataset check" in page, "the training dataset stays"


def test_a_dataset_of_the_library_is_used_again(browser: Client, empty: TuningJob, dataset: Dataset) -> None:
    answer = browser.post(address("pick", empty), {"purpose": "training", "dataset": dataset.pk})
    assert answer.headers["Location"] == address("dataset", empty) + "#training"
    empty.refresh_from_db()
    assert empty.training == dataset and not empty.validation_enabled
    browser.post(address("pick", empty), {"purpose": "validation", "dataset": dataset.pk})
    empty.refresh_from_db()
    assert empty.validation == dataset and empty.validation_enabled


@pytest.mark.parametrize("number", ["999999", "9" * 30, "", "x", "²", "-1"])
def test_what_is_not_in_the_library(browser: Client, empty: TuningJob, number: str) -> None:
    answer = browser.post(address("pick", empty), {"purpose": "training", "dataset": number})
    assert answer.status_code == 422 and "no longer in the library" in answer.content.decode()


def test_a_dataset_of_another_project_is_not_in_the_library(
    browser: Client, empty: TuningJob, dataset: Dataset
) -> None:
    other = Project.objects.create(slug="other", name="Other", project_id="other")
    Dataset.objects.filter(pk=dataset.pk).update(project=other)
    assert str(dataset) not in page_of(browser, empty)
    answer = browser.post(address("pick", empty), {"purpose": "training", "dataset": dataset.pk})
    assert answer.status_code == 422


def test_replacing_and_removing_one_keeps_the_other(
    browser: Client, draft: TuningJob, dataset: Dataset, on_engine: Engine
) -> None:
    TuningJob.objects.filter(pk=draft.pk).update(validation=dataset, validation_enabled=True)
    upload(browser, draft, lines(20), "other.jsonl")
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
        ("data.jsonl.gz", "Unpack it"),
        ("data.zip", "Unpack it"),
        ("notes.txt", "whose name ends in .jsonl; this one is notes.txt"),
        ("data", "whose name ends in .jsonl"),
    ],
)
def test_a_wrong_name_is_refused_with_the_cure(
    browser: Client, empty: TuningJob, name: str, sentence: str
) -> None:
    for answer in (upload(browser, empty, b"{}", name), begin(browser, empty, name=name)):
        assert answer.status_code == 422 and sentence in answer.content.decode()
    assert 'aria-invalid="true"' in upload(browser, empty, b"{}", name).content.decode()


@pytest.mark.parametrize("name", ["train.jsonl.txt", "Train.JSONL.TXT", "train.json.txt"])
def test_a_name_that_an_editor_spoilt_is_mended_and_said(
    browser: Client, empty: TuningJob, on_engine: Engine, name: str
) -> None:
    upload(browser, empty, lines(20), name)
    empty.refresh_from_db()
    assert empty.training and str(empty.training).lower() == "train.jsonl"
    assert "the ending .txt was dropped" in page_of(browser, empty)


def test_an_upload_goes_to_the_chosen_folder(browser: Client, empty: TuningJob, on_engine: Engine) -> None:
    upload(browser, empty, lines(20), upload_to="gs://team-data/mine")
    empty.refresh_from_db()
    assert empty.upload_to == "gs://team-data/mine/", "kept for the next upload, the slash mended"
    assert empty.training and empty.training.uri == "gs://team-data/mine/train.jsonl"
    upload(browser, empty, lines(21), upload_to="gs://team-data/mine/")
    empty.refresh_from_db()
    assert re.fullmatch(r"gs://team-data/mine/train-[\d-]{10}-\w{8}\.jsonl", empty.training.uri)
    assert empty.project.storage().open("gs://team-data/mine/train.jsonl").read() == lines(20)


@pytest.mark.parametrize(
    "place",
    ["http://bucket/", "gs://bucket/../x/", "gs://b/%2e%2e/", "gs:///x", "/etc/", "gs://bucket/a\\b/"],
)
def test_a_folder_that_is_none_is_said_at_its_field(
    browser: Client, empty: TuningJob, service: FakeVertexServer, place: str
) -> None:
    for answer in (
        upload(browser, empty, lines(2), upload_to=place),
        browser.post(address("location", empty), {"purpose": "training", "upload_to": place}),
    ):
        page = answer.content.decode()
        assert answer.status_code == 422 and "This is not a folder on Cloud Storage." in page
        assert 'id="upload-to-training-error"' in page and f'value="{place}"' in page
    assert begin(browser, empty, upload_to=place).status_code == 422
    assert not service.asked
    empty.refresh_from_db()
    assert empty.upload_to == ""


def test_the_location_is_kept_when_its_field_changes(browser: Client, empty: TuningJob) -> None:
    values = {"purpose": "training", "upload_to": " my-bucket/sub "}
    field = browser.post(address("location", empty), values, headers=HTMX).content.decode()
    assert "<html" not in field and 'value="gs://my-bucket/sub/"' in field
    assert 'value="gs://my-bucket/sub/"' in page_of(browser, empty)
    field = browser.post(address("location", empty), {"upload_to": "..:"}, headers=HTMX).content.decode()
    assert 'value="..:"' in field and "aria-invalid" in field
    assert browser.post(address("location", empty), {"upload_to": ""}).status_code == 302
    empty.refresh_from_db()
    assert empty.upload_to == ""


def test_a_store_that_fails_is_tried_again_without_the_file(
    browser: Client, empty: TuningJob, on_engine: Engine, settings: Settings
) -> None:
    working, settings.ENGINE_URL = settings.ENGINE_URL, "http://127.0.0.1:1"
    answer = upload(browser, empty, lines(20))
    page = answer.content.decode()
    assert answer.status_code == 422 and "The local engine is not answering." in page
    assert "It arrived here and need not be sent again." in page and "train.jsonl" in page
    token = re.search(r'name="token" value="([^"]+)"', page)
    assert token
    settings.ENGINE_URL = working
    answer = browser.post(address("upload", empty), {"purpose": "training", "token": token[1]})
    assert answer.status_code == 302
    empty.refresh_from_db()
    assert empty.training and empty.training.checked.examples == 20
    again = browser.post(address("upload", empty), {"purpose": "training", "token": token[1]})
    assert again.status_code == 422 and "no longer on the server" in again.content.decode()


def test_a_file_with_problems_is_kept_and_shown(browser: Client, empty: TuningJob, on_engine: Engine) -> None:
    upload(browser, empty, lines(20) + b"{}\n")
    page = page_of(browser, empty)
    assert "Line 21" in page and "1 problem in train.jsonl." in page


def test_a_form_larger_than_allowed_is_not_written_down(
    browser: Client, empty: TuningJob, settings: Settings, own_uploads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DATASET_MAX_BYTES = 1000
    monkeypatch.setattr("jobs.datasets.uploads.upload_handler.ROOM", 500)
    answer = upload(browser, empty, lines(100))
    assert answer.status_code == 422 and "The file is larger than 1 GB." in answer.content.decode()
    assert not [path for path in own_uploads.rglob("*") if path.is_file()]


# ---- upload in parts ----


def begin(browser: Client, job: TuningJob, **fields: Any) -> Any:
    values = {"purpose": "training", "name": "train.jsonl", "size": 100, "modified": "1", **fields}
    return browser.post(address("parts", job), values)


def put(browser: Client, job: TuningJob, token: str, start: int, piece: bytes, size: int) -> Any:
    span = f"bytes {start}-{start + len(piece) - 1}/{size}"
    headers = {"Upload-Token": token, "Content-Range": span}
    return browser.put(address("parts", job), piece, content_type="application/octet-stream", headers=headers)


def test_parts_become_one_dataset(
    browser: Client, empty: TuningJob, on_engine: Engine, own_uploads: Path
) -> None:
    content = lines(50)
    token, size, at = begin(browser, empty, size=len(content)).json()["token"], len(content), 0
    while at < size:
        at = put(browser, empty, token, at, content[at : at + 999], size).json()["received"]
    browser.post(address("upload", empty), {"purpose": "training", "token": token})
    empty.refresh_from_db()
    assert empty.training and empty.project.storage().open(empty.training.uri).read() == content
    assert not [path for path in own_uploads.rglob("*") if path.is_file()]


def test_the_same_file_goes_on_where_it_stopped_and_another_begins_anew(
    browser: Client, empty: TuningJob
) -> None:
    token = begin(browser, empty).json()["token"]
    assert put(browser, empty, token, 0, b"x" * 40, 100).json() == {"received": 40}
    assert begin(browser, empty).json()["received"] == 40
    for other in ({"size": 101}, {"modified": "2"}, {"name": "b.jsonl"}, {"purpose": "validation"}):
        assert begin(browser, empty, **other).json()["received"] == 0


def test_parts_out_of_order_are_refused_and_say_where_to_go_on(browser: Client, empty: TuningJob) -> None:
    token = begin(browser, empty).json()["token"]
    put(browser, empty, token, 0, b"x" * 40, 100)
    for start in (0, 39, 41, 60):
        answer = put(browser, empty, token, start, b"y" * 10, 100)
        assert (answer.status_code, answer.json()["received"]) == (409, 40)
    assert put(browser, empty, token, 40, b"x" * 90, 100).json() == {"received": 100}, "no more than promised"


def test_a_connection_that_breaks_leaves_what_had_come(empty: TuningJob, tuner: User) -> None:
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


def test_a_request_that_lingers_does_not_write_between_those_of_the_next(
    empty: TuningJob, tuner: User
) -> None:
    part = UploadSession(tuner.pk, empty.pk, "training", "a.jsonl", 100)
    part.begin()
    part.write(b"x" * 30, 0)
    with pytest.raises(resumable_upload.OutOfOrder):
        part.write(b"late", 20)
    assert part.received == 30


def test_a_part_that_was_given_up_is_gone(browser: Client, empty: TuningJob, own_uploads: Path) -> None:
    token = begin(browser, empty).json()["token"]
    put(browser, empty, token, 0, b"x" * 40, 100)
    browser.delete(address("parts", empty), headers={"Upload-Token": token})
    assert not [path for path in own_uploads.rglob("*") if path.is_file()]
    answer = put(browser, empty, token, 40, b"x", 100)
    assert answer.status_code == 410 and "no longer on the server" in answer.json()["message"]


def test_a_part_belongs_to_one_person_and_one_draft(
    browser: Client,
    empty: TuningJob,
    person: Callable[..., User],
    browser_of: Callable[[User], Client],
) -> None:
    token = begin(browser, empty).json()["token"]
    other = browser_of(person(Role.ADMIN))
    assert put(other, empty, token, 0, b"x", 100).status_code == 403
    second = TuningJob.objects.create(
        project=empty.project, owner=empty.owner, base_model="studio-tiny", location="us-central1"
    )
    assert put(browser, second, token, 0, b"x", 100).status_code == 410
    assert put(browser, empty, token[:-1] + "_", 0, b"x", 100).status_code == 410
    answer = browser.post(address("upload", second), {"purpose": "training", "token": token})
    assert answer.status_code == 422


@pytest.mark.parametrize(
    "span", ["", "bytes 0-9/99", "bytes 0-9/*", "bytes */100", "0-9/100", "bytes ²-9/100"]
)
def test_a_part_without_a_place(browser: Client, empty: TuningJob, span: str) -> None:
    token = begin(browser, empty).json()["token"]
    headers = {"Upload-Token": token, "Content-Range": span.encode().decode("latin-1")}
    answer = browser.put(address("parts", empty), b"x" * 10, headers=headers)
    assert answer.status_code == 400


@pytest.mark.parametrize("size", ["", "x", "-1", str(2**30 + 1), "9" * 30])
def test_an_upload_of_no_size_that_is_taken(browser: Client, empty: TuningJob, size: str) -> None:
    answer = begin(browser, empty, size=size)
    assert answer.status_code == 422 and answer.json()["field"] == "size" and answer.json()["message"]


def test_a_persons_parts_are_bounded(
    browser: Client, empty: TuningJob, settings: Settings, own_uploads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DATASET_MAX_BYTES = 100
    for name in ("a.jsonl", "b.jsonl"):
        put(browser, empty, begin(browser, empty, name=name).json()["token"], 0, b"x" * 100, 100)
    answer = begin(browser, empty, name="c.jsonl")
    assert answer.status_code == 429 and "other uploads" in answer.json()["message"]
    monkeypatch.setattr(resumable_upload, "IDLE", -1)
    assert begin(browser, empty, name="c.jsonl").status_code == 200
    assert sum(path.stat().st_size for path in own_uploads.rglob("*") if path.is_file()) == 100


def test_a_full_disk_is_said(browser: Client, empty: TuningJob, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 10})
    monkeypatch.setattr("jobs.datasets.uploads.resumable_upload.shutil.disk_usage", lambda path: usage)
    answer = begin(browser, empty)
    assert answer.status_code == 507 and "no room" in answer.json()["message"]


def test_what_was_left_for_a_day_is_swept(
    browser: Client, empty: TuningJob, own_uploads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = begin(browser, empty).json()["token"]
    (own_uploads / "tmp1.upload").write_bytes(b"left by a killed process")
    assert resumable_upload.delete_stale_files() == 0
    monkeypatch.setattr(resumable_upload, "DAY", -1)
    assert resumable_upload.delete_stale_files() == 2
    assert put(browser, empty, token, 0, b"x", 100).status_code == 410


def test_a_started_draft_takes_no_parts(browser: Client, draft: TuningJob, tuner: User) -> None:
    token = begin(browser, draft).json()["token"]
    draft.start(tuner)
    assert put(browser, draft, token, 0, b"x", 100).status_code == 410
    assert begin(browser, draft).status_code == 410


# ---- hold out ----


def training_of(browser: Client, job: TuningJob, count: int = 50, name: str = "train.jsonl") -> Dataset:
    upload(browser, job, lines(count), name)
    job.refresh_from_db()
    assert job.training
    return job.training


def hold_out(browser: Client, job: TuningJob, **typed: str) -> Any:
    given = {"purpose": "validation", "percent": "10", "seed": "0", **typed}
    answer = browser.post(address("hold_out", job), given)
    job.refresh_from_db()
    return answer


def test_a_part_is_held_out_shown_and_given_back(
    browser: Client, empty: TuningJob, on_engine: Engine
) -> None:
    whole = training_of(browser, empty, 50)
    answer = hold_out(browser, empty)
    assert answer.headers["Location"] == address("dataset", empty) + "#validation"
    training, validation = empty.training, empty.validation
    assert training and validation and empty.validation_enabled
    assert (training.checked.examples, validation.checked.examples) == (45, 5)
    assert training.derivation == {"how": "held_out", "percent": 10, "seed": 0, "part": "training"}
    assert validation.derivation == {"how": "held_out", "percent": 10, "seed": 0, "part": "validation"}
    assert training.parent == validation.parent == whole
    assert {training.source, validation.source} == {Dataset.Source.DERIVED}
    storage = empty.project.storage()
    stored = [storage.open(part.uri).read().splitlines() for part in (training, validation)]
    assert sorted(stored[0] + stored[1]) == sorted(lines(50).splitlines())
    page = page_of(browser, empty)
    assert "45 for training, 5 held out for validation (10 %, seed 0)" in page
    browser.post(address("remove", empty), {"purpose": "validation"})
    empty.refresh_from_db()
    assert empty.training == whole and empty.validation is None


def test_another_share_starts_from_the_whole_file(
    browser: Client, empty: TuningJob, on_engine: Engine
) -> None:
    whole = training_of(browser, empty, 50)
    hold_out(browser, empty)
    first = (empty.training, empty.validation)
    hold_out(browser, empty, percent="20", seed="7")
    assert empty.training and empty.validation and empty.training.parent == whole
    assert (empty.training.checked.examples, empty.validation.checked.examples) == (40, 10)
    hold_out(browser, empty)
    assert (empty.training, empty.validation) == first, "made once"


def test_switching_validation_off_trains_on_the_whole_file_again(
    browser: Client, empty: TuningJob, on_engine: Engine
) -> None:
    whole = training_of(browser, empty, 50)
    hold_out(browser, empty)
    browser.post(address("validation", empty), {})
    empty.refresh_from_db()
    assert (empty.training, empty.validation, empty.validation_enabled) == (whole, None, False)
    assert "there are no validation curves" in page_of(browser, empty)


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ({"percent": "0"}, "At least 1."),
        ({"percent": "51"}, "At most 50."),
        ({"percent": "1e3"}, "Write a whole number from 1 to 50."),
        ({"percent": "7.5"}, "Write a whole number from 1 to 50."),
        ({"percent": ""}, "Write a whole number from 1 to 50."),
        ({"seed": "-1"}, "At least 0."),
        ({"seed": "99999999999"}, "At most 2147483647."),
        ({"seed": "x"}, "Write a whole number, such as 0."),
    ],
)
def test_a_share_that_is_none_is_said_at_its_field(
    browser: Client, draft: TuningJob, typed: dict[str, str], sentence: str
) -> None:
    answer = hold_out(browser, draft, **typed)
    page = answer.content.decode()
    assert answer.status_code == 422 and sentence in page
    name, value = next(iter(typed.items()))
    assert re.search(rf'name="{name}"[^>]*value="{value or 10}"[^>]*aria-invalid="true"', page)
    assert 'value="hold_out" checked' in page
    assert draft.validation is None


def test_nothing_is_held_out_of_nothing(browser: Client, empty: TuningJob) -> None:
    answer = hold_out(browser, empty)
    assert answer.status_code == 422 and "Choose the training dataset first." in answer.content.decode()


def test_nothing_is_held_out_of_a_file_with_problems(
    browser: Client, empty: TuningJob, on_engine: Engine
) -> None:
    upload(browser, empty, lines(20) + b"{}\n")
    assert "Correct them first." in hold_out(browser, empty).content.decode()


def test_nothing_is_held_out_of_one_example(browser: Client, empty: TuningJob, on_engine: Engine) -> None:
    upload(browser, empty, lines(1) * 5)
    assert "fewer than two different examples" in hold_out(browser, empty).content.decode()


def test_held_out_parts_go_to_the_chosen_folder(browser: Client, empty: TuningJob, on_engine: Engine) -> None:
    upload(browser, empty, lines(50), "mine.jsonl", upload_to="gs://team-data/held/")
    hold_out(browser, empty, seed="3")
    assert empty.training and empty.training.uri == "gs://team-data/held/mine-training-90-seed-3.jsonl"
    assert empty.validation and empty.validation.uri == "gs://team-data/held/mine-validation-10-seed-3.jsonl"


# ---- an existing file, and the browser of Cloud Storage ----


def test_an_existing_file_with_a_spoilt_name_says_what_to_do(browser: Client, empty: TuningJob) -> None:
    values = {"purpose": "training", "uri": "gs://bucket/a.jsonl.txt"}
    page = browser.post(address("locate", empty), values).content.decode()
    assert "Rename it on Cloud Storage" in page and 'value="gs://bucket/a.jsonl.txt"' in page
    assert 'value="existing" checked' in page and 'aria-describedby="uri-training-error"' in page


def look(browser: Client, job: TuningJob, headers: Any = None, **query: str) -> str:
    answer = browser.get(
        address("browse", job), {"choose": "file", "for": "training", **query}, headers=headers
    )
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_file_is_found_by_walking(browser: Client, empty: TuningJob, on_engine: Engine) -> None:
    on_engine.upload("walk/deep er/a.jsonl", lines(3), bucket="browse-data")
    on_engine.upload("walk/b.jsonl", lines(30), bucket="browse-data")
    on_engine.upload("walk/c.csv", "x", bucket="browse-data")
    assert "gs%3A%2F%2Fbrowse-data%2F" in look(browser, empty, at="")
    page = look(browser, empty, at="gs://browse-data/walk/")
    assert page.count("<html") == 1 and "Create tuned model" in page
    assert "gs%3A%2F%2Fbrowse-data%2Fwalk%2Fdeep%20er%2F" in page
    assert re.search(r'name="uri" value="gs://browse-data/walk/b.jsonl"', page)
    assert (
        "c.csv" in page and "not a .jsonl file" in page and 'value="gs://browse-data/walk/c.csv"' not in page
    )
    assert re.findall(r'<a[^>]*aria-current="location"[^>]*>([^<]*)', page) == ["walk"]
    fragment = look(browser, empty, HTMX, at="gs://browse-data/walk/deep er/")
    assert "<html" not in fragment and 'value="gs://browse-data/walk/deep er/a.jsonl"' in fragment
    browser.post(
        address("locate", empty), {"purpose": "training", "uri": "gs://browse-data/walk/deep er/a.jsonl"}
    )
    empty.refresh_from_db()
    assert empty.training and empty.training.checked.examples == 3


def test_every_link_of_the_browser_works_without_htmx(
    browser: Client, empty: TuningJob, on_engine: Engine
) -> None:
    on_engine.upload("q&a/100%/x.jsonl", lines(3), bucket="browse-odd")
    page = look(browser, empty, at="gs://browse-odd/")
    links = re.findall(r'<a[^>]*href="([^"]+)"[^>]*hx-get="([^"]+)"', page)
    assert len(links) >= 3 and all(href == fetched for href, fetched in links)
    deep = next(href for href, _ in links if "q%26a" in href).replace("&amp;", "&")
    deeper = re.search(r'href="([^"]*100%25[^"]*)"', browser.get(deep).content.decode())
    assert deeper
    assert (
        'value="gs://browse-odd/q&amp;a/100%/x.jsonl"'
        in browser.get(deeper[1].replace("&amp;", "&")).content.decode()
    )


def test_a_long_folder_comes_in_pages(
    browser: Client, empty: TuningJob, on_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.datasets.gcs_paths.PER_PAGE", 2)
    for number in range(5):
        on_engine.upload(f"long/{number}.jsonl", "", bucket="browse-pages")
    seen, query = [], {"at": "gs://browse-pages/long/"}
    for _page in range(3):
        page = look(browser, empty, **query)
        seen += re.findall(r'name="uri" value="gs://browse-pages/long/(\d).jsonl"', page)
        more = re.search(r'page=([^"]+)" hx-get', page)
        query["page"] = unquote(more[1]) if more else ""
    assert seen == ["0", "1", "2", "3", "4"] and not more


def test_a_folder_is_chosen_also_one_that_is_new(
    browser: Client, empty: TuningJob, on_engine: Engine
) -> None:
    on_engine.upload("sub/a.jsonl", "", bucket="browse-new")
    page = look(browser, empty, choose="folder", at="gs://browse-new/", new="later")
    assert "This folder is new." in page
    assert 'name="upload_to" value="gs://browse-new/later/"' in page
    answer = browser.post(
        address("location", empty), {"purpose": "training", "upload_to": "gs://browse-new/later/"}
    )
    assert answer.status_code == 302 and "replace=training" in answer.headers["Location"]
    empty.refresh_from_db()
    assert empty.upload_to == "gs://browse-new/later/"
    assert 'aria-current="location">later' in look(browser, empty, choose="folder")


def test_the_browser_opens_near_what_is_typed(browser: Client, draft: TuningJob, on_engine: Engine) -> None:
    current = r'aria-current="location">([^<]*)'
    assert re.findall(current, look(browser, draft)) == ["tuning-data"]
    assert re.findall(current, look(browser, draft, uri="gs://browse-near/a/b.jsonl")) == ["a"]
    assert re.findall(current, look(browser, draft, uri="nonsense")) == ["tuning-data"]
    assert re.findall(current, look(browser, draft, choose="folder", upload_to="gs://browse-near/c/")) == [
        "c"
    ]


@pytest.mark.parametrize(
    "at",
    ["gs://../", "http://169.254.169.254/", "gs://bucket/../", "gs://b/%2e%2e/", "file:///etc/", "gs://B/"],
)
def test_a_place_that_is_none_asks_nobody(
    browser: Client, empty: TuningJob, service: FakeVertexServer, at: str
) -> None:
    page = look(browser, empty, at=at)
    assert "This is not a bucket or a folder." in page and f'value="{at}"' in page
    assert "not a bucket or a folder" in look(browser, empty, at="gs://bucket/", new="../x")
    assert not service.asked


def test_without_the_right_to_list_buckets_one_is_typed(
    browser: Client, empty: TuningJob, service: FakeVertexServer
) -> None:
    service.queue_answers(FORBIDDEN)
    page = look(browser, empty, at="")
    assert "lacks the permission storage.buckets.list" in page and 'name="at"' in page
    service.queue_answers(FORBIDDEN)
    page = look(browser, empty, at="closed-bucket")
    assert "Storage Object Viewer" in page and "closed-bucket" in page
    service.queue_answers(json_answer({"error": {"code": 404, "message": "no"}}, 404))
    assert "There is no bucket missing-bucket." in look(browser, empty, at="missing-bucket")


def test_a_store_that_is_down_is_said(browser: Client, empty: TuningJob, service: FakeVertexServer) -> None:
    service.otherwise = lambda asked: Answer(400, "what?")
    assert "did not accept" in look(browser, empty, at="gs://bucket/")


def test_a_started_draft_has_nothing_to_browse(browser: Client, draft: TuningJob, tuner: User) -> None:
    draft.start(tuner)
    for name in ("browse", "dataset"):
        assert browser.get(address(name, draft)).headers["Location"] == address("detail", draft)
    for name in ("upload", "locate", "pick", "sample", "hold_out", "remove"):
        answer = browser.post(address(name, draft), {"purpose": "training"})
        assert answer.headers["Location"] == address("detail", draft)


@pytest.mark.parametrize("name", ["parts", "browse", "hold_out", "pick", "location"])
def test_a_viewer_changes_nothing(
    draft: TuningJob, person: Callable[..., User], browser_of: Callable[[User], Client], name: str
) -> None:
    viewer = browser_of(person(Role.VIEWER))
    TuningJob.objects.filter(pk=draft.pk).update(owner=User.objects.get(username="viewer"))
    answer = viewer.get(address(name, draft)) if name == "browse" else viewer.post(address(name, draft))
    assert answer.status_code == 403
