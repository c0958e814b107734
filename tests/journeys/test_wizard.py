"""The wizard on the real stack: by keyboard, without JavaScript, reloaded, in two tabs, clicked twice."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.journeys.conftest import list_remote_jobs, signed_in
from tests.journeys.keyboard import Keyboard
from tests.stack import Person, Stack, wait_until

pytestmark = pytest.mark.journey
Files = Callable[..., Path]
ABORTED = ("htmx:afterRequest", "htmx:sendAbort")
"""What htmx writes to the console where a later request takes the place of one under way."""


def expect_step(page: Page, name: str) -> None:
    """Wait until the page shows that step of the wizard."""
    expect(page.locator(".steps [aria-current=step]")).to_contain_text(name)


def fill_draft(admin: Person, draft: str, name: str, file: Path) -> str:
    """The address of the review step of a draft that can start."""
    url = draft.removesuffix("model/")
    admin.send(
        draft, tuned_model_display_name=name, base_model="studio-tiny", location="us-central1", epoch_count=1
    )
    with file.open("rb") as content:
        files = {"file": (file.name, content)}
        admin.send(f"{url}dataset/upload/", page=f"{url}dataset/", purpose="training", files=files)
    return f"{url}review/"


def count_jobs(page: Page, admin: Person, name: str) -> int:
    page.goto(f"{admin.url}/p/local/jobs/")
    return page.get_by_role("link", name=name, exact=True).count()


def expect_save(page: Page, part: str = "/model/") -> AbstractContextManager[object]:
    """A `with` block that ends when its changes are saved."""
    return page.expect_response(lambda answer: answer.request.method == "POST" and part in answer.url)


def test_wizard_by_keyboard(browser: Browser, admin: Person, dataset: Files) -> None:
    with signed_in(browser, admin) as page:
        page.on("filechooser", lambda chooser: None)  # from now on no confirmation opens
        page.goto(f"{admin.url}/p/local/jobs/")
        keys = Keyboard(page)
        keys.enter(page.get_by_role("button", name="Create tuned model").first)
        expect_step(page, "Model details")
        fill_details_by_keyboard(page, keys)
        expect_step(page, "Tuning dataset")
        choose_data_by_keyboard(page, keys, dataset("typed.jsonl", 40))
        expect_step(page, "Review and start")
        expect(page.locator("main")).to_contain_text("by keyboard")
        keys.tab_to(page.get_by_role("link", name="Back", exact=True))
        keys.enter(page.get_by_role("button", name="Start tuning"), back=True)
        expect(page.get_by_role("heading", level=1, name="by keyboard")).to_be_visible()
        expect(page).to_have_url(re.compile(r"/jobs/\d+/$"))


def fill_details_by_keyboard(page: Page, keys: Keyboard) -> None:
    keys.choose(page.get_by_label("Tune a foundation model"), "foundation")
    keys.write(page.get_by_label("Tuned model name"), "by keyboard")
    keys.choose(page.get_by_label("Base model", exact=True), "studio-tiny")
    expect(page.locator("#choices")).to_contain_text("studio-tiny")
    keys.choose(page.get_by_label("Region"), "us-central1")
    keys.enter(page.locator("summary.fold"))
    keys.write(page.get_by_label("Number of epochs"), "2")
    keys.tab_to(page.get_by_label("Export last checkpoint only"))
    keys.press("Space")
    expect(page.locator("#changes")).to_contain_text("2 changed")
    keys.tab_to(page.get_by_label("Number of epochs"), back=True)
    keys.enter(page.get_by_role("button", name="Continue"))


def choose_data_by_keyboard(page: Page, keys: Keyboard, file: Path) -> None:
    training, validation = page.locator("#training"), page.locator("#validation")
    keys.choose(training.get_by_label("Upload file to Cloud Storage"), "library")
    keys.press("ArrowUp")
    keys.press("ArrowUp")
    keys.tab_to(training.get_by_label("Select JSONL file"))
    with page.expect_file_chooser() as chooser:
        keys.press("Space")
    chooser.value.set_files(file)
    keys.enter(training.get_by_role("button", name="Upload", exact=True))
    expect(training.locator(".file .clip:not([data-name])").first).to_have_text("typed.jsonl")
    keys.tab_to(page.get_by_label("Enable model validation"))
    keys.press("Space")
    keys.choose(validation.get_by_label("Upload file to Cloud Storage"), "hold_out")
    keys.write(validation.get_by_label("Percentage to hold out"), "30")
    keys.write(validation.get_by_label("Seed"), "7")
    keys.write(validation.get_by_label("Percentage to hold out"), "25", back=True)
    keys.enter(validation.get_by_role("button", name="Hold out"))
    expect(training).to_contain_text("30 for training, 10 held out for validation (25%, seed 7)")
    keys.enter(page.get_by_role("button", name="Continue"))


def test_dialog_by_keyboard(browser: Browser, admin: Person, draft: str, dataset: Files) -> None:
    """The dialog takes the focus, keeps it and gives it back."""
    fill_draft(admin, draft, "for its file", dataset("shelved.jsonl", 20))
    other = admin.send("/p/local/jobs/new/", page="/p/local/jobs/").url
    with signed_in(browser, admin) as page:
        page.goto(other.replace("/model/", "/dataset/"))
        keys, training, dialog = Keyboard(page), page.locator("#training"), page.get_by_role("dialog")
        keys.choose(training.get_by_label("Upload file to Cloud Storage"), "existing")
        opener = training.locator(".by-existing").get_by_role("link", name="Browse")
        keys.enter(opener)
        keys.tab_to(dialog.get_by_role("link", name="Buckets"))
        keys.press("Escape")
        expect(dialog).to_be_hidden()
        expect(opener).to_be_focused()
        keys.press("Enter")
        keys.enter(dialog.locator(".rows").get_by_role("link", name="datasets"))
        expect(dialog.locator(".crumbs [aria-current]")).to_have_text("datasets")
        keys.enter(dialog.locator(".rows").get_by_role("link").first)
        keys.enter(dialog.get_by_role("button", name="Choose").first)
        expect(training.locator(".check")).to_be_visible()


def test_dialog_shows_the_last_request(browser: Browser, admin: Person, draft: str, dataset: Files) -> None:
    """With slow responses, opened twice, and with two folders requested."""
    fill_draft(admin, draft, "for its folder", dataset("kept.jsonl", 20))
    other = admin.send("/p/local/jobs/new/", page="/p/local/jobs/").url
    with signed_in(browser, admin, meant=ABORTED) as page:
        held: list[Route] = []
        given_up: list[str] = []
        page.on("requestfailed", lambda request: given_up.append(request.url))
        page.route("**/browse/?**", lambda route: held.append(route))

        def answer(n: int) -> None:
            wait_until(lambda: page.wait_for_timeout(50) or len(held) == n)
            held[-1].continue_()

        page.goto(other.replace("/model/", "/dataset/"))
        page.locator("#existing-training").check()
        browse = page.locator("#training .by-existing").get_by_role("link", name="Browse")
        dialog = page.get_by_role("dialog")
        folder = dialog.locator(".rows").get_by_role("link", name="datasets")
        browse.click()
        answer(1)
        expect(folder).to_be_visible()
        dialog.get_by_role("button", name="Close").click()
        browse.click()
        expect(dialog).to_contain_text("Loading from Cloud Storage")
        expect(folder).to_have_count(0)
        answer(2)
        folder.click()
        dialog.get_by_role("link", name="Buckets").click()
        answer(4)
        expect(dialog.locator(".crumbs [aria-current]")).to_have_text("Buckets")
        assert len(given_up) == 1 and "datasets" in given_up[0]


def test_wizard_without_javascript(browser: Browser, admin: Person, dataset: Files) -> None:
    with signed_in(browser, admin, java_script_enabled=False) as page:
        page.goto(f"{admin.url}/p/local/jobs/")
        page.get_by_role("button", name="Create tuned model").first.click()
        page.get_by_label("Tuned model name").fill("without scripts")
        page.get_by_label("Base model", exact=True).select_option("studio-tiny")
        page.get_by_role("button", name="Show regions and limits").click()
        expect(page.get_by_label("Tuned model name")).to_have_value("without scripts")
        page.get_by_text("Advanced options").click()
        page.get_by_label("Number of epochs").fill("1")
        page.get_by_role("button", name="Continue").click()
        upload_and_browse(page, dataset("plain.jsonl", 40))
        page.get_by_label("Enable model validation").check()
        page.get_by_role("button", name="Apply").click()
        validation = page.locator("#validation")
        validation.get_by_label("Hold out part of the training file").check()
        validation.get_by_label("Percentage to hold out").fill("0")
        validation.get_by_role("button", name="Hold out").click()
        expect(validation.get_by_role("alert")).to_be_visible()
        validation.get_by_label("Percentage to hold out").fill("25")
        validation.get_by_role("button", name="Hold out").click()
        expect(page.locator("#training")).to_contain_text("30 for training, 10 held out")
        page.get_by_role("button", name="Continue").click()
        expect_step(page, "Review and start")
        page.get_by_role("button", name="Start tuning").click()
        expect(page.get_by_role("heading", level=1, name="without scripts")).to_be_visible()


def upload_and_browse(page: Page, file: Path) -> None:
    """Upload a file, then choose the same file in Cloud Storage."""
    training = page.locator("#training")
    training.get_by_label("Select JSONL file").set_input_files(file)
    training.get_by_role("button", name="Upload", exact=True).click()
    address = training.locator(".file .mono").inner_text()
    training.get_by_role("link", name="Replace").click()
    training.get_by_label("Existing file on Cloud Storage").check()
    training.locator(".by-existing").get_by_role("link", name="Browse").click()
    page.get_by_role("link", name="Buckets").click()
    for folder in address.removeprefix("gs://").split("/")[:-1]:
        page.locator(".rows").get_by_role("link", name=folder, exact=True).click()
    page.get_by_role("button", name="Choose plain.jsonl").click()
    expect(training.locator(".file .mono")).to_have_text(address)


def test_reload_and_back_keep_the_input(browser: Browser, admin: Person, draft: str, dataset: Files) -> None:
    with signed_in(browser, admin) as page:
        page.goto(draft)
        with expect_save(page):
            page.get_by_label("Tuned model name").press_sequentially("typed and reloaded")
        page.reload()
        expect(page.get_by_label("Tuned model name")).to_have_value("typed and reloaded")
        page.get_by_role("button", name="Continue").click()
        expect_step(page, "Tuning dataset")
        training = page.locator("#training")
        training.get_by_label("Existing file on Cloud Storage").check()
        training.get_by_label("Cloud Storage file path").fill("gs://tuning-data-local/not sent yet.jsonl")
        page.reload()
        expect(training.get_by_label("Cloud Storage file path")).to_have_value(
            "gs://tuning-data-local/not sent yet.jsonl"
        )
        training.get_by_label("Upload file to Cloud Storage").check()
        with expect_save(page, "/location/"):
            training.get_by_label("Dataset location").fill("gs://tuning-data-local/kept/")
            page.keyboard.press("Tab")
        page.reload()
        expect(training.get_by_label("Dataset location")).to_have_value("gs://tuning-data-local/kept/")
        training.get_by_label("Select JSONL file").set_input_files(dataset("kept.jsonl", 40))
        training.get_by_role("button", name="Upload", exact=True).click()
        page.get_by_label("Enable model validation").check()
        page.locator("#validation").get_by_label("Hold out part of the training file").check()
        page.locator("#validation").get_by_label("Percentage to hold out").fill("33")
        page.reload()
        expect(page.locator("#validation").get_by_label("Percentage to hold out")).to_have_value("33")
        expect(training.locator(".file")).to_contain_text("gs://tuning-data-local/kept/kept")
        page.get_by_role("button", name="Continue").click()
        expect_step(page, "Review and start")
        page.reload()
        expect(page.locator("#missing")).to_contain_text("Choose a validation dataset")
        go_back_to_the_beginning(page)


def go_back_to_the_beginning(page: Page) -> None:
    page.go_back()
    expect_step(page, "Tuning dataset")
    expect(page.locator("#training .file").first).to_contain_text("kept.jsonl")
    expect(page.get_by_label("Enable model validation")).to_be_checked()
    page.locator(".steps").get_by_role("link", name="Model details").click()
    name = page.get_by_label("Tuned model name")
    with expect_save(page):
        name.fill("changed, then left by Back")
    page.go_back()
    expect_step(page, "Tuning dataset")
    page.go_forward()
    expect(name).to_have_value("changed, then left by Back")
    page.reload()
    expect(name).to_have_value("changed, then left by Back")


def test_two_tabs_of_one_draft(browser: Browser, admin: Person, draft: str, dataset: Files) -> None:
    """Each tab changes another field, and both are kept. Then one starts the job while the other types."""
    with signed_in(browser, admin) as one:
        two = one.context.new_page()
        one.goto(draft)
        two.goto(draft)
        with expect_save(one):
            one.get_by_label("Tuned model name").fill("of two tabs")
        two.locator("summary.fold").click()
        with expect_save(two):
            two.get_by_label("Number of epochs").fill("2")
        for page in (one, two):
            page.get_by_role("button", name="Continue").click()
            expect_step(page, "Tuning dataset")
        one.locator("#training").get_by_label("Select JSONL file").set_input_files(dataset("tabs.jsonl", 40))
        one.locator("#training").get_by_role("button", name="Upload", exact=True).click()
        expect(one.locator("#training .check")).to_be_visible()
        two.get_by_label("Enable model validation").check()
        expect(two.locator("#validation").get_by_label("Hold out part of the training file")).to_be_visible()
        expect(two.locator("#training .file").first).to_contain_text("tabs.jsonl")
        two.get_by_label("Enable model validation").uncheck()
        expect(two.locator("#validation fieldset")).to_have_count(0)
        two.goto(draft)
        expect(two.get_by_label("Tuned model name")).to_have_value("of two tabs")
        expect(two.get_by_label("Number of epochs")).to_have_value("2")
        one.get_by_role("button", name="Continue").click()
        one.get_by_role("button", name="Start tuning").click()
        expect(one.get_by_role("heading", level=1, name="of two tabs")).to_be_visible()
        keep_typing(two)


def keep_typing(page: Page) -> None:
    page.locator("summary.fold").click()
    with expect_save(page):
        page.get_by_label("Description").fill("typed too late")
    expect(page.locator("#saved")).to_contain_text("This draft has since been started.")
    page.get_by_role("button", name="Continue").click()
    expect(page.locator("main")).to_contain_text(
        "“of two tabs” was started in another tab. What you entered is kept"
    )
    expect(page.locator("#preview")).to_contain_text("typed too late")
    expect(page.locator("#training .file").first).to_contain_text("tabs.jsonl")


def test_double_click_starts_one_job(
    browser: Browser, stack: Stack, admin: Person, draft: str, dataset: Files
) -> None:
    review = fill_draft(admin, draft, "clicked twice", dataset("twice.jsonl", 20))
    with signed_in(browser, admin) as page:
        page.goto(review)
        page.get_by_role("button", name="Start tuning").dblclick()
        expect(page.get_by_role("heading", level=1, name="clicked twice")).to_be_visible()
        expect_one_job(page, stack, admin, "clicked twice")


def test_concurrent_starts_in_two_tabs_start_one_job(
    browser: Browser, stack: Stack, admin: Person, draft: str, dataset: Files
) -> None:
    """Without JavaScript the button is not disabled after a click."""
    review = fill_draft(admin, draft, "started twice", dataset("twice.jsonl", 20))
    with signed_in(browser, admin, java_script_enabled=False) as one:
        two = one.context.new_page()
        for page in (one, two):
            page.goto(review)
        for page in (one, two):
            page.get_by_role("button", name="Start tuning").click(no_wait_after=True)
        for page in (one, two):
            expect(page.get_by_role("heading", level=1, name="started twice")).to_be_visible()
        expect_one_job(one, stack, admin, "started twice")


def expect_one_job(page: Page, stack: Stack, admin: Person, name: str) -> None:
    """There is one job in the studio and on the engine, now and after it has ended."""
    wait_until(lambda: list_remote_jobs(stack, name), seconds=60)
    wait_until(lambda: list_remote_jobs(stack, name)[0]["state"] == "JOB_STATE_SUCCEEDED", seconds=120)
    assert len(list_remote_jobs(stack, name)) == 1
    assert count_jobs(page, admin, name) == 1
