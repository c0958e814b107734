"""The studio as `make run` starts it, with the same runs as finished jobs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from tests.bench.compare.timer import HEIGHT, Region, Spot
from tests.paths import ROOT
from tests.stack import NOT_INHERITED, Person, Stack

PASSWORD = "a long enough password"
WHERE = """() => {
  const box = document.querySelector("#compare-charts")?.getBoundingClientRect();
  return box && box.width ? [box.left, box.top, box.width, box.height] : null;
}"""


class Studio:
    name = "studio"

    def __init__(self, person: Person, jobs: list[int]) -> None:
        self.url, self.jobs = person.url, jobs
        self.cookies: list[Any] = [
            {"name": name, "value": value, "url": person.url}
            for name, value in person.session.cookies.items()
        ]

    def address(self) -> str:
        return f"{self.url}/p/local/compare/?runs={','.join(map(str, self.jobs))}"

    def region(self, page: Page) -> Region | None:
        """The part of the charts that the window shows."""
        found = page.evaluate(WHERE)
        seen = found and min(found[3], HEIGHT - found[1])
        return (*found[:3], seen) if found and seen > 0 else None

    def actions(self, page: Page) -> dict[str, Spot]:
        return {
            # Not the first one: as the baseline it is the heaviest line.
            "toggle": spot(page, f'[data-run="{self.jobs[1]}"] [data-toggle]', 0.5),
            "smoothing": spot(page, "[data-smoothing]", 0.9),
        }


def spot(page: Page, selector: str, share: float) -> Spot:
    """That far from its left side."""
    box = page.locator(selector).first.bounding_box()
    assert box and box["y"] + box["height"] < HEIGHT, selector
    return box["x"] + share * box["width"], box["y"] + box["height"] / 2


@contextmanager
def run_studio(workload: str, folder: Path) -> Iterator[Studio]:
    with Stack(folder) as stack:
        person = Person(stack.url)
        person.send(stack.link, name="Mika Sato", password=PASSWORD, repeated=PASSWORD)
        yield Studio(person, fill_database(workload, folder))


def fill_database(workload: str, state: Path) -> list[int]:
    """The jobs' keys; written by a process of its own, since this one has other settings."""
    kept = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.compare.fill", workload],
        cwd=ROOT,
        env={**kept, "STATE_DIR": str(state), "DJANGO_SETTINGS_MODULE": "studio.settings"},
        stdout=subprocess.PIPE,
        check=True,
    )
    found: list[int] = json.loads(done.stdout)
    return found
