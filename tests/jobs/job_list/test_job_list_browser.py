"""Selecting runs in a real browser: during refreshes, by keyboard, and without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Locator, Page, Route, expect

from jobs.models import Submission, TuningJob
from studio.models import Project
from tests.axe import COLOURS, grave_problems
from tests.stack import wait_until
from tests.visits import visit as visit

pytestmark = [
    pytest.mark.journey,
    pytest.mark.django_db(transaction=True),
    pytest.mark.filterwarnings("ignore:No directory at"),
]
LIST = "/p/local/jobs/"
ASKED = re.compile(rf"{LIST}\?$")
BOX = "id => document.getElementById(id).getBoundingClientRect().toJSON()"
RUNS = "() => new URLSearchParams(location.search).get('runs').split(',').map(Number)"
SIDEWAYS = "() => document.documentElement.scrollWidth - window.innerWidth"


@pytest.fixture
def runs(project: Project, tuner: User) -> Callable[..., list[TuningJob]]:
    """runs(n, going=1) -> n jobs, newest first; the newest `going` ones are running."""

    def make(n: int, going: int = 0) -> list[TuningJob]:
        base = TuningJob.objects.count()
        made = [
            TuningJob.objects.create(
                project=project,
                owner=tuner,
                submission=Submission.CREATED,
                name=f"projects/local/locations/us-central1/tuningJobs/{base + number}",
                tuned_model_display_name=f"run {base + number}",
                base_model="studio-tiny",
                state="JOB_STATE_RUNNING" if number >= n - going else "JOB_STATE_SUCCEEDED",
                summary={"best": {"value": 0.5}, "spark": [2.0, 0.5, 0.6], "alerts": ["overfitting"]},
            )
            for number in range(n)
        ]
        return made[::-1]

    return make


def find_checkbox(page: Page, job: TuningJob) -> Locator:
    return page.locator(f"#pick-{job.pk}")


def find_selection_bar(page: Page) -> Locator:
    return page.locator("#selection")


def wait_for_refresh(page: Page) -> None:
    """Waits until the list has been swapped for a new one."""
    page.locator("#jobs").evaluate("element => (element.dataset.old = 'yes')")
    expect(page.locator("#jobs:not([data-old])")).to_be_attached()


@pytest.mark.parametrize("visit", [{"viewport": {"width": 700, "height": 800}}], indirect=True)
def test_the_selection_survives_a_list_refresh(
    visit: Callable[[str], Page], runs: Callable[..., list[TuningJob]]
) -> None:
    going, over, other = runs(3, going=1)
    page = visit(LIST)
    expect(find_selection_bar(page)).to_have_text("Select two or more runs to compare.", use_inner_text=True)
    find_checkbox(page, over).check()
    find_checkbox(page, going).check()
    page.locator(".table-wrap").evaluate("element => (element.scrollLeft = 60)")
    top = page.evaluate(BOX, f"job-{other.pk}")
    wait_for_refresh(page)
    for job, chosen in ((going, True), (over, True), (other, False)):
        expect(find_checkbox(page, job)).to_be_checked(checked=chosen)
    expect(find_checkbox(page, going)).to_be_focused()
    expect(find_selection_bar(page)).to_contain_text("2 selected")
    expect(find_selection_bar(page).get_by_role("button", name="Compare 2")).to_be_enabled()
    expect(find_selection_bar(page).get_by_role("button", name="Cancel 1 job")).to_be_visible()
    assert page.locator(".table-wrap").evaluate("element => element.scrollLeft") == 60
    assert page.evaluate(BOX, f"job-{other.pk}") == top, "nothing has moved"
    TuningJob.objects.filter(pk=going.pk).update(state="JOB_STATE_SUCCEEDED")
    wait_for_refresh(page)
    expect(find_selection_bar(page)).to_contain_text("2 selected")
    expect(find_selection_bar(page).locator("[data-cancel]")).to_be_hidden()


def test_an_open_menu_survives_a_list_refresh(
    visit: Callable[[str], Page], runs: Callable[..., list[TuningJob]]
) -> None:
    runs(2, going=1)
    page = visit(LIST)
    asked: list[Route] = []
    page.route(ASKED, lambda route: asked.append(route))
    with page.expect_request(ASKED):
        pass
    page.locator("#facet-sort summary").click()
    wait_until(lambda: page.wait_for_timeout(50) or asked)
    with page.expect_response(ASKED):
        asked.pop().continue_()
    expect(page.locator("#facet-sort")).to_have_attribute("open", "")
    page.unroute(ASKED)
    page.locator("h1").click()
    wait_for_refresh(page)
    expect(page.locator("#facet-sort")).not_to_have_attribute("open", "")


def test_the_selection_survives_sorting_filtering_and_paging(
    visit: Callable[[str], Page], runs: Callable[..., list[TuningJob]]
) -> None:
    jobs = runs(52)
    page = visit(LIST)
    find_checkbox(page, jobs[0]).check()
    expect(find_selection_bar(page).locator("[data-words-elsewhere]")).to_be_hidden()
    page.locator("#sort-created").click()
    expect(find_checkbox(page, jobs[0])).to_be_attached(attached=False)
    expect(find_selection_bar(page).locator("[data-words-elsewhere]")).to_have_text("1 not in this view")
    find_checkbox(page, jobs[51]).check()
    expect(find_selection_bar(page)).to_contain_text("2 selected")
    page.get_by_role("link", name="Next page").click()
    expect(find_checkbox(page, jobs[0])).to_be_checked()
    expect(find_checkbox(page, jobs[51])).to_be_attached(attached=False)
    page.locator("#seg-succeeded").click()
    find_selection_bar(page).get_by_role("button", name="Compare 2").click()
    page.wait_for_url("**/compare/**")
    assert sorted(page.evaluate(RUNS)) == sorted([jobs[0].pk, jobs[51].pk])
    page.go_back()
    expect(find_selection_bar(page)).to_contain_text("2 selected")
    find_selection_bar(page).get_by_role("button", name="Clear").click()
    expect(find_selection_bar(page)).to_have_text("Select two or more runs to compare.", use_inner_text=True)
    expect(find_checkbox(page, jobs[51])).not_to_be_checked()
    page.reload()
    expect(find_selection_bar(page)).to_have_attribute("data-count", "0")


def test_keyboard_selects_rows_and_compares(
    visit: Callable[[str], Page], runs: Callable[..., list[TuningJob]]
) -> None:
    jobs = runs(6)
    page = visit(LIST)
    find_checkbox(page, jobs[1]).focus()
    page.keyboard.press("Space")
    page.keyboard.press("c")
    expect(find_selection_bar(page)).to_contain_text("Select 2 to 50 runs to compare.")
    expect(find_selection_bar(page).locator("[data-compare]")).to_be_disabled()
    assert page.url.endswith(LIST)
    find_checkbox(page, jobs[3]).click(modifiers=["Shift"])
    expect(find_selection_bar(page)).to_contain_text("3 selected")
    page.locator(f"#open-{jobs[2].pk}").focus()
    page.keyboard.press("x")
    expect(find_checkbox(page, jobs[2])).not_to_be_checked()
    page.locator("#jobs-q").focus()
    page.keyboard.press("x")
    expect(find_selection_bar(page)).to_contain_text("2 selected")
    page.locator(f"#open-{jobs[5].pk}").focus()
    page.keyboard.press("x")
    page.keyboard.press("c")
    page.wait_for_url("**/compare/**")
    assert page.evaluate(RUNS) == [jobs[n].pk for n in (1, 3, 5)]


def test_select_all_selects_a_page_and_fifty_is_the_limit(
    visit: Callable[[str], Page], runs: Callable[..., list[TuningJob]], project: Project, tuner: User
) -> None:
    jobs = runs(51)
    draft = TuningJob.objects.create(project=project, owner=tuner, tuned_model_display_name="draft")
    page = visit(LIST)
    page.locator("#pick-all").check()
    expect(find_selection_bar(page).get_by_role("button", name="Compare 49")).to_be_enabled()
    expect(page.locator(f"#job-{draft.pk} input[type=checkbox]")).to_have_count(0)
    page.goto(f"{page.url}?page=2")
    find_checkbox(page, jobs[49]).check()
    expect(find_selection_bar(page).locator("[data-why]")).to_be_hidden()
    find_checkbox(page, jobs[50]).check()
    expect(page.locator("#pick-all")).to_be_checked()
    expect(find_selection_bar(page).get_by_role("button", name="Compare 51")).to_be_disabled()
    expect(find_selection_bar(page)).to_contain_text("Select 2 to 50 runs to compare.")


def test_bulk_cancel_names_the_running_jobs(
    visit: Callable[[str], Page], runs: Callable[..., list[TuningJob]]
) -> None:
    going, also, _over = runs(3, going=2)
    page = visit(LIST)
    page.locator("#pick-all").check()
    find_selection_bar(page).get_by_role("button", name="Cancel 2 jobs").click()
    for job in (going, also):
        expect(page.locator("form li", has_text=str(job))).to_contain_text("Running")
    expect(page.locator("main")).to_contain_text("Not affected")
    page.get_by_role("button", name="Cancel 2 jobs").click()
    page.wait_for_url(f"**{LIST}")
    expect(page.locator("main")).to_contain_text("Cancellation requested for 2 jobs")
    asked = TuningJob.objects.filter(cancel_asked_at__isnull=False).values_list("pk", flat=True)
    assert set(asked) == {going.pk, also.pk}
    expect(find_selection_bar(page)).to_contain_text("3 selected")
    expect(find_selection_bar(page).locator("[data-cancel]")).to_be_hidden()


@pytest.mark.parametrize("visit", [{"java_script_enabled": False}], indirect=True)
def test_without_javascript_the_form_compares_and_cancels(
    visit: Callable[[str], Page], runs: Callable[..., list[TuningJob]]
) -> None:
    going, over, _other = runs(3, going=1)
    page = visit(LIST)
    expect(page.locator("#pick-all")).to_be_hidden()
    for job in (going, over):
        find_checkbox(page, job).check()
    page.get_by_role("button", name="Cancel selected").click()
    expect(page.locator("h1")).to_have_text("Cancel 1 job?")
    page.go_back()
    for job in (going, over):
        find_checkbox(page, job).check()
    page.get_by_role("button", name="Compare selected").click()
    expect(page).to_have_url(re.compile(rf"/p/local/compare/\?runs={going.pk},{over.pk}$"))


def list_visits() -> list[Any]:
    return [
        pytest.param(
            {"viewport": {"width": width, "height": 900}, "color_scheme": theme, "reduced_motion": "reduce"},
            id=f"{width}-{theme}",
        )
        for width in (1440, 390)
        for theme in ("light", "dark")
    ]


@pytest.mark.parametrize("visit", list_visits(), indirect=True)
def test_the_list_is_accessible(visit: Callable[[str], Page], runs: Callable[..., list[TuningJob]]) -> None:
    jobs = runs(4, going=1)
    TuningJob.objects.filter(pk=jobs[1].pk).update(base_model="gemini-2.5-flash")
    page = visit(LIST)
    assert not grave_problems(page), "nothing chosen"
    for job in jobs[:2]:
        find_checkbox(page, job).check()
    assert not grave_problems(page), "two chosen"
    page.locator("#facet-base summary").click()
    assert not grave_problems(page, COLOURS), "a facet open"
    expect(page.locator("#facet-base .menu-list")).to_be_in_viewport(ratio=1)
    assert page.evaluate(SIDEWAYS) <= 0
