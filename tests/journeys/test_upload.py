"""Uploads in a browser: interrupted, cancelled and reloaded; and the whole step without JavaScript."""

from __future__ import annotations

import json
import re
import select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.engine.tiny_base import example
from tests.journeys.conftest import PASSWORD
from tests.stack import Person, Stack

pytestmark = pytest.mark.journey
MEGABYTE = 1_000_000
SLOW = 1.3 * MEGABYTE  # a second


class Line:
    """A TCP proxy before the web process that can be slow, or cut or hold a connection after some bytes."""

    def __init__(self, port: int) -> None:
        self.target = ("127.0.0.1", port)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.sent = 0
        self.cut_at: int | None = None
        self.hold_at: int | None = None
        self.slow = Event()
        Thread(target=self.accept, daemon=True).start()

    @property
    def is_cut(self) -> bool:
        return self.cut_at is not None and self.sent >= self.cut_at

    def cut_after(self, size: int) -> None:
        self.sent, self.cut_at = 0, size

    def mend(self) -> None:
        self.sent, self.cut_at = 0, None

    def hold_after(self, size: int) -> None:
        """Pass on `size` bytes of a connection slowly, and then one block a second, until `release` or an
        abort: enough for a pace to be told, and too little for a part to get through."""
        self.slow.set()
        self.hold_at = size

    def release(self) -> None:
        self.slow.clear()
        self.hold_at = None

    def wait_while_held(self, source: socket.socket, carried: int) -> None:
        leaving = select.poll()
        leaving.register(source, select.POLLRDHUP)
        until = time.monotonic() + 1
        while self.hold_at is not None and carried >= self.hold_at and time.monotonic() < until:
            if leaving.poll(50):
                raise ConnectionResetError

    def accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                if self.is_cut:
                    near.close()
                    continue
                far = socket.create_connection(self.target)
                Thread(target=self.connect, args=(near, far), daemon=True).start()

    def connect(self, near: socket.socket, far: socket.socket) -> None:
        """Pass bytes on both ways, then close both ends. Only that resets the connection: a browser that is
        still sending doesn't notice that the other side has ended."""
        back = Thread(target=self.pump, args=(far, near, False), daemon=True)
        back.start()
        self.pump(near, far, True)
        back.join()
        near.close()
        far.close()

    def pump(self, source: socket.socket, sink: socket.socket, up: bool) -> None:
        carried = 0
        with suppress(OSError):
            while (block := source.recv(64 * 1024)) and not self.is_cut:
                if up:
                    self.sent += len(block)
                    carried += len(block)
                    self.wait_while_held(source, carried)
                    if self.slow.is_set():
                        time.sleep(len(block) / SLOW)
                sink.sendall(block)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def line(stack: Stack) -> Iterator[Line]:
    line = Line(stack.port)
    yield line
    line.listener.close()


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 MB in 1,200 examples, which is more than one part."""
    path = tmp_path_factory.mktemp("large") / "large.jsonl"
    lines = (example(f"word {n} {'long ' * 2000}", "red" if n % 2 else "green") for n in range(1200))
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert path.stat().st_size > 12 * MEGABYTE
    return path


@pytest.fixture
def visit(browser: Browser, line: Line, admin: Person) -> Iterator[Callable[..., Page]]:
    """visit(**options) -> step 2 of a new draft through the proxy."""
    contexts = []

    def open_page(**options: bool) -> Page:
        context = browser.new_context(locale="en-US", **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(90_000)
        page.goto(f"{line.url}/sign-in/")
        page.get_by_label("Username").fill("admin")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("button", name="Create tuned model").first.click()
        page.get_by_role("button", name="Continue").click()
        return page

    yield open_page
    for context in contexts:
        context.close()


def upload_file(page: Page, file: Path) -> None:
    page.locator("#training").get_by_label("Select JSONL file").set_input_files(file)
    page.locator("#training").get_by_role("button", name="Upload", exact=True).click()


def get_status_text(page: Page) -> str:
    return page.locator("#training [data-told]").inner_text()


def expect_dataset(page: Page, name: str, examples: str) -> None:
    expect(page.locator("#training .check .stat dd").first).to_have_text(examples, timeout=120_000)
    expect(page.locator("#training .file .clip:not([data-name])").first).to_have_text(name)


def test_interrupted_upload_reports_and_resumes(visit: Callable[..., Page], line: Line, large: Path) -> None:
    page = visit()
    line.cut_after(5 * MEGABYTE)
    line.slow.set()  # so that the browser knows the progress by then
    upload_file(page, large)
    again = page.get_by_role("button", name="Try again")
    expect(again).to_be_visible()
    words = get_status_text(page)
    assert re.match(
        r"Connection lost at about [\d.]+ MB of 1[\d.]+ MB. The part that arrived is kept", words
    ), words
    expect(again).to_be_focused()
    expect(page.locator("#validation-enabled")).to_be_enabled()
    line.slow.clear()
    line.mend()
    again.click()
    expect_dataset(page, "large.jsonl", "1,200")
    assert 0 < line.sent < large.stat().st_size - 3 * MEGABYTE, "what had arrived was not sent again"


def test_short_interruption_is_retried_silently(visit: Callable[..., Page], line: Line, large: Path) -> None:
    page = visit()
    page.clock.install()
    page.clock.pause_at(datetime.now(UTC) + timedelta(hours=1))  # the pause before a retry does not end
    line.cut_after(10 * MEGABYTE)
    upload_file(page, large)
    expect(page.locator("#training [data-told]")).to_have_text("Connection lost. Retrying…")
    line.mend()
    page.clock.resume()
    expect_dataset(page, "large.jsonl", "1,200")


def test_upload_can_be_cancelled_and_restarted(visit: Callable[..., Page], line: Line, large: Path) -> None:
    page = visit()
    line.hold_after(3 * MEGABYTE)
    upload_file(page, large)
    expect(page.locator("#training [data-told]")).to_have_text(
        re.compile(r"Uploading \d+%, [\d.]+ .?B of 1[\d.]+ MB, [\d.]+ .B/s, about \d+ (s|min) left")
    )
    expect(page.get_by_text("Upload in progress.")).to_be_visible()
    expect(page.locator("#validation-enabled")).to_be_disabled()
    page.locator("#training").get_by_role("button", name="Cancel").click()
    expect(page.locator("#training [data-told]")).to_have_text("Upload cancelled. Nothing was stored.")
    line.release()
    page.reload()
    expect(page.get_by_text("Tuning dataset not chosen", exact=True)).to_be_visible()
    line.hold_after(MEGABYTE)
    upload_file(page, large)
    expect(page.locator("#training progress")).not_to_have_attribute("value", "0")
    page.locator("#training").get_by_role("button", name="Cancel").click()
    line.release()
    page.get_by_role("button", name="Try again").click()
    expect_dataset(page, "large.jsonl", "1,200")


def test_upload_resumes_after_a_reload(visit: Callable[..., Page], line: Line, large: Path) -> None:
    page = visit()
    line.cut_after(6 * MEGABYTE)
    upload_file(page, large)
    expect(page.get_by_role("button", name="Try again")).to_be_visible()
    line.mend()
    page.reload()
    line.sent = 0
    upload_file(page, large)
    expect_dataset(page, "large.jsonl", "1,200")
    assert line.sent < large.stat().st_size - 3 * MEGABYTE


def test_invalid_files_are_rejected_before_the_upload(
    visit: Callable[..., Page], line: Line, tmp_path: Path
) -> None:
    page = visit()
    table = tmp_path / "table.csv"
    table.write_text("a,b\n" * 2_000_000)
    line.mend()
    upload_file(page, table)
    expect(page.locator("#training [data-told]")).to_contain_text("table.csv is a table. Export it as JSONL")
    assert line.sent < MEGABYTE


def test_file_drop_and_folder_dialog(
    visit: Callable[..., Page], dataset: Callable[..., Path], stack: Stack
) -> None:
    page = visit()
    training = page.locator("#training")
    training.get_by_label("Select JSONL file").set_input_files(dataset("picked.jsonl", 40))
    training.get_by_role("link", name="Browse").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("New folder").fill("mine")
    dialog.get_by_role("button", name="Open").click()
    expect(dialog).to_contain_text("This folder is new.")
    dialog.get_by_role("button", name="Upload here").click()
    expect(dialog).to_be_hidden()
    expect(training.get_by_label("Dataset location")).to_have_value("gs://tuning-data-local/mine/")
    training.get_by_role("button", name="Upload", exact=True).click()
    expect_dataset(page, "picked.jsonl", "40")
    expect(training.locator(".file")).to_contain_text("gs://tuning-data-local/mine/picked")
    training.get_by_role("link", name="Replace").click()
    expect(training.get_by_text("Or drop it here.")).to_be_visible()
    dropped = dataset("dropped.jsonl", 41).read_text()
    page.evaluate(
        """text => {
          const files = new DataTransfer();
          files.items.add(new File([text], "dropped.jsonl"));
          document.querySelector("#training [data-drop]").dispatchEvent(
            new DragEvent("drop", { dataTransfer: files, bubbles: true, cancelable: true }));
        }""",
        dropped,
    )
    expect_dataset(page, "dropped.jsonl", "41")


def test_dataset_step_without_javascript(visit: Callable[..., Page], dataset: Callable[..., Path]) -> None:
    page = visit(java_script_enabled=False)
    upload_file(page, dataset("plain.jsonl", 40))
    expect_dataset(page, "plain.jsonl", "40")
    page.get_by_label("Enable model validation").check()
    page.get_by_role("button", name="Apply").click()
    validation = page.locator("#validation")
    validation.get_by_label("Hold out part of the training file").check()
    validation.get_by_label("Percentage to hold out").fill("25")
    validation.get_by_role("button", name="Hold out").click()
    expect(page.locator("#training")).to_contain_text(
        "30 for training, 10 held out for validation (25%, seed 0)"
    )
    training = page.locator("#training")
    folder = re.search(r"/datasets/([^/]+)/", training.inner_text())[1]  # type: ignore[index]
    page.get_by_role("link", name="Replace").first.click()
    training.get_by_label("Existing file on Cloud Storage").check()
    training.locator(".by-existing").get_by_role("link", name="Browse").click()
    page.get_by_role("link", name="Buckets").click()
    page.get_by_role("link", name="tuning-data-local", exact=True).click()
    page.get_by_role("link", name="datasets", exact=True).click()
    page.locator(".rows").get_by_role("link", name=folder, exact=True).click()
    page.get_by_role("button", name=re.compile("Choose.*train")).click()
    expect(page.locator("#training .check")).to_be_visible()
    expect(page.locator("#preview .panel-head")).to_contain_text("Ready")
