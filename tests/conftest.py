"""People, projects and the one engine that tests share; which tests run where."""

from __future__ import annotations

import faulthandler
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone, translation
from xdist.scheduler import LoadScopeScheduling

from studio import plotly_figures
from studio.models import Membership, Project, Role
from studio.vertex.storage import QUICK
from tests.engine.running_engine import Engine, run_engine
from tests.engine.tiny_base import write_base

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# A fixture that brings a real part with it, and the marker of every test that uses it.
MARKERS_OF_FIXTURES = {
    "db": "django_db",
    "engine": "engine",
    "trained": "engine",
    "chat": "engine",
    "chrome": "journey",
    "stack": "journey",
}
# The examples of each property: few while working, more in .ci/run, most by hand. The first two take the same
# examples each time, so that a run of the same code ends the same; those by hand are new ones.
for name, examples in (("few", 25), ("more", 100), ("most", 400)):
    hypothesis.settings.register_profile(
        name,
        max_examples=examples,
        derandomize=name != "most",
        deadline=None,
        suppress_health_check=[
            hypothesis.HealthCheck.too_slow,
            hypothesis.HealthCheck.function_scoped_fixture,
        ],
    )
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "few"))


@pytest.fixture(scope="session")
def chrome() -> Iterator[Browser]:
    """The browser of a process: Playwright's driver allows only one at a time."""
    from tests.browser import launch_chromium

    with launch_chromium() as browser:
        yield browser


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave a module unread if all of it is left out: importing torch takes longer than many tests."""
    if collection_path.suffix != ".py":
        return None
    marked = re.search(r"^pytestmark = \[?\s*pytest\.mark\.(\w+)", collection_path.read_text(), re.MULTILINE)
    return (marked is not None and f"not {marked[1]}" in config.option.markexpr) or None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by the fixtures they reach, and keep together in one process what shares a server."""
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        for fixture, marker in MARKERS_OF_FIXTURES.items():
            if fixture in fixtures and not item.get_closest_marker(marker):
                item.add_marker(marker)
        for server in ("engine", "stack"):
            if server in fixtures:
                item.add_marker(pytest.mark.xdist_group(server))
        if item.get_closest_marker("engine") and item.get_closest_marker("journey"):
            raise pytest.UsageError(
                f"{item.nodeid} is engine and journey: .ci/test would run it in neither part."
            )


class ServerScheduling(LoadScopeScheduling):
    """Modules go to the workers as a whole, since each sets up what its tests share; the tests of one
    server go to one worker, so that it is started once."""

    def _split_scope(self, nodeid: str) -> str:
        server = nodeid.rpartition("@")[2]
        return server if server in ("engine", "stack") else nodeid.partition("::")[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return ServerScheduling(config, log)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Groups reach the scheduler as the end of a test's id; without it each worker starts every server."""
    if not getattr(session.config.option, "loadgroup", False):
        return
    for item in session.items:
        if item.get_closest_marker("xdist_group") and "@" not in item.nodeid:
            raise pytest.UsageError("pytest-xdist doesn't group tests with this version of pytest.")


def pytest_unconfigure(config: pytest.Config) -> None:
    """What keeps Python from ending once all tests are over is told as well, and ended. A worker may have to
    wait for the others."""
    if not hasattr(config, "workerinput"):
        faulthandler.dump_traceback_later(60, exit=True)


@pytest.fixture(scope="session")
def base_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The tests' own base: it takes the place of studio-tiny here and in every process started from here."""
    folder = write_base(tmp_path_factory.mktemp("bases") / "studio-tiny")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ENGINE_BASES", str(folder))
        patch.setenv("ENGINE_THREADS", "1")
        yield folder


@pytest.fixture(scope="session")
def engine(base_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One engine for all tests; each test creates its own jobs and objects."""
    with run_engine(tmp_path_factory.mktemp("engine") / "root") as engine:
        yield engine


@pytest.fixture(scope="session")
def tuned(engine: Engine) -> dict[str, Any]:
    """A succeeded job with two checkpoints."""
    return engine.wait(engine.tune(epochs=2, tunedModelDisplayName="colours", labels={"team": "red"}))


@pytest.fixture(autouse=True)
def impatient(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that does not answer is given up after a moment instead of four seconds.

    The real engine may take longer on a busy machine, so tests with one wait as the product does.
    """
    if not request.node.get_closest_marker("engine"):
        monkeypatch.setattr("studio.vertex.storage.QUICK", QUICK.with_timeout(0.3))


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    """Reset the language, which a page in Japanese would leave to the next test."""
    with translation.override("en"):
        yield


@pytest.fixture(scope="session", autouse=True)
def validated_figures() -> Iterator[None]:
    """Every figure that any test draws goes through Plotly's validation of each attribute."""

    def build_and_validate(*args: Any, **kwargs: Any) -> dict[str, Any]:
        import plotly.graph_objects as go  # imported here because it is slow, and most tests draw nothing

        figure = build_figure(*args, **kwargs)
        go.Figure(figure)
        return figure

    build_figure = plotly_figures.build_figure
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plotly_figures, "build_figure", build_and_validate)
        yield


@pytest.fixture
def admin_exists(db: None) -> User:
    """The installation's first admin, who opens the site."""
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
    """person(role) -> a member of `project` with that role; person(None) -> someone who is not a member."""

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
