"""Requests that no view can read get 400 in words, or 404, from anybody."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import pytest
from django.contrib.auth.models import User
from django.core.signals import request_started
from django.db import close_old_connections
from django.test import Client
from django.urls import reverse

from jobs.models import TuningJob
from jobs.wizard.model_step.views import LONGEST_STATE
from studio.models import Project
from studio.pages.query_values import parse_json, parse_pk
from studio.wsgi import application

pytestmark = [pytest.mark.django_db, pytest.mark.sql]
FORM = "application/x-www-form-urlencoded"
CHARSETS = [
    "utf-7",
    "zip",
    "hex",
    "undefined",
    "idna",
    "utf-16",
    "shift_jis",
    "no-such-charset",
    "\N{LATIN SMALL LETTER E WITH ACUTE}",
]
WORDS = "The server can’t read this request"
TOKEN = "x" * 32
LARGEST_KEY = 2**63 - 1


@dataclass
class Answer:
    status: int
    page: str
    cookies: str


class Caller:
    """Calls the application as gunicorn does: Django's test client builds the request without it."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def send(self, method: str, path: str, kind: str = "", body: bytes = b"", **headers: str) -> Answer:
        address, _, query = path.partition("?")
        environ = self.client._base_environ(  # type: ignore[attr-defined]
            PATH_INFO=unquote(address),
            QUERY_STRING=query,
            REQUEST_METHOD=method,
            **{"CONTENT_TYPE": kind, "CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body)},
            **headers,
        )
        told: list[Any] = []
        answer = application(environ, lambda status, headers: told.extend((status, dict(headers))))
        page = b"".join(answer).decode()
        return Answer(int(told[0][:3]), page, told[1].get("Set-Cookie", ""))


@pytest.fixture(params=["anonymous", "tuner"])
def caller(request: pytest.FixtureRequest, tuner: User) -> Iterator[Caller]:
    """With the cookies of a browser that has a form open; the test's transaction stays open."""
    client = Client()
    if request.param == "tuner":
        client.force_login(tuner)
    client.cookies["csrftoken"] = TOKEN
    request_started.disconnect(close_old_connections)
    yield Caller(client)
    request_started.connect(close_old_connections)


@pytest.mark.parametrize("charset", CHARSETS)
@pytest.mark.parametrize("name", ["sign_in", "home"])
def test_form_in_another_charset_is_refused(caller: Caller, name: str, charset: str) -> None:
    body = f"csrfmiddlewaretoken={TOKEN}&username=a&password=b".encode()
    for answer in (
        caller.send("POST", reverse(name), f"{FORM}; charset={charset}", body),
        caller.send("GET", f"{reverse(name)}?a=1", f"{FORM}; charset={charset}"),
    ):
        assert answer.status == 400
        assert WORDS in answer.page


@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", "us-ascii"])
@pytest.mark.parametrize("kind", [FORM, "multipart/form-data; boundary=b"])
def test_form_that_names_its_usual_charset_is_read(caller: Caller, kind: str, charset: str) -> None:
    body = f"csrfmiddlewaretoken={TOKEN}&language=ja".encode()
    if kind != FORM:
        body = build_multipart('Content-Disposition: form-data; name="language"\r\n\r\nja')
    answer = caller.send("POST", reverse("language"), f"{kind}; charset={charset}", body)
    assert answer.status == 302
    assert "django_language=ja" in answer.cookies


def build_multipart(*parts: str) -> bytes:
    token = f'Content-Disposition: form-data; name="csrfmiddlewaretoken"\r\n\r\n{TOKEN}'
    return "".join(f"--b\r\n{part}\r\n" for part in (token, *parts)).encode() + b"--b--\r\n"


def post_part(caller: Caller, head: str, text: str, kind: str = "multipart/form-data; boundary=b") -> Answer:
    body = build_multipart(f"Content-Disposition: form-data; {head}\r\n\r\n{text}")
    return caller.send("POST", reverse("language"), kind, body)


ODD_HEADS = {
    "charset of a file": 'name="file"; filename="a.jsonl"\r\nContent-Type: text/plain; charset=CHARSET',
    "parameter twice": "name*=utf-8''x; name*0=y",
}


@pytest.mark.parametrize("charset", CHARSETS[:-1])
@pytest.mark.parametrize("head", ODD_HEADS.values(), ids=ODD_HEADS.keys())
def test_multipart_form_with_an_unreadable_part_is_refused(caller: Caller, head: str, charset: str) -> None:
    answer = post_part(caller, head.replace("CHARSET", charset), "hello")
    assert answer.status == 400
    assert WORDS in answer.page


@pytest.mark.parametrize("charset", CHARSETS[:-1])
def test_multipart_form_in_another_charset_is_refused(caller: Caller, charset: str) -> None:
    kind = f"multipart/form-data; boundary=b; charset={charset}"
    assert post_part(caller, 'name="language"', "ja", kind).status == 400


@pytest.mark.parametrize("charset", CHARSETS[:-1])
def test_field_of_a_multipart_form_is_read_as_utf8(caller: Caller, charset: str) -> None:
    """Whatever it says: a page's fields name no charset."""
    answer = post_part(caller, f'name="language"\r\nContent-Type: text/plain; charset={charset}', "ja")
    assert answer.status == 302
    assert "django_language=ja" in answer.cookies
    assert post_part(caller, f"name=\"file\"; filename*={charset}''%41", "ja").status == 302


@pytest.mark.parametrize(
    "kind",
    ["text/plain; a*=no-such''b", "a/b; a*=''x; a*0=y", f"a/b; a*{'9' * 5000}=x", "a/b; charset*=hex''x"],
    ids=["charset", "twice", "digits", "encoded"],
)
def test_content_type_that_django_cannot_parse_is_refused(caller: Caller, kind: str) -> None:
    answer = caller.send("GET", "/sign-in/", kind)
    assert answer.status == 400
    assert WORDS in answer.page


def test_thousands_of_parameters_are_refused(caller: Caller) -> None:
    for kind in ("", "text/plain; charset=utf-8"):
        answer = caller.send("GET", f"/language/?{'a&' * 3000}", kind)
        assert answer.status == 400
        assert WORDS in answer.page


def test_unknown_host_gets_words(caller: Caller) -> None:
    answer = caller.send("GET", "/", HTTP_HOST="evil.example")
    assert answer.status == 400
    assert WORDS in answer.page


def test_words_are_in_the_readers_language(caller: Caller) -> None:
    answer = caller.send("GET", "/?q=%00", HTTP_ACCEPT_LANGUAGE="ja")
    assert answer.status == 400
    assert '<html lang="ja"' in answer.page


@pytest.mark.parametrize(
    "path", ["/p/local/jobs/?base=%00", "/p/local/datasets/?q=a%00b", "/join/%00/x/", "/%00"]
)
def test_address_with_a_null_character_is_refused(caller: Caller, path: str) -> None:
    answer = caller.send("GET", path)
    assert answer.status == 400
    assert WORDS in answer.page


def test_address_that_spells_a_null_character_is_fine(
    tuner: User, browser_of: Callable[[User], Client]
) -> None:
    assert browser_of(tuner).get("/p/local/jobs/?q=%2500").status_code == 200


@pytest.mark.parametrize("number", ["9" * 19, "9" * 400, "9" * 4000, "9" * 5000], ids=len)
@pytest.mark.parametrize(
    "path",
    [
        "/p/local/jobs/N/",
        "/p/local/jobs/N/model/",
        "/p/local/jobs/1/adapter/N/",
        "/p/local/datasets/N/",
        "/p/local/datasets/N/changes/1/",
        "/p/local/chats/N/",
        "/p/local/chats/N/turns/N/",
        "/p/local/members/N/remove/",
    ],
)
def test_number_beyond_any_key_is_not_found(
    path: str, number: str, tuner: User, browser_of: Callable[[User], Client]
) -> None:
    browser = browser_of(tuner)
    browser.raise_request_exception = False
    assert browser.get(path.replace("N", number)).status_code == 404


@pytest.mark.parametrize(
    "number",
    ["9" * 18, "9" * 19, "9" * 5000, "²", "٣", "-1", "1.5", "", "x", "0"],
    ids=lambda number: number[:20] or "nothing",
)
def test_numbers_of_a_new_conversation_are_bounded(
    number: str, project: Project, tuner: User, browser_of: Callable[[User], Client]
) -> None:
    browser = browser_of(tuner)
    browser.raise_request_exception = False
    assert browser.post("/p/local/chats/new/", {"job": number}).status_code == 404
    assert browser.post(f"/p/local/chats/new/?job={number}").status_code == 404
    endpoint = "projects/local/locations/us-central1/endpoints/1"
    job = TuningJob.objects.create(
        project=project, owner=tuner, remote={"tunedModel": {"endpoint": endpoint}}, submission="created"
    )
    assert browser.post("/p/local/chats/new/", {"job": job.pk, "like": number}).status_code == 302


SEEN = {
    "an unknown column": '{"a": 1}',
    "deep": '{"labels": ' + "[" * 900 + "]" * 900 + "}",
    "deeper than the parser": "[" * 100_000,
    "long": '{"description": "' + "x" * LONGEST_STATE + '"}',
    "a list": "[1]",
    "a number of 5,000 digits": '{"epoch_count": ' + "9" * 5000 + "}",
    "not a number": '{"epoch_count": NaN}',
    "other types": '{"labels": [1], "base_model": {"x": 1}, "location": null}',
    "half a surrogate": '{"description": "\\ud800"}',
}


@pytest.mark.parametrize("seen", SEEN.values(), ids=SEEN.keys())
@pytest.mark.parametrize("htmx", [True, False])
def test_state_of_a_page_that_nobody_sent_is_ignored(
    seen: str, htmx: bool, project: Project, tuner: User, browser_of: Callable[[User], Client]
) -> None:
    browser = browser_of(tuner)
    browser.raise_request_exception = False
    job = TuningJob.objects.create(
        project=project, owner=tuner, base_model="studio-tiny", location="us-central1"
    )
    values = {"tuned_model_display_name": "kept", "base_model": "studio-tiny", "location": "us-central1"}
    headers: dict[str, Any] = {"HX-Request": "true"} if htmx else {}
    answer = browser.post(
        reverse("jobs:model", args=["local", job.pk]), {**values, "seen": seen}, headers=headers
    )
    assert answer.status_code in {200, 302}
    job.refresh_from_db()
    assert job.tuned_model_display_name == "kept"


def test_region_with_a_null_character_is_an_error_of_its_field(
    project: Project, tuner: User, browser_of: Callable[[User], Client]
) -> None:
    browser = browser_of(tuner)
    browser.raise_request_exception = False
    job = TuningJob.objects.create(
        project=project, owner=tuner, base_model="studio-tiny", location="us-central1"
    )
    values = {
        "base_model": "studio-tiny",
        "location": "us\0",
        "source": "pre_tuned",
        "pre_tuned_model": "x\0",
    }
    answer = browser.post(reverse("jobs:model", args=["local", job.pk]), values)
    assert answer.status_code == 422
    assert "can’t be tuned in that region" in answer.content.decode()


def test_parse_pk_reads_up_to_eighteen_ascii_digits() -> None:
    assert parse_pk("9" * 18) == 10**18 - 1 < LARGEST_KEY
    assert [parse_pk(text) for text in ("", "0", "-1", "9" * 19, "9" * 5000, "²", "٣", "1\n", " 1")] == [
        0
    ] * 9


@pytest.mark.parametrize(
    "text",
    ["{", "[[[1]]]", "[" * 100_000, "NaN", "[Infinity]", "9" * 5000, " " * 50],
    ids=lambda text: text[:9],
)
def test_parse_json_refuses_with_one_kind_of_error(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        parse_json(text, longest=200_000 if len(text) > 50 else 40, deepest=1)
    assert parse_json('{"a": [1, "x"]}', longest=40, deepest=1) == {"a": [1, "x"]}
