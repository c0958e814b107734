"""The dataset library: what the address asks for, what a row shows, and how few queries it takes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import translation

from jobs.datasets import library, sample_data
from jobs.datasets.models import Dataset
from jobs.datasets.sample_data import samples
from jobs.models import Submission, TuningJob
from studio.models import Project, Role
from tests.jobs.datasets.check.lines import COMMA, GOOD

pytestmark = [pytest.mark.django_db, pytest.mark.sql]
Make = Callable[..., Dataset]
ADDRESS = "/p/local/datasets/"


@pytest.fixture
def page(browser: Client) -> Callable[..., str]:
    def get(query: str = "", **headers: str) -> str:
        answer = browser.get(f"{ADDRESS}{query}", headers=headers)
        assert answer.status_code == 200
        return answer.content.decode()

    return get


def list_names(html: str) -> list[str]:
    return re.findall(r'id="open-\d+"[^>]*>([^<]+)<', html)


def row(html: str, dataset: Dataset) -> str:
    found = re.search(rf'<tr id="dataset-{dataset.pk}">.*?</tr>', html, re.DOTALL)
    assert found
    return re.sub(r"<[^>]+>|\s+", " ", found[0])


def job(project: Project, owner: User, **fields: Any) -> TuningJob:
    usual = {"base_model": "studio-tiny", "location": "us-central1", "submission": Submission.CREATED}
    return TuningJob.objects.create(project=project, owner=owner, **{**usual, **fields})


def test_empty_library_offers_the_samples(page: Callable[..., str]) -> None:
    html = page()
    assert "No datasets in this project yet" in html
    for sample in samples():
        assert f'name="name" value="{sample.name}"' in html and f'name="sample" value="{sample.name}"' in html
    assert "CC BY 4.0" in html and "480 training examples, 120 validation examples." in html


def test_samples_are_described_in_japanese(page: Callable[..., str]) -> None:
    html = page(**{"Accept-Language": "ja"})
    assert "銀行への問い合わせ" in html and "お店への丁寧な日本語の注文を、1 行に要約します。" in html


@pytest.mark.parametrize("sample", samples(), ids=lambda sample: sample.name)
def test_sample_description_matches_its_files(sample: sample_data.SampleData) -> None:
    for part in ("train", "validation"):
        lines = sample.path(part).read_bytes().splitlines()
        assert len(lines) == sample.counts[part], "the README tells another number"
    readme = (sample_data.FOLDER / sample.name / "README.md").read_text()
    for language in ("en", "ja"):
        with translation.override(language):
            assert sample.title and sample.description and sample.language
            assert ("CC BY 4.0" in sample.licence) == ("CC BY 4.0" in readme)


def test_every_sample_folder_is_described() -> None:
    folders = {path.parent.name for path in sample_data.FOLDER.glob("*/train.jsonl")}
    assert folders == {sample.name for sample in samples()}


def test_row_shows_a_dataset(make: Make, page: Callable[..., str], project: Project) -> None:
    good = make("good.jsonl", GOOD)
    faulty = make("faulty.jsonl", GOOD + COMMA * 2, parent=good, source=Dataset.Source.DERIVED)
    job(project, good.owner, training=good, validation=good)  # type: ignore[arg-type]
    html = page()
    assert "No problems found" in row(html, good) and "Uploaded" in row(html, good)
    assert "1 job " in row(html, good), "a job that has it twice counts once"
    assert "2 problems" in row(html, faulty) and "Created from good.jsonl" in row(html, faulty)


def test_token_counts_say_whether_they_are_estimated(make: Make, page: Callable[..., str]) -> None:
    estimated, counted = make("a.jsonl"), make("b.jsonl", calibration={"gemini-2.5-flash": 2.0})
    tokens = estimated.report["tokens"]["total"]
    html = page()
    assert f"≈ {tokens} " in row(html, estimated)
    assert f" {2 * tokens} " in row(html, counted) and "≈" not in row(html, counted)
    assert "Estimated, adjusted with gemini-2.5-flash" in html


def test_row_with_a_report_of_an_older_version_is_complete(make: Make, page: Callable[..., str]) -> None:
    old = make("old.jsonl", report={"examples": 7, "errors": 0, "warnings": 0}, calibration={"m": 1.5})
    bare = make("bare.jsonl", report={})
    assert " 7 " in row(page(), old) and "Not checked" in row(page(), bare)


def test_rows_are_searched_and_filtered(
    make: Make, page: Callable[..., str], person: Callable[..., User]
) -> None:
    make("intents.jsonl")
    make("orders.jsonl", owner=person(Role.ADMIN), uri="gs://data/Team/orders.jsonl")
    assert list_names(page()) == ["orders.jsonl", "intents.jsonl"]
    assert list_names(page("?whose=mine")) == ["intents.jsonl"]
    assert list_names(page("?q=team")) == ["orders.jsonl"], "the folder counts, too, in any case"
    assert "No datasets match" in page("?q=nothing&whose=mine")


@pytest.mark.parametrize(
    ("sort", "names"),
    [
        ("name", ["a.jsonl", "B.jsonl", "c.jsonl"]),
        ("-name", ["c.jsonl", "B.jsonl", "a.jsonl"]),
        ("-examples", ["B.jsonl", "a.jsonl", "c.jsonl"]),
        ("tokens", ["c.jsonl", "a.jsonl", "B.jsonl"]),
        ("-size", ["B.jsonl", "a.jsonl", "c.jsonl"]),
        ("-used", ["c.jsonl", "a.jsonl", "B.jsonl"]),
        ("created", ["B.jsonl", "a.jsonl", "c.jsonl"]),
        ("; drop table", ["c.jsonl", "a.jsonl", "B.jsonl"]),
    ],
)
def test_rows_are_sorted(
    make: Make, page: Callable[..., str], project: Project, tuner: User, sort: str, names: list[str]
) -> None:
    make("B.jsonl", GOOD * 12, uri="gs://data/zzz/a/B.jsonl")
    make("a.jsonl", GOOD * 3)
    last = make("c.jsonl", GOOD, uri="gs://data/c.jsonl")
    job(project, tuner, training=last)
    assert list_names(page(f"?sort={sort}")) == names


def test_library_is_paginated(make: Make, page: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "PAGE", 2)
    for number in range(3):
        make(f"{number}.jsonl")
    assert (list_names(page()), list_names(page("?page=2"))) == (["2.jsonl", "1.jsonl"], ["0.jsonl"])
    assert "1–2 of 3" in page() and 'href="?page=2"' in page()


@pytest.mark.parametrize("rows", [1, 50])
def test_query_count_does_not_grow_with_rows(
    make: Make,
    browser: Client,
    project: Project,
    tuner: User,
    rows: int,
    django_assert_num_queries: Callable[..., Any],
) -> None:
    for number in range(rows):
        parent = make(f"parent-{number}.jsonl", owner=None) if rows == 1 else None
        made = make(f"{number}.jsonl", parent=parent)
        job(project, tuner, training=made)
        job(project, tuner, validation=made)
    browser.get(ADDRESS)
    with django_assert_num_queries(8):
        assert browser.get(ADDRESS).status_code == 200


def test_drafts_of_other_users_are_not_counted(
    make: Make, page: Callable[..., str], project: Project, person: Callable[..., User], tuner: User
) -> None:
    used = make("used.jsonl")
    job(project, person(Role.ADMIN), training=used, submission=Submission.DRAFT)
    job(project, tuner, training=used, submission=Submission.DRAFT)
    assert "1 job " in row(page(), used)


def test_viewers_see_no_edit_actions(
    make: Make, person: Callable[..., User], browser_of: Callable[[User], Client]
) -> None:
    browser = browser_of(person(Role.VIEWER))
    assert '<form method="post" action="/p/' not in browser.get(ADDRESS).content.decode()
    html = browser.get(f"{ADDRESS}{make().pk}/").content.decode()
    assert "Tune with this dataset" not in html and "Delete" not in html and "/file/" in html
