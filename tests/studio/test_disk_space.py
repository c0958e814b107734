"""A full disk is recognized, told on every page and by /healthz, and its errors become words."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, OperationalError, connection
from django.test import Client
from django.urls import reverse

from studio import disk_space
from studio.models import Project
from studio.operation import health
from tests.disk import fill_disk, mount_small_disk


@pytest.fixture(autouse=True)
def forget_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_space, "_failed_at", disk_space._failed_at)


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_space, "measure_free_bytes", lambda folder: -1)


def raise_from(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


def fill_sqlite(file: Path) -> sqlite3.Error:
    """The error of a real database that may not grow."""
    with sqlite3.connect(file) as database:
        database.execute("CREATE TABLE rows (text)")
        database.execute("PRAGMA max_page_count = 10")
        with pytest.raises(sqlite3.Error) as full:
            for _ in range(100):
                database.execute("INSERT INTO rows VALUES (?)", ["x" * 4000])
    return full.value


def test_errors_of_a_full_disk_are_recognized(tmp_path: Path) -> None:
    sqlite_full = fill_sqlite(tmp_path / "small.sqlite3")
    for error in (
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        raise_from(OperationalError("database or disk is full"), sqlite_full),
        raise_from(OperationalError("could not extend file"), psycopg.errors.DiskFull("no space")),
        raise_from(RuntimeError("while saving"), OSError(errno.ENOSPC, "No space left on device")),
    ):
        assert disk_space.is_out_of_space(error), error


@pytest.mark.parametrize(
    "error",
    [
        None,
        OSError(errno.EIO, "Input/output error"),
        OperationalError("database is locked"),
        raise_from(OperationalError("x"), sqlite3.OperationalError("no such table")),
        raise_from(DatabaseError("x"), psycopg.errors.LockNotAvailable("x")),
    ],
)
def test_other_errors_are_not(error: Exception | None) -> None:
    assert not disk_space.is_out_of_space(error)


def test_sqlite_without_room_for_its_index(tmp_path: Path, settings: Any) -> None:
    """It then says something about the file, which only counts where the disk is full."""
    with mount_small_disk(tmp_path / "disk", 2**20) as disk:
        settings.STATE_DIR = disk
        with sqlite3.connect(disk / "a.sqlite3") as database:
            database.execute("PRAGMA journal_mode=WAL")
            database.execute("CREATE TABLE rows (text)")
        database.close()
        ballast = fill_disk(disk)
        database = sqlite3.connect(disk / "a.sqlite3")
        with pytest.raises(sqlite3.Error) as error:
            database.execute("SELECT count(*) FROM rows").fetchone()
        assert disk_space.is_out_of_space(error.value)
        ballast.unlink()
        assert database.execute("SELECT count(*) FROM rows").fetchone() == (0,)
        database.close()


def test_the_reserve_is_a_twentieth_of_a_small_disk(tmp_path: Path) -> None:
    with mount_small_disk(tmp_path / "disk", 20 * 2**20) as disk:
        free = disk_space.measure_free_bytes(disk)
        assert 18.5 * 2**20 < free <= 19 * 2**20
        assert disk_space.has_room_for(disk, free // 2)
        assert not disk_space.has_room_for(disk, free // 2 + 1)
        fill_disk(disk, leave=2**20 - 8192)
        assert disk_space.has_little_room(disk)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "The server’s disk is full."), ("ja", "サーバーのディスクに空きがありません。")],
)
def test_every_page_tells_it(
    project: Project,
    tuner: User,
    browser_of: Callable[[User], Client],
    full: None,
    language: str,
    words: str,
) -> None:
    browser = browser_of(tuner)
    for name in ("jobs:list", "datasets:list", "compare:page", "talk:list", "activity"):
        page = browser.get(reverse(name, args=[project.slug]), headers={"Accept-Language": language})
        assert words in page.content.decode(), name
    door = Client().get(reverse("sign_in"), headers={"Accept-Language": language})
    assert words in door.content.decode()


@pytest.mark.django_db
def test_health_tells_it(full: None) -> None:
    answer = Client().get("/healthz?part=disk")
    assert (answer.status_code, answer.json()["parts"]) == (503, {"disk": "full"})


@pytest.mark.django_db
def test_nothing_is_told_while_there_is_room(project: Project, tuner: User, browser_of: Any) -> None:
    page = browser_of(tuner).get(reverse("jobs:list", args=[project.slug])).content.decode()
    assert "disk is full" not in page
    assert health.check_disk() == "ok"


@pytest.mark.django_db
def test_a_failed_write_is_told_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """The database may be on another disk than STATE_DIR."""
    disk_space.record_failed_write()
    assert health.check_disk() == "full"
    failed_at = disk_space._failed_at
    monkeypatch.setattr(disk_space.time, "monotonic", lambda: failed_at + disk_space.FAILURE_SECONDS)
    assert health.check_disk() == "ok"


@pytest.mark.django_db
@pytest.mark.skipif("connection.vendor != 'sqlite'", reason="PostgreSQL has no limit that a test may set")
def test_a_database_without_room_answers_with_words(project: Project, tuner: User) -> None:
    browser = Client(raise_request_exception=False)
    browser.force_login(tuner)
    with connection.cursor() as cursor:
        pages = cursor.execute("PRAGMA page_count").fetchone()[0]
        cursor.execute(f"PRAGMA max_page_count = {pages}")
        try:
            answers = (browser.post(reverse("jobs:create", args=[project.slug])) for _ in range(500))
            answer = next(answer for answer in answers if answer.status_code != 302)
        finally:
            connection.connection.execute("PRAGMA max_page_count = 4294967294")  # its transaction has failed
    assert answer.status_code == 507
    assert "The server’s disk is full" in answer.content.decode()
    assert answer.headers["Retry-After"] == "5"
    assert disk_space.is_full()
