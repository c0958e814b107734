"""What a review and a submission wake."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from jobs import tasks
from jobs.models import TuningJob
from studio.models import Backend, Project
from tests.jobs.conftest import remote_job
from tests.studio.vertex.double import Answer, FakeVertexServer, json_answer

pytestmark = pytest.mark.django_db
Sent = list[tuple[str, dict[str, Any]]]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """(task, arguments) of what was sent to the worker."""
    found: Sent = []

    def send(task: str, **arguments: Any) -> None:
        found.append((task, arguments))

    monkeypatch.setattr("jobs.tasks.send_on_commit", send)
    monkeypatch.setattr("jobs.wizard.review_step.send_on_commit", send)
    return found


@pytest.mark.parametrize(("backend", "warmed"), [(Backend.ENGINE, True), (Backend.GOOGLE, False)])
def test_review_warms_up_the_engine(
    draft: TuningJob,
    tuner: User,
    browser_of: Callable[[User], Client],
    sent: Sent,
    backend: str,
    warmed: bool,
) -> None:
    Project.objects.update(backend=backend)
    page = reverse("jobs:review", args=["local", draft.pk])
    assert browser_of(tuner).get(page).status_code == 200
    assert sent == ([("jobs.tasks.warm_up", {"project_id": draft.project_id})] if warmed else [])


def test_warm_up_is_one_call_of_the_engine(project: Project, service: FakeVertexServer) -> None:
    service.queue_answers(json_answer({}))
    tasks.warm_up(project_id=project.pk)
    assert [(asked.method, asked.path) for asked in service.asked] == [("POST", "/engine/warm-up")]


@pytest.mark.parametrize("answer", [Answer(404, "<html>"), Answer(503), Answer(reset=True)])
def test_warm_up_that_fails_is_not_an_error(
    project: Project, service: FakeVertexServer, answer: Answer
) -> None:
    service.queue_answers(answer)
    tasks.warm_up(project_id=project.pk)
    assert len(service.asked) == 1


def test_warm_up_without_an_engine_is_not_an_error(project: Project, settings: Settings) -> None:
    settings.ENGINE_URL = "http://127.0.0.1:1"
    tasks.warm_up(project_id=project.pk)


def test_vertex_ai_is_not_warmed_up(project: Project, service: FakeVertexServer) -> None:
    Project.objects.update(backend=Backend.GOOGLE)
    tasks.warm_up(project_id=project.pk)
    assert service.asked == []


def test_submission_wakes_the_reading_of_its_job(
    draft: TuningJob, tuner: User, service: FakeVertexServer, sent: Sent
) -> None:
    tasks.submit_ready()
    assert sent == []
    draft.start(tuner)
    service.queue_answers(json_answer(remote_job()))
    tasks.submit_ready()
    assert sent == [("metrics.tasks.follow_starts", {})]
