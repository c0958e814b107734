"""A disk without room refuses files in words and keeps nothing of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from jobs.datasets.errors import Refusal, translate_storage_errors
from jobs.datasets.uploads import resumable_upload
from jobs.models import TuningJob
from studio import disk_space
from studio.models import Project
from tests.disk import fill_disk, mount_small_disk
from tests.jobs.wizard.dataset_step.test_dataset_step import address, begin_upload, make_jsonl, put_chunk

pytestmark = pytest.mark.django_db
DISK = 2 * 2**20
NO_ROOM = "The server doesn’t have room for this file."


@pytest.fixture
def browser(tuner: User, browser_of: Callable[[User], Client]) -> Client:
    return browser_of(tuner)


@pytest.fixture(autouse=True)
def uploads(settings: Settings, tmp_path: Path) -> Iterator[Path]:
    """The folder of uploads, on a small disk of its own."""
    with mount_small_disk(tmp_path / "uploads", DISK) as folder:
        settings.FILE_UPLOAD_TEMP_DIR = folder
        yield folder


@pytest.fixture(autouse=True)
def forget_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_space, "_failed_at", disk_space._failed_at)


def list_files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and path.name != "ballast"]


def send_form(browser: Client, job: TuningJob, content: bytes) -> Any:
    file = SimpleUploadedFile("train.jsonl", content)
    return browser.post(address("upload", job), {"purpose": "training", "file": file})


def test_a_form_that_does_not_fit_is_refused_before_it_is_written(
    browser: Client, draft: TuningJob, uploads: Path
) -> None:
    answer = send_form(browser, draft, make_jsonl(DISK // 100)[: DISK * 3 // 4])
    assert answer.status_code == 507
    page = answer.content.decode()
    assert NO_ROOM in page and 'aria-invalid="true"' in page
    assert list_files(uploads) == []
    assert not disk_space.is_full(), "the file is too large, the disk is not full"


@pytest.mark.parametrize("place", ["draft", "library"])
def test_a_disk_that_fills_while_a_form_arrives_keeps_nothing_of_it(
    browser: Client, draft: TuningJob, uploads: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Others took the room that was there when the request began."""
    monkeypatch.setattr(disk_space, "has_room_for", lambda folder, size: True)
    content = b"x" * (DISK + 2**20)
    if place == "draft":
        answer = send_form(browser, draft, content)
    else:
        file = SimpleUploadedFile("train.jsonl", content)
        answer = browser.post(reverse("datasets:add", args=[draft.project.slug]), {"file": file})
    assert answer.status_code == 507
    assert NO_ROOM in answer.content.decode()
    assert list_files(uploads) == []
    assert disk_space.is_full()


def test_the_last_bytes_of_a_form_that_find_no_room(
    browser: Client, draft: TuningJob, uploads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are written when the file is complete."""
    monkeypatch.setattr(disk_space, "has_room_for", lambda folder, size: True)
    fill_disk(uploads)
    answer = send_form(browser, draft, b"{}\n")
    assert answer.status_code == 507
    assert NO_ROOM in answer.content.decode()
    assert list_files(uploads) == []


def test_a_part_that_finds_no_room_ends_its_upload(browser: Client, draft: TuningJob, uploads: Path) -> None:
    size = 200_000
    token = begin_upload(browser, draft, size=size).json()["token"]
    assert put_chunk(browser, draft, token, 0, b"x" * 50_000, size).json() == {"received": 50_000}
    ballast = fill_disk(uploads)
    answer = put_chunk(browser, draft, token, 50_000, b"x" * 150_000, size)
    assert answer.status_code == 507
    assert NO_ROOM in answer.json()["message"]
    assert list_files(uploads) == []
    ballast.unlink()
    assert begin_upload(browser, draft, size=size).json()["received"] == 0


def test_room_is_kept_for_what_was_begun(browser: Client, draft: TuningJob) -> None:
    assert begin_upload(browser, draft, name="a.jsonl", size=DISK // 4).status_code == 200
    assert begin_upload(browser, draft, name="b.jsonl", size=DISK // 4).status_code == 507
    assert begin_upload(browser, draft, name="c.jsonl", size=DISK // 8).status_code == 200


def test_no_room_is_kept_for_what_was_abandoned(
    browser: Client, draft: TuningJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin_upload(browser, draft, name="a.jsonl", size=DISK // 4)
    monkeypatch.setattr(resumable_upload, "IDLE", -1)
    assert begin_upload(browser, draft, name="b.jsonl", size=DISK // 4).status_code == 200


def test_limit_counts_what_was_begun(
    browser: Client, draft: TuningJob, settings: Settings, uploads: Path
) -> None:
    settings.DATASET_MAX_BYTES = 100
    first = begin_upload(browser, draft, name="a.jsonl").json()["token"]
    begin_upload(browser, draft, name="b.jsonl")
    answer = begin_upload(browser, draft, name="c.jsonl")
    assert answer.status_code == 429 and "other uploads" in answer.json()["message"]
    assert begin_upload(browser, draft, name="b.jsonl").status_code == 200, "resumed"
    browser.delete(address("parts", draft), headers={"Upload-Token": first})
    assert begin_upload(browser, draft, name="c.jsonl").status_code == 200


def test_limit_counts_forms(
    browser: Client, draft: TuningJob, settings: Settings, uploads: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DATASET_MAX_BYTES = 1000
    for name in ("a.jsonl", "b.jsonl"):
        begin_upload(browser, draft, name=name, size=1000)
    answer = send_form(browser, draft, b"{}\n")
    assert answer.status_code == 429
    assert "Your other uploads are still in progress." in answer.content.decode()
    assert sum(path.stat().st_size for path in list_files(uploads)) == 0


def test_every_file_that_is_made_here_is_refused_in_words(project: Project, uploads: Path) -> None:
    """Cleaned copies, held-out parts and the like are written here, too."""
    fill_disk(uploads)
    with pytest.raises(Refusal) as refusal, translate_storage_errors(project):
        (uploads / "copy").write_bytes(b"x")
    assert refusal.value.status == 507
    assert NO_ROOM in str(refusal.value)
