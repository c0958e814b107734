"""The wizard offers the base models of an engine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from jobs import base_models
from jobs.models import TuningJob
from studio.models import Backend, Project
from studio.vertex import catalog
from tests.engine.running_engine import Engine, run_engine
from tests.engine.tiny_base import write_base

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def with_another(base_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An engine with a further model folder besides its own base."""
    folder = tmp_path_factory.mktemp("another")
    other = write_base(folder / "models" / "chat-0.5b")
    (other / "base.json").unlink()
    with run_engine(folder / "root", ENGINE_BASES=f"{base_folder}{os.pathsep}{other}") as engine:
        yield engine


@pytest.mark.engine
def test_a_model_added_to_the_engine_can_be_chosen(
    client: Client, project: Project, draft: TuningJob, with_another: Engine, settings: Settings
) -> None:
    settings.ENGINE_URL = with_another.url
    assert [model.id for model in base_models.list_base_models(project)][:2] == ["studio-tiny", "chat-0.5b"]
    client.force_login(draft.owner)
    address = reverse("jobs:model", args=[project.slug, draft.pk])
    assert "chat-0.5b" in client.get(address).content.decode()
    form = {"base_model": "chat-0.5b", "tuned_model_display_name": "mine", "location": "us-central1"}
    assert client.post(address, form).status_code == 302
    draft.refresh_from_db()
    assert draft.base_model == "chat-0.5b"
    assert client.get(reverse("jobs:dataset", args=[project.slug, draft.pk])).status_code == 200


@pytest.mark.slow
@pytest.mark.engine
def test_the_engine_tunes_every_model_it_lists(with_another: Engine) -> None:
    listed = with_another.get("v1beta1/publishers/google/models").json()["publisherModels"]
    assert [model["name"].rpartition("/")[2] for model in listed] == ["studio-tiny", "chat-0.5b"]
    job = with_another.wait(with_another.tune(baseModel="chat-0.5b"))
    assert job["state"] == "JOB_STATE_SUCCEEDED", job


def test_the_catalogue_is_offered_when_the_engine_does_not_answer(
    project: Project, settings: Settings
) -> None:
    settings.ENGINE_URL = "http://127.0.0.1:9"
    assert base_models.list_base_models(project) == catalog.models("engine")


def test_google_is_not_asked_for_its_models(project: Project, tuner: User, settings: Settings) -> None:
    settings.ENGINE_URL = "http://127.0.0.1:9"
    project.backend = Backend.GOOGLE
    assert base_models.list_base_models(project) == catalog.models("google")
