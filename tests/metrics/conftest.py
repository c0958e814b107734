"""A metrics service that serves what a test puts on its board, and jobs whose points it holds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connections
from pytest_django import Settings

from jobs.models import Submission, TuningJob
from metrics.models import Feed
from studio.models import Project
from tests.metrics.charts.curves import create_dataset, make_remote_job
from tests.metrics.monitor.page_reader import Board
from tests.studio.vertex.double import run_server


@pytest.fixture
def board(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Board]:
    """In the engine's place. It refuses to be asked while a transaction of the code under test is open."""
    monkeypatch.setattr("studio.vertex.client.PAUSE", 0.01)
    with run_server() as double:
        settings.ENGINE_URL = double.url
        yield Board(double, connections["default"])


@pytest.fixture
def job(project: Project) -> TuningJob:
    """Running, known to the service, not read yet."""
    return TuningJob.objects.create(
        project=project,
        tuned_model_display_name="intents",
        submission=Submission.CREATED,
        name="projects/local/locations/us-central1/tuningJobs/1",
        state="JOB_STATE_RUNNING",
        remote=make_remote_job(),
        validation=create_dataset(project),
    )


def get_feed(job: TuningJob) -> Feed:
    return Feed.objects.select_related("job__project").get(job=job)
