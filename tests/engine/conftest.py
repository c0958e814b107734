"""What the engine's tests share: a base that takes milliseconds to make, and jobs on it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.base_models.registry import LocalBaseModel
from engine.queue.job_folder import JobFolder
from engine.training.chat_template import ChatTemplate
from tests.engine.job_folders import new_job
from tests.engine.running_engine import engine as engine
from tests.engine.running_engine import tuned as tuned
from tests.engine.tiny_base import write_base


@pytest.fixture(scope="session")
def base_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The tests' own base: it takes the place of studio-tiny here and in every process started from here."""
    folder = write_base(tmp_path_factory.mktemp("bases") / "studio-tiny")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ENGINE_BASES", str(folder))
        patch.setenv("ENGINE_THREADS", "1")
        yield folder


@pytest.fixture(scope="session")
def base(base_folder: Path) -> LocalBaseModel:
    return LocalBaseModel.from_folder(base_folder)


@pytest.fixture(scope="session")
def chat(base_folder: Path) -> ChatTemplate:
    return ChatTemplate(base_folder)


@pytest.fixture
def make_job(base_folder: Path, tmp_path: Path) -> Callable[..., JobFolder]:
    """make_job(epochs=4, train=12, validation=6, ...) -> a PENDING job under tmp_path/root."""
    numbers = itertools.count(1)

    def make(**settings: Any) -> JobFolder:
        return new_job(tmp_path, next(numbers), **settings)

    return make


@pytest.fixture(scope="session")
def trained(base_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> JobFolder:
    """A job with make_job's settings, trained to its end without a mishap."""
    import torch

    from engine.training.trainer import run

    torch.set_num_threads(1)
    folder = new_job(tmp_path_factory.mktemp("trained"))
    run(folder)
    assert folder.result == {"outcome": "SUCCEEDED"}
    return folder
