"""What the engine's tests share: the tests' base in memory, and jobs on it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.base_models.registry import LocalBaseModel
from engine.queue.job_folder import JobFolder
from engine.training.chat_template import ChatTemplate
from tests.engine.job_folders import new_job


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
