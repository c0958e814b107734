"""Every way a call can fail, made to happen on a real connection, and what the caller then knows."""

from __future__ import annotations

import socket
import time
import traceback
from typing import Any

import pytest

from studio.vertex import errors
from studio.vertex.auth import Place
from studio.vertex.client import Vertex
from studio.vertex.errors import VertexError, Violation
from tests.studio.vertex.conftest import CANARY
from tests.studio.vertex.double import Answer, Double, json_answer

JOB = "projects/myproject/locations/us-central1/tuningJobs/1"
FIELD = "tuning_job.supervised_tuning_spec.training_dataset_uri"


def google(code: int, status: str, *details: dict[str, Any]) -> Answer:
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
    "400": (google(400, "INVALID_ARGUMENT", VIOLATIONS), errors.BadRequest),
    "401": (google(401, "UNAUTHENTICATED"), errors.Unauthenticated),
    "403": (google(403, "PERMISSION_DENIED", DISABLED), errors.PermissionDenied),
    "404": (google(404, "NOT_FOUND"), errors.NotFound),
    "409": (google(409, "ALREADY_EXISTS"), errors.Conflict),
    "422": (google(422, ""), errors.Refused),
    "429": (google(429, "RESOURCE_EXHAUSTED"), errors.TooManyRequests),
}
UNKNOWN = {
    "408": google(408, ""),
    "499": google(499, "CANCELLED"),
    "500": google(500, "INTERNAL"),
    "503": google(503, "UNAVAILABLE"),
    "504": google(504, "DEADLINE_EXCEEDED"),
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
def test_a_clear_no_is_refused_and_asked_once(vertex: Vertex, double: Double, case: str) -> None:
    answer, kind = REFUSALS[case]
    double.will(answer)
    with pytest.raises(VertexError) as caught:
        vertex.create_tuning_job("us-central1", {"baseModel": "m"})
    assert type(caught.value) is kind
    assert isinstance(caught.value, errors.Refused)
    assert (caught.value.code, caught.value.message) == (int(case), f"message of {case}")
    assert caught.value.request_sent
    assert len(double.asked) == 1


@pytest.mark.parametrize("case", UNKNOWN)
def test_an_unclear_outcome_is_unknown_and_the_post_is_not_repeated(
    hasty: Vertex, double: Double, case: str
) -> None:
    double.will(UNKNOWN[case])
    with pytest.raises(VertexError) as caught:
        hasty.create_tuning_job("us-central1", {"baseModel": "m"})
    assert type(caught.value) is errors.OutcomeUnknown
    assert caught.value.request_sent
    time.sleep(0.05)
    assert len(double.asked) == 1


@pytest.mark.parametrize("case", [*REFUSALS, *UNKNOWN])
def test_no_error_tells_the_token(hasty: Vertex, double: Double, case: str) -> None:
    double.will(UNKNOWN[case] if case in UNKNOWN else REFUSALS[case][0])
    with pytest.raises(VertexError) as caught:
        hasty.create_tuning_job("us-central1", {})
    assert double.asked[0].headers["authorization"] == f"Bearer {CANARY}"
    shown = str(caught.value) + repr(caught.value) + "".join(traceback.format_exception(caught.value))
    assert CANARY not in shown
    assert CANARY not in repr(hasty.place)


def test_a_bad_request_names_its_fields(vertex: Vertex, double: Double) -> None:
    double.will(REFUSALS["400"][0])
    with pytest.raises(errors.BadRequest) as caught:
        vertex.create_tuning_job("us-central1", {})
    assert caught.value.violations == (Violation(FIELD, "should be JSONL"), Violation("base_model", ""))
    assert caught.value.status == "INVALID_ARGUMENT"


def test_a_disabled_service_says_so(vertex: Vertex, double: Double) -> None:
    double.will(REFUSALS["403"][0])
    with pytest.raises(errors.PermissionDenied) as caught:
        vertex.create_tuning_job("us-central1", {})
    assert caught.value.reason == "SERVICE_DISABLED"


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7.0), ("Wed, 01 Jan 2020 00:00:00 GMT", 0.0), ("soon", None), ("", None)]
)
def test_retry_after_is_seconds_or_a_date(
    vertex: Vertex, double: Double, header: str, seconds: float | None
) -> None:
    double.will(json_answer({"error": {"code": 429, "message": "wait"}}, 429, **{"Retry-After": header}))
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
def test_an_odd_error_body_does_not_hide_the_error(vertex: Vertex, double: Double, body: Any) -> None:
    double.will(json_answer(body, 403))
    with pytest.raises(errors.PermissionDenied) as caught:
        vertex.get_tuning_job(JOB)
    assert caught.value.message


def test_a_read_believes_a_refusal_in_any_words(vertex: Vertex, double: Double) -> None:
    double.will(Answer(404, "<html>gone</html>", HTML))
    with pytest.raises(errors.NotFound):
        vertex.get_tuning_job(JOB)


@pytest.mark.parametrize("first", ["reset", "503", "502 html", "cut", "200 html"])
def test_a_read_is_tried_once_more_when_that_may_help(vertex: Vertex, double: Double, first: str) -> None:
    double.will(UNKNOWN[first], json_answer({"name": JOB}))
    assert vertex.get_tuning_job(JOB) == {"name": JOB}
    assert len(double.asked) == 2


@pytest.mark.parametrize("first", ["silence", "504", "504 cut", "redirect"])
def test_a_read_is_not_tried_again_when_it_would_only_take_longer(
    hasty: Vertex, double: Double, first: str
) -> None:
    double.will(UNKNOWN[first])
    with pytest.raises(errors.OutcomeUnknown):
        hasty.get_tuning_job(JOB)
    assert len(double.asked) == 1


def test_the_second_try_of_a_read_is_the_last(vertex: Vertex, double: Double) -> None:
    double.will(UNKNOWN["503"], UNKNOWN["503"], json_answer({}))
    with pytest.raises(errors.OutcomeUnknown):
        vertex.get_tuning_job(JOB)
    assert len(double.asked) == 2


def test_a_body_that_drips_ends_at_the_time_limit(hasty: Vertex, double: Double) -> None:
    double.will(Answer(200, " " * 200, drip=0.05))
    begin = time.monotonic()
    with pytest.raises(errors.OutcomeUnknown, match="too long"):
        hasty.create_tuning_job("us-central1", {})
    assert time.monotonic() - begin < 4.0


def test_nothing_is_sent_where_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        place = Place(
            backend="engine", project_id="p", engine_url=f"http://127.0.0.1:{taken.getsockname()[1]}"
        )
        with pytest.raises(errors.NotSent) as caught:
            Vertex(place).create_tuning_job("us-central1", {})
    assert not caught.value.request_sent
    assert type(caught.value) is errors.NotSent


def test_nothing_is_sent_to_an_unknown_name() -> None:
    place = Place(backend="engine", project_id="p", engine_url="http://nobody.invalid:80")
    with pytest.raises(errors.NotSent, match="name is unknown"):
        Vertex(place).create_tuning_job("us-central1", {})


def test_nothing_is_sent_without_a_tls_handshake(double: Double) -> None:
    place = Place(backend="engine", project_id="p", engine_url=double.url.replace("http:", "https:"))
    with pytest.raises(errors.NotSent, match="TLS"):
        Vertex(place).create_tuning_job("us-central1", {})
    assert double.asked == []


@pytest.mark.parametrize("body", [{"n": float("nan")}, {"n": {1, 2}}])
def test_nothing_is_sent_that_is_not_json(vertex: Vertex, double: Double, body: dict[str, Any]) -> None:
    with pytest.raises(errors.NotSent, match="JSON"):
        vertex.create_tuning_job("us-central1", body)
    assert double.asked == []


def test_a_very_long_message_is_cut(vertex: Vertex, double: Double) -> None:
    double.will(json_answer({"error": {"code": 400, "message": "x" * 100_000}}, 400))
    with pytest.raises(errors.BadRequest) as caught:
        vertex.get_tuning_job(JOB)
    assert len(caught.value.message) == errors.MESSAGE_LIMIT
