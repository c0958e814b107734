"""A running job in two browsers: points arrive on the open page, and each person keeps their own view."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.engine.tiny_base import example
from tests.journeys.conftest import list_remote_jobs, signed_in
from tests.stack import Person, Stack, wait_until

pytestmark = pytest.mark.journey
NAME = "watched from the first point"
LOOKS = 10
"""Answers of the page's own polling in which a step must arrive: the worker reads every 5 s, the page every
4 s, so that two intervals of the slower one are three looks; the others are for a worker that has to wait."""
DRAWN = """() => {
  const box = document.querySelector("[data-chart=loss]");
  return (box?._fullData || []).map(one => ({
    group: one.legendgroup, visible: one.visible, last: one.x ? Number(one.x[one.x.length - 1]) : 0}));
}"""
HIDDEN = """() => [...new Set(document.querySelector("[data-chart=loss]").data
  .filter(one => one.visible === false).map(one => one.legendgroup))]"""
RANGE = "() => Array.from(document.querySelector('[data-chart=loss]')._fullLayout.xaxis.range)"
ZOOM = """() => Plotly.relayout(document.querySelector("[data-chart=loss]"),
                               {"xaxis.range[0]": 2, "xaxis.range[1]": 40})"""


@pytest.fixture
def running(admin: Person, stack: Stack, tmp_path: Path) -> Iterator[str]:
    """The address of a long job, which is cancelled at the end."""
    lines = [json.dumps(example(f"word {n}", "red" if n % 2 else "green")) + "\n" for n in range(64)]
    url = admin.send("/p/local/jobs/new/", page="/p/local/jobs/").url.removesuffix("model/")
    settings = {"base_model": "studio-tiny", "location": "us-central1", "epoch_count": 400, "adapter_size": 4}
    admin.send(f"{url}model/", tuned_model_display_name=NAME, **settings)
    for purpose in ("training", "validation"):
        file = tmp_path / f"{purpose}.jsonl"
        file.write_text("".join(lines if purpose == "training" else lines[:8]))
        if purpose == "validation":
            admin.send(f"{url}dataset/validation/", page=f"{url}dataset/", validation_enabled="on")
        with file.open("rb") as content:
            admin.send(
                f"{url}dataset/upload/",
                page=f"{url}dataset/",
                purpose=purpose,
                files={"file": (file.name, content)},
            )
    admin.send(f"{url}start/", page=f"{url}dataset/")
    wait_until(lambda: [job["state"] for job in list_remote_jobs(stack, NAME)] == ["JOB_STATE_RUNNING"], 120)
    yield url
    admin.send(f"{url}cancel/")


@pytest.fixture
def watcher(browser: Browser, admin: Person, running: str) -> Iterator[Callable[[], Page]]:
    """watcher() -> another person's open Monitor tab with a drawn training curve."""
    opened: list[Any] = []

    def look() -> Page:
        context = signed_in(browser, admin)
        page = context.__enter__()
        opened.append(context)
        page.goto(running)
        wait_until(lambda: page.evaluate(DRAWN) and get_last_step(page) > 0, 90)
        return page

    yield look
    for context in opened:
        context.__exit__(None, None, None)


def get_last_step(page: Page) -> int:
    return max((int(one["last"]) for one in page.evaluate(DRAWN)), default=0)


def count_figure_requests(looks: list[str]) -> int:
    """How often the page has requested its figures."""
    return sum("/figures/" in address for address in looks)


def get_engine_step(stack: Stack) -> int:
    """The last step that the engine reports."""
    name = list_remote_jobs(stack, NAME)[0]["name"]
    told = stack.get_from_engine(f"v1beta1/{name}").json()
    return int(told["tuningJobMetadata"].get("completedStepCount", 0))


def test_live_points_keep_zoom_and_hidden_series(watcher: Callable[[], Page], stack: Stack) -> None:
    page, other = watcher(), watcher()
    page.locator("[data-group=train]").click()
    page.evaluate(ZOOM)
    before = other.evaluate(RANGE)
    looks: list[str] = []
    page.on("requestfinished", lambda request: looks.append(request.url))
    for _round in range(2):
        step = get_engine_step(stack)
        looks.clear()
        wait_until(lambda step=step: get_last_step(page) >= step or count_figure_requests(looks) > LOOKS, 120)
        assert get_last_step(page) >= step, (get_last_step(page), step, looks)
        assert page.evaluate(RANGE) == [2, 40]
        assert page.evaluate(HIDDEN) == ["train"]
    # the other person has neither zoom nor hidden series, and sees the same points
    assert other.evaluate(RANGE) == before
    assert other.evaluate(HIDDEN) == []
    step = get_last_step(page)
    wait_until(lambda: get_last_step(other) >= step, 60)
    page.reload()
    wait_until(lambda: page.evaluate(DRAWN) and get_last_step(page) >= step, 90)
