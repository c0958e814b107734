"""The real `python -m studio.run` starts, refuses in one sentence, recovers and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.paths import ROOT
from tests.stack import NOT_INHERITED, Stack, wait_until

PARTS = {
    "redis": r"redis-server",
    "web": r"gunicorn",
    "worker": r"celery -A studio worker",
    "beat": r"celery -A studio beat",
    "engine": r"-m engine --host",
}
pytestmark = pytest.mark.fault


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("state")) as running:
        yield running


def get_health(stack: Stack) -> dict[str, Any]:
    """Return /healthz, or {} while the web process is down."""
    try:
        answer: dict[str, Any] = requests.get(f"{stack.url}/healthz", timeout=120).json()
    except requests.RequestException:
        return {}
    return answer


def is_healthy(stack: Stack) -> bool:
    return get_health(stack).get("status") == "ok"


def read_pulse(stack: Stack, name: str) -> datetime:
    with closing(sqlite3.connect(stack.state / "studio.sqlite3")) as database:
        (at,) = database.execute("SELECT at FROM studio_pulse WHERE name = ?", [name]).fetchone()
    return datetime.fromisoformat(at).replace(tzinfo=UTC)


def copy_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}


def start_refused_run(state: Path, **environment: str) -> str:
    """Return the message of a start that must fail: one line, with exit status 1."""
    done = subprocess.run(
        [sys.executable, "-m", "studio.run"],
        cwd=ROOT,
        env={**copy_environment(), "STATE_DIR": str(state), "BIND": "127.0.0.1", **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1, done
    assert not done.stdout
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def test_every_part_is_up_and_the_first_admin_gets_a_link(stack: Stack) -> None:
    parts = ["database", "broker", "worker", "beat", "engine", "disk"]
    wait_until(lambda: get_health(stack) == {"status": "ok", "parts": dict.fromkeys(parts, "ok")})
    assert all(stack.processes(words) for words in PARTS.values()), stack.processes()
    assert requests.get(stack.link, timeout=120).status_code == 200


def test_a_new_link_leads_to_the_running_address(stack: Stack) -> None:
    told = subprocess.run(
        [sys.executable, "manage.py", "invite", "--admin"],
        cwd=ROOT,
        env={**copy_environment(), "STATE_DIR": str(stack.state)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert told.stdout.startswith(f"{stack.url}/join/"), told
    assert requests.get(told.stdout.strip(), timeout=120).status_code == 200
    assert requests.get(stack.link, timeout=120).status_code == 410


def test_pages_return_503_before_the_first_admin(stack: Stack) -> None:
    assert requests.get(f"{stack.url}/p/local/jobs/", timeout=120).status_code == 503


def test_sockets_are_private_and_named_in_the_record(stack: Stack) -> None:
    record = json.loads((stack.state / "run.json").read_text())
    assert record["url"] == stack.url
    sockets = Path(record["sockets"])
    assert sockets.stat().st_mode & 0o777 == 0o700
    assert (stack.state / "run.json").stat().st_mode & 0o777 == 0o600
    assert {"redis.sock", "keeper.sock"} <= {each.name for each in sockets.iterdir()}


def test_second_beat_exits_with_a_message(stack: Stack) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "celery", "-A", "studio", "beat"],
        cwd=ROOT,
        env={**copy_environment(), "STATE_DIR": str(stack.state), "REDIS_URL": "redis://127.0.0.1:1/0"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert f"Another beat already runs on {stack.state}: stop that one first." in done.stderr


@pytest.mark.parametrize("part", PARTS)
def test_killed_part_is_restarted(stack: Stack, part: str) -> None:
    before = set(stack.kill(PARTS[part]))
    killed = datetime.now(UTC)
    wait_until(lambda: set(stack.processes(PARTS[part])) - before, seconds=120)
    wait_until(lambda: min(read_pulse(stack, "beat"), read_pulse(stack, "worker")) > killed, seconds=120)
    wait_until(lambda: is_healthy(stack), seconds=120)


def test_a_second_run_on_the_same_state_is_refused(stack: Stack) -> None:
    said = start_refused_run(stack.state, PORT="1")
    assert f"already runs on {stack.state}, at {stack.url}" in said


def test_ctrl_c_stops_everything(stack: Stack) -> None:
    sockets = Path(json.loads((stack.state / "run.json").read_text())["sockets"])
    assert len(stack.processes()) > 5
    assert stack.process
    stack.process.send_signal(signal.SIGINT)
    assert stack.process.wait(120) == 0
    assert stack.processes() == {}
    assert not sockets.exists()
    assert not (stack.state / "run.json").exists()


def test_killed_launcher_leaves_no_process_and_next_run_cleans_up(tmp_path: Path) -> None:
    stack = Stack(tmp_path, ENGINE="off").start()
    assert stack.process
    stack.process.kill()
    stack.process.wait()
    wait_until(lambda: not stack.processes(), seconds=120)
    left = Path(json.loads((tmp_path / "run.json").read_text())["sockets"])
    assert left.exists()
    stack.start()
    assert not left.exists()
    stack.process.send_signal(signal.SIGTERM)
    assert stack.process.wait(150) == 0  # the parts end one after the other, each within its own time
    assert stack.processes() == {}


def test_a_taken_port_is_refused(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"127.0.0.1:{port} cannot be used" in start_refused_run(tmp_path, PORT=str(port))
    assert not (tmp_path / "studio.sqlite3").exists()


def test_unwritable_state_folder_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    assert f"STATE_DIR {file / 'state'} cannot be written" in start_refused_run(file / "state")


def test_public_bind_without_base_url_is_refused(tmp_path: Path) -> None:
    assert "set BASE_URL" in start_refused_run(tmp_path, BIND="192.0.2.1", PORT="1")


def test_non_numeric_port_is_refused(tmp_path: Path) -> None:
    assert "PORT is 'eight'" in start_refused_run(tmp_path, PORT="eight")
