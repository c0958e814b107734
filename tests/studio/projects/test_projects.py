"""The frame's other pages: projects and their settings, activity, error pages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError
from django.test import Client
from django.urls import reverse

from studio.models import AuditEntry, Membership, Project, Role
from studio.vertex.client import Vertex
from studio.vertex.errors import CredentialsFailed, NotSent

pytestmark = pytest.mark.django_db
Browser = Callable[[User], Client]
Person = Callable[..., User]


@pytest.fixture
def admin(person: Person) -> User:
    return person(Role.ADMIN)


@pytest.fixture
def cloud(admin: User, admin_exists: User) -> Project:
    project = Project.objects.create(
        slug="cloud", name="Cloud", backend="google", project_id="my-project-1", regions=["us-central1"]
    )
    Membership.objects.create(project=project, user=admin, role=Role.ADMIN)
    return project


def page_text(answer: Any) -> str:
    return str(answer.content.decode())


# ---- projects ----


def test_an_unreadable_engine_token_is_logged_with_its_setting(
    project: Project, settings: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """root may read every file, so a folder takes its place. Pages that need no token go on."""
    settings.ENGINE_TOKEN_FILE = tmp_path
    assert project.place().token is None
    assert "ENGINE_TOKEN_FILE cannot be read (Is a directory): let the account with the ID" in caplog.text


def test_a_new_installation_has_the_local_engine_as_its_project(db: None) -> None:
    project = Project.objects.get()
    assert (project.slug, project.name, project.backend) == ("local", "Local engine", "engine")
    assert (project.project_id, project.regions) == ("local", ["us-central1"])


def test_home_leads_to_the_first_project(project: Project, tuner: User, browser_of: Browser) -> None:
    assert browser_of(tuner).get("/")["Location"] == reverse("project", args=["local"])
    assert browser_of(tuner).get("/p/local/")["Location"] == reverse("jobs:list", args=["local"])


def test_user_without_project_sees_what_to_do(person: Person, browser_of: Browser) -> None:
    page = page_text(browser_of(person(None)).get("/"))
    assert "You aren’t a member of any project." in page and "stranger" in page
    assert "New project" not in page


def test_installation_admin_can_create_the_first_project(admin_exists: User, browser_of: Browser) -> None:
    Project.objects.all().delete()
    assert reverse("new_project") in page_text(browser_of(admin_exists).get("/"))


NEW = {
    "name": "Support intents",
    "backend": "google",
    "project_id": "my-project-1",
    "regions": "europe-west4, us-central1",
    "bucket": "gs://my-bucket/",
}


def test_creator_of_a_project_becomes_its_admin(admin_exists: User, browser_of: Browser) -> None:
    for slug, project_id in (("support-intents", "my-project-1"), ("support-intents-2", "my-project-2")):
        answer = browser_of(admin_exists).post(reverse("new_project"), NEW | {"project_id": project_id})
        assert answer["Location"] == reverse("project", args=[slug])
    made = Project.objects.get(slug="support-intents")
    assert (made.regions, made.bucket) == (["europe-west4", "us-central1"], "my-bucket")
    assert made.membership_set.get().role == Role.ADMIN
    assert AuditEntry.objects.filter(action="project.create").count() == 2


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"project_id": "UPPER"}, "“UPPER” isn’t a project ID"),
        ({"project_id": "../../x"}, "isn’t a project ID"),
        ({"regions": "mars"}, "“mars” isn’t a region."),
        ({"regions": ""}, "This field is required."),
        ({"bucket": "My_Bucket!"}, "isn’t a bucket name"),
        ({"credentials_file": "/no/such/key.json"}, "File /no/such/key.json doesn’t exist on the server."),
        ({"backend": "azure"}, "Select a valid choice"),
    ],
)
def test_invalid_field_shows_its_error(
    fields: dict[str, str], told: str, admin_exists: User, browser_of: Browser
) -> None:
    assert told in page_text(browser_of(admin_exists).post(reverse("new_project"), NEW | fields))
    assert not Project.objects.filter(name=NEW["name"]).exists()


def test_name_without_latin_letters_gets_a_slug(admin_exists: User, browser_of: Browser) -> None:
    answer = browser_of(admin_exists).post(reverse("new_project"), NEW | {"name": "問い合わせ"})
    assert answer["Location"] == reverse("project", args=["project"])


# ---- settings ----


def change_settings(browser: Client, project: Project, **fields: str) -> Any:
    given = {"name": project.name, "regions": ", ".join(project.regions), "bucket": project.bucket, **fields}
    return browser.post(reverse("project_settings", args=[project.slug]), given, follow=True)


def test_settings_are_changed_and_recorded(project: Project, admin: User, browser_of: Browser) -> None:
    assert "Saved." in page_text(
        change_settings(browser_of(admin), project, name="Engine room", regions="us-central1 eu")
    )
    project.refresh_from_db()
    assert (project.name, project.regions) == ("Engine room", ["us-central1", "eu"])
    assert AuditEntry.objects.get().detail == {"fields": ["name", "regions"]}


def test_only_installation_admin_can_set_credentials_file(
    cloud: Project, admin: User, admin_exists: User, browser_of: Browser, tmp_path: Path
) -> None:
    """The server reads it: the admin of one project could use another project's key."""
    key = tmp_path / "key.json"
    key.write_text("{}")
    change_settings(browser_of(admin), cloud, credentials_file=str(key))
    cloud.refresh_from_db()
    assert cloud.credentials_file == ""
    change_settings(browser_of(admin_exists), cloud, credentials_file=str(key))
    cloud.refresh_from_db()
    assert cloud.credentials_file == str(key)


def check(browser: Client, project: Project) -> str:
    return page_text(browser.post(reverse("check_connection", args=[project.slug])))


def test_working_connection_is_reported(
    project: Project, admin: User, browser_of: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(Vertex, "list_tuning_jobs", lambda self, *a, **k: iter(asked.append(a) or []))
    assert "The connection works." in check(browser_of(admin), project)
    assert asked == [("us-central1",)]


@pytest.mark.parametrize(
    ("slug", "error", "told"),
    [
        ("local", NotSent("x"), "The local engine isn’t responding."),
        ("cloud", NotSent("x"), "Google Cloud can’t be reached from this server."),
        ("cloud", CredentialsFailed("x"), "This project has no usable Google credentials."),
    ],
)
def test_a_broken_connection_is_explained(
    slug: str,
    error: Exception,
    told: str,
    cloud: Project,
    admin: User,
    browser_of: Browser,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*args: Any, **kwargs: Any) -> Any:
        raise error

    monkeypatch.setattr(Vertex, "list_tuning_jobs", fail)
    page = check(browser_of(admin), Project.objects.get(slug=slug))
    assert told in page
    assert "The connection works." not in page


# ---- activity ----


def test_activity_lists_newest_entries_first(
    project: Project, tuner: User, browser_of: Browser, django_assert_max_num_queries: Any
) -> None:
    for number in range(60):
        AuditEntry.record("tuning_job.start", actor=tuner, project=project, subject=f"run {number}")
    AuditEntry.record("something.new", actor=None, project=project, subject="the last")
    browser = browser_of(tuner)
    with django_assert_max_num_queries(12):
        page = page_text(browser.get(reverse("activity", args=["local"])))
    assert page.index("the last") < page.index("run 59") < page.index("run 12")
    assert "run 10<" not in page and "1–50 of 61" in page
    assert "Started a job" in page and "something.new" in page
    assert "run 0<" in page_text(browser.get(reverse("activity", args=["local"]) + "?page=2"))


def test_empty_activity_explains_itself(project: Project, tuner: User, browser_of: Browser) -> None:
    assert "No activity yet" in page_text(browser_of(tuner).get("/p/local/activity/"))


# ---- what is shown when something is wrong ----


def test_unknown_address_links_home(tuner: User, browser_of: Browser) -> None:
    answer = browser_of(tuner).get("/nothing/here/")
    assert answer.status_code == 404
    assert "Page not found" in page_text(answer) and 'href="/"' in page_text(answer)


def test_missing_role_is_named_in_403(project: Project, tuner: User, browser_of: Browser) -> None:
    answer = browser_of(tuner).get(reverse("project_settings", args=["local"]))
    assert answer.status_code == 403
    assert "This requires the “Admin” role in this project." in page_text(answer)


def test_expired_csrf_token_is_explained(tuner: User) -> None:
    answer = Client(enforce_csrf_checks=True).post(reverse("sign_in"), {"username": "x"})
    assert answer.status_code == 403
    assert "This page is out of date" in page_text(answer)


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (OperationalError("database is locked"), 503, "The database isn’t responding"),
        (ValueError("secret detail"), 500, "Something went wrong on the server"),
    ],
)
def test_server_error_hides_the_exception(
    error: Exception, status: int, told: str, tuner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **kwargs: Any) -> Any:
        raise error

    browser = Client(raise_request_exception=False)
    browser.force_login(tuner)
    monkeypatch.setattr("studio.models.ProjectQuerySet.visible_to", fail)
    answer = browser.get("/")
    assert answer.status_code == status
    assert told in page_text(answer)
    assert str(error) not in page_text(answer)


# ---- language, theme, headers ----


def test_language_follows_the_browser_until_switched(project: Project, tuner: User) -> None:
    browser = Client()
    assert '<html lang="ja"' in page_text(browser.get(reverse("sign_in"), headers={"Accept-Language": "ja"}))
    browser.post(reverse("language"), {"language": "en", "next": "/sign-in/"})
    assert '<html lang="en"' in page_text(browser.get(reverse("sign_in"), headers={"Accept-Language": "ja"}))


@pytest.mark.parametrize(
    ("cookie", "shown"), [("dark", 'data-bs-theme="dark"'), ('x" onload="', '<html lang="en">')]
)
def test_theme_cookie_sets_the_theme(cookie: str, shown: str, admin_exists: User) -> None:
    browser = Client()
    browser.cookies["theme"] = cookie
    assert shown in page_text(browser.get(reverse("sign_in")))


def test_security_headers_are_set(admin_exists: User) -> None:
    answer = Client().get(reverse("sign_in"))
    assert "default-src 'none'" in answer["Content-Security-Policy"]
    assert "unsafe" not in answer["Content-Security-Policy"]
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "same-origin"


def test_plain_http_notice_is_shown(
    project: Project, admin_exists: User, browser_of: Browser, settings: Any
) -> None:
    told = "Connections to this server aren’t encrypted."
    assert told not in page_text(browser_of(admin_exists).get("/p/local/members/"))
    settings.PLAIN_HTTP = True
    assert told in page_text(browser_of(admin_exists).get("/p/local/members/"))
