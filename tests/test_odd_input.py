"""Odd texts in every parameter and field of every route get an error page at most, and soon."""

from __future__ import annotations

import inspect
import json
import random
import re
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from django import forms
from django.contrib.auth.models import User
from django.core.signals import request_finished
from django.db import close_old_connections
from django.http import StreamingHttpResponse
from django.test import Client
from django.urls import NoReverseMatch, reverse

from studio.models import Project
from tests.odd_values import ODD_TEXTS, pick_text
from tests.paths import ROOT
from tests.test_access import GUARDED, OPEN, ROUTES, Route, make_arguments, nothing_outside
from tests.test_access import form as make_form

pytestmark = [pytest.mark.django_db, pytest.mark.sql]
__all__ = ["nothing_outside"]  # the fixture: there is no engine here

READ = re.compile(r"""(?:GET|POST|query|asked|data|_raw_value)(?:\.get|\.getlist)?[\[(]\s*"([\w.]+)\"""")
ASKED = re.compile(r"""\"(\w+)" in (?:request\.)?(?:GET|POST|query)""")
# A page takes a tenth of a second; this is for a busy machine.
PATIENCE = 60
PLAUSIBLE = {
    "base_model": "studio-tiny",
    "location": "us-central1",
    "purpose": "training",
    "uri": "gs://data/train.jsonl",
    "source": "pre_tuned",
    "username": "somebody",
    "percent": "10",
    "seed": "1",
    "temperature": "0.5",
    "prompt": "hello",
    "role": "tuner",
    "regions": "us-central1",
    "name": "train.jsonl",
    "size": "5",
}


def list_forms(kind: type[Any] = forms.BaseForm) -> Iterator[type[Any]]:
    for each in kind.__subclasses__():
        yield each
        yield from list_forms(each)


def find_names() -> list[str]:
    """Every field of a form, and every name that a view reads itself."""
    named = {
        name
        for form in list_forms()
        if inspect.getmodule(form).__name__.split(".")[0] in {"studio", "jobs", "metrics"}  # type: ignore[union-attr]
        for name in getattr(form, "base_fields", {})
    }
    for room in ("studio", "jobs", "metrics"):
        for file in (ROOT / room).rglob("*.py"):
            named |= {*READ.findall(file.read_text()), *ASKED.findall(file.read_text())}
    return sorted(named | {"y.eval_loss", "next", "language", "csrfmiddlewaretoken"})


NAMES = find_names()


def read_to_end(answer: Any) -> None:
    """What is written while it is sent can fail, too. A stream of events would hold one of few places."""
    if isinstance(answer, StreamingHttpResponse) and "event-stream" not in answer["Content-Type"]:
        answer.getvalue()
    # Otherwise it would close the connection, and with it the test's transaction.
    request_finished.disconnect(close_old_connections)
    answer.close()
    request_finished.connect(close_old_connections)


class OddRequests:
    """Requests to every route, the same for the same seed."""

    def __init__(self, seed: int, project: Project, user: User) -> None:
        self.random = random.Random(seed)
        self.project, self.user = project, user
        self.client, self.stranger = Client(), Client()
        self.client.force_login(user)

    def send(self, route: Route, method: str) -> None:
        address, values = self.make_address(route), self.make_values(route)
        headers = {"HX-Request": "true"} if self.random.random() < 0.3 else {}
        headers |= {"Upload-Token": "x", "Content-Range": "bytes 0-4/5"} if route.name == "jobs:parts" else {}
        told = json.dumps([method, route.name, address, values])[:3000]
        client = self.stranger if route.name in OPEN and self.random.random() < 0.5 else self.client
        begun = time.monotonic()
        try:
            answer = getattr(client, method)(address, values, headers=headers)
            read_to_end(answer)
        except Exception as error:
            raise AssertionError(told) from error
        assert answer.status_code < 500 or route.name in {"healthz", "talk:stream"}, (
            told,
            answer.status_code,
        )
        assert time.monotonic() - begun < PATIENCE, told
        if route.name == "sign_out":
            self.client.force_login(self.user)

    def make_address(self, route: Route) -> str:
        """The address of an object that is there, or of one that can't be."""
        values = (
            {"uid": "MQ", "token": "x"}
            if route.name in OPEN
            else make_arguments(route, self.project, self.user)
        )
        wanted = {name: values[name] for name in route.keywords}
        for name in wanted:
            if name != "slug" and self.random.random() < 0.1:
                wanted[name] = self.random.choice(
                    ["9" * 18, "9" * 19, "9" * 4000, pick_text(self.random)[:300]]
                )
        try:
            return reverse(route.name, kwargs=wanted)
        except NoReverseMatch:  # a text where the route takes a number
            return reverse(route.name, kwargs={name: values[name] for name in route.keywords})

    def make_values(self, route: Route) -> dict[str, Any]:
        values = {name: pick_text(self.random) for name in NAMES if self.random.random() < 0.4}
        values |= {name: text for name, text in PLAUSIBLE.items() if self.random.random() < 0.4}
        return values | (make_form(route, self.project, self.user) if self.random.random() < 0.7 else {})


def test_every_name_that_views_read_is_tried() -> None:
    assert {"seen", "like", "job", "run", "q", "page", "x", "dataset", "epoch_count", "at", "fix"} <= {*NAMES}
    assert len(NAMES) > 80


# Each round sends two requests to every route; the slow ones together make more than a thousand.
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 8))])
def test_odd_requests_get_no_500(seed: int, project: Project, tuner: User, admin_exists: User) -> None:
    odd = OddRequests(seed, project, admin_exists if seed % 2 else tuner)
    for route in ROUTES:
        for method in ("get", "post"):
            odd.send(route, method)


QUICK = {"NUL": "\0", "digits": "9" * 5000, "JSON": '{"a": 1}', "deep": "[" * 3000}


@pytest.mark.parametrize(
    ("text", "share"),
    [
        *(pytest.param(text, 1.0, id=name) for name, text in QUICK.items()),
        *(
            pytest.param(text, 0.5, id=f"text {number}", marks=pytest.mark.slow)
            for number, text in enumerate(ODD_TEXTS)
        ),
    ],
)
@pytest.mark.parametrize("htmx", [pytest.param(True, marks=pytest.mark.slow), False])
def test_one_odd_text_everywhere_gets_no_500(
    text: str, share: float, htmx: bool, project: Project, tuner: User
) -> None:
    """In every field of a form, and in every parameter of the address unless all are refused for it."""
    client = Client(headers={"HX-Request": "true"} if htmx or text == QUICK["JSON"] else {})
    client.force_login(tuner)
    values = dict.fromkeys(NAMES, text)
    query = "" if "\0" in text else f"?{urlencode(dict.fromkeys(NAMES, text[:1000]))}"
    for route in random.Random(text).sample(GUARDED, int(share * len(GUARDED))):
        address = reverse(route.name, kwargs=make_arguments(route, project, tuner)) + query
        try:
            answer = client.post(address, values)
            answer = client.get(address) if answer.status_code == 405 else answer
            read_to_end(answer)
        except Exception as error:
            raise AssertionError((route.name, text[:100])) from error
        assert answer.status_code < 500 or route.name == "talk:stream", (route.name, answer.status_code)
