"""The health check of containers: what it asks, what it says, and how little it loads."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from studio.operation import container_health
from tests.paths import ROOT

SCRIPT = ROOT / "studio" / "operation" / "container_health.py"
# Each takes longer to import than all that the check needs.
SLOW = {"django", "http", "urllib", "email", "ssl", "asyncio", "subprocess", "logging", "typing", "studio"}


class HealthHandler(BaseHTTPRequestHandler):
    body = b'{"status": "trouble", "parts": {"worker": "ok", "beat": "silent for 75 s"}}'

    def do_GET(self) -> None:
        known = self.path == "/healthz" and self.headers["Host"] == "localhost"
        self.send_response(503 if known else 404)
        self.end_headers()
        self.wfile.write(self.body if known else b"not found")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), HealthHandler) as server:
        thread = Thread(target=server.serve_forever, args=[0.01], daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_any_answer_shows_that_the_process_answers(address: str) -> None:
    assert container_health.main(address) == 0


def test_a_part_has_to_be_ok(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert container_health.main(address, "worker") == 0
    assert container_health.main(address, "worker", "beat", "engine") == 1
    assert capsys.readouterr().err == "beat is silent for 75 s\nengine is unknown\n"


def test_nobody_there_and_no_health_fail(
    monkeypatch: pytest.MonkeyPatch, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(HealthHandler, "body", b"<html>")
    assert container_health.main(address) == 1
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        assert container_health.main(f"127.0.0.1:{closed.getsockname()[1]}") == 1
    assert capsys.readouterr().err.count(" does not answer: ") == 2


def test_a_process_that_accepts_and_says_nothing_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container_health, "SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as frozen:
        assert container_health.main(f"127.0.0.1:{frozen.getsockname()[1]}") == 1


def test_it_loads_nothing_that_takes_time(address: str) -> None:
    told = subprocess.run(
        [sys.executable, "-I", "-S", "-X", "importtime", str(SCRIPT), address, "worker"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert told.returncode == 0, told.stderr
    loaded = set(re.findall(r"\| +([\w.]+)$", told.stderr, re.MULTILINE))
    assert {"json", "socket"} <= loaded
    assert not {name.partition(".")[0] for name in loaded} & SLOW
