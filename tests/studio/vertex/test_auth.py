"""Credentials go to Google's hosts and nowhere else, and are renewed once."""

from __future__ import annotations

import os
import traceback
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter

from studio.vertex import auth
from studio.vertex.auth import Place, base_url, session
from studio.vertex.client import Vertex
from studio.vertex.errors import BadName, CredentialsFailed, OutcomeUnknown, Unauthenticated, VertexError
from tests.studio.vertex.conftest import ReroutingAdapter, token_answer
from tests.studio.vertex.double import Answer, FakeVertexServer, json_answer, load_exchanges

JOB = "projects/myproject/locations/us-central1/tuningJobs/1"
HOST = "https://us-central1-aiplatform.googleapis.com"
ENGINE = Place(backend="engine", project_id="p", engine_url="http://127.0.0.1:1")


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("us-central1", HOST),
        ("northamerica-northeast1", "https://northamerica-northeast1-aiplatform.googleapis.com"),
        ("global", "https://aiplatform.googleapis.com"),
        ("us", "https://aiplatform.us.rep.googleapis.com"),
        ("eu", "https://aiplatform.eu.rep.googleapis.com"),
        ("europe-west4", "https://private.p.googleapis.com"),
    ],
)
def test_the_host_follows_the_location(location: str, url: str) -> None:
    overrides = (("europe-west4", "https://private.p.googleapis.com/"),)
    assert base_url(Place(backend="google", project_id="p", host_overrides=overrides), location) == url


def test_the_engine_is_one_host_for_every_location() -> None:
    assert base_url(ENGINE, "europe-west4") == base_url(ENGINE, "us-central1") == "http://127.0.0.1:1"


def test_service_account_token_is_sent_to_google(
    google: Place, double: FakeVertexServer, rerouted: ReroutingAdapter
) -> None:
    double.queue_answers(token_answer("first"), json_answer({"name": JOB}), json_answer({"name": JOB}))
    for _ in range(2):
        assert Vertex(google).get_tuning_job(JOB) == {"name": JOB}
    assert [asked.path for asked in double.asked] == ["/token", f"/v1beta1/{JOB}", f"/v1beta1/{JOB}"]
    assert rerouted.hosts == [HOST, HOST]
    assert double.asked[1].headers["authorization"] == "Bearer first"
    assert "x-goog-user-project" not in double.asked[1].headers


def test_the_quota_project_is_named(google: Place, key_file: Path, double: FakeVertexServer) -> None:
    wanted = load_exchanges("rest.authorized-session.quota-project")[0]["request"]["headers"]
    place = Place("google", "myproject", credentials_file=str(key_file), quota_project="qp")
    session(place).mount("https://", ReroutingAdapter(double))
    double.queue_answers(token_answer("t"), json_answer({}))
    Vertex(place).get(JOB)
    assert double.asked[1].headers["x-goog-user-project"] == wanted["x-goog-user-project"]


def test_401_renews_the_token_and_retries_once(
    google: Place, double: FakeVertexServer, rerouted: ReroutingAdapter
) -> None:
    double.queue_answers(token_answer("old"), Answer(401), token_answer("new"), json_answer({"name": JOB}))
    assert Vertex(google).create_tuning_job("us-central1", {"a": 1}) == {"name": JOB}
    sent = [asked for asked in double.asked if asked.path != "/token"]
    assert [asked.headers["authorization"] for asked in sent] == ["Bearer old", "Bearer new"]
    assert [asked.body for asked in sent] == [{"a": 1}, {"a": 1}]


def test_second_401_is_raised(google: Place, double: FakeVertexServer, rerouted: ReroutingAdapter) -> None:
    no = json_answer({"error": {"code": 401, "message": "no", "status": "UNAUTHENTICATED"}}, 401)
    double.queue_answers(token_answer("old"), no, token_answer("new"), no)
    with pytest.raises(Unauthenticated):
        Vertex(google).create_tuning_job("us-central1", {})
    assert len(double.asked) == 4


def test_refused_token_renewal_is_a_credentials_error(
    google: Place, double: FakeVertexServer, rerouted: ReroutingAdapter
) -> None:
    double.queue_answers(json_answer({"error": "invalid_grant", "error_description": "Invalid JWT"}, 400))
    with pytest.raises(CredentialsFailed, match="no longer valid"):
        Vertex(google).get_tuning_job(JOB)
    assert rerouted.hosts == []


@pytest.mark.parametrize(
    "url",
    [
        "http://us-central1-aiplatform.googleapis.com/v1/x",
        "https://evil.example/v1/x",
        "https://us-central1-aiplatform.googleapis.com.evil.example/v1/x",
        "https://evilgoogleapis.com/v1/x",
        "https://us-central1-aiplatform.googleapis.com:8443/v1/x",
        "https://user@us-central1-aiplatform.googleapis.com/v1/x",
        "https://us-central1-aiplatform.googleapis.com@evil.example/v1/x",
        "https:///x",
    ],
)
def test_google_credentials_are_for_google_only(
    google: Place, double: FakeVertexServer, rerouted: ReroutingAdapter, url: str
) -> None:
    with pytest.raises(BadName):
        session(google).request("GET", url)
    assert rerouted.hosts == double.asked == []


def test_custom_host_gets_no_google_credentials(key_file: Path, double: FakeVertexServer) -> None:
    overrides = (("us-central1", double.url),)
    place = Place("google", "p", credentials_file=str(key_file), host_overrides=overrides)
    with pytest.raises(BadName, match="not sent to"):
        Vertex(place).create_tuning_job("us-central1", {})
    assert double.asked == []


def test_the_engines_token_is_for_the_engine_only(double: FakeVertexServer) -> None:
    place = Place(backend="engine", project_id="p", engine_url=double.url, token="t")
    with pytest.raises(BadName):
        session(place).request("GET", "http://127.0.0.1:9/")


def test_a_redirect_is_not_followed(place: Place, double: FakeVertexServer) -> None:
    double.queue_answers(Answer(302, headers={"Location": f"{double.url}/elsewhere"}))
    with pytest.raises(OutcomeUnknown, match="redirect"):
        Vertex(place).get_tuning_job(JOB)
    assert len(double.asked) == 1


def test_wrong_engine_token_is_not_retried(place: Place, double: FakeVertexServer) -> None:
    double.queue_answers(json_answer({"error": {"code": 401, "message": "no"}}, 401))
    with pytest.raises(Unauthenticated):
        Vertex(place).create_tuning_job("us-central1", {})
    assert len(double.asked) == 1


def test_without_a_token_no_header_is_sent(double: FakeVertexServer) -> None:
    double.queue_answers(json_answer({}))
    Vertex(Place(backend="engine", project_id="p", engine_url=double.url)).get(JOB)
    assert "authorization" not in {name.lower() for name in double.asked[0].headers}


def test_engine_requests_bypass_the_proxy(
    place: Place, double: FakeVertexServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    double.queue_answers(json_answer({"name": JOB}))
    assert Vertex(place).get(JOB) == {"name": JOB}


def missing_key_file(tmp_path: Path) -> str:
    return str(tmp_path / "secret-place.json")


def invalid_json_key(tmp_path: Path) -> str:
    (tmp_path / "secret-place.json").write_text("{")
    return missing_key_file(tmp_path)


def invalid_private_key(tmp_path: Path) -> str:
    (tmp_path / "secret-place.json").write_text('{"type": "authorized_user"}')
    return missing_key_file(tmp_path)


@pytest.mark.parametrize("make", [missing_key_file, invalid_json_key, invalid_private_key])
def test_bad_key_file_error_hides_the_path(tmp_path: Path, make: Any) -> None:
    with pytest.raises(CredentialsFailed) as caught:
        session(Place("google", "p", credentials_file=make(tmp_path)))
    assert_no_path(caught.value)


def test_missing_default_credentials_error_hides_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", missing_key_file(tmp_path))
    with pytest.raises(CredentialsFailed, match="No usable Google credentials") as caught:
        session(Place("google", "without-defaults"))
    assert_no_path(caught.value)


def test_an_unreadable_file_of_default_credentials_names_its_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """root may read everything, so a folder takes the place of a file that may not be read."""
    (tmp_path / "secret-place.json").mkdir()
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", missing_key_file(tmp_path))
    with pytest.raises(
        CredentialsFailed, match=f"GOOGLE_APPLICATION_CREDENTIALS.* ID {os.getuid()}"
    ) as caught:
        session(Place("google", "without-access"))
    assert_no_path(caught.value)


def assert_no_path(error: VertexError) -> None:
    shown = str(error) + "".join(traceback.format_exception(error))
    assert "secret-place" not in shown
    assert not error.request_sent


def test_a_replaced_key_is_read_again(google: Place, key_file: Path) -> None:
    first = session(google)
    assert session(google) is first
    os.utime(key_file, ns=(1, 1))
    assert session(google) is not first


class TimeoutRecorder(HTTPAdapter):
    """Records the time limit of each request."""

    def __init__(self) -> None:
        super().__init__()
        self.timeouts: list[Any] = []

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # type: ignore[override]
        self.timeouts.append(options["timeout"])
        return super().send(request, **options)


def test_every_request_has_a_time_limit(place: Place, double: FakeVertexServer) -> None:
    timed = TimeoutRecorder()
    session(place).mount("http://", timed)
    double.queue_answers(json_answer({}), json_answer({}), json_answer({}))
    session(place).get(f"{double.url}/x")
    session(place).get(f"{double.url}/x", timeout=None)
    session(place).get(f"{double.url}/x", timeout=3)
    assert timed.timeouts == [auth.TIMEOUT, auth.TIMEOUT, 3]
