"""The settings that widen a project's places: its bucket, and what is shared with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from jobs.datasets.models import Dataset
from studio.models import AuditEntry, Membership, Project, Role
from tests.studio.projects.test_projects import NEW, change_settings, page_text

pytestmark = [pytest.mark.django_db, pytest.mark.sql]
Browser = Callable[[User], Client]
FOREIGN = "may hold another project’s data. An installation admin can share it."
TAKEN = "This bucket holds another project’s data."


@pytest.fixture
def admin(person: Callable[..., User]) -> User:
    return person(Role.ADMIN)


@pytest.fixture
def other(project: Project) -> Project:
    """Another project on the engine, with a dataset in a bucket that isn't its own."""
    other = Project.objects.create(
        slug="other", name="Other", project_id="other", bucket="others", shared_places=["gs://lent/sub/"]
    )
    Dataset.objects.create(
        project=other, uri="gs://legacy/folder/train.jsonl", generation="1", size=1, source="upload"
    )
    return other


def test_an_admin_shares_a_place_which_is_recorded_and_shown(
    project: Project, admin: User, browser_of: Browser
) -> None:
    page = page_text(change_settings(browser_of(admin), project, shared_places=" team \n\ngs://data/a b"))
    assert "Saved." in page
    assert "Shared: gs://cloud-samples-data/, gs://team/, gs://data/a b/." in page
    assert "The project’s own: gs://tuning-data-local/." in page
    project.refresh_from_db()
    assert project.shared_places == ["gs://team/", "gs://data/a b/"]
    detail = {"fields": ["shared_places"], "shared_places": ["gs://team/", "gs://data/a b/"]}
    assert AuditEntry.objects.get().detail == detail
    draft = browser_of(admin).post(reverse("jobs:create", args=["local"]))
    step = page_text(browser_of(admin).get(draft["Location"].replace("/model/", "/dataset/")))
    assert "Shared: gs://cloud-samples-data/, gs://team/, gs://data/a b/." in step
    change_settings(browser_of(admin), project, shared_places=" ")
    project.refresh_from_db()
    assert project.shared_places == []


@pytest.mark.parametrize(
    "place", ["gs://", "gs://../", "http://bucket/", "gs://b/%2e%2e/", "Bucket!", "\x00"]
)
def test_what_is_no_place_is_refused(project: Project, admin: User, browser_of: Browser, place: str) -> None:
    page = page_text(change_settings(browser_of(admin), project, shared_places=f"gs://team/\n{place}"))
    assert "isn’t a bucket or folder." in page or "Null characters are not allowed." in page
    project.refresh_from_db()
    assert project.shared_places == []


@pytest.mark.parametrize(
    "place",
    [
        *("gs://others/", "gs://others/deep/", "gs://lent/", "gs://lent/sub/deeper/"),
        *("gs://legacy/", "gs://legacy/folder/"),
        *("gs://tuning-data/", "gs://tuning-data/datasets/", "gs://tuning-data-other/"),
        *("gs://studio-adapters/", "gs://studio-adapters/1790000000000000000/"),
    ],
)
def test_only_an_installation_admin_shares_what_may_be_anothers(
    project: Project, other: Project, admin: User, admin_exists: User, browser_of: Browser, place: str
) -> None:
    assert f"{place} {FOREIGN}" in page_text(change_settings(browser_of(admin), project, shared_places=place))
    project.refresh_from_db()
    assert project.shared_places == []
    change_settings(browser_of(admin_exists), project, shared_places=place)
    project.refresh_from_db()
    assert project.shared_places == [place]
    assert "Saved." in page_text(change_settings(browser_of(admin), project, shared_places=place)), "kept"


def test_what_is_nobodys_or_the_projects_own_can_be_shared(
    project: Project, other: Project, admin: User, browser_of: Browser
) -> None:
    places = "gs://tuning-data-local/\ngs://legacy/other/\ngs://cloud-samples-data/\ngs://team/"
    assert "Saved." in page_text(change_settings(browser_of(admin), project, shared_places=places))


@pytest.mark.parametrize(
    "bucket",
    ["others", "lent", "legacy", "tuning-data", "tuning-data-other", "tuning-data-local", "studio-adapters"],
)
def test_a_bucket_that_may_be_anothers_is_refused(
    project: Project, other: Project, admin: User, browser_of: Browser, bucket: str
) -> None:
    assert TAKEN in page_text(change_settings(browser_of(admin), project, bucket=bucket))
    project.refresh_from_db()
    assert project.bucket == ""
    assert "Saved." in page_text(change_settings(browser_of(admin), project, bucket="nobodys"))


def test_an_installation_admin_gives_one_bucket_to_two_projects(
    project: Project, other: Project, admin_exists: User, browser_of: Browser
) -> None:
    assert "Saved." in page_text(change_settings(browser_of(admin_exists), project, bucket="others"))
    project.refresh_from_db()
    assert project.storage_places().own == "gs://others/projects/local/"
    assert TAKEN in page_text(change_settings(browser_of(admin_exists), project, bucket="legacy"))


def test_a_bucket_from_before_stays(project: Project, admin: User, browser_of: Browser) -> None:
    Project.objects.filter(pk=project.pk).update(bucket="tuning-data")
    project.refresh_from_db()
    assert "Saved." in page_text(change_settings(browser_of(admin), project, name="Renamed"))
    assert AuditEntry.objects.get().detail == {"fields": ["name"]}


def test_a_project_with_credentials_of_its_own_takes_any_bucket(
    other: Project, admin: User, admin_exists: User, browser_of: Browser, tmp_path: Any
) -> None:
    key = tmp_path / "key.json"
    key.write_text("{}")
    Project.objects.filter(pk=other.pk).update(backend="google")
    cloud = NEW | {"credentials_file": str(key), "bucket": "others"}
    assert browser_of(admin_exists).post(reverse("new_project"), cloud).status_code == 302
    made = Project.objects.get(name=NEW["name"])
    Membership.objects.create(project=made, user=admin, role=Role.ADMIN)
    fields = {"bucket": "legacy", "credentials_file": str(key)}
    page = page_text(change_settings(browser_of(admin), made, **fields))
    assert "Saved." in page and "every bucket that its credentials file can access" in page
