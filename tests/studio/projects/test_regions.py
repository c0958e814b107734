"""A region of a Google Cloud project, or of the engine, belongs to one project of the studio."""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.urls import reverse

from studio.models import AuditEntry, Membership, Project, Role
from studio.projects import forms
from studio.projects.regions import RegionOwner
from tests.studio.projects.test_projects import NEW, change_settings, page_text

pytestmark = pytest.mark.django_db
Browser = Callable[[User], Client]
TAKEN = "europe-west4 of my-project-1 belongs to"
NOTICE = "Two projects use the same region."


@pytest.fixture
def create(admin_exists: User) -> Callable[..., Project]:
    """create("red", …) -> a Google project with an admin called red."""

    def create_project(slug: str, **fields: Any) -> Project:
        facts = {"backend": "google", "project_id": "my-project-1", "regions": ["europe-west4"], **fields}
        project = Project.objects.create(slug=slug, name=f"The {slug} one", **facts)
        admin = User.objects.create_user(slug, password="long enough to pass")
        Membership.objects.create(project=project, user=admin, role=Role.ADMIN)
        return project

    return create_project


def get_admin(project: Project) -> User:
    return User.objects.get(username=project.slug)


@pytest.mark.sql
def test_a_second_project_with_the_region_is_refused(
    create: Callable[..., Project], admin_exists: User, browser_of: Browser
) -> None:
    create("red")
    answer = browser_of(admin_exists).post(reverse("new_project"), NEW)
    assert f"{TAKEN} the project “The red one”." in page_text(answer)
    assert not Project.objects.filter(name=NEW["name"]).exists()
    assert not AuditEntry.objects.exists()
    for other in ({"regions": "us-central1"}, {"project_id": "my-project-2"}, {"backend": "engine"}):
        answer = browser_of(admin_exists).post(reverse("new_project"), NEW | {"bucket": ""} | other)
        assert answer.status_code == 302, other


@pytest.mark.sql
def test_the_engine_has_one_project_for_each_id_and_region(
    project: Project, admin_exists: User, browser_of: Browser
) -> None:
    fields = {"backend": "engine", "project_id": "localengine", "regions": "us-central1", "bucket": ""}
    browser = browser_of(admin_exists)
    assert browser.post(reverse("new_project"), NEW | fields).status_code == 302
    assert "us-central1 of localengine belongs to" in page_text(
        browser.post(reverse("new_project"), NEW | fields)
    )


@pytest.mark.sql
def test_regions_cannot_be_changed_into_anothers(create: Callable[..., Project], browser_of: Browser) -> None:
    red, blue = create("red"), create("blue", regions=["us-central1"])
    page = page_text(change_settings(browser_of(get_admin(blue)), blue, regions="us-central1 europe-west4"))
    assert f"{TAKEN} another project." in page and "The red one" not in page, "its name is for its members"
    blue.refresh_from_db()
    assert blue.regions == ["us-central1"]
    Membership.objects.create(project=red, user=get_admin(blue), role=Role.VIEWER)
    page = page_text(change_settings(browser_of(get_admin(blue)), blue, regions="europe-west4"))
    assert f"{TAKEN} the project “The red one”." in page
    assert "Saved." in page_text(
        change_settings(browser_of(get_admin(blue)), blue, regions="us-central1 europe-west1")
    )


@pytest.mark.sql
def test_pairs_from_before_are_kept_and_told_to_the_admins_of_both(
    create: Callable[..., Project], browser_of: Browser, person: Callable[..., User]
) -> None:
    red, blue = create("red", regions=["europe-west4", "us-central1"]), create("blue")
    for project, other in ((red, blue), (blue, red)):
        admin = browser_of(get_admin(project))
        for address in (
            reverse("jobs:list", args=[project.slug]),
            reverse("project_settings", args=[project.slug]),
        ):
            page = page_text(admin.get(address))
            assert NOTICE in page and f"{TAKEN} another project." in page and str(other) not in page
        assert "Saved." in page_text(change_settings(admin, project, name=f"{project.name}, renamed"))
        project.refresh_from_db()
        assert "europe-west4" in project.regions and project.name.endswith("renamed")
    tuner = person(None)
    Membership.objects.create(project=red, user=tuner, role=Role.TUNER)
    assert NOTICE not in page_text(browser_of(tuner).get(reverse("jobs:list", args=["red"])))
    Membership.objects.create(project=blue, user=get_admin(red), role=Role.VIEWER)
    page = page_text(browser_of(get_admin(red)).get(reverse("jobs:list", args=["red"])))
    assert f"{TAKEN} the project “The blue one, renamed”." in page
    change_settings(browser_of(get_admin(red)), red, regions="us-central1")
    assert NOTICE not in page_text(browser_of(get_admin(blue)).get(reverse("jobs:list", args=["blue"])))


def give_up_at_a_lock() -> None:
    """Let this thread's connection fail where it would wait for another transaction."""
    never = "SET lock_timeout = '1ms'" if connection.vendor == "postgresql" else "PRAGMA busy_timeout = 0"
    with connection.cursor() as cursor:
        cursor.execute(never)


@pytest.mark.sql
@pytest.mark.django_db(transaction=True)
def test_a_second_is_not_compared_while_a_first_is_being_stored(
    admin_exists: User, browser_of: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first is held between its check and its row. Meanwhile the second doesn't get to its own check."""
    checked, go_on, compared = Event(), Event(), []
    find_slug, find_owners = forms.find_free_slug, forms.find_region_owners

    def record_check(project: Project, regions: Collection[str]) -> list[RegionOwner]:
        compared.append(project.name)
        return find_owners(project, regions)

    def hold_first(name: str) -> str:
        if name == "first":
            checked.set()
            assert go_on.wait(60)
        return find_slug(name)

    def post_project(browser: Client, name: str, *, patient: bool = True) -> int:
        try:
            if not patient:
                give_up_at_a_lock()
            return browser.post(reverse("new_project"), NEW | {"name": name}).status_code
        finally:
            connection.close()

    monkeypatch.setattr(forms, "find_region_owners", record_check)
    monkeypatch.setattr(forms, "find_free_slug", hold_first)
    one, two = browser_of(admin_exists), browser_of(admin_exists)
    # A request under way would raise the other one's exception, too.
    one.raise_request_exception = two.raise_request_exception = False
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(post_project, one, "first")
        try:
            assert checked.wait(60)
            assert pool.submit(post_project, two, "second", patient=False).result(60) == 503
            assert compared == ["first"]
        finally:
            go_on.set()
        assert first.result(60) == 302
        assert pool.submit(post_project, two, "second").result(60) == 200
    assert Project.objects.get(project_id="my-project-1").name == "first"
