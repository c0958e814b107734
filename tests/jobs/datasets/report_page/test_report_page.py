"""A dataset's report page: problems by kind, distributions, and what is offered about them."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from jobs.datasets.check.checker import check_file
from jobs.datasets.check.report import Distribution
from jobs.datasets.models import Dataset
from jobs.datasets.report_page import distribution_chart
from jobs.datasets.report_page.page import ReportPage, describe_derivation
from jobs.models import Submission, TuningJob
from studio.models import AuditEntry, Project, Role
from tests.jobs.datasets.check.lines import COMMA, GOOD, UNANSWERED, example, line, openai_chat

pytestmark = pytest.mark.django_db
Make = Callable[..., Dataset]
SPREAD = Distribution(
    count=4,
    total=50,
    minimum=4,
    p5=4,
    median=10,
    mean=12.5,
    p95=24,
    maximum=24,
    buckets=[(4, 11, 2), (11, 18, 0), (18, 25, 2)],
)


@pytest.fixture
def page(browser: Client) -> Callable[[Dataset], str]:
    def get(dataset: Dataset) -> str:
        answer = browser.get(dataset.get_absolute_url())
        assert answer.status_code == 200
        return answer.content.decode()

    return get


def extract_text(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def test_report_shows_facts_counts_and_conversations(make: Make, page: Callable[..., str]) -> None:
    dataset = make("train.jsonl", GOOD + line(example("Second?")))
    html = page(dataset)
    assert f'data-copy="{dataset.uri}"' in html and "AAAAAA==" in html
    assert "Where is my &lt;b&gt;card&lt;/b&gt;?" in html and "card_arrival" in html
    assert "No problems found." in html
    assert "Save cleaned file as dataset" not in html and "Check again" not in html


def test_problems_are_grouped_counted_and_truncated(make: Make, page: Callable[..., str]) -> None:
    dataset = make("faulty.jsonl", GOOD + COMMA * 25 + UNANSWERED)
    groups = ReportPage(dataset).groups
    assert [(group.code, group.count, len(group.problems), group.more) for group in groups] == [
        ("json_trailing_comma", 25, 20, 5),
        ("last_not_model", 1, 1, 0),
    ]
    assert groups[0].title == "Invalid JSON: trailing comma (column 16)."
    said = extract_text(page(dataset))
    assert (
        "Remove the comma before the closing bracket." in said and "and 5 more" in said and "Line 21" in said
    )


def test_differing_params_of_a_group_become_an_ellipsis(make: Make) -> None:
    bot, human = example(), example()
    bot["contents"][1]["role"], human["contents"][0]["role"] = "bot", "human"
    [group] = ReportPage(make("roles.jsonl", line(bot) + line(human))).groups
    assert group.title == "contents[…].role is “…”."
    assert [told for _problem, told in group.problems] == [
        "contents[1].role is “bot”.",
        "contents[0].role is “human”.",
    ]


def test_unknown_problem_code_does_not_break_the_page(make: Make, page: Callable[..., str]) -> None:
    dataset = make(content=COMMA)
    dataset.report["problems"][0]["code"] = "of the future"
    dataset.save()
    assert "Problems and warnings" in page(dataset)


def test_conversion_offer_names_format_and_count(make: Make, page: Callable[..., str]) -> None:
    chats = b"".join(line(openai_chat(f"Question {number}?")) for number in range(12))
    said = extract_text(page(make("chats.jsonl", chats)))
    assert (
        "12 lines use OpenAI’s chat format and can be converted." in said
        and "Convert" in said
        and "Save cleaned file" not in said
    )


@pytest.mark.parametrize(
    ("content", "offered"),
    [(GOOD * 2, True), (GOOD + COMMA, True), (b"\xef\xbb\xbf" + GOOD, True), (GOOD, False), (COMMA, False)],
    ids=["twice", "a fault", "a mark", "clean", "nothing left"],
)
def test_cleaning_is_offered_only_if_it_changes_the_file(make: Make, content: bytes, offered: bool) -> None:
    assert ReportPage(make(content=content)).is_cleanable is offered


def test_old_report_can_be_checked_again(make: Make, page: Callable[..., str]) -> None:
    old = make(report={"examples": 3, "problems": [], "samples": [], "lengths": {"20": 3}, "characters": 60})
    assert "Check again" in extract_text(page(old))


def test_jobs_using_the_dataset_are_listed(
    make: Make, page: Callable[..., str], project: Project, person: Callable[..., User], tuner: User
) -> None:
    dataset = make()
    other = person(Role.ADMIN, "ana")
    mine = TuningJob.objects.create(
        project=project, owner=tuner, training=dataset, tuned_model_display_name="intents"
    )
    TuningJob.objects.create(
        project=project, owner=other, validation=dataset, tuned_model_display_name="a secret of Ana"
    )
    html = page(dataset)
    assert mine.get_absolute_url() in html and "Draft by ana" in extract_text(html)
    assert "a secret of Ana" not in html


# ---- figures ----


def test_figure_has_every_example_and_six_marks() -> None:
    figure = distribution_chart.figure(SPREAD, "tokens")
    [bars] = figure["data"]
    assert bars["y"] == [2, 2] and bars["x"] == [7.0, 21.0] and bars["width"] == [7, 7]
    assert bars["text"] == ["4–10: 2 examples", "18–24: 2 examples"]
    assert [note["text"] for note in figure["layout"]["annotations"]] == [
        "Min · p5 4",
        "Median 10",
        "Mean 12.5",
        "p95 · Max 24",
    ]
    assert [shape["x0"] for shape in figure["layout"]["shapes"]] == [4, 10, 12.5, 24]
    low, high = figure["layout"]["xaxis"]["range"]
    assert low < 4 and high > 24
    json.dumps(figure, allow_nan=False)


@pytest.mark.parametrize("width", [distribution_chart.NARROW, distribution_chart.WIDE])
def test_labels_do_not_overlap(width: int) -> None:
    close = Distribution(100, 3950, 29, 32, 38, 39.3, 61, 74, [(29, 75, 100)])
    reach = distribution_chart.compute_x_range(close, [(29, 75, 100)])
    placed = distribution_chart.place_labels(distribution_chart.marks(close), reach, width)
    assert len(placed) == 6
    for row in {label.row for label in placed}:
        ends = [label_extent(label, reach, width) for label in placed if label.row == row]
        assert all(left >= 0 and right <= width for left, right in ends)
        assert all(before[1] < after[0] for before, after in itertools.pairwise(ends))


def label_extent(
    label: distribution_chart.PlacedLabel, reach: tuple[float, float], width: float
) -> tuple[float, float]:
    length = len(label.mark.label) * distribution_chart.CHARACTER
    at = (label.mark.value - reach[0]) / (reach[1] - reach[0]) * width
    left = at - {"left": 0, "center": length / 2, "right": length}[label.anchor]
    return left, left + length


def test_single_value_is_drawn() -> None:
    report = check_file([GOOD])
    figure = distribution_chart.figure(report.turns, "turns")
    assert [note["text"] for note in figure["layout"]["annotations"]] == [
        "Min · p5 · Median · Mean · p95 · Max 2"
    ]
    assert figure["data"][0]["x"] == [2.0] and figure["layout"]["xaxis"]["dtick"] == 1


def test_calibrated_chart_names_the_model(make: Make) -> None:
    page = ReportPage(make(calibration={"gemini-2.5-flash": 1.5}))
    words, tokens = page.tokens
    assert "gemini-2.5-flash" in words and tokens.total == round(page.report.tokens.total * 1.5)


@pytest.mark.parametrize(
    ("derivation", "words"),
    [
        ({}, ""),
        ({"how": "cleaned"}, "Cleaned:"),
        ({"how": "converted"}, "Converted to Gemini format"),
        (
            {"how": "held_out", "percent": 10, "seed": 3, "part": "validation"},
            "10% held out for validation (seed 3): held-out part.",
        ),
        ({"how": "by hand"}, "by hand"),
    ],
)
def test_derivation_is_described(derivation: dict[str, Any], words: str) -> None:
    assert describe_derivation(derivation).startswith(words) and bool(
        describe_derivation(derivation)
    ) == bool(words)


# ---- deeds that need no store ----


def test_tune_creates_a_draft_with_the_dataset(browser: Client, make: Make) -> None:
    dataset = make()
    answer = browser.post(f"{dataset.get_absolute_url()}tune/")
    draft = TuningJob.objects.get()
    assert answer.headers["Location"] == draft.get_absolute_url() and draft.training == dataset


def test_missing_dataset_creates_no_draft(browser: Client, project: Project) -> None:
    assert browser.post("/p/local/datasets/77/tune/").status_code == 404
    assert not TuningJob.objects.exists()


@pytest.mark.parametrize("submission", [Submission.DRAFT, Submission.CREATED])
def test_dataset_in_use_is_not_deleted(
    browser: Client, make: Make, project: Project, tuner: User, submission: str
) -> None:
    dataset = make()
    TuningJob.objects.create(
        project=project,
        owner=tuner,
        training=dataset,
        submission=submission,
        tuned_model_display_name="intents",
    )
    address = f"{dataset.get_absolute_url()}delete/"
    assert "intents" in browser.get(address).content.decode()
    answer = browser.post(address)
    assert answer.status_code == 422 and "intents" in answer.content.decode()
    assert Dataset.objects.filter(pk=dataset.pk).exists()
    assert not AuditEntry.objects.filter(action="dataset.delete").exists()


def test_only_owner_or_admin_can_delete(
    browser: Client, make: Make, person: Callable[..., User], browser_of: Callable[[User], Client]
) -> None:
    other = make(owner=person(Role.TUNER, "ana"), source=Dataset.Source.EXISTING)
    address = f"{other.get_absolute_url()}delete/"
    assert browser.get(address).status_code == browser.post(address).status_code == 403
    assert "/delete/" not in browser.get(other.get_absolute_url()).content.decode()
    assert browser_of(person(Role.ADMIN)).post(address).status_code == 302
    assert not Dataset.objects.filter(pk=other.pk).exists()


def test_unreachable_storage_does_not_lose_data(browser: Client, make: Make, settings: Settings) -> None:
    settings.ENGINE_URL = "http://127.0.0.1:1"
    dataset = make()
    for deed in ("file", "problems", "cleaned"):
        answer = browser.get(f"{dataset.get_absolute_url()}{deed}/", follow=True)
        assert "The local engine isn’t responding." in answer.content.decode()
    for deed in ("keep-cleaned", "check"):
        answer = browser.post(f"{dataset.get_absolute_url()}{deed}/", follow=True)
        assert "The local engine isn’t responding." in answer.content.decode()
    answer = browser.post(f"{dataset.get_absolute_url()}delete/", follow=True)
    assert "is still in the bucket" in answer.content.decode()
    assert not Dataset.objects.filter(pk=dataset.pk).exists()
    answer = browser.post("/p/local/datasets/samples/", {"name": "orders_ja"}, follow=True)
    assert "The local engine isn’t responding." in answer.content.decode()


def test_wizard_accepts_a_library_dataset(browser: Client, make: Make, project: Project, tuner: User) -> None:
    draft = TuningJob.objects.create(
        project=project, owner=tuner, base_model="studio-tiny", location="us-central1"
    )
    dataset = make()
    address = f"/p/local/jobs/{draft.pk}/dataset/pick/"
    answer = browser.post(address, {"purpose": "validation", "dataset": dataset.pk})
    draft.refresh_from_db()
    assert answer.headers["Location"].endswith("#validation") and draft.validation == dataset
    assert draft.validation_enabled
    elsewhere = Project.objects.create(slug="elsewhere", name="Elsewhere", project_id="elsewhere")
    for wrong in (make(project=elsewhere).pk, "", "x", "9" * 5000, 10**30):
        answer = browser.post(address, {"purpose": "training", "dataset": wrong})
        assert (
            answer.status_code == 422
            and "This dataset is no longer in the library." in answer.content.decode()
        )
    draft.refresh_from_db()
    assert draft.training is None


def test_unknown_sample_is_reported(browser: Client, project: Project) -> None:
    answer = browser.post("/p/local/datasets/samples/", {"name": "../banking77"}, follow=True)
    assert "There’s no sample data with that name." in answer.content.decode()
