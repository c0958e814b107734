"""axe-core finds no serious violation on any screen of a tuning: light and dark, en and ja."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.axe import COLOURS, grave_problems
from tests.engine.tiny_base import example
from tests.journeys.conftest import signed_in
from tests.screenshots import write_broken_dataset
from tests.stack import Person

pytestmark = pytest.mark.journey
HOME = "/p/local/"
LOCALES = {"en": "en-US", "ja": "ja-JP"}
DARK = "() => { const root = document.documentElement; root.dataset.theme = root.dataset.bsTheme = 'dark'; }"


@dataclass(frozen=True)
class Draft:
    """A draft at /p/local/jobs/N/, filled in through its forms."""

    admin: Person
    url: str

    @classmethod
    def new(cls, admin: Person, name: str = "") -> Draft:
        made = admin.send(f"{HOME}jobs/new/", page=f"{HOME}jobs/")
        draft = cls(admin, made.url.removesuffix("model/"))
        values = {"base_model": "studio-tiny", "location": "us-central1", "tuned_model_display_name": name}
        admin.send(f"{draft.url}model/", labels="team=support", **values)
        return draft

    def send(self, what: str, **fields: str) -> None:
        self.admin.send(f"{self.url}dataset/{what}/", page=f"{self.url}dataset/", **fields)

    def upload(self, file: Path, purpose: str = "training") -> Draft:
        with file.open("rb") as content:
            files = {"file": (file.name, content)}
            page = f"{self.url}dataset/"
            self.admin.send(f"{page}upload/", page=page, purpose=purpose, files=files)
        return self

    @property
    def dataset(self) -> str:
        """The address of the report on its training dataset."""
        found = re.search(rf"{HOME}datasets/\d+/", self.admin.get(f"{self.url}dataset/").text)
        assert found
        return found[0]


@dataclass(frozen=True)
class Desk:
    """Drafts in each state that a wizard page can show."""

    empty: Draft
    ready: Draft
    faulty: Draft
    leaky: Draft
    pre_tuned: str


@pytest.fixture(scope="module")
def desk(admin: Person, tuned: str, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    folder = tmp_path_factory.mktemp("desk")
    good = folder / "good.jsonl"
    good.write_text("".join(json.dumps(example(f"word {n}", "red")) + "\n" for n in range(40)))
    empty, faulty = Draft.new(admin), Draft.new(admin, "faulty").upload(write_broken_dataset(folder))
    empty.send("validation", enabled="on")
    some = good.with_name("some.jsonl")
    some.write_text("".join(good.read_text().splitlines(keepends=True)[:3]))
    leaky = Draft.new(admin, "leaky").upload(good).upload(some, "validation")
    ready = Draft.new(admin, "ready").upload(good)
    ready.send("hold-out", percent="25", seed="0")
    return Desk(empty, ready, faulty, leaky, tuned)


@pytest.fixture(scope="module")
def pages(browser: Browser, admin: Person) -> Iterator[dict[str, Page]]:
    with ExitStack() as stack:
        yield {
            language: stack.enter_context(signed_in(browser, admin, locale=locale, base_url=admin.url))
            for language, locale in LOCALES.items()
        }


Screen = Callable[[Page, Desk], None]
SCREENS: dict[str, Screen] = {}


def screen(show: Screen) -> Screen:
    SCREENS[show.__name__.replace("_", " ")] = show
    return show


def add_page_screen(name: str, address: Callable[[Desk], str]) -> None:
    """A screen that needs only its address."""
    SCREENS[name] = lambda page, desk: go(page, address(desk))


def go(page: Page, address: str) -> None:
    page.goto(address)


add_page_screen("step 1", lambda desk: f"{desk.empty.url}model/")
add_page_screen("step 1 advanced", lambda desk: f"{desk.ready.url}model/?fix=labels")
add_page_screen("step 2 empty", lambda desk: f"{desk.empty.url}dataset/")
add_page_screen("step 2 ready, hold-out", lambda desk: f"{desk.ready.url}dataset/")
add_page_screen("step 2 with problems", lambda desk: f"{desk.faulty.url}dataset/")
add_page_screen(
    "browse files",
    lambda desk: f"{desk.empty.url}dataset/browse/?choose=file&at=gs://tuning-data-local/datasets/",
)
add_page_screen("browse buckets", lambda desk: f"{desk.empty.url}dataset/browse/?choose=file&at=")
add_page_screen("browse for a folder", lambda desk: f"{desk.empty.url}dataset/browse/?choose=folder")
add_page_screen("browse nowhere", lambda desk: f"{desk.empty.url}dataset/browse/?at=gs://no-such-bucket/")
add_page_screen("review ready", lambda desk: f"{desk.ready.url}review/")
add_page_screen("review of nothing", lambda desk: f"{desk.empty.url}review/")
add_page_screen("review with problems", lambda desk: f"{desk.faulty.url}review/")
add_page_screen("request", lambda desk: f"{desk.ready.url}request/")
add_page_screen("paste", lambda desk: f"{HOME}jobs/paste/")
add_page_screen("drafts", lambda desk: f"{HOME}jobs/drafts/")
add_page_screen("discard", lambda desk: f"{desk.empty.url}discard/")
add_page_screen("library", lambda desk: f"{HOME}datasets/")
add_page_screen("add to the library", lambda desk: f"{HOME}datasets/add/")
add_page_screen("dataset", lambda desk: desk.ready.dataset)
add_page_screen("dataset with problems", lambda desk: desk.faulty.dataset)
add_page_screen("delete a dataset", lambda desk: f"{desk.faulty.dataset}delete/")


@screen
def step_1_refused(page: Page, desk: Desk) -> None:
    go(page, f"{desk.faulty.url}model/?fix=labels")
    page.locator("#id_epoch_count").fill("0")
    page.locator("#id_labels").fill("no label")
    page.locator("#model-form .wiz-actions .btn-primary").click()
    page.locator(".note-bad").first.wait_for()


@screen
def step_1_pre_tuned(page: Page, desk: Desk) -> None:
    go(page, f"{desk.leaky.url}model/")
    page.locator("#id_source_1").check()
    model = page.locator("#id_pre_tuned_model option", has_text=desk.pre_tuned).get_attribute("value")
    page.locator("#id_pre_tuned_model").select_option(model)
    page.locator("select#id_pre_tuned_checkpoint").wait_for()


@screen
def step_1_another_pre_tuned_model(page: Page, desk: Desk) -> None:
    go(page, f"{desk.leaky.url}model/")
    page.locator("#id_source_1").check()
    page.locator("#id_pre_tuned_model").select_option("other")
    page.locator("#id_other_model").wait_for()


@screen
def step_2_an_existing_file(page: Page, desk: Desk) -> None:
    go(page, f"{desk.empty.url}dataset/")
    page.locator("#existing-training").check()
    page.locator("#uri-training").fill("gs://tuning-data-local/is not there.jsonl")
    page.locator("#training .by-existing button").click()
    page.locator("#uri-training-error").wait_for()


@screen
def step_2_from_the_library(page: Page, desk: Desk) -> None:
    go(page, f"{desk.empty.url}dataset/")
    page.locator("#library-training").check()
    page.locator("#hold-out-validation").check()


@screen
def step_2_replaced_by_a_part(page: Page, desk: Desk) -> None:
    go(page, f"{desk.leaky.url}dataset/?replace=validation")
    page.locator("#hold-out-validation").check()
    page.locator("#percent").fill("90")
    page.locator(".by-hold-out button").click()
    page.locator("#hold-out-error").wait_for()


@screen
def step_2_overlap(page: Page, desk: Desk) -> None:
    go(page, f"{desk.leaky.url}dataset/")
    page.locator("#overlap.note-warn").wait_for()
    page.locator("#overlap summary").click()


@screen
def browse_in_a_dialog(page: Page, desk: Desk) -> None:
    go(page, f"{desk.empty.url}dataset/")
    page.locator("#existing-training").check()
    page.locator("#training .by-existing a").click()
    page.locator("dialog[open] .rows").wait_for()


@screen
def request_in_a_dialog(page: Page, desk: Desk) -> None:
    go(page, f"{desk.ready.url}dataset/")
    page.locator("[data-dialog=request]").click()
    expect(page.locator("dialog#request")).to_be_visible()


@screen
def paste_refused(page: Page, desk: Desk) -> None:
    go(page, f"{HOME}jobs/paste/")
    page.locator("#pasted").fill("curl nowhere")
    page.locator(".paste .btn-primary").click()
    page.locator("#refusal").wait_for()


@pytest.mark.parametrize("language", LOCALES)
@pytest.mark.parametrize("name", SCREENS)
def test_axe_finds_no_serious_violations(
    name: str, language: str, pages: dict[str, Page], desk: Desk
) -> None:
    page = pages[language]
    SCREENS[name](page, desk)
    expect(page.locator("html")).to_have_attribute("lang", language)
    assert not grave_problems(page), "light"
    page.emulate_media(reduced_motion="reduce")  # or colors would be read while they change
    page.evaluate(DARK)
    assert not grave_problems(page, COLOURS), "dark"
