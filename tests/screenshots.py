"""`make screenshots`: pictures of the real product, with the tiny base tuned on the sample data.

The five pictures of the README go to docs/screenshots/. With `ARGS=all` every screen is taken as well,
light and dark, in English and Japanese, wide and narrow, into var/screenshots/ as
SCREEN-LANGUAGE-THEME-WIDTH.png.
"""

from __future__ import annotations

import itertools
import json
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, Page

from tests.browser import launch_chromium
from tests.paths import ROOT
from tests.stack import Person, Stack, wait_until

PASSWORD = "a long enough password"
# One alone: the sample data has single turns, and with a history the tiny base confuses them.
QUESTIONS = ["Where can I use this card at an ATM?"]
SIZES = {1440: 900, 390: 844}
README_PICTURES = {
    "jobs": "list",
    "wizard-review": "review",
    "monitor": "monitor",
    "compare": "compare",
    "test": "chat",
}
"""The README's pictures: {screen: file in docs/screenshots/}, in English, light, 1440 pixels wide."""


class Studio:
    """The stack with an admin in it, and what the pictures need."""

    def __init__(self, stack: Stack) -> None:
        self.person = Person(stack.url)
        self.person.send(stack.link, name="Mika Sato", password=PASSWORD, repeated=PASSWORD)

    def tune(self, name: str, *, start: bool = True, **settings: object) -> str:
        """The address of a job on the sample data; a draft unless started."""
        made = self.person.send("/p/local/jobs/new/", page="/p/local/jobs/")
        url = re.sub(r"model/$", "", re.sub(r"^https?://[^/]+", "", made.url))
        chosen = {"base_model": "studio-tiny", "location": "us-central1", **settings}
        self.person.send(f"{url}model/", tuned_model_display_name=name, **chosen)
        self.person.send(f"{url}dataset/sample/", page=f"{url}dataset/")
        if start:
            self.person.send(f"{url}start/", page=f"{url}review/")
        return url

    def find_dataset_number(self, draft: str) -> str:
        """The number of the dataset that a draft trains on, from the link to its report."""
        found = re.search(r"/p/local/datasets/(\d+)/", self.person.get(f"{draft}dataset/").text)
        assert found
        return found[1]

    def wait_for_words(self, url: str, *words: str, seconds: float = 600) -> None:
        wait_until(lambda: any(word in self.person.get(url).text for word in words), seconds, every=1)

    def hold_conversation(self, page: Page, job: str) -> str:
        """The address of a conversation, held in the browser as anybody would."""
        page.goto(f"{self.person.url}{job}")
        page.locator(".acts .btn-primary").click()
        for number, question in enumerate(QUESTIONS, 1):
            page.locator("#composer textarea").fill(question)
            page.locator("#send .btn-primary").click()
            page.locator(".reply-foot").nth(number - 1).wait_for(timeout=120_000)
        return re.sub(r"^https?://[^/]+|\?.*$", "", page.url)


def screens(studio: Studio, page: Page, broken: Path) -> Iterator[tuple[str, str]]:
    """(name, address) of each screen, prepared as it is reached."""
    yield "jobs-empty", "/p/local/jobs/"
    done = studio.tune("banking77-intents", epoch_count=3)
    slower = studio.tune("banking77-lr0.2", epoch_count=3, learning_rate_multiplier=0.2)
    smaller = studio.tune("banking77-r1", epoch_count=3, adapter_size=1)
    for job in (done, slower, smaller):
        studio.wait_for_words(job, "</svg>Succeeded", seconds=1200)
    stopped = studio.tune("banking77-lr6", epoch_count=40, learning_rate_multiplier=6)
    studio.wait_for_words(f"{stopped}monitor/figures/", '"x"')
    studio.person.send(f"{stopped}cancel/")
    studio.wait_for_words(stopped, "</svg>Cancelled")
    running = studio.tune("banking77-intents-r16", epoch_count=40, adapter_size=16)
    draft = studio.tune("banking77-4-epochs", start=False, epoch_count=4)
    faulty = studio.tune("faulty data", start=False)
    with broken.open("rb") as file:
        studio.person.send(
            f"{faulty}dataset/upload/", page=f"{faulty}dataset/", purpose="training", files={"file": file}
        )
    studio.wait_for_words(f"{running}monitor/figures/", '"Validation"')
    yield "jobs", "/p/local/jobs/"
    yield "jobs-no-match", "/p/local/jobs/?q=nothing"
    yield "wizard-model", f"{draft}model/"
    yield "wizard-advanced", f"{draft}model/?fix=labels"
    yield "wizard-dataset", f"{draft}dataset/"
    yield "wizard-problems", f"{faulty}dataset/"
    yield "datasets", "/p/local/datasets/"
    yield "dataset", f"/p/local/datasets/{studio.find_dataset_number(faulty)}/"
    yield "drafts", "/p/local/jobs/drafts/"
    yield "wizard-review", f"{draft}review/"
    yield "wizard-review-missing", f"{faulty}review/"
    yield "monitor-running", running
    yield "monitor", done
    yield "monitor-cancelled", stopped
    yield "details", f"{done}details/"
    yield "data", f"{done}data/"
    yield "cancel", f"{running}cancel/"
    runs = ",".join(re.search(r"/jobs/(\d+)/", url)[1] for url in (done, slower, smaller))  # type: ignore[index]
    yield "compare", f"/p/local/compare/?runs={runs}"
    yield "compare-effect", f"/p/local/compare/?runs={runs}&tab=effect"
    yield "compare-data", f"/p/local/compare/?runs={runs}&tab=data"
    yield "compare-choose", "/p/local/compare/"
    yield "chats", "/p/local/chats/"
    yield "test", studio.hold_conversation(page, done)
    yield "members", "/p/local/members/"
    yield "activity", "/p/local/activity/"
    yield "settings", "/p/local/settings/"
    yield "new-project", "/projects/new/"
    yield "not-found", "/p/nowhere/"
    yield "sign-in", "/sign-in/"


def sign_in(page: Page, url: str) -> None:
    page.goto(f"{url}/sign-in/")
    page.locator("[name=username]").fill("admin")
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("form.stack button.btn-primary, main form button.btn-primary").first.click()
    page.wait_for_url(re.compile("/p/local/"))


def sign_in_viewer(browser: Browser, url: str, language: str, theme: str, width: int) -> Page:
    context = browser.new_context(
        locale={"en": "en-US", "ja": "ja-JP"}[language],
        color_scheme="dark" if theme == "dark" else "light",
        viewport={"width": width, "height": SIZES[width]},
        device_scale_factor=2 if width < 500 else 1,
    )
    page = context.new_page()
    sign_in(page, url)
    return page


def viewers(browser: Browser, url: str) -> dict[str, Page]:
    """A signed-in page for each language, theme and width."""
    return {
        f"{language}-{theme}-{width}": sign_in_viewer(browser, url, language, theme, width)
        for language, theme, width in itertools.product(("en", "ja"), ("light", "dark"), SIZES)
    }


def take(page: Page, address: str, file: Path, *, full_page: bool = True) -> None:
    if address.endswith("/sign-in/"):
        page.context.clear_cookies()
    page.goto(address)
    page.wait_for_load_state("load")
    if page.locator("#monitor-place, #monitor").count():
        page.locator("[data-chart=loss] .main-svg").first.wait_for(timeout=30_000)
    if page.locator("#compare [data-chart]").count():
        page.locator("#compare .drawn .main-svg").first.wait_for(timeout=30_000)
    # Icons, fonts and the charts' last frame follow the events that can be waited for.
    page.wait_for_timeout(700)
    wide = page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth")
    if wide > 0:
        print(f"{file.name}: the page scrolls sideways by {wide} px")
    page.screenshot(path=file, full_page=full_page)


def main(every: bool) -> None:
    """Take the README's pictures, and those of every screen if `every`."""
    readme, out = ROOT / "docs" / "screenshots", ROOT / "var" / "screenshots"
    readme.mkdir(parents=True, exist_ok=True)
    out.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        Stack(Path(folder) / "var") as stack,
        launch_chromium() as browser,
    ):
        studio = Studio(stack)
        pages = viewers(browser, stack.url) if every else {}
        wide = pages.get("en-light-1440") or sign_in_viewer(browser, stack.url, "en", "light", 1440)
        for name, path in screens(studio, wide, write_broken_dataset(Path(folder))):
            for variant, page in pages.items():
                take(page, f"{stack.url}{path}", out / f"{name}-{variant}.png")
            if name in README_PICTURES:
                take(wide, f"{stack.url}{path}", readme / f"{README_PICTURES[name]}.png", full_page=False)
            print(name, flush=True)


def write_broken_dataset(folder: Path) -> Path:
    """The sample with a few of the faults that people make."""
    lines = (ROOT / "jobs/datasets/samples/banking77/train.jsonl").read_text().splitlines()[:40]
    question = json.loads(lines[4])
    lines[4] = json.dumps({**question, "contents": question["contents"][:1]})
    lines[11] = lines[11][:-1] + ",}"
    lines[20] = json.dumps({"messages": [{"role": "user", "content": "Where is my card?"}]})
    file = folder / "faulty.jsonl"
    file.write_text("\n".join(lines) + "\n")
    return file


if __name__ == "__main__":
    main("all" in sys.argv[1:])
