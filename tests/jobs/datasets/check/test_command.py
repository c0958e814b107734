"""manage.py check_dataset: the check of the wizard on a terminal, for people and for scripts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.jobs.datasets.check.corpus import FINE, OTHER, example
from tests.paths import ROOT


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "train.jsonl"
    path.write_bytes(b"\n".join([FINE, OTHER, b"{}", example("a", weight=1)]))
    return path


def run(*arguments: Any) -> tuple[str, int]:
    out, code = StringIO(), 0
    try:
        call_command("check_dataset", *map(str, arguments), stdout=out)
    except SystemExit as stop:
        code = int(stop.code or 0)
    return out.getvalue(), code


def test_json_output(file: Path) -> None:
    out, code = run(file, "--json")
    found = json.loads(out)
    assert (
        code == 1
        and found["examples"] == 3
        and found["counts"] == {"contents_missing": 1, "unknown_field": 1}
    )
    first, second = found["problems"]
    assert (first["line"], first["severity"], first["field"]) == (3, "error", "contents")
    assert first["message"] == "“contents” is missing." and first["cure"] and first["file"] == str(file)
    assert (second["line"], second["severity"], second["field"]) == (4, "warning", "weight")
    assert found["tokens"]["count"] == 3 and found["tokens"]["estimated"] is True


def test_text_output(file: Path) -> None:
    out, code = run(file)
    assert code == 1
    assert f"{file}: examples 3, lines 4" in out
    assert f"{file}:3: error: “contents” is missing. Add the conversation" in out
    assert f"{file}:4: warning: unknown field “weight” will be ignored" in out


def test_warnings_alone_exit_with_0(file: Path) -> None:
    file.write_bytes(FINE + b"\n" + FINE)
    out, code = run(file, "--model", "studio-tiny", "--json")
    found = json.loads(out)["problems"]
    assert code == 0 and {problem["code"] for problem in found} == {"duplicate", "very_few"}


def test_exceeded_model_limit_is_an_error(file: Path) -> None:
    contents = [{"fileData": {"fileUri": "gs://b/a.png", "mimeType": "image/png"}}]
    value = json.loads(FINE)
    value["contents"][0]["parts"] = contents
    file.write_text(json.dumps(value))
    assert run(file)[1] == 0
    out, code = run(file, "--model", "studio-tiny")
    assert (
        code == 1
        and f"{file}:1: error: some examples contain files, but studio-tiny supports text only" in out
    )


def test_a_validation_file_is_checked_and_compared(file: Path) -> None:
    other = file.with_name("validation.jsonl.txt")
    other.write_bytes(OTHER)
    out, code = run(file, "--validation", other, "--json")
    found = json.loads(out)
    assert code == 1 and found["validation_examples"] == 1
    (problem,) = (problem for problem in found["problems"] if problem["file"] == str(other))
    assert problem["code"] == "name_ending"
    assert found["leaks"]["exact"] == 1 and found["leaks"]["exact_pairs"][0]["training"] == 2
    assert "validation line 1: training line 2" in run(file, "--validation", other)[0]


def test_hidden_problems_are_counted(file: Path) -> None:
    file.write_bytes(b"{}\n" * 25)
    assert f"{file}: contents_missing: 5 more" in run(file)[0]


@pytest.mark.parametrize("arguments", [["nothing.jsonl"], [__file__, "--model", "no-model"], []])
def test_invalid_arguments_are_explained(arguments: list[str]) -> None:
    with pytest.raises(CommandError):
        run(*arguments)


def test_command_needs_no_database_and_uses_the_terminal_language(file: Path, tmp_path: Path) -> None:
    where = {"STATE_DIR": str(tmp_path / "state"), "DATABASE_URL": "postgres://x@127.0.0.1:1/none"}
    done = subprocess.run(
        [sys.executable, "manage.py", "check_dataset", file],
        cwd=ROOT,
        env={**os.environ, **where, "LC_ALL": "ja_JP.UTF-8", "DJANGO_SETTINGS_MODULE": "studio.settings"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "contents" in done.stdout and "ありません" in done.stdout
