"""The whole product on a small disk that is filled: it tells, refuses in words, and goes on by itself."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from engine.queue.job_folder import JobFolder
from tests.disk import fill_disk, mount_small_disk
from tests.engine.tiny_base import write_base
from tests.journeys.conftest import PASSWORD, list_remote_jobs
from tests.journeys.test_faults import Run
from tests.stack import Person, Stack, wait_until
from tests.studio.run.test_frozen_parts import list_main_processes
from tests.studio.run.test_run import PARTS, get_health, is_healthy

pytestmark = pytest.mark.fault
EXAMPLES, EPOCHS = 160, 12  # long enough to be met on its way
STEPS = EXAMPLES // 4 * EPOCHS
FULL = "The server’s disk is full."
NO_ROOM = "The server doesn’t have room for this file."


@pytest.fixture(scope="module")
def cramped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack whose STATE_DIR is a disk of 64 MB."""
    folder = tmp_path_factory.mktemp("cramped")
    base = write_base(folder / "studio-tiny", context_tokens=512)
    with (
        mount_small_disk(folder / "var", 64 * 2**20) as state,
        Stack(state, ENGINE_BASES=str(base), ENGINE_THREADS="1") as stack,
    ):
        yield stack


@pytest.fixture(scope="module")
def person(cramped: Stack) -> Person:
    person = Person(cramped.url)
    person.send(cramped.link, name="Aya", password=PASSWORD, repeated=PASSWORD)
    return person


def post_form(person: Person, path: str, page: str, files: Any = None, **fields: Any) -> requests.Response:
    """Send the form on `page`; any status is an answer here."""
    shown = person.get(page)
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', shown.text)
    assert token
    values = {"csrfmiddlewaretoken": token[1], **fields}
    headers = {"Referer": shown.url}
    return person.session.post(f"{person.url}{path}", data=values, files=files, headers=headers, timeout=120)


def list_uploads(stack: Stack) -> list[Path]:
    return [path for path in (stack.state / "uploads").rglob("*") if path.is_file()]


def test_a_full_disk_ends_nothing_and_loses_nothing(
    cramped: Stack, person: Person, dataset: Callable[..., Path]
) -> None:
    files = dataset("train.jsonl", EXAMPLES), dataset("validation.jsonl", 8)
    waiting = Run(person, cramped, "waits for room", *files, start=False, epochs=1)
    run = Run(person, cramped, "meets a full disk", *files, epochs=EPOCHS)
    wait_until(lambda: len(run.points().get("/train_total_loss", [])) > 20, seconds=240)
    before = list_main_processes(cramped)

    ballast = fill_disk(cramped.state)
    wait_until(lambda: find_trainer(cramped) not in cramped.processes())
    health = requests.get(f"{cramped.url}/healthz", timeout=120)
    assert (health.status_code, health.json()["parts"]["disk"]) == (503, "full")
    for path in ("/p/local/jobs/", "/p/local/datasets/", run.url, f"{waiting.url}review/"):
        assert FULL in person.get(path).text, path
    upload = {"file": ("train.jsonl", io.BytesIO(b"{}\n" * 100_000))}
    refused = post_form(
        person, f"{waiting.url}dataset/upload/", f"{waiting.url}dataset/", upload, purpose="training"
    )
    assert (refused.status_code, NO_ROOM in refused.text) == (507, True)
    part = {"purpose": "training", "name": "a.jsonl", "size": 100, "modified": 1}
    begun = post_form(person, f"{waiting.url}dataset/parts/", f"{waiting.url}dataset/", **part)
    assert (begun.status_code, NO_ROOM in begun.json()["message"]) == (507, True)
    started = post_form(person, f"{waiting.url}start/", f"{waiting.url}review/")
    assert "The job wasn’t started: the server’s disk is full." in started.text
    assert list_uploads(cramped) == []

    ballast.unlink()
    wait_until(lambda: is_healthy(cramped), seconds=60)
    wait_until(lambda: find_trainer(cramped) in cramped.processes(), seconds=60)
    wait_until(lambda: run.has_text("Succeeded"), seconds=400)
    check_points(run)
    assert len(list_remote_jobs(cramped, "meets a full disk")) == 1
    assert FULL not in person.get("/p/local/jobs/").text
    assert list_main_processes(cramped) == before, "nothing had to be restarted"
    waiting.send("start", page="review")
    wait_until(lambda: waiting.has_text("Succeeded"), seconds=400)


def find_trainer(stack: Stack) -> int | None:
    """The process that the engine last started for the job, which may have ended."""
    (job,) = JobFolder.all(stack.state / "engine")
    pid: int | None = job.state.get("pid")
    return pid


def check_points(run: Run) -> None:
    wait_until(lambda: run.points().get("/train_total_loss", [])[-1:] == [STEPS], seconds=60)
    for metric, steps in run.points().items():
        assert max(Counter(steps).values()) == 1, f"{metric} has a step twice"
        if metric.startswith("/train"):
            assert steps == list(range(1, STEPS + 1)), metric


@pytest.mark.parametrize("part", ["web", "worker", "engine"])
def test_a_part_that_ends_on_a_full_disk_comes_back_on_it(cramped: Stack, person: Person, part: str) -> None:
    wait_until(lambda: is_healthy(cramped))
    before = list_main_processes(cramped)
    ballast = fill_disk(cramped.state)
    killed = cramped.kill(PARTS[part])
    wait_until(lambda: set(cramped.processes(PARTS[part])) - set(killed))
    wait_until(lambda: get_health(cramped).get("parts", {}).get("disk") == "full")
    wait_until(lambda: get_health(cramped).get("parts", {}).get("engine") == "ok")
    wait_until(lambda: FULL in read_page(person))
    ballast.unlink()
    wait_until(lambda: is_healthy(cramped), seconds=60)
    after = list_main_processes(cramped)
    assert {name for name in before if before[name] != after[name]} == {part}


def read_page(person: Person) -> str:
    try:
        return person.get("/p/local/jobs/").text
    except (requests.RequestException, AssertionError):
        return ""


class FillingBody:
    """A form's body whose first half fits; then somebody else takes the room."""

    def __init__(self, content: bytes, fill: Callable[[], object]) -> None:
        self.content = content
        self.fill = fill
        self.position = 0
        self.is_filled = False

    def __len__(self) -> int:
        return len(self.content)

    def read(self, size: int = -1) -> bytes:
        if self.position >= len(self.content) // 2 and not self.is_filled:
            self.fill()
            self.is_filled = True
        block = self.content[self.position : self.position + 65536]
        self.position += len(block)
        return block


def test_a_disk_that_fills_while_a_form_arrives_answers_in_words(
    cramped: Stack, person: Person, tmp_path: Path
) -> None:
    wait_until(lambda: is_healthy(cramped))
    draft = person.send("/p/local/jobs/new/", page="/p/local/jobs/").url.removesuffix("model/")
    page = person.get(f"{draft}dataset/")
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    assert token
    form = requests.Request(
        "POST",
        f"{draft}dataset/upload/",
        data={"csrfmiddlewaretoken": token[1], "purpose": "training"},
        files={"file": ("train.jsonl", b"x" * 8 * 2**20)},
    ).prepare()
    ballast: list[Path] = []
    body = FillingBody(form.body, lambda: ballast.append(fill_disk(cramped.state)))  # type: ignore[arg-type]
    headers = {"Content-Type": form.headers["Content-Type"], "Referer": page.url}
    answer = person.session.post(form.url, data=body, headers=headers, timeout=120)  # type: ignore[arg-type]
    assert body.is_filled
    assert (answer.status_code, NO_ROOM in answer.text) == (507, True)
    assert list_uploads(cramped) == []
    ballast[0].unlink()
    wait_until(lambda: is_healthy(cramped))
