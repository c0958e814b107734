"""Rows of the library, without a store behind them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from jobs.datasets.check.checker import check_file
from jobs.datasets.models import Dataset
from studio.models import Project
from tests.jobs.datasets.check.lines import GOOD


@pytest.fixture
def make(project: Project, tuner: User) -> Callable[..., Dataset]:
    """make("a.jsonl", content, source=…) -> a row with the report of that content."""
    generation = count(1)

    def make_dataset(name: str = "train.jsonl", content: bytes = GOOD * 3, **fields: Any) -> Dataset:
        usual = {"project": project, "owner": tuner, "source": Dataset.Source.UPLOAD}
        return Dataset.objects.create(
            **{
                "uri": f"gs://data/folder/{name}",
                "generation": str(next(generation)),
                "crc32c": "AAAAAA==",
                "size": len(content),
                "report": check_file([content], name=name).to_json(),
                **usual,
                **fields,
            }
        )

    return make_dataset


@pytest.fixture
def browser(tuner: User, browser_of: Callable[[User], Client]) -> Client:
    return browser_of(tuner)
