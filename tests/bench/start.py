"""From the click on Start to the first point on the screen: the whole product, a browser, a warm engine.

Each round reviews a new draft of the tiny base on the banking77 sample until the engine's spare trainer is
ready, as it is for a person who reads the page, and clicks.
"""

from __future__ import annotations

import re
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests
from playwright.sync_api import Browser, Page

from engine.queue.job_folder import JobFolder
from tests.browser import launch_chromium
from tests.paths import SAMPLES
from tests.stack import Person, Stack, wait_until

ROUNDS = 5
MOST_SECONDS = 5.0
"""What is asked for: a person who has clicked does not start to wonder."""
PASSWORD = "a long enough password"
PAINTED = """() => {
  const box = document.querySelector("[data-chart=loss]");
  return (box?._fullData || []).some(one => one.x?.length) && box.querySelector(".scatterlayer .trace path");
}"""


def measure() -> Iterator[str]:
    found = []
    with (
        tempfile.TemporaryDirectory() as folder,
        launch_chromium() as browser,
        Stack(Path(folder) / "var", POLL_SECONDS="5") as stack,
    ):
        person = Person(stack.url)
        person.send(stack.link, name="Mika Sato", password=PASSWORD, repeated=PASSWORD)
        page = open_page(browser, person)
        for number in range(1, ROUNDS + 1):
            seconds, parts = start_job(stack, person, page, number)
            found.append(seconds)
            yield f"{number}: {seconds:.2f} s ({parts})"
    yield f"median {statistics.median(found):.2f} s; at most {MOST_SECONDS:.0f} s is asked for"
    assert statistics.median(found) <= MOST_SECONDS, "The first point takes too long."


def open_page(browser: Browser, person: Person) -> Page:
    page = browser.new_context(locale="en-US").new_page()
    page.set_default_timeout(120_000)
    cookies = person.session.cookies.items()
    page.context.add_cookies([{"name": name, "value": value, "url": person.url} for name, value in cookies])
    return page


def start_job(stack: Stack, person: Person, page: Page, number: int) -> tuple[float, str]:
    """Seconds from the click to the first painted point, and what happened when in between."""
    url = make_draft(person, f"start {number}")
    page.goto(f"{url}review/")
    wait_until(lambda: (read_health(stack)["spareTrainer"] or {}).get("ready"), 120)
    clicked = time.time()
    page.get_by_role("button", name="Start tuning").click()
    page.wait_for_function(PAINTED, polling="raf")
    seconds = time.time() - clicked
    job = JobFolder.all(stack.state / "engine")[-1]
    first = job.read_points()[0]["wallTime"]
    created = (job.path / "job.json").stat().st_mtime
    person.send(f"{url}cancel/")
    wait_until(lambda: job.is_finished, 60)
    return seconds, f"job created after {created - clicked:.2f} s, first point after {first - clicked:.2f} s"


def make_draft(person: Person, name: str) -> str:
    """The address of a draft that may start."""
    url = person.send("/p/local/jobs/new/", page="/p/local/jobs/").url.removesuffix("model/")
    settings = {"base_model": "studio-tiny", "location": "us-central1"}
    person.send(f"{url}model/", tuned_model_display_name=name, **settings)
    person.send(f"{url}dataset/validation/", page=f"{url}dataset/", validation_enabled="on")
    for purpose, file in (("training", "train.jsonl"), ("validation", "validation.jsonl")):
        with (SAMPLES / "banking77" / file).open("rb") as content:
            person.send(
                f"{url}dataset/upload/",
                page=f"{url}dataset/",
                purpose=purpose,
                files={"file": (file, content)},
            )
    return url


def read_health(stack: Stack) -> dict[str, Any]:
    """What the engine says about itself."""
    command = next(iter(stack.processes("-m engine --host").values()))
    port = re.search(r"--port (\d+)", command)[1]  # type: ignore[index]
    health: dict[str, Any] = requests.get(f"http://127.0.0.1:{port}/healthz", timeout=10).json()
    return health


def main() -> int:
    try:
        for line in measure():
            print(f"start: {line}", flush=True)
    except AssertionError as failure:
        print(f"start: {failure}", flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
