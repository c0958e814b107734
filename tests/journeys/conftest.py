"""The real product, started once: every process that `make run` starts, on a base that learns in seconds."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser import chromium
from tests.engine.tiny import example, write_base
from tests.stack import Person, Stack

PASSWORD = "a long enough password"


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    base = write_base(folder / "studio-tiny", context_tokens=512)
    with Stack(folder / "var", ENGINE_BASES=str(base), ENGINE_THREADS="1") as stack:
        yield stack


@pytest.fixture(scope="session")
def admin(stack: Stack) -> Person:
    """The first admin, come in by the one-time link."""
    person = Person(stack.url)
    person.send(stack.link, name="Aya", password=PASSWORD, repeated=PASSWORD)
    return person


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def dataset(tmp_path: Path) -> Callable[..., Path]:
    """dataset(name, count) -> a JSONL file of that many short examples."""

    def write(name: str, count: int) -> Path:
        lines = (example(f"word {n}", "red" if n % 2 else "green") for n in range(count))
        path = tmp_path / name
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return path

    return write
