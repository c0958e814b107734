"""How long a page of curves takes until a person sees them, by what the screen shows.

A screencast runs from navigation until the page is quiet. `drawn` is the time of the first frame that holds
at least 90 % of the final coloured ink in both halves of the charts' region: no hook in the program is
needed, so that any two compare, and a spinner or an empty chart is never drawn. `settled` is the frame after
which the region no longer changes.
"""

from __future__ import annotations

import base64
import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Page

from tests.browser import launch_chromium

WIDTH, HEIGHT = 1600, 1100
SCREENCAST = {
    "format": "jpeg",
    "quality": 90,
    "maxWidth": WIDTH,
    "maxHeight": HEIGHT,
    "everyNthFrame": 1,
}
"""At full size: in a smaller picture thin lines lose their colour."""
QUIET, SILENT = 1.5, 1.0
"""Seconds without a change of the charts, and without a request, after which a page is quiet."""
CHANGED, APART = 0.002, 40
"""The share of pixels that must differ for a picture to be another one, and by how much a pixel differs."""
COLOURED, LEAST_INK, NEARLY = 60, 0.004, 0.9
PATIENCE = 180.0
NOTE_TASKS = """
if (window.top === window) {
  window.longTasks = [];
  const note = task => window.longTasks.push([task.startTime, task.duration]);
  const observer = new PerformanceObserver(list => list.getEntries().forEach(note));
  observer.observe({type: "longtask", buffered: true});
}
"""

Picture = NDArray[np.int16]
Region = tuple[float, float, float, float]
"""Left, top, width, height in the page's pixels."""
Spot = tuple[float, float]
"""Left and top."""


@dataclass(frozen=True, slots=True)
class PageTiming:
    """Milliseconds from the start; None where the charts were never drawn."""

    drawn: float | None
    settled: float | None
    kilobytes: float
    requests: int
    longest_task: float


@dataclass
class Traffic:
    """Requests over HTTP, told by the browser itself."""

    requests: int = 0
    bytes: float = 0
    open: set[str] = field(default_factory=set)
    last: float = 0.0

    def on_request(self, event: dict[str, Any]) -> None:
        if event["request"]["url"].startswith("http"):
            self.requests += "redirectResponse" not in event
            self.open.add(event["requestId"])
            self.last = time.monotonic()

    def on_finished(self, event: dict[str, Any]) -> None:
        if event["requestId"] in self.open:
            self.open.remove(event["requestId"])
            self.bytes += event.get("encodedDataLength", 0)
            self.last = time.monotonic()

    def is_silent(self) -> bool:
        return not self.open and time.monotonic() - self.last > SILENT


class Watch:
    """One tab. `region` asks the page where its charts are; None while they are not there."""

    def __init__(self, page: Page, region: Callable[[Page], Region | None]) -> None:
        self.page, self.region = page, region
        self.frames: list[tuple[float, str]] = []
        self.traffic = Traffic()
        page.add_init_script(NOTE_TASKS)
        self.browser = page.context.new_cdp_session(page)
        self.browser.send("Network.enable")
        self.browser.on("Network.requestWillBeSent", lambda event: self.traffic.on_request(event))
        self.browser.on("Network.loadingFinished", lambda event: self.traffic.on_finished(event))
        self.browser.on("Network.loadingFailed", lambda event: self.traffic.on_finished(event))
        self.browser.on("Page.screencastFrame", self._add_frame)

    def open(self, url: str) -> PageTiming:
        """From navigation on, in a profile that has never seen the program."""
        with self._record_frames():
            self.page.goto(url, wait_until="commit", timeout=PATIENCE * 1000)
            self._wait_until_still()
        start = self.page.evaluate("performance.timeOrigin") / 1000
        drawn, settled = self._judge_frames(start)
        tasks = self.page.evaluate("window.longTasks")
        longest = max((lasted for at, lasted in tasks if settled is None or at <= settled), default=0.0)
        return PageTiming(drawn, settled, self.traffic.bytes / 1024, self.traffic.requests, longest)

    def press(self, spot: Spot) -> float | None:
        """Milliseconds from a click of the mouse to the last change of the charts that it brings."""
        before = self.frames[-1:]  # a page that stands still sends none
        with self._record_frames():
            self.frames += before
            start = time.time()
            self.page.mouse.click(*spot)
            self._wait_until_still()
        return self._judge_frames(start)[1]

    @contextmanager
    def _record_frames(self) -> Iterator[None]:
        self.frames.clear()
        self.traffic = Traffic()
        self.browser.send("Page.startScreencast", SCREENCAST)
        try:
            yield
        finally:
            self.browser.send("Page.stopScreencast")

    def _add_frame(self, event: dict[str, Any]) -> None:
        self.frames.append((event["metadata"]["timestamp"], event["data"]))
        self.browser.send("Page.screencastFrameAck", {"sessionId": event["sessionId"]})

    def _wait_until_still(self) -> None:
        """Until the charts are drawn, no request is under way, and the charts have been still for a while."""
        end, changed, looked, before = time.monotonic() + PATIENCE, time.monotonic(), 0, None
        while time.monotonic() < end:
            self.page.wait_for_timeout(100)
            region = self.region(self.page)
            if region and len(self.frames) != looked:
                looked, now = len(self.frames), picture(self.frames[-1][1], region)
                if before is None or pictures_differ(before, now):
                    changed = time.monotonic()
                before = now
            drawn = before is not None and min(measure_ink(before)) > LEAST_INK
            if drawn and self.traffic.is_silent() and time.monotonic() - changed > QUIET:
                return

    def _judge_frames(self, start: float) -> tuple[float | None, float | None]:
        """`drawn` and `settled`, from the frames after `start`."""
        region = self.region(self.page)
        if not region:
            return None, None
        frames = [(at, picture(data, region)) for at, data in self.frames if at >= start - 0.001]
        if not frames or min(measure_ink(frames[-1][1])) <= LEAST_INK:
            return None, None
        final, settled = frames[-1][1], frames[-1][0]
        for at, shown in reversed(frames[:-1]):
            if pictures_differ(shown, final):
                break
            settled = at
        whole = measure_ink(final)
        drawn = next(
            at
            for at, shown in frames
            if all(a >= NEARLY * b for a, b in zip(measure_ink(shown), whole, strict=True))
        )
        return (drawn - start) * 1000, (settled - start) * 1000


def picture(data: str, region: Region) -> Picture:
    from PIL import Image

    image = Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB")
    scale, (left, top, width, height) = image.width / WIDTH, region
    box = [int(side * scale) for side in (left, top, left + width, top + height)]
    return np.asarray(image.crop((box[0], box[1], box[2], box[3])), dtype=np.int16)


def measure_ink(shown: Picture) -> tuple[float, float]:
    """The coloured share of the left and the right half: are there curves in both charts?"""
    coloured = shown.max(axis=2) - shown.min(axis=2) > COLOURED
    half = coloured.shape[1] // 2
    return float(coloured[:, :half].mean()), float(coloured[:, half:].mean())


def pictures_differ(one: Picture, other: Picture) -> bool:
    return one.shape != other.shape or bool((np.abs(one - other).max(axis=2) > APART).mean() > CHANGED)


@contextmanager
def tab(region: Callable[[Page], Region | None], cookies: list[Any]) -> Iterator[Watch]:
    """In a browser that starts for it, with a profile and a cache of its own."""
    with launch_chromium() as browser:
        context = browser.new_context(locale="en-US", viewport={"width": WIDTH, "height": HEIGHT})
        context.add_cookies(cookies)
        yield Watch(context.new_page(), region)
        context.close()
