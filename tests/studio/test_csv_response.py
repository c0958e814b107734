"""CSV exports with hostile names: a spreadsheet program runs none of their cells."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from jobs.datasets.check.checker import check_file
from jobs.datasets.models import Dataset
from jobs.models import TuningJob
from metrics.point_store import Points
from studio.csv_response import FORMULA_STARTS, guard_cell, iter_csv_lines, stream_csv
from studio.models import Project
from tests.jobs.datasets.check.lines import example, line
from tests.metrics.charts.curves import START, create_job_with_points

NAMES = ["=1+1 \"a/b' <i>x</i>", "@SUM(A1)", "+1", "-1", "\t=1", "\r=1"]
"""Names that people gave their runs, and two that begin with a control character."""


def get_rows(browser: Client, url: str) -> list[list[str]]:
    answer: Any = browser.get(url)
    assert answer.streaming and answer["Content-Type"] == "text/csv; charset=utf-8"
    assert answer["Content-Disposition"].startswith("attachment;")
    return [*csv.reader(io.StringIO(b"".join(answer.streaming_content).decode("utf-8-sig"), newline=""))]


def is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


@pytest.fixture
def runs(project: Project) -> list[TuningJob]:
    """A run of each name, with negative losses."""
    points = Points.from_arrays([1, 2], [START + 1, START + 2], [0.25, -0.5])
    return [
        create_job_with_points(project, {"/eval_total_loss": points}, tuned_model_display_name=name)
        for name in NAMES
    ]


@pytest.fixture
def make_dataset(project: Project, tuner: User, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Dataset]:
    """make_dataset(name, content) -> a dataset of the library with that content."""
    contents: dict[str, bytes] = {}
    monkeypatch.setattr(Dataset, "open", lambda dataset: io.BytesIO(contents[dataset.uri]))

    def make(name: str, content: bytes) -> Dataset:
        uri = f"gs://data/{name}"
        contents[uri] = content
        return Dataset.objects.create(
            project=project,
            owner=tuner,
            uri=uri,
            generation="1",
            crc32c=name,
            size=len(content),
            source=Dataset.Source.UPLOAD,
            report=check_file([content], name=name).to_json(),
        )

    return make


@pytest.fixture
def exports(
    project: Project, runs: list[TuningJob], make_dataset: Callable[..., Dataset]
) -> dict[str, tuple[str, list[str]]]:
    """Return each export's address and the names in it."""
    loss = Points.from_arrays([1, 2], [START + 1, START + 2], [0.25, -0.5])
    watched = create_job_with_points(project, dict.fromkeys(NAMES, loss))
    compare = "?runs=" + ",".join(str(run.pk) for run in runs)
    before = make_dataset("before.jsonl", b"".join(line(example(name, name)) for name in NAMES))
    after = make_dataset("after.jsonl", line(example("other")))
    faulty = make_dataset("faulty.jsonl", b"".join(f"{name}\n".encode() for name in NAMES[:2]))
    return {
        "monitor points": (reverse("metrics:csv", args=[project.slug, watched.pk]), NAMES),
        "compare curves": (reverse("compare:curves", args=[project.slug]) + compare, NAMES),
        "compare runs": (reverse("compare:runs", args=[project.slug]) + compare, NAMES),
        "dataset problems": (reverse("datasets:problems", args=[project.slug, faulty.pk]), NAMES[:2]),
        "dataset changes": (
            reverse("datasets:changes_csv", args=[project.slug, before.pk, after.pk]),
            NAMES,
        ),
    }


@pytest.mark.parametrize(
    "export",
    ["monitor points", "compare curves", "compare runs", "dataset problems", "dataset changes"],
)
def test_no_export_has_a_cell_that_a_spreadsheet_runs(
    exports: dict[str, tuple[str, list[str]]], browser_of: Callable[[User], Client], tuner: User, export: str
) -> None:
    url, names = exports[export]
    cells = [cell for row in get_rows(browser_of(tuner), url) for cell in row]
    for name in names:
        assert any(cell.startswith(f"'{name}") for cell in cells), "the whole name, after an apostrophe"
    running = [cell for cell in cells if cell.startswith(FORMULA_STARTS) and not is_number(cell)]
    assert running == []
    assert not {*NAMES} & {*cells}, "a name that looks like a number is text, too"


@pytest.mark.parametrize("export", ["monitor points", "compare curves", "compare runs"])
def test_negative_losses_stay_numbers(
    exports: dict[str, tuple[str, list[str]]], browser_of: Callable[[User], Client], tuner: User, export: str
) -> None:
    header, *rows = get_rows(browser_of(tuner), exports[export][0])
    column = header.index("best_eval_loss" if export == "compare runs" else "value")
    assert "-0.5" in [row[column] for row in rows]


def test_rows_are_written_while_they_are_sent() -> None:
    read: list[int] = []

    def iter_rows() -> Iterator[list[int]]:
        for number in range(3):
            read.append(number)
            yield [number]

    lines = iter_csv_lines(["n"], iter_rows())
    assert (next(lines), read) == (b"n\r\n", [])
    assert (next(lines), read) == (b"0\r\n", [0])


def test_cells_keep_their_values() -> None:
    assert [guard_cell(cell) for cell in (None, -0.5, -3, "a=1", "–", "")] == [None, -0.5, -3, "a=1", "–", ""]
    [line] = iter_csv_lines([None, -0.1, 1e-300, float("nan"), 'a "b", c', "\ud800"], [])
    assert line == b',-0.1,1e-300,nan,"a ""b"", c",?\r\n'
    lines = iter_csv_lines(["学習"], [], bom=True)
    assert b"".join(lines).decode("utf-8-sig") == "学習\r\n"


def test_file_names_outside_ascii_reach_the_browser() -> None:
    answer = stream_csv("学習-problems.csv", ["line"], [])
    assert answer["Content-Disposition"] == ("attachment; filename*=utf-8''%E5%AD%A6%E7%BF%92-problems.csv")
