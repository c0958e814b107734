"""Step 1 in a browser: saving each change, two tabs, continuing from a tuned model, no JavaScript."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, Request, Route, expect

from tests.journeys.conftest import signed_in
from tests.stack import Person

pytestmark = pytest.mark.journey
# The page lets go of a press after three seconds, which a busy machine may take for one response.
HOLD_EVERY_PRESS = """(() => {
  const wait = window.setTimeout;
  window.setTimeout = (act, pause, ...rest) => pause === 3000 ? 0 : wait(act, pause, ...rest);
})()"""


def is_save(request: Request) -> bool:
    return request.method == "POST" and "/model/" in request.url


def change_and_wait(page: Page, change: Callable[[], None]) -> None:
    """Do something, and wait until it is saved."""
    with page.expect_response(lambda answer: is_save(answer.request)):
        change()


def test_reload_keeps_the_input(browser: Browser, admin: Person, draft: str) -> None:
    with signed_in(browser, admin) as page:
        page.goto(draft)
        name = page.get_by_label("Tuned model name")
        change_and_wait(page, lambda: name.press_sequentially("typed, never left"))
        expect(page.locator("#name-length")).to_have_text("17 / 128")
        page.get_by_text("Advanced options").click()
        change_and_wait(page, lambda: page.get_by_label("Labels").fill("team=support"))
        change_and_wait(page, lambda: page.get_by_label("Export last checkpoint only").check())
        epochs = page.get_by_label("Number of epochs")
        change_and_wait(page, lambda: epochs.fill("many"))
        expect(page.locator("#id_epoch_count_error")).to_have_text("Enter a whole number, such as 3.")
        expect(page.locator("#changes")).to_contain_text("2 changed")
        expect(epochs).to_be_focused()
        change_and_wait(page, lambda: epochs.fill("4"))
        expect(page.locator("#id_epoch_count_error")).to_be_empty()
        page.reload()
        expect(page.get_by_label("Tuned model name")).to_have_value("typed, never left")
        expect(page.get_by_label("Labels")).to_have_value("team=support")
        expect(epochs).to_have_value("4")
        expect(page.locator("#changes")).to_contain_text("3 changed")
        expect(page.locator("#preview")).to_contain_text("team=support")


def test_response_during_a_click_does_not_cancel_it(browser: Browser, admin: Person, draft: str) -> None:
    with signed_in(browser, admin) as page:
        page.add_init_script(HOLD_EVERY_PRESS)
        page.goto(draft)
        page.get_by_text("Advanced options").click()
        epochs, error = page.get_by_label("Number of epochs"), page.locator("#id_epoch_count_error")
        change_and_wait(page, lambda: epochs.fill("many"))
        expect(error).to_contain_text("whole number")
        held: list[Route] = []
        page.route("**/model/**", lambda route: held.append(route))
        with page.expect_request(is_save):
            epochs.fill("4")
        button = page.get_by_role("button", name="Continue")
        button.hover()
        box = button.bounding_box()
        page.mouse.down()
        with page.expect_response(lambda answer: is_save(answer.request)):
            held[0].continue_()
        page.unroute("**/model/**")
        page.wait_for_timeout(100)
        assert button.bounding_box() == box
        expect(error).to_contain_text("whole number")
        page.mouse.up()
        expect(page.get_by_role("heading", name="Training dataset")).to_be_visible()


def test_two_tabs_merge_their_changes(browser: Browser, admin: Person, draft: str) -> None:
    with signed_in(browser, admin) as one:
        two = one.context.new_page()
        one.goto(draft)
        two.goto(draft)
        change_and_wait(one, lambda: one.get_by_label("Tuned model name").fill("from the first"))
        two.get_by_text("Advanced options").click()
        change_and_wait(two, lambda: two.get_by_label("Description").fill("from the second"))
        expect(two.locator("#saved")).to_contain_text("Changed in another tab: Tuned model name.")
        one.get_by_role("button", name="Continue").click()
        expect(one.get_by_role("heading", name="Training dataset")).to_be_visible()
        two.reload()
        expect(two.get_by_label("Tuned model name")).to_have_value("from the first")
        expect(two.get_by_label("Description")).to_have_value("from the second")


def test_tuning_a_pre_tuned_model(browser: Browser, admin: Person, draft: str, tuned: str) -> None:
    with signed_in(browser, admin) as page:
        page.goto(draft)
        expect(page.get_by_label("Pre-tuned model", exact=True)).to_be_hidden()
        change_and_wait(page, lambda: page.get_by_label("Tune a pre-tuned model").check())
        picker = page.get_by_label("Pre-tuned model", exact=True)
        expect(page.get_by_label("Resource name of the model")).to_be_hidden()
        model = picker.locator("option", has_text=tuned).get_attribute("value")
        change_and_wait(page, lambda: picker.select_option(model))
        expect(page.get_by_label("Base model", exact=True)).to_be_hidden()
        expect(page.locator("#name-words")).to_contain_text("a new version of that model")
        change_and_wait(page, lambda: page.get_by_label("Checkpoint", exact=True).select_option("1"))
        expect(page.locator("#preview")).to_contain_text("Continues from")
        page.get_by_text("Advanced options").click()
        expect(page.locator("#adapter")).to_contain_text("Set by the pre-tuned model")
        page.reload()
        expect(picker).to_have_value(str(model))
        expect(page.get_by_label("Checkpoint", exact=True)).to_have_value("1")
        change_and_wait(page, lambda: page.get_by_label("Tune a foundation model").check())
        expect(page.get_by_label("Base model", exact=True)).to_be_visible()
        expect(page.locator("#preview")).not_to_contain_text("Continues from")


def test_tuning_a_pre_tuned_model_without_javascript(
    browser: Browser, admin: Person, draft: str, tuned: str
) -> None:
    with signed_in(browser, admin, java_script_enabled=False) as page:
        page.goto(draft)
        page.get_by_label("Tune a pre-tuned model").check()
        picker = page.get_by_label("Pre-tuned model", exact=True)
        picker.select_option(picker.locator("option", has_text=tuned).get_attribute("value"))
        page.get_by_label("Tuned model name").fill("second try")
        page.get_by_role("button", name="Show checkpoints and limits").click()
        expect(page.get_by_label("Tuned model name")).to_have_value("second try")
        page.get_by_label("Checkpoint", exact=True).select_option("1")
        page.get_by_text("Advanced options").click()
        page.get_by_label("Number of epochs").fill("0")
        page.get_by_role("button", name="Continue").click()
        expect(page.locator("#id_epoch_count_error")).to_have_text("Enter 1 or more.")
        page.get_by_label("Number of epochs").fill("1")
        page.get_by_role("button", name="Continue").click()
        expect(page.get_by_role("heading", name="Training dataset")).to_be_visible()
        expect(page.locator("#preview")).to_contain_text(re.compile(r"Checkpoint\s*1"))


def test_form_of_a_discarded_draft(browser: Browser, admin: Person, draft: str) -> None:
    with signed_in(browser, admin) as page:
        page.goto(draft)
        admin.send(draft.replace("/model/", "/discard/"))
        change_and_wait(page, lambda: page.get_by_label("Tuned model name").fill("typed late"))
        expect(page.locator("#saved")).to_contain_text("This draft has since been discarded.")
        page.get_by_role("button", name="Continue").click()
        expect(page.locator("main")).to_contain_text("This draft was discarded in another tab.")
        expect(page.locator("#preview")).to_contain_text("typed late")
