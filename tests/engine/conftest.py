"""What the engine's tests share: a base that takes milliseconds to make, and jobs on it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.bases import Base
from engine.folder import JobFolder, now
from tests.engine.tiny import example, write_base, write_lines


@pytest.fixture(scope="session")
def base_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The tests' own base: it takes the place of studio-tiny here and in every process started from here."""
    folder = write_base(tmp_path_factory.mktemp("bases") / "studio-tiny")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ENGINE_BASES", str(folder))
        patch.setenv("ENGINE_THREADS", "1")
        yield folder


@pytest.fixture
def base(base_folder: Path) -> Base:
    return Base.read(base_folder)


@pytest.fixture
def make_job(base_folder: Path, tmp_path: Path) -> Callable[..., JobFolder]:
    """make_job(epochs=2, train=12, validation=6, ...) -> a PENDING job's folder under tmp_path/root."""
    numbers = itertools.count(1)

    def make(
        epochs: int | None = 2,
        train: int | list[dict[str, Any]] = 12,
        validation: int = 6,
        hyper_parameters: dict[str, Any] | None = None,
        **spec: Any,
    ) -> JobFolder:
        number = next(numbers)
        lines = train if isinstance(train, list) else colours(train)
        training = write_lines(tmp_path / f"train-{number}.jsonl", lines)
        held_out = (
            write_lines(tmp_path / f"validation-{number}.jsonl", colours(validation)) if validation else None
        )
        chosen = {"epochCount": str(epochs)} if epochs else {}
        job = {
            "id": f"{number:019}",
            "createTime": now(),
            "model": "studio-tiny",
            "base": "studio-tiny",
            "request": {
                "supervisedTuningSpec": {"hyperParameters": {**chosen, **(hyper_parameters or {})}, **spec}
            },
        }
        return JobFolder.create(tmp_path / "root", job, training, held_out)

    return make


def colours(count: int) -> list[dict[str, Any]]:
    """Examples of two labels and of unequal lengths."""
    labels = ("red", "green")
    return [
        example(f"{'word ' * (number % 5)}{number}", labels[number % 2], system="Say.")
        for number in range(count)
    ]
