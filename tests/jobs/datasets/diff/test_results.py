"""What changed between two datasets: its page, its file, and the way there."""

from __future__ import annotations

import csv
import io
import random
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from jobs.datasets import ingest
from jobs.datasets.diff import results as diff_results
from jobs.datasets.diff import word_diff
from jobs.datasets.diff.results import AUTO_COMPARE_BYTES
from jobs.datasets.diff.word_diff import diff_words
from jobs.datasets.models import Dataset
from jobs.models import Changes
from studio.models import Project, Role
from tests.engine.running_engine import Engine
from tests.jobs.datasets.check.lines import COMMA, example, line

pytestmark = pytest.mark.sql

Store = Callable[..., Dataset]
OLD = [
    ("keep", "same"),
    ("Where is it?", "It is on the way."),
    ("go", "gone <b>x</b>"),
    ("=SUM(1)", "formula"),
]
NEW = [("fresh", "=new"), ("Where is it?", "It is not on its way."), ("keep", "same")]


def content(pairs: list[tuple[str, str]]) -> bytes:
    return b"".join(line(example(*pair)) for pair in pairs)


@pytest.fixture
def store(on_engine: Engine, project: Project, tuner: User) -> Store:
    """store(content) -> a dataset whose object lies in the engine's store."""

    def put(body: bytes, name: str = "train.jsonl") -> Dataset:
        file = SimpleUploadedFile(f"{random.randrange(10**9)}-{name}", body)
        return ingest.ingest_upload(project, tuner, file, str(file.name))

    return put


@pytest.fixture
def pair(store: Store) -> tuple[Dataset, Dataset]:
    return store(content(OLD)), store(content(NEW) + COMMA)


def address(name: str, before: Dataset, after: Dataset) -> str:
    return reverse(f"datasets:{name}", args=["local", before.pk, after.pk])


def get_page(browser: Client, pair: tuple[Dataset, Dataset], **headers: str) -> str:
    answer = browser.get(address("changes", *pair), headers=headers)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def parse_counts(html: str) -> list[str]:
    return re.findall(r"<dt>(?:Edited|Added|Removed|Unchanged)</dt><dd>(\d+)</dd>", html)


# ---- the page ----


def test_small_files_are_compared_on_the_first_visit_and_only_once(
    browser: Client, pair: tuple[Dataset, Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    html = get_page(browser, pair)
    assert parse_counts(html) == ["1", "1", "2", "1"] and "Line 2 → 2" in html
    assert "It is <ins>not </ins>on <ins>its</ins> way." in html and "on <del>the</del> way." in html
    assert "gone &lt;b&gt;x&lt;/b&gt;" in html, "nothing of a file is markup"
    assert f"1 line in {pair[1]} isn’t a valid example" in html and "invalid JSON: trailing comma" in html
    monkeypatch.setattr(diff_results, "make_source", lambda dataset: pytest.fail("read again"))
    assert parse_counts(get_page(browser, pair)) == ["1", "1", "2", "1"]
    assert Changes.objects.count() == 1


def test_htmx_request_gets_only_the_fragment(browser: Client, pair: tuple[Dataset, Dataset]) -> None:
    part = get_page(browser, pair, **{"HX-Request": "true"})
    assert part.startswith("<div") and "<html" not in part and parse_counts(part) == ["1", "1", "2", "1"]
    assert f'id="changes-{pair[0].pk}-{pair[1].pk}"' in part


def test_swapped_datasets_are_compared_separately(browser: Client, pair: tuple[Dataset, Dataset]) -> None:
    get_page(browser, pair)
    assert parse_counts(get_page(browser, pair[::-1])) == ["1", "2", "1", "1"]
    assert Changes.objects.count() == 2


def test_same_data_is_detected_without_reading_files(
    browser: Client, make: Store, settings: Settings
) -> None:
    settings.ENGINE_URL = "http://127.0.0.1:1"
    pair = make("a.jsonl"), make("b.jsonl")
    assert "a.jsonl and b.jsonl are identical" in get_page(browser, pair)
    answer = browser.get(address("changes_csv", *pair))
    assert len(b"".join(answer.streaming_content).splitlines()) == 1  # type: ignore[attr-defined]
    assert not Changes.objects.exists()


def test_reordered_lines_are_reported_as_the_same_examples(browser: Client, store: Store) -> None:
    html = get_page(browser, (store(content(OLD)), store(content(OLD[::-1]))))
    assert "Both files contain the same examples." in html and "Download all changes as CSV" not in html


def test_large_files_are_compared_only_on_request(
    browser: Client,
    pair: tuple[Dataset, Dataset],
    person: Callable[..., User],
    browser_of: Callable[..., Client],
) -> None:
    Dataset.objects.filter(pk=pair[0].pk).update(size=AUTO_COMPARE_BYTES)
    before = get_page(browser, pair)
    assert "takes a few minutes" in before and not parse_counts(before)
    assert f'method="post" action="{address("changes", *pair)}"' in before
    viewer = browser_of(person(Role.VIEWER))
    answer = viewer.post(address("changes", *pair), follow=True)
    assert answer.redirect_chain == [(address("changes", *pair), 302)]
    assert parse_counts(" ".join(answer.content.decode().split())) == ["1", "1", "2", "1"]


def test_deleted_file_is_reported_and_stored_diff_stays(
    browser: Client, pair: tuple[Dataset, Dataset]
) -> None:
    _old, new = pair
    new.project.storage().delete(new.uri)
    html = get_page(browser, pair)
    assert f"“{new}” was deleted or replaced. Generation {new.generation}" in html and "Try again" in html
    assert not Changes.objects.exists()
    assert browser.post(address("changes", *pair)).status_code == 200
    answer = browser.get(address("changes_csv", *pair), follow=True)
    assert "was deleted or replaced" in answer.content.decode()


def test_checked_generation_is_compared(browser: Client, pair: tuple[Dataset, Dataset]) -> None:
    _old, new = pair
    body = io.BytesIO(content(OLD))
    new.project.storage().upload(body, new.uri, ingest.CONTENT_TYPE, overwrite=True)
    assert "was deleted or replaced" in get_page(browser, pair)


def test_unreachable_storage_is_reported(browser: Client, make: Store, settings: Settings) -> None:
    settings.ENGINE_URL = "http://127.0.0.1:1"
    assert "The local engine isn’t responding." in get_page(browser, (make(), make(crc32c="BBBBBB==")))


def test_only_members_see_the_changes_page(
    pair: tuple[Dataset, Dataset], person: Callable[..., User], browser_of: Callable[..., Client]
) -> None:
    stranger = browser_of(person(None))
    for name in ("changes", "changes_csv"):
        assert stranger.get(address(name, *pair)).status_code == 404
    Dataset.objects.filter(pk=pair[0].pk).update(
        project=Project.objects.create(slug="other", name="Other", project_id="other")
    )
    assert browser_of(person(Role.VIEWER)).get(address("changes", *pair)).status_code == 404


# ---- the file ----


def test_csv_has_every_change(browser: Client, pair: tuple[Dataset, Dataset]) -> None:
    answer: Any = browser.get(address("changes_csv", *pair))
    assert "attachment" in answer["Content-Disposition"]
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    assert list(csv.DictReader(io.StringIO(text))) == [
        row("removed", "3", "", "go", "gone <b>x</b>", ""),
        row("removed", "4", "", "'=SUM(1)", "formula", ""),
        row("added", "", "1", "fresh", "", "'=new"),
        row("edited", "2", "2", "Where is it?", "It is on the way.", "It is not on its way."),
    ]


def row(change: str, before: str, after: str, prompt: str, old: str, new: str) -> dict[str, str]:
    lines = {"change": change, "line_before": before, "line_after": after, "system_instruction": ""}
    return {**lines, "prompt": prompt, "answer_before": old, "answer_after": new}


# ---- the way there ----


def test_report_page_links_to_the_comparison(browser: Client, make: Store) -> None:
    older, newer = make("old.jsonl"), make("new.jsonl")
    page = browser.get(newer.get_absolute_url()).content.decode()
    assert f'<option value="{older.pk}">old.jsonl' in page and f'<option value="{newer.pk}">' not in page
    for one, other in ((older, newer), (newer, older)):
        answer = browser.get(reverse("datasets:compare", args=["local", one.pk]), {"with": other.pk})
        assert answer.headers["Location"] == address("changes", older, newer)


@pytest.mark.parametrize("wrong", ["", "x", "٣٣٣", "-1", "9" * 40, "77"])
def test_comparing_with_a_missing_dataset_shows_an_error(browser: Client, make: Store, wrong: str) -> None:
    dataset = make()
    answer = browser.get(
        reverse("datasets:compare", args=["local", dataset.pk]), {"with": wrong}, follow=True
    )
    assert answer.redirect_chain == [(dataset.get_absolute_url(), 302)]
    assert "This dataset is no longer in the library." in answer.content.decode()


def test_derived_dataset_links_to_its_changes(browser: Client, make: Store) -> None:
    parent = make("all.jsonl")
    child = make("cleaned.jsonl", parent=parent, derivation={"how": "cleaned"})
    assert address("changes", parent, child) in browser.get(child.get_absolute_url()).content.decode()


# ---- changed words ----


@given(st.text("ab \n日本語.", max_size=40), st.text("ab \n日本語.", max_size=40))
def test_pieces_rebuild_both_texts(old: str, new: str) -> None:
    for most in (word_diff.MAX_EQUAL_PAIRS, -1):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(word_diff, "MAX_EQUAL_PAIRS", most)
            pieces = diff_words(old, new)
        assert "".join(text for kind, text in pieces if kind != "in") == old
        assert "".join(text for kind, text in pieces if kind != "out") == new


@pytest.mark.parametrize(
    ("old", "new", "pieces"),
    [
        ("a card", "a new card", [("same", "a "), ("in", "new "), ("same", "card")]),
        ("one two", "six ten", [("out", "one two"), ("in", "six ten")]),
        (
            "届きました。",
            "届きません。",
            [("same", "届きま"), ("out", "した"), ("in", "せん"), ("same", "。")],
        ),
        ("same", "same", [("same", "same")]),
    ],
)
def test_words_are_marked_and_single_characters_in_japanese(
    old: str, new: str, pieces: list[tuple[str, str]]
) -> None:
    joined: list[tuple[str, str]] = []
    for kind, text in diff_words(old, new):
        if joined and joined[-1][0] == kind:
            joined[-1] = (kind, joined[-1][1] + text)
        else:
            joined.append((kind, text))
    assert joined == pieces


def test_long_repetition_is_one_change() -> None:
    """Searched word by word, it would take seconds."""
    old, new = "start " + "ha " * 300 + "end", "start " + "ha " * 100 + "ho " * 200 + "the end"
    assert diff_words(old, new) == [
        ("same", "start " + "ha " * 100),
        ("out", "ha " * 199 + "ha"),
        ("in", "ho " * 200 + "the"),
        ("same", " end"),
    ]
