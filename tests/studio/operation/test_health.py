"""/healthz tells anyone which part does not respond, and nothing else."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Event, Thread
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from studio.models import Pulse
from studio.operation import health
from studio.tasks import heartbeat
from tests.stack import wait_until

PARTS = ["database", "broker", "worker", "beat", "engine", "disk"]
pytestmark = pytest.mark.django_db


class StatusHandler(BaseHTTPRequestHandler):
    status = 404

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def engine(settings: Any) -> Iterator[type[StatusHandler]]:
    handler = type("Handler", (StatusHandler,), {})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        settings.ENGINE_URL = f"http://127.0.0.1:{server.server_port}"
        Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        yield handler
        server.shutdown()


@pytest.fixture(autouse=True)
def fresh_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each request looks at the parts itself."""
    monkeypatch.setattr(health, "KEPT_SECONDS", 0)
    monkeypatch.setattr(health, "RETRY_SECONDS", 0)


@pytest.fixture
def all_else_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(health.CHECKS, "broker", lambda: "ok")
    monkeypatch.setattr(health, "SECONDS", 60)
    for name in ("beat", "worker"):
        Pulse.objects.create(name=name, at=timezone.now())


def get_health() -> tuple[int, dict[str, Any]]:
    answer = Client().get("/healthz")
    return answer.status_code, answer.json()


def test_healthz_returns_200_without_sign_in_or_admin(engine: object, all_else_well: None) -> None:
    assert get_health() == (
        200,
        {"status": "ok", "parts": dict.fromkeys(PARTS, "ok")},
    )


@pytest.mark.parametrize("name", ["beat", "worker"])
def test_silent_part_returns_503(
    name: str, engine: object, all_else_well: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: now)
    Pulse.objects.filter(name=name).update(at=now - timedelta(seconds=75))
    status, told = get_health()
    assert status == 503
    assert told["parts"][name] == "silent for 75 s"


def test_part_without_pulse_is_reported(engine: object, all_else_well: None) -> None:
    Pulse.objects.all().delete()
    assert get_health()[1]["parts"]["worker"] == "not seen yet"


def test_failing_missing_and_disabled_engine_is_reported(
    engine: type[StatusHandler], all_else_well: None, settings: Any
) -> None:
    engine.status = 500
    assert get_health()[1]["parts"]["engine"] == "failing"
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        settings.ENGINE_URL = f"http://127.0.0.1:{closed.getsockname()[1]}"
        assert get_health()[1]["parts"]["engine"] == "not answering"
    settings.ENGINE = False
    assert get_health() == (200, get_health()[1])
    assert get_health()[1]["parts"]["engine"] == "off"


def test_unreachable_broker_is_reported() -> None:
    assert health.check_broker() == "not answering"


def test_healthz_reveals_no_settings(engine: object, settings: Any) -> None:
    settings.SECRET_KEY = "cAnArY"
    answer = Client().get("/healthz")
    assert set(answer.json()) == {"status", "parts"}
    assert all(
        word not in answer.content.decode()
        for word in (settings.ENGINE_URL, "cAnArY", str(settings.STATE_DIR))
    )


class SlowCheck:
    """A check that answers when it is let go, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.go = Event()

    def __call__(self) -> str:
        self.asked += 1
        self.go.wait(60)
        return "ok"


def test_many_requests_cost_one_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "KEPT_SECONDS", 60)
    slow = SlowCheck()
    slow.go.set()
    check = health.KeptAnswer(slow, in_thread=True)
    assert {check() for _request in range(50)} == {"ok"}
    assert slow.asked == 1


def test_one_request_waits_for_a_slow_check_and_the_others_get_the_last_answer() -> None:
    slow = SlowCheck()
    slow.go.set()
    check = health.KeptAnswer(slow, in_thread=True)
    assert check() == "ok"
    slow.go.clear()
    told: list[str] = []
    waiting = Thread(target=lambda: told.append(check()))
    waiting.start()
    wait_until(lambda: slow.asked == 2)
    assert check() == "ok" and slow.asked == 2
    assert not told
    slow.go.set()
    waiting.join(60)
    assert told == ["ok"]


def test_check_that_hangs_is_no_answer_and_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "SECONDS", 0.1)
    slow = SlowCheck()
    check = health.KeptAnswer(slow, in_thread=True)
    assert [check(), check(), check()] == ["not answering"] * 3
    assert slow.asked == 1
    slow.go.set()
    wait_until(lambda: check() == "ok")


def test_heartbeat_task_records_worker_pulse() -> None:
    heartbeat()
    heartbeat()
    assert health.check_worker() == "ok"
    assert Pulse.objects.count() == 1


def test_healthz_allows_head_and_refuses_post() -> None:
    assert Client().head("/healthz").status_code in {200, 503}
    assert Client().post("/healthz").status_code == 405
