"""A database of commit 506e642 with data in it migrates: every value stays, under the new names."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings

from tests.paths import ROOT

DUMPS = ROOT / "tests" / "data" / "migration"
RENAMED_TABLES = {"jobs_sweep": "jobs_joblistpoll"}
RENAMED_COLUMNS = {
    "jobs_tuningjob": {
        "trouble": "last_error",
        "twins": "duplicates",
        "misses": "missed_polls",
        "looks": "search_attempts",
        "gone_at": "deleted_at",
    },
    "jobs_sweep": {"trouble": "last_error"},
}
# Django's tables: they describe models and migrations, and change with them.
DESCRIPTIONS = {"auth_permission", "django_content_type", "django_migrations"}
PAGES = """
import json, sys
import django
django.setup()
from django.contrib.auth import get_user_model
from django.test import Client

client = Client(HTTP_HOST="127.0.0.1")
client.force_login(get_user_model().objects.get(username="mika"))
pages = {}
for address in json.loads(sys.argv[1]):
    answer = client.get(address)
    pages[address] = [answer.status_code, b"".join(answer).decode()]
print("\\n" + json.dumps(pages))
"""

Rows = list[dict[str, Any]]


class OldDatabase:
    """A fresh database with the dump loaded. `query` runs SQL in it without Django."""

    def __init__(self, url: str, query: Callable[[str], Rows], tables: str) -> None:
        self.url = url
        self.query = query
        self.tables = {row["name"] for row in query(tables)} - DESCRIPTIONS

    def run_python(self, *arguments: str) -> str:
        # tests.settings takes its database from TEST_DATABASE_URL; the other tests' database isn't touched.
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "TEST_DATABASE_URL": self.url,
        }
        command = [sys.executable, *arguments]
        done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def migrate(self) -> None:
        self.run_python("manage.py", "migrate", "--verbosity", "0")

    def load_pages(self, *addresses: str) -> dict[str, tuple[int, str]]:
        output = self.run_python("-c", PAGES, json.dumps(addresses))
        return {
            address: (code, text) for address, (code, text) in json.loads(output.splitlines()[-1]).items()
        }


def load_sqlite(folder: Path) -> OldDatabase:
    file = folder / "old.sqlite3"
    with sqlite3.connect(file) as database:
        database.executescript((DUMPS / "506e642.sqlite.sql").read_text())
    database.close()

    def query(statement: str) -> Rows:
        connection = sqlite3.connect(file)
        connection.row_factory = sqlite3.Row
        try:
            return [dict(row) for row in connection.execute(statement)]
        finally:
            connection.close()

    tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    return OldDatabase(f"sqlite:///{file}", query, tables)


def load_postgresql(name: str) -> OldDatabase:
    with connect(name) as database:
        database.execute((DUMPS / "506e642.postgresql.sql").read_text())

    def query(statement: str) -> Rows:
        with connect(name) as connection:
            return connection.cursor(row_factory=psycopg.rows.dict_row).execute(statement).fetchall()

    server = settings.DATABASES["default"]
    login = ":".join(filter(None, (server["USER"], server["PASSWORD"])))
    url = f"postgres://{login}@{server['HOST']}:{server['PORT'] or 5432}/{name}"
    return OldDatabase(url, query, "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'")


def connect(name: str) -> psycopg.Connection[Any]:
    server = settings.DATABASES["default"]
    return psycopg.connect(
        dbname=name,
        user=server["USER"] or None,
        password=server["PASSWORD"] or None,
        host=server["HOST"] or None,
        port=server["PORT"] or None,
        autocommit=True,
    )


@pytest.fixture
def old_database(tmp_path: Path) -> Iterator[OldDatabase]:
    """In the database engine of these tests."""
    if settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"):
        yield load_sqlite(tmp_path)
        return
    name = f"migration_{uuid.uuid4().hex}"
    with connect("postgres") as server:
        server.execute(f"CREATE DATABASE {name}")
        try:
            yield load_postgresql(name)
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def select_all(database: OldDatabase, table: str) -> Rows:
    return database.query(f"SELECT * FROM {table} ORDER BY 1")  # noqa: S608


@pytest.mark.sql
def test_old_database_migrates(old_database: OldDatabase) -> None:
    before = {table: select_all(old_database, table) for table in old_database.tables}
    jobs = before["jobs_tuningjob"]
    assert len({job["submission"] for job in jobs}) == 6 and len({job["state"] for job in jobs}) >= 10
    # Each renamed field has different values, so that no two could be confused unnoticed.
    assert all(len({str(job[name]) for job in jobs}) > 1 for name in RENAMED_COLUMNS["jobs_tuningjob"])
    filled = {table for table, rows in before.items() if rows}
    assert {table for table in before if table.split("_")[0] in {"studio", "jobs", "metrics"}} <= filled

    old_database.migrate()

    for table, rows in before.items():
        names = RENAMED_COLUMNS.get(table, {})
        expected = [{names.get(name, name): value for name, value in row.items()} for row in rows]
        found = select_all(old_database, RENAMED_TABLES.get(table, table))
        same = [{name: row[name] for name in wanted} for row, wanted in zip(found, expected, strict=True)]
        assert same == expected, table

    ids = {job["tuned_model_display_name"]: job["id"] for job in jobs}
    job = f"/p/local/jobs/{ids['succeeded']}/"
    twice = f"/p/local/jobs/{ids['sent twice']}/details/"
    pages = old_database.load_pages(
        "/p/local/jobs/", job, f"{job}details/", twice, "/p/local/datasets/1/", "/p/local/activity/"
    )
    assert {address: code for address, (code, _) in pages.items()} == dict.fromkeys(pages, 200)
    assert all(name in pages["/p/local/jobs/"][1] for name in ("succeeded", "deleted", "lost", "refused"))
    assert "tuningJobs/8001" in pages[twice][1]
