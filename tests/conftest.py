"""People and projects that tests share."""

from __future__ import annotations

import faulthandler
from collections.abc import Callable, Iterator

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone, translation

from studio.models import Membership, Project, Role


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what reaches the database through a fixture too, so that `-m django_db` finds every such test."""
    for item in items:
        if "db" in getattr(item, "fixturenames", ()) and not item.get_closest_marker("django_db"):
            item.add_marker(pytest.mark.django_db)


def pytest_unconfigure() -> None:
    """What keeps Python from ending once all tests are over is told as well, and ended."""
    faulthandler.dump_traceback_later(60, exit=True)


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    """A page in Japanese leaves its language to the next test otherwise."""
    with translation.override("en"):
        yield


@pytest.fixture
def admin_exists(db: None) -> User:
    """The installation's first admin, so that the site is open."""
    return get_user_model().objects.create_superuser(
        "root", password="long enough to pass", last_login=timezone.now()
    )


@pytest.fixture
def project(admin_exists: User) -> Project:
    return Project.objects.get_or_create(
        slug="local",
        defaults={
            "name": "Local engine",
            "backend": "engine",
            "project_id": "local",
            "regions": ["us-central1"],
        },
    )[0]


@pytest.fixture
def person(project: Project) -> Callable[..., User]:
    """person(role) -> a member of `project` with that role; person(None) -> a stranger to it."""

    def make(role: Role | None = Role.TUNER, username: str = "") -> User:
        user = get_user_model().objects.create_user(
            username or f"{role or 'stranger'}", password="long enough to pass"
        )
        if role:
            Membership.objects.create(project=project, user=user, role=role)
        return user

    return make


@pytest.fixture
def tuner(person: Callable[..., User]) -> User:
    return person(Role.TUNER)


@pytest.fixture
def browser_of() -> Callable[[User], Client]:
    """browser_of(user) -> a signed-in test client."""

    def sign_in(user: User) -> Client:
        other = Client()
        other.force_login(user)
        return other

    return sign_in
