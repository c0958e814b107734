"""The real product, started once: every process that `make run` starts, on a base that learns in seconds."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser import open_watched_page
from tests.engine.tiny_base import example, write_base
from tests.stack import Person, Stack, wait_until

PASSWORD = "a long enough password"


@contextmanager
def signed_in(browser: Browser, admin: Person, **options: Any) -> Iterator[Page]:
    """A watched page of the admin; a form that is rejected with 422 is not an error."""
    with open_watched_page(browser, refusals=(422,), **options) as page:
        page.set_default_timeout(90_000)
        cookies = [
            {"name": name, "value": value, "url": admin.url} for name, value in admin.session.cookies.items()
        ]
        page.context.add_cookies(cookies)
        yield page


def list_remote_jobs(stack: Stack, name: str) -> list[dict[str, Any]]:
    """The engine's jobs with that display name."""
    listed = stack.get_from_engine("v1/projects/local/locations/us-central1/tuningJobs")
    return [job for job in listed.json().get("tuningJobs", []) if job["tunedModelDisplayName"] == name]


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    base = write_base(folder / "studio-tiny", context_tokens=512)
    with Stack(folder / "var", ENGINE_BASES=str(base), ENGINE_THREADS="1") as stack:
        yield stack


@pytest.fixture(scope="session")
def admin(stack: Stack) -> Person:
    """The first admin, who has joined with the one-time link."""
    person = Person(stack.url)
    person.send(stack.link, name="Aya", password=PASSWORD, repeated=PASSWORD)
    return person


@pytest.fixture(scope="session")
def browser(chrome: Browser) -> Browser:
    return chrome


@pytest.fixture
def dataset(tmp_path: Path) -> Callable[..., Path]:
    """dataset(name, count) -> a JSONL file of that many short examples."""

    def write(name: str, count: int) -> Path:
        lines = (example(f"word {n}", "red" if n % 2 else "green") for n in range(count))
        path = tmp_path / name
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return path

    return write


@pytest.fixture
def draft(admin: Person) -> str:
    """The address of step 1 of a new draft."""
    return admin.send("/p/local/jobs/new/", page="/p/local/jobs/").url


@pytest.fixture(scope="session")
def tuned(admin: Person, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a succeeded job whose model has two checkpoints."""
    file = tmp_path_factory.mktemp("data") / "train.jsonl"
    file.write_text("".join(json.dumps(example(f"word {n}", "red")) + "\n" for n in range(8)))
    url = admin.send("/p/local/jobs/new/", page="/p/local/jobs/").url.removesuffix("model/")
    values = {"base_model": "studio-tiny", "location": "us-central1", "epoch_count": 2, "adapter_size": 4}
    admin.send(f"{url}model/", tuned_model_display_name="colours to go on from", **values)
    with file.open("rb") as content:
        admin.send(
            f"{url}dataset/upload/",
            page=f"{url}dataset/",
            purpose="training",
            files={"file": (file.name, content)},
        )
    admin.send(f"{url}start/", page=f"{url}dataset/")
    wait_until(lambda: "</svg>Succeeded" in admin.get(url).text, 120)
    return "colours to go on from"
