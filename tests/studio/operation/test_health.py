"""/healthz tells which part does not answer, to anybody, and nothing else."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from studio.models import Pulse
from studio.operation import health
from studio.tasks import heartbeat

pytestmark = pytest.mark.django_db


class Answering(BaseHTTPRequestHandler):
    status = 404

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def engine(settings: Any) -> Iterator[type[Answering]]:
    handler = type("Handler", (Answering,), {})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        settings.ENGINE_URL = f"http://127.0.0.1:{server.server_port}"
        Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        yield handler
        server.shutdown()


@pytest.fixture
def all_else_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(health.CHECKS, "broker", lambda: "ok")
    for name in ("beat", "worker"):
        Pulse.objects.create(name=name, at=timezone.now())


def ask() -> tuple[int, dict[str, Any]]:
    answer = Client().get("/healthz")
    return answer.status_code, answer.json()


def test_all_well_and_open_to_anybody_before_the_first_admin(engine: object, all_else_well: None) -> None:
    assert ask() == (
        200,
        {"status": "ok", "parts": dict.fromkeys(["database", "broker", "worker", "beat", "engine"], "ok")},
    )


@pytest.mark.parametrize("name", ["beat", "worker"])
def test_a_silent_part_is_told(name: str, engine: object, all_else_well: None) -> None:
    Pulse.objects.filter(name=name).update(at=timezone.now() - timedelta(seconds=75))
    status, told = ask()
    assert status == 503
    assert told["parts"][name].startswith("silent for 7")


def test_a_part_that_never_was_is_told(engine: object, all_else_well: None) -> None:
    Pulse.objects.all().delete()
    assert ask()[1]["parts"]["worker"] == "not seen yet"


def test_an_engine_that_is_away_or_failing_is_told(
    engine: type[Answering], all_else_well: None, settings: Any
) -> None:
    engine.status = 500
    assert ask()[1]["parts"]["engine"] == "failing"
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        settings.ENGINE_URL = f"http://127.0.0.1:{closed.getsockname()[1]}"
        assert ask()[1]["parts"]["engine"] == "not answering"
    settings.ENGINE = False
    assert ask() == (200, ask()[1])
    assert ask()[1]["parts"]["engine"] == "off"


def test_a_broker_that_is_away_is_told() -> None:
    assert health.broker() == "not answering"


def test_nothing_else_is_told(engine: object, settings: Any) -> None:
    settings.SECRET_KEY = "cAnArY"
    answer = Client().get("/healthz")
    assert set(answer.json()) == {"status", "parts"}
    assert all(
        word not in answer.content.decode()
        for word in (settings.ENGINE_URL, "cAnArY", str(settings.STATE_DIR))
    )


def test_the_heartbeat_is_the_workers_pulse() -> None:
    heartbeat()
    heartbeat()
    assert health.worker() == "ok"
    assert Pulse.objects.count() == 1


def test_head_is_answered_and_post_is_not() -> None:
    assert Client().head("/healthz").status_code in {200, 503}
    assert Client().post("/healthz").status_code == 405
