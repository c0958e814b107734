"""Every route x every kind of person, generated from the URL configuration.

What is expected of a route is read from the rule that its view carries (`needs`, set by
studio.people.access), so a route without a rule fails here, and so does a view that breaks its rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.http import HttpResponseBase
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from jobs.chat.models import Conversation, Turn
from jobs.datasets.models import Dataset
from jobs.models import Submission, TuningJob
from studio.models import Invitation, Membership, Project, Role

OPEN = {"healthz", "sign_in", "language", "join", "invitation"}
"""Answers anybody."""
SIGNED_IN = {"home", "sign_out"}
"""Answers anybody who is signed in, about themselves only."""
MEMBERS = {"viewer": Role.VIEWER, "tuner": Role.TUNER, "admin": Role.ADMIN}
NAMED_IN_FORM = {"talk:new": "job", "jobs:cancel_many": "run"}
"""Routes whose object is named in the form or the query, not in the address."""
PEOPLE = ["anonymous", "stranger", "foreign admin", "viewer", "tuner", "admin", "installation admin"]


@dataclass(frozen=True)
class Route:
    name: str
    keywords: tuple[str, ...]
    view: Callable[..., HttpResponseBase]

    @property
    def needs(self) -> Any:
        return getattr(self.view, "needs", None)

    @property
    def has_object(self) -> bool:
        return bool(set(self.keywords) - {"slug", "chart"}) or self.name in NAMED_IN_FORM


def walk_routes(
    patterns: list[URLPattern | URLResolver], space: str = "", keywords: tuple[str, ...] = ()
) -> Iterator[Route]:
    for each in patterns:
        known = (*keywords, *each.pattern.converters)
        if isinstance(each, URLResolver):
            inner = f"{space}{each.namespace}:" if each.namespace else space
            yield from walk_routes(each.url_patterns, inner, known)
        else:
            yield Route(f"{space}{each.name}", known, each.callback)


ROUTES = list(walk_routes(get_resolver().url_patterns))
GUARDED = [route for route in ROUTES if route.name not in OPEN | SIGNED_IN]


def job(project: Project, user: User) -> TuningJob:
    return TuningJob.objects.create(
        project=project,
        owner=user,
        submission=Submission.CREATED,
        state="JOB_STATE_SUCCEEDED",
        base_model="studio-tiny",
        location="us-central1",
        name=f"projects/local/locations/us-central1/tuningJobs/{TuningJob.objects.count()}",
        remote={"tunedModel": {"endpoint": "projects/local/locations/us-central1/endpoints/1"}},
        created_at=timezone.now(),
    )


def draft(project: Project, user: User) -> TuningJob:
    return TuningJob.objects.create(
        project=project, owner=user, base_model="studio-tiny", location="us-central1"
    )


def dataset(project: Project, user: User) -> Dataset:
    return Dataset.objects.create(
        project=project,
        owner=user,
        uri="gs://data/train.jsonl",
        generation=str(Dataset.objects.count() + 1),
        size=9,
        source=Dataset.Source.UPLOAD,
    )


def conversation(project: Project, user: User) -> Conversation:
    made = job(project, user)
    return Conversation.objects.create(
        project=project, owner=user, job=made, resource=made.remote["tunedModel"]["endpoint"]
    )


def turn(project: Project, user: User) -> Turn:
    return Turn.objects.create(conversation=conversation(project, user), prompt="hello", state="complete")


def make_arguments(route: Route, project: Project, user: User) -> dict[str, Any]:
    """Return a value for each keyword of the route in `project`; a new keyword needs a line here."""
    values: dict[str, Any] = {}
    for keyword in route.keywords:
        match keyword:
            case "slug":
                values["slug"] = project.slug
            case "membership":
                values["membership"] = Membership.objects.get_or_create(project=project, user=user)[0].pk
            case "invitation":
                name = f"guest {project.invitation_set.count()}"
                values["invitation"] = Invitation.objects.create(project=project, username=name).pk
            case "turn_pk":
                made = turn(project, user)
                values |= {"pk": made.conversation_id, "turn_pk": made.pk}
            case "pk" if "turn_pk" in route.keywords:
                continue
            case "pk" if route.name.startswith("talk:"):
                values["pk"] = conversation(project, user).pk
            case "pk" if route.name.startswith("datasets:"):
                values["pk"] = dataset(project, user).pk
            case "pk" if route.name in {
                "jobs:model",
                "jobs:dataset",
                "jobs:review",
                "jobs:start",
                "jobs:discard",
            }:
                values["pk"] = draft(project, user).pk
            case "pk":
                values["pk"] = job(project, user).pk
            case "before" | "after":
                values[keyword] = dataset(project, user).pk
            case "checkpoint":
                values["checkpoint"] = 1
            case "chart":
                values["chart"] = "loss"
            case _:
                pytest.fail(f"{route.name}: say in make_arguments() how to make a {keyword}")
    return values


@pytest.fixture
def elsewhere(project: Project) -> Project:
    return Project.objects.create(
        slug="elsewhere", name="Elsewhere", project_id="elsewhere", regions=["us-central1"]
    )


@pytest.fixture
def who(
    request: pytest.FixtureRequest, project: Project, elsewhere: Project, admin_exists: User
) -> User | None:
    kind = request.param
    if kind == "anonymous":
        return None
    if kind == "installation admin":
        return admin_exists
    user = User.objects.create_user(kind, password="long enough to pass")
    if kind in MEMBERS:
        Membership.objects.create(project=project, user=user, role=MEMBERS[kind])
    if kind == "foreign admin":
        Membership.objects.create(project=elsewhere, user=user, role=Role.ADMIN)
    return user


@pytest.fixture(autouse=True)
def nothing_outside(settings: Any) -> None:
    """Use a closed port instead of an engine, since it refuses at once."""
    settings.ENGINE_URL = "http://127.0.0.1:9"


def form(route: Route, project: Project, user: User) -> dict[str, Any]:
    return {NAMED_IN_FORM[route.name]: job(project, user).pk} if route.name in NAMED_IN_FORM else {}


def visit_route(
    user: User | None, route: Route, values: dict[str, Any], form: dict[str, Any] | None = None
) -> HttpResponseBase:
    """Send a GET, or a POST if the route requires it."""
    client = Client(raise_request_exception=False)
    if user:
        client.force_login(user)
    address = reverse(route.name, kwargs=values)
    answer = client.get(address, form)
    answer = client.post(address, form) if answer.status_code == 405 else answer
    answer.close()  # A stream would occupy one of the few slots of a process.
    return answer


def judge_answer(answer: HttpResponseBase) -> str:
    if answer.status_code in {301, 302} and answer["Location"].startswith(reverse("sign_in")):
        return "sign in"
    return {403: "role too small", 404: "no such thing"}.get(
        answer.status_code, "failed" if answer.status_code >= 500 else "let in"
    )


def expected_verdict(route: Route, kind: str) -> str:
    if kind == "anonymous":
        return "sign in"
    if kind == "installation admin":
        return "let in"
    if route.needs == "installation admin":
        return "role too small"
    if kind not in MEMBERS:
        return "no such thing"
    return "let in" if MEMBERS[kind].covers(Role(route.needs)) else "role too small"


def test_every_route_has_a_rule() -> None:
    without = [
        route.name for route in GUARDED if route.needs not in {*Role, "installation admin"} or not route.name
    ]
    assert not without, f"decorate these with require_role or require_installation_admin: {without}"


def test_only_listed_routes_are_public() -> None:
    opened = {route.name for route in ROUTES if getattr(route.view, "login_required", True) is False}
    assert opened == OPEN
    assert len(OPEN) <= 6


@pytest.mark.parametrize("name", sorted(SIGNED_IN))
def test_personal_page_requires_sign_in(name: str, admin_exists: User) -> None:
    route = next(route for route in ROUTES if route.name == name)
    assert judge_answer(visit_route(None, route, {})) == "sign in"


@pytest.mark.parametrize("who,kind", [(kind, kind) for kind in PEOPLE], indirect=["who"])
@pytest.mark.parametrize("route", GUARDED, ids=lambda route: route.name)
def test_role_decides_access_to_own_project(
    route: Route, who: User | None, kind: str, project: Project, admin_exists: User
) -> None:
    owner = who if who and kind in MEMBERS else admin_exists
    answer = visit_route(who, route, make_arguments(route, project, owner), form(route, project, owner))
    assert judge_answer(answer) == expected_verdict(route, kind), answer.status_code


@pytest.mark.parametrize("who,kind", [(kind, kind) for kind in PEOPLE], indirect=["who"])
@pytest.mark.parametrize(
    "route", [route for route in GUARDED if route.has_object], ids=lambda route: route.name
)
def test_object_of_another_project_is_not_found(
    route: Route, who: User | None, kind: str, project: Project, elsewhere: Project, admin_exists: User
) -> None:
    owner = who or admin_exists
    values = make_arguments(route, elsewhere, owner) | {"slug": project.slug}
    wanted = "no such thing" if expected_verdict(route, kind) == "let in" else expected_verdict(route, kind)
    assert judge_answer(visit_route(who, route, values, form(route, elsewhere, owner))) == wanted
