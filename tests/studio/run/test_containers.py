"""What `docker compose up` refuses before the studio's containers start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from studio.run.containers import check_published_address
from studio.run.preflight import RunError
from tests.paths import ROOT

HERE = "http://localhost:8000"
TEAM = "https://tuning.example.com"
EVERYWHERE = "0.0.0.0"  # noqa: S104


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"BIND": "", "BASE_URL": HERE},
        {"BIND": "127.0.0.1", "BASE_URL": HERE},
        {"BIND": "127.0.0.1", "BASE_URL": TEAM},
        {"BIND": EVERYWHERE, "BASE_URL": TEAM},
        {"BIND": "127.0.0.1", "BASE_URL": HERE, "DEBUG": "on"},
    ],
)
def test_a_safe_address_is_accepted(environment: dict[str, str]) -> None:
    check_published_address(environment)


@pytest.mark.parametrize(
    ("environment", "advice"),
    [
        ({"BIND": EVERYWHERE, "BASE_URL": HERE}, "set BASE_URL to the address that people type"),
        ({"BIND": "192.0.2.1", "BASE_URL": "http://127.0.0.1:8000"}, "set BASE_URL"),
        ({"BIND": EVERYWHERE}, "set BASE_URL"),
        ({"BIND": EVERYWHERE, "BASE_URL": TEAM, "DEBUG": "on"}, "switch one of them off"),
    ],
)
def test_an_address_open_to_the_network_is_checked(environment: dict[str, str], advice: str) -> None:
    with pytest.raises(RunError, match=advice):
        check_published_address(environment)


def test_a_wrong_setting_is_one_sentence(tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "studio.run.containers"],
        cwd=ROOT,
        env={"STATE_DIR": str(tmp_path), "SECRET_KEY_FILE": str(tmp_path / "missing"), "DATABASE_URL": ""},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert told.returncode == 1
    assert told.stderr.startswith("SECRET_KEY_FILE: ") and told.stderr.count("\n") == 1, told.stderr


@pytest.mark.slow
def test_database_and_static_files_are_brought_up_to_date(tmp_path: Path) -> None:
    """The link itself would stay in the log."""
    told = subprocess.run(
        [sys.executable, "-m", "studio.run.containers"],
        cwd=ROOT,
        env={"STATE_DIR": str(tmp_path), "BASE_URL": HERE, "DATABASE_URL": "", "REDIS_URL": ""},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith(f"Tuning Studio is at {HERE}\n")
    assert "manage.py invite --admin" in told.stdout and "/join/" not in told.stdout
    assert (tmp_path / "studio.sqlite3").exists() and (tmp_path / "static" / "staticfiles.json").exists()
