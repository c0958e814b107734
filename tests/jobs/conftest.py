"""A draft that is ready to start, and a service that gives the responses set by a test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from pytest_django import Settings

from jobs.datasets.models import Dataset
from jobs.models import TuningJob
from studio.models import Project
from studio.vertex import job_states
from tests.engine.running_engine import Engine
from tests.studio.vertex.double import FakeVertexServer, run_server

PLACE = "projects/local/locations/us-central1"
NAME = f"{PLACE}/tuningJobs/1"
REPORT: dict[str, Any] = {"lines": 480, "examples": 480, "characters": 9000, "longest": 90, "longest_line": 3}


@pytest.fixture
def dataset(project: Project, tuner: User) -> Dataset:
    return Dataset.objects.create(
        project=project,
        owner=tuner,
        uri="gs://tuning-data/train.jsonl",
        generation="1",
        crc32c="AAAAAA==",
        size=9000,
        source=Dataset.Source.UPLOAD,
        report=REPORT,
    )


@pytest.fixture
def draft(project: Project, tuner: User, dataset: Dataset) -> TuningJob:
    return TuningJob.objects.create(
        project=project,
        owner=tuner,
        tuned_model_display_name="intents",
        base_model="studio-tiny",
        location="us-central1",
        training=dataset,
    )


@pytest.fixture
def service(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeVertexServer]:
    """A fake service at the engine's address. The client's retry of a GET is made fast."""
    monkeypatch.setattr("studio.vertex.client.PAUSE", 0.01)
    with run_server() as double:
        settings.ENGINE_URL = double.url
        yield double


def remote_job(number: int = 1, state: str = job_states.RUNNING, **fields: Any) -> dict[str, Any]:
    return {"name": f"{PLACE}/tuningJobs/{number}", "state": state, "baseModel": "studio-tiny", **fields}


@pytest.fixture
def share(project: Project) -> Callable[..., None]:
    """share("gs://bucket/", …) -> the project may use these places besides its own."""

    def add_places(*places: str) -> None:
        project.shared_places = [*project.shared_places, *places]
        project.save()

    return add_places


@pytest.fixture
def on_engine(engine: Engine, settings: Settings, share: Callable[..., None]) -> Engine:
    """The real engine for the project; its storage and jobs are shared by all tests. The project may use what
    a test uploads there without naming a bucket."""
    settings.ENGINE_URL = engine.url
    share("gs://data/")
    return engine
