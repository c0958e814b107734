"""Each way a call can fail, on a real connection, and what the caller knows afterwards."""

from __future__ import annotations

import itertools
import socket
import traceback
from types import SimpleNamespace
from typing import Any

import pytest

from studio.vertex import errors
from studio.vertex.auth import Place
from studio.vertex.client import Vertex
from studio.vertex.errors import VertexError, Violation
from tests.stack import wait_until
from tests.studio.vertex.conftest import CANARY
from tests.studio.vertex.double import Answer, FakeVertexServer, json_answer

JOB = "projects/myproject/locations/us-central1/tuningJobs/1"
FIELD = "tuning_job.supervised_tuning_spec.training_dataset_uri"


def error_answer(code: int, status: str, *details: dict[str, Any]) -> Answer:
    error = {"code": code, "message": f"message of {code}", "status": status, "details": list(details)}
    return json_answer({"error": error}, code)


VIOLATIONS = {
    "@type": "type.googleapis.com/google.rpc.BadRequest",
    "fieldViolations": [{"field": FIELD, "description": "should be JSONL"}, {"field": "base_model"}],
}
DISABLED = {
    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
    "reason": "SERVICE_DISABLED",
    "domain": "googleapis.com",
}
HTML = {"Content-Type": "text/html"}

REFUSALS = {
    "400": (error_answer(400, "INVALID_ARGUMENT", VIOLATIONS), errors.BadRequest),
    "401": (error_answer(401, "UNAUTHENTICATED"), errors.Unauthenticated),
    "403": (error_answer(403, "PERMISSION_DENIED", DISABLED), errors.PermissionDenied),
    "404": (error_answer(404, "NOT_FOUND"), errors.NotFound),
    "409": (error_answer(409, "ALREADY_EXISTS"), errors.Conflict),
    "422": (error_answer(422, ""), errors.Refused),
    "429": (error_answer(429, "RESOURCE_EXHAUSTED"), errors.TooManyRequests),
}
UNKNOWN = {
    "408": error_answer(408, ""),
    "499": error_answer(499, "CANCELLED"),
    "500": error_answer(500, "INTERNAL"),
    "503": error_answer(503, "UNAVAILABLE"),
    "504": error_answer(504, "DEADLINE_EXCEEDED"),
    "502 html": Answer(502, "<html>Bad Gateway</html>", HTML),
    "404 html": Answer(404, "<html>Not Found</html>", HTML),
    "200 html": Answer(200, "<html>Sign in</html>", HTML),
    "cut": Answer(200, '{"name": "projects/', cut=True),
    "cut error": Answer(400, '{"error": {"code": 400', cut=True),
    "empty": Answer(200),
    "list": json_answer([]),
    "deep": Answer(200, b"[" * 100_000),
    "no name": json_answer({"state": "JOB_STATE_PENDING"}),
    "reset": Answer(reset=True),
    "silence": Answer(pause=1.0),
    "504 cut": Answer(504, "{", cut=True),
    "drip": Answer(200, " " * 40, drip=0.1),
    "redirect": Answer(307, headers={"Location": "http://127.0.0.1:9/elsewhere"}),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_clear_refusal_is_raised_without_retry(vertex: Vertex, double: FakeVertexServer, case: str) -> None:
    answer, kind = REFUSALS[case]
    double.queue_answers(answer)
    with pytest.raises(VertexError) as caught:
        vertex.create_tuning_job("us-central1", {"baseModel": "m"})
    assert type(caught.value) is kind
    assert isinstance(caught.value, errors.Refused)
    assert (caught.value.code, caught.value.message) == (int(case), f"message of {case}")
    assert caught.value.request_sent
    assert len(double.asked) == 1


@pytest.mark.parametrize("case", UNKNOWN)
def test_unclear_outcome_is_unknown_and_the_post_is_not_retried(
    hasty: Vertex, double: FakeVertexServer, case: str
) -> None:
    double.queue_answers(UNKNOWN[case])
    with pytest.raises(VertexError) as caught:
        hasty.create_tuning_job("us-central1", {"baseModel": "m"})
    assert type(caught.value) is errors.OutcomeUnknown
    assert caught.value.request_sent
    wait_until(lambda: double.asked, 10)
    assert len(double.asked) == 1


@pytest.mark.parametrize("case", [*REFUSALS, *UNKNOWN])
def test_errors_never_contain_the_token(hasty: Vertex, double: FakeVertexServer, case: str) -> None:
    double.queue_answers(UNKNOWN[case] if case in UNKNOWN else REFUSALS[case][0])
    with pytest.raises(VertexError) as caught:
        hasty.create_tuning_job("us-central1", {})
    wait_until(lambda: double.asked, 10)  # without waiting, the client may be faster than the server
    assert double.asked[0].headers["authorization"] == f"Bearer {CANARY}"
    shown = str(caught.value) + repr(caught.value) + "".join(traceback.format_exception(caught.value))
    assert CANARY not in shown
    assert CANARY not in repr(hasty.place)


def test_a_bad_request_names_its_fields(vertex: Vertex, double: FakeVertexServer) -> None:
    double.queue_answers(REFUSALS["400"][0])
    with pytest.raises(errors.BadRequest) as caught:
        vertex.create_tuning_job("us-central1", {})
    assert caught.value.violations == (Violation(FIELD, "should be JSONL"), Violation("base_model", ""))
    assert caught.value.status == "INVALID_ARGUMENT"


def test_disabled_service_is_reported(vertex: Vertex, double: FakeVertexServer) -> None:
    double.queue_answers(REFUSALS["403"][0])
    with pytest.raises(errors.PermissionDenied) as caught:
        vertex.create_tuning_job("us-central1", {})
    assert caught.value.reason == "SERVICE_DISABLED"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("Wed, 01 Jan 2020 00:00:00 GMT", 0.0),
        ("soon", None),
        ("", None),
        ("-7", None),
        ("1e9", None),
        ("301", 300.0),
        ("99999999999", 300.0),
        ("9" * 5000, 300.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 300.0),
        ("Fri, 31 Dec 9999 23:59:59 -2359", 300.0),
        ("Fri, 31 Dec 99999 23:59:59 GMT", None),
        ("Mon, 99 Zzz 2020", None),
    ],
    ids=lambda value: str(value)[:30],
)
def test_retry_after_is_seconds_or_a_date_and_at_most_five_minutes(
    vertex: Vertex, double: FakeVertexServer, header: str, seconds: float | None
) -> None:
    double.queue_answers(
        json_answer({"error": {"code": 429, "message": "wait"}}, 429, **{"Retry-After": header})
    )
    with pytest.raises(errors.TooManyRequests) as caught:
        vertex.get_tuning_job(JOB)
    assert caught.value.retry_after == seconds
    assert len(double.asked) == 1


@pytest.mark.parametrize(
    "body",
    [
        {"error": "text"},
        {"error": {"code": "x", "message": None, "details": [1, None, {"@type": 5}], "errors": ["e"]}},
        {"error": {"details": [{"@type": "google.rpc.BadRequest", "fieldViolations": [1, {}]}]}},
        [],
        None,
    ],
)
def test_malformed_error_body_does_not_hide_the_error(
    vertex: Vertex, double: FakeVertexServer, body: Any
) -> None:
    double.queue_answers(json_answer(body, 403))
    with pytest.raises(errors.PermissionDenied) as caught:
        vertex.get_tuning_job(JOB)
    assert caught.value.message


def test_read_accepts_a_refusal_with_any_body(vertex: Vertex, double: FakeVertexServer) -> None:
    double.queue_answers(Answer(404, "<html>gone</html>", HTML))
    with pytest.raises(errors.NotFound):
        vertex.get_tuning_job(JOB)


@pytest.mark.parametrize("first", ["reset", "503", "502 html", "cut", "200 html"])
def test_read_is_retried_once_after_a_transient_error(
    vertex: Vertex, double: FakeVertexServer, first: str
) -> None:
    double.queue_answers(UNKNOWN[first], json_answer({"name": JOB}))
    assert vertex.get_tuning_job(JOB) == {"name": JOB}
    assert len(double.asked) == 2


@pytest.mark.parametrize("first", ["silence", "504", "504 cut", "redirect"])
def test_read_is_not_retried_after_a_timeout(hasty: Vertex, double: FakeVertexServer, first: str) -> None:
    double.queue_answers(UNKNOWN[first])
    with pytest.raises(errors.OutcomeUnknown):
        hasty.get_tuning_job(JOB)
    assert len(double.asked) == 1


def test_read_is_retried_only_once(vertex: Vertex, double: FakeVertexServer) -> None:
    double.queue_answers(UNKNOWN["503"], UNKNOWN["503"], json_answer({}))
    with pytest.raises(errors.OutcomeUnknown):
        vertex.get_tuning_job(JOB)
    assert len(double.asked) == 2


def test_slow_body_ends_at_the_time_limit(
    vertex: Vertex, double: FakeVertexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although the server is never silent for long: of all these bytes only the first ones are read."""
    minutes = itertools.count(step=60)
    monkeypatch.setattr("studio.vertex.streaming.time", SimpleNamespace(monotonic=lambda: next(minutes)))
    double.queue_answers(Answer(chunks=itertools.repeat(b" ")))
    with pytest.raises(errors.OutcomeUnknown, match="too long"):
        vertex.create_tuning_job("us-central1", {})


def test_refused_connection_counts_as_not_sent() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        place = Place(
            backend="engine", project_id="p", engine_url=f"http://127.0.0.1:{taken.getsockname()[1]}"
        )
        with pytest.raises(errors.NotSent) as caught:
            Vertex(place).create_tuning_job("us-central1", {})
    assert not caught.value.request_sent
    assert type(caught.value) is errors.NotSent


def test_unknown_host_counts_as_not_sent() -> None:
    place = Place(backend="engine", project_id="p", engine_url="http://nobody.invalid:80")
    with pytest.raises(errors.NotSent, match="name is unknown"):
        Vertex(place).create_tuning_job("us-central1", {})


def test_failed_tls_handshake_counts_as_not_sent(double: FakeVertexServer) -> None:
    place = Place(backend="engine", project_id="p", engine_url=double.url.replace("http:", "https:"))
    with pytest.raises(errors.NotSent, match="TLS"):
        Vertex(place).create_tuning_job("us-central1", {})
    assert double.asked == []


@pytest.mark.parametrize("body", [{"n": float("nan")}, {"n": {1, 2}}])
def test_body_that_is_not_json_is_not_sent(
    vertex: Vertex, double: FakeVertexServer, body: dict[str, Any]
) -> None:
    with pytest.raises(errors.NotSent, match="JSON"):
        vertex.create_tuning_job("us-central1", body)
    assert double.asked == []


def test_very_long_message_is_truncated(vertex: Vertex, double: FakeVertexServer) -> None:
    double.queue_answers(json_answer({"error": {"code": 400, "message": "x" * 100_000}}, 400))
    with pytest.raises(errors.BadRequest) as caught:
        vertex.get_tuning_job(JOB)
    assert len(caught.value.message) == errors.MESSAGE_LIMIT
