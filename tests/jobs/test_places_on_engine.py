"""Two projects on one running engine: each has its own, and the samples; neither has the other's."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from jobs.datasets import ingest
from jobs.datasets.models import Dataset
from jobs.models import Submission, TuningJob
from studio.models import Membership, Project, Role
from studio.vertex.errors import NotFound
from studio.vertex.storage import OutsidePlaces
from tests.engine.running_engine import Engine
from tests.jobs.datasets.check.lines import GOOD

pytestmark = [pytest.mark.django_db, pytest.mark.sql]
OUTSIDE = "outside this project’s places"
SAMPLE = "gs://cloud-samples-data/ai-platform/generative_ai/sft_train_data.jsonl"


@dataclass
class Desk:
    """A project with a tuner at work in it."""

    project: Project
    tuner: User
    browser: Client
    draft: TuningJob

    def visit(self, name: str, *more: object) -> str:
        return reverse(f"jobs:{name}", args=[self.project.slug, self.draft.pk, *more])

    def locate(self, uri: str) -> str:
        """Type the address in step 2, and return the page that follows."""
        answer = self.browser.post(self.visit("locate"), {"purpose": "training", "uri": uri}, follow=True)
        return answer.content.decode()

    def browse(self, folder: str) -> str:
        return self.browser.get(self.visit("browse"), {"choose": "file", "at": folder}).content.decode()

    def paste(self, uri: str) -> str:
        body = {"baseModel": "studio-tiny", "supervisedTuningSpec": {"trainingDatasetUri": uri}}
        address = reverse("jobs:paste", args=[self.project.slug])
        return self.browser.post(address, {"request": json.dumps(body)}, follow=True).content.decode()

    def upload(self, content: bytes = GOOD, **fields: str) -> Any:
        values = {"purpose": "training", "file": SimpleUploadedFile("train.jsonl", content), **fields}
        return self.browser.post(self.visit("upload"), values, follow=True)

    def download(self, dataset: Dataset) -> bytes:
        answer = self.browser.get(reverse("datasets:file", args=[self.project.slug, dataset.pk]))
        return b"".join(answer.streaming_content)  # type: ignore[attr-defined]


@pytest.fixture
def sit(on_engine: Engine, browser_of: Callable[[User], Client]) -> Callable[[str], Desk]:
    """sit("red") -> a desk in a project of that name on the engine."""

    def sit_down(slug: str) -> Desk:
        facts = {"name": slug, "project_id": slug, "regions": ["us-central1"]}
        project = Project.objects.create(slug=slug, **facts)
        tuner = User.objects.create_user(f"{slug} tuner", password="long enough to pass")
        Membership.objects.create(project=project, user=tuner, role=Role.TUNER)
        draft = TuningJob.objects.create(
            project=project, owner=tuner, base_model="studio-tiny", location="us-central1"
        )
        return Desk(project, tuner, browser_of(tuner), draft)

    return sit_down


@pytest.fixture
def red(sit: Callable[[str], Desk]) -> Desk:
    return sit("red")


@pytest.fixture
def blue(sit: Callable[[str], Desk]) -> Desk:
    return sit("blue")


@pytest.fixture
def uploaded(red: Desk) -> Dataset:
    """What the tuner of red has uploaded."""
    red.upload()
    return Dataset.objects.get(project=red.project)


@pytest.fixture
def legacy(red: Desk, on_engine: Engine) -> Dataset:
    """What red's row names in the bucket that all projects once used."""
    uri = on_engine.upload("datasets/before/train.jsonl", GOOD, bucket="tuning-data")
    red.project.shared_places = ["gs://tuning-data/"]
    dataset = ingest.ingest_existing(red.project, red.tuner, uri, Dataset.Source.UPLOAD)
    red.project.shared_places = []
    return dataset


@pytest.fixture
def trained(red: Desk, tuned: dict[str, Any]) -> TuningJob:
    """A job of red with adapters."""
    return TuningJob.objects.create(
        project=red.project,
        owner=red.tuner,
        base_model="studio-tiny",
        location="us-central1",
        submission=Submission.CREATED,
        state=tuned["state"],
        name=tuned["name"],
        remote=tuned,
    )


@pytest.mark.parametrize("kind", ["uploaded", "legacy"])
def test_anothers_dataset_is_out_of_reach(
    request: pytest.FixtureRequest, red: Desk, blue: Desk, kind: str
) -> None:
    dataset: Dataset = request.getfixturevalue(kind)
    for way in (blue.locate, blue.paste):
        assert OUTSIDE in way(dataset.uri), way
    assert OUTSIDE in blue.browse(dataset.folder)
    assert OUTSIDE in blue.browse(f"gs://{dataset.uri.split('/')[2]}/")
    assert OUTSIDE in blue.upload(upload_to=dataset.folder).content.decode()
    answer = blue.browser.post(reverse("datasets:add", args=["blue"]), {"uri": dataset.uri})
    assert OUTSIDE in answer.content.decode()
    with pytest.raises(OutsidePlaces):
        blue.project.storage().open(dataset.uri, int(dataset.generation))
    with pytest.raises(OutsidePlaces):
        blue.project.storage().delete(dataset.uri, int(dataset.generation))
    assert not Dataset.objects.filter(project=blue.project).exists()
    for name in ("file", "detail", "problems", "cleaned"):
        for slug in ("red", "blue"):
            address = reverse(f"datasets:{name}", args=[slug, dataset.pk])
            assert blue.browser.get(address).status_code == 404
    assert red.download(dataset) == GOOD


def test_each_project_works_in_its_own_bucket(red: Desk, blue: Desk, uploaded: Dataset) -> None:
    assert uploaded.uri.startswith("gs://tuning-data-red/datasets/")
    blue.upload(GOOD * 2, upload_to="gs://tuning-data-blue/mine/")
    theirs = Dataset.objects.get(project=blue.project)
    assert theirs.uri == "gs://tuning-data-blue/mine/train.jsonl" and blue.download(theirs) == GOOD * 2
    page = blue.browse("")
    assert "tuning-data-blue" in page and "cloud-samples-data" in page and "tuning-data-red" not in page
    assert 'value="gs://tuning-data-blue/mine/train.jsonl"' in blue.browse("gs://tuning-data-blue/mine/")
    TuningJob.objects.filter(pk=blue.draft.pk).update(training=None)
    assert theirs.uri in blue.locate(theirs.uri)
    blue.draft.refresh_from_db()
    assert blue.draft.training == theirs


def test_the_reference_pages_samples_are_everybodys(red: Desk, blue: Desk) -> None:
    for desk in (red, blue):
        assert OUTSIDE not in desk.locate(SAMPLE)
        desk.draft.refresh_from_db()
        assert desk.draft.training and desk.draft.training.uri == SAMPLE
        assert "sft_train_data.jsonl" in desk.browse(SAMPLE.rpartition("/")[0] + "/")


def test_pinned_addresses_hold_where_they_lie(red: Desk, legacy: Dataset, on_engine: Engine) -> None:
    assert red.download(legacy) == GOOD
    assert legacy.uri in red.locate(legacy.uri), "the same version is found again"
    assert OUTSIDE in red.browse(legacy.folder), "the folder is not the project's"
    TuningJob.objects.update(training=None)
    on_engine.upload("datasets/before/train.jsonl", GOOD * 2, bucket="tuning-data")
    assert OUTSIDE in red.locate(legacy.uri), "what lies there now is no row's"
    assert (
        "File not found"
        in red.browser.get(reverse("datasets:file", args=["red", legacy.pk]), follow=True).content.decode()
    )


def test_a_dataset_from_before_is_deleted_with_its_object(red: Desk, legacy: Dataset) -> None:
    red.browser.post(reverse("datasets:delete", args=["red", legacy.pk]))
    assert not Dataset.objects.filter(pk=legacy.pk).exists()
    with pytest.raises(NotFound):
        legacy.storage().stat(legacy.uri)


def test_a_shared_place_is_used_by_both(red: Desk, blue: Desk, uploaded: Dataset) -> None:
    blue.project.shared_places = ["gs://tuning-data-red/datasets/"]
    blue.project.save()
    assert uploaded.uri in blue.locate(uploaded.uri)
    assert OUTSIDE in blue.browse("gs://tuning-data-red/"), "only the folder is shared"
    theirs = Dataset.objects.get(project=blue.project)
    blue.project.shared_places = []
    blue.project.save()
    assert blue.download(theirs) == GOOD, "a row names it"


@pytest.mark.engine
def test_anothers_adapter_is_out_of_reach(red: Desk, blue: Desk, trained: TuningJob) -> None:
    job_id = str(trained.name).rpartition("/")[2]
    folder = f"gs://studio-adapters/{job_id}/1/"
    for place in (folder, f"gs://studio-adapters/{job_id}/", "gs://studio-adapters/"):
        assert OUTSIDE in blue.browse(place)
    with pytest.raises(OutsidePlaces):
        blue.project.storage().open(f"{folder}adapter_config.json")
    for slug in ("red", "blue"):
        address = reverse("jobs:adapter", args=[slug, trained.pk, 1])
        assert blue.browser.get(address).status_code == 404
    assert "adapter_config.json" in red.browse(folder)
    assert OUTSIDE in red.browse("gs://studio-adapters/"), "not even its own project lists all"
    answer = red.browser.get(reverse("jobs:adapter", args=["red", trained.pk, 1]))
    assert answer.status_code == 200 and len(b"".join(answer.streaming_content)) > 1000  # type: ignore[attr-defined]


def test_a_google_project_with_credentials_of_its_own_asks_for_anything(blue: Desk, tmp_path: Any) -> None:
    """Its key file is none, so that Google isn't asked; but that is what is told, not its places."""
    key = tmp_path / "key.json"
    key.write_text("{}")
    Project.objects.filter(pk=blue.project.pk).update(backend="google", credentials_file=str(key))
    for page in (blue.locate("gs://anybodys/x.jsonl"), blue.browse("gs://anybodys/"), blue.browse("")):
        assert OUTSIDE not in page and re.search("no usable Google credentials", page)
    Project.objects.create(slug="second", name="Second", backend="google", credentials_file=str(key))
    assert OUTSIDE in blue.locate("gs://anybodys/x.jsonl")
