"""Secrets come from files, or are created there once."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

import pytest
from django.core.exceptions import ImproperlyConfigured

from studio.operation import secret_files
from studio.operation.secret_files import read_or_create_secret, read_secret
from tests.paths import ROOT

TELL = """
import studio.settings as s
print(s.SECRET_KEY, s.CELERY_BROKER_URL, s.DATABASES["default"]["PASSWORD"], s.DATABASES["default"]["HOST"])
"""


def load_settings(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Print secrets of the studio's settings, in a process that has these variables and no more."""
    return subprocess.run(
        [sys.executable, "-c", TELL],
        cwd=ROOT,
        env={"STATE_DIR": str(folder / "state"), "DATABASE_URL": "", "REDIS_URL": "", **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


def write_file(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text)
    return str(folder / name)


def test_settings_read_their_secrets_from_files(tmp_path: Path) -> None:
    told = load_settings(
        tmp_path,
        SECRET_KEY="text",
        SECRET_KEY_FILE=write_file(tmp_path, "key", "from-a-file\n"),
        REDIS_URL_FILE=write_file(tmp_path, "redis", "rediss://:word@broker/0"),
        DATABASE_URL="postgres://studio@database/studio",
        DATABASE_PASSWORD_FILE=write_file(tmp_path, "password", "p@ss/word\n"),
    )
    assert told.stdout.split() == ["from-a-file", "rediss://:word@broker/0", "p@ss/word", "database"], (
        told.stderr
    )


def test_an_address_with_a_password_needs_no_other(tmp_path: Path) -> None:
    """The file of the password may be that of another database, and isn't even read."""
    told = load_settings(
        tmp_path,
        SECRET_KEY="text",
        DATABASE_URL="postgres://studio@ignored/studio",
        DATABASE_URL_FILE=write_file(tmp_path, "url", "postgres://studio:own@elsewhere/studio"),
        DATABASE_PASSWORD_FILE=str(tmp_path / "missing"),
    )
    assert told.stdout.split()[2:] == ["own", "elsewhere"], told.stderr


@pytest.mark.parametrize("setting", ["SECRET_KEY_FILE", "DATABASE_URL_FILE", "REDIS_URL_FILE"])
def test_a_missing_file_stops_the_start_and_names_its_setting(tmp_path: Path, setting: str) -> None:
    told = load_settings(tmp_path, **{setting: str(tmp_path / "missing")})
    assert told.returncode == 1
    assert f"{setting}: {tmp_path / 'missing'} cannot be read (No such file or directory)." in told.stderr
    assert f"the account with the ID {os.getuid()}" in told.stderr


def test_an_empty_file_and_one_without_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(
        ImproperlyConfigured, match=r"SECRET_KEY_FILE: .* is empty\. Write the secret into it."
    ):
        read_secret(tmp_path / "empty", "SECRET_KEY_FILE")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    with pytest.raises(ImproperlyConfigured, match=r"cannot be read \(not text\)"):
        read_secret(tmp_path / "bytes", "SECRET_KEY_FILE")


def test_a_secret_is_created_once_and_for_its_owner_only(tmp_path: Path) -> None:
    secret = read_or_create_secret(tmp_path / "key")
    assert len(secret) >= 64
    assert read_or_create_secret(tmp_path / "key") == secret
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


def test_a_process_takes_the_secret_that_another_is_creating(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = threading.Event()
    flock = fcntl.flock

    def announce(file: IO[str], operation: int) -> None:
        asked.set()
        flock(file, operation)

    with (tmp_path / "key").open("w") as other, ThreadPoolExecutor() as threads:
        flock(other, fcntl.LOCK_EX)
        monkeypatch.setattr("fcntl.flock", announce)
        waiting = threads.submit(read_or_create_secret, tmp_path / "key")
        assert asked.wait(60)
        other.write("the other's")
        other.close()
        assert waiting.result(60) == "the other's"


def test_a_secret_that_was_left_blank_is_made_anew(tmp_path: Path) -> None:
    """A full disk leaves the file without its text."""
    (tmp_path / "key").touch()
    assert len(read_or_create_secret(tmp_path / "key")) >= 64


def test_the_command_creates_a_secret_that_other_users_may_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = os.umask(0o077)
    try:
        assert secret_files.main([str(tmp_path / "password")]) == 0
    finally:
        os.umask(before)
    assert (tmp_path / "password").stat().st_mode & 0o777 == 0o644
    assert secret_files.main([str(tmp_path / "missing" / "password")]) == 1
    assert "cannot be created: No such file or directory." in capsys.readouterr().err
