"""Changes between datasets, and a job's Details and Dataset tabs, in a real browser under its policy."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Page, expect

from jobs.datasets.diff import results as diff_results
from jobs.datasets.diff.diff import diff_files
from jobs.datasets.models import Dataset
from jobs.models import Changes, TuningJob
from jobs.querysets import Submission
from studio.models import Project
from tests.axe import grave_problems
from tests.jobs.datasets.check.lines import COMMA, example, line
from tests.jobs.datasets.test_library_browser import SIDEWAYS, wait_until
from tests.jobs.job_page.test_tabs import FULL
from tests.visits import visit as visit

pytestmark = [
    pytest.mark.journey,
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore:No directory at"),
]
SYSTEM = {"systemInstruction": {"parts": [{"text": "Name the intent of the customer’s message."}]}}
PICTURES = os.environ.get("PICTURES", "")
"""A folder to keep pictures in, for who wants to look."""


def content(version: int) -> bytes:
    intents = ["card_arrival", "lost_or_stolen_card", "top_up_failed", "exchange_rate"]
    kept = [example(f"Message number {n} about my card", intents[n % 4]) for n in range(60)]
    if version == 1:
        kept.append(example("How do I top up?", "Open the app, choose Top up, and follow the steps."))
        kept.append(example("カードが届きません。", "ご不便をおかけしています。三日お待ちください。"))
        kept.append({**example("Where is my <b>card</b>?", "card_arrival"), **SYSTEM})
    else:
        for value in kept[:12:4]:
            value["contents"][1]["parts"][0]["text"] = "card_delivery_estimate"
        kept.append(example("How do I top up?", "Open the app, choose Top up, and confirm with your code."))
        kept.append(example("カードが届きません。", "ご不便をおかけしております。五日お待ちください。"))
        kept.append(
            {**example("Why was my card declined " + "again and " * 60 + "again?", "declined_card"), **SYSTEM}
        )
    return b"".join(map(line, kept)) + (COMMA if version == 2 else b"")


@pytest.fixture
def pair(make: Callable[..., Dataset]) -> tuple[Dataset, Dataset]:
    """Compared already: no store stands behind them."""
    before = make("intents.jsonl", content(1))
    after = make("intents-v2.jsonl", content(2), crc32c="BBBBBB==")
    found = diff_files(lambda: iter([content(1)]), lambda: iter([content(2)]))
    Changes.objects.create(before=before, after=after, found=found.to_json())
    assert diff_results.find_diff(before, after) == found
    return before, after


@pytest.fixture
def job(project: Project, tuner: User, pair: tuple[Dataset, Dataset]) -> TuningJob:
    made = TuningJob.objects.create(
        project=project,
        owner=tuner,
        tuned_model_display_name="intents",
        base_model="studio-tiny",
        location="us-central1",
        submission=Submission.CREATED,
        state="JOB_STATE_RUNNING",
        name=FULL["name"],
        training=pair[0],
        validation=pair[1],
    )
    made.update_from_remote(FULL)
    return made


def save_screenshot(page: Page, name: str, request: pytest.FixtureRequest) -> None:
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"{name}-{request.node.callspec.id}.png", full_page=True)


LOOKS: dict[str, dict[str, Any]] = {
    "light": {},
    "dark": {"color_scheme": "dark"},
    "narrow": {"viewport": {"width": 390, "height": 844}},
    "japanese": {"locale": "ja-JP"},
}


@pytest.mark.parametrize("visit", LOOKS.values(), ids=LOOKS, indirect=True)
def test_changes_and_tabs_pages_have_no_layout_or_accessibility_errors(
    visit: Callable[[str], Page],
    pair: tuple[Dataset, Dataset],
    job: TuningJob,
    request: pytest.FixtureRequest,
) -> None:
    before, after = pair
    pages = {
        "changes": f"/p/local/datasets/{before.pk}/changes/{after.pk}/",
        "details": f"/p/local/jobs/{job.pk}/details/",
        "data": f"/p/local/jobs/{job.pk}/data/",
    }
    for name, path in pages.items():
        page = visit(path)
        for fold in page.locator("main details:not(.menu) > summary").all():
            if fold.evaluate("summary => !summary.parentElement.open"):
                fold.click()
        boxes = page.locator("[data-spread]")
        wait_until(page, lambda: page.locator("[data-spread].js-plotly-plot").count() == boxes.count())  # noqa: B023
        save_screenshot(page, name, request)
        assert page.evaluate(SIDEWAYS) <= 0, path
        assert grave_problems(page) == [], path


def test_compare_form_leads_from_report_to_changes(
    visit: Callable[[str], Page], pair: tuple[Dataset, Dataset]
) -> None:
    page = visit(pair[1].get_absolute_url())
    page.get_by_label("Compare with").select_option(label=None, index=1)
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("heading", name="Changes", exact=True)).to_be_visible()
    expect(page.locator("ins", has_text="confirm").first).to_be_visible()


def test_changes_fragment_works_on_another_page(
    visit: Callable[[str], Page], pair: tuple[Dataset, Dataset]
) -> None:
    page = visit(pair[0].get_absolute_url())
    address = f"/p/local/datasets/{pair[0].pk}/changes/{pair[1].pk}/"
    page.evaluate(
        """address => {
          const place = document.createElement("div");
          place.setAttribute("hx-get", address);
          place.setAttribute("hx-trigger", "load");
          document.getElementById("main").append(place);
          htmx.process(place);
        }""",
        address,
    )
    part = page.locator(f"#changes-{pair[0].pk}-{pair[1].pk}")
    expect(part.get_by_role("link", name="Download all changes as CSV")).to_be_visible()
    assert page.locator("html").count() == 1 and page.locator("h1").count() == 1


def test_answer_is_copied_as_json(visit: Callable[[str], Page], job: TuningJob) -> None:
    page = visit(f"/p/local/jobs/{job.pk}/details/")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_text("Raw API response").click()
    page.get_by_role("button", name="Copy JSON").click()
    copied = "navigator.clipboard.readText()"  # until then it holds what another test has copied
    wait_until(page, lambda: FULL["name"] in page.evaluate(copied))
    assert page.evaluate(f"{copied}.then(text => JSON.parse(text).name)") == FULL["name"]
