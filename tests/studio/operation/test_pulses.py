"""Pulses reach the keeper whatever the database and the time of day do, and beat sends what is due."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone

from studio import tasks
from studio.celery import app
from studio.models import Pulse
from studio.operation import health
from studio.operation.beat_scheduler import Scheduler
from studio.operation.pulse import send_pulse


@pytest.fixture
def keeper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as keeper:
        keeper.bind(str(tmp_path / "keeper.sock"))
        keeper.settimeout(0.5)
        monkeypatch.setenv("KEEPER_SOCKET", str(tmp_path / "keeper.sock"))
        yield keeper


def test_a_pulse_is_the_parts_name(keeper: socket.socket) -> None:
    send_pulse("beat")
    assert keeper.recv(100) == b"beat"


def test_a_pulse_without_a_keeper_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KEEPER_SOCKET", raising=False)
    send_pulse("beat")
    monkeypatch.setenv("KEEPER_SOCKET", str(tmp_path / "gone.sock"))
    send_pulse("beat")


def test_a_keeper_that_does_not_read_holds_nobody_up(keeper: socket.socket) -> None:
    """A frozen one: its socket is full after a few."""
    began = time.monotonic()
    for _ in range(2000):
        send_pulse("beat")
    assert time.monotonic() - began < 60


@pytest.mark.django_db
def test_heartbeat_pulses_before_it_asks_the_database(
    keeper: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*names: str) -> None:
        raise OperationalError("database or disk is full")

    monkeypatch.setattr(tasks, "record_pulses", fail)
    tasks.heartbeat()
    assert keeper.recv(100) == b"worker"


@pytest.mark.django_db
def test_heartbeat_of_beat_records_both(keeper: socket.socket) -> None:
    tasks.heartbeat()
    assert (health.check_worker(), health.check_beat()) == ("ok", "not seen yet")
    tasks.heartbeat(beat=True)
    assert (health.check_worker(), health.check_beat()) == ("ok", "ok")


@pytest.mark.django_db
def test_beat_is_not_blamed_for_a_silent_worker() -> None:
    tasks.heartbeat(beat=True)
    Pulse.objects.update(at=timezone.now() - timedelta(seconds=90))
    assert health.check_worker() == "silent for 90 s"
    assert health.check_beat() == "unknown: the worker is silent"
    tasks.heartbeat()
    assert health.check_beat() == "silent for 90 s"


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(Scheduler, "apply_entry", lambda self, entry, producer: found.append(entry.name))
    monkeypatch.setattr(Scheduler, "producer", None)
    return found


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    """clock["now"] is the monotonic time."""
    times = {"now": 1000.0}
    monkeypatch.setattr("studio.operation.beat_scheduler.time.monotonic", lambda: times["now"])
    return times


def tick_until_idle(scheduler: Scheduler) -> float:
    while (wait := scheduler.tick()) == 0:
        pass
    return wait


def test_beat_sends_everything_at_its_start_and_after_each_interval(
    sent: list[str], clock: Any, keeper: socket.socket
) -> None:
    scheduler = Scheduler(app=app)
    assert tick_until_idle(scheduler) == pytest.approx(5)
    assert sorted(sent) == sorted(scheduler.schedule)
    assert keeper.recv(100) == b"beat"
    sent.clear()
    clock["now"] += 4.9
    assert tick_until_idle(scheduler) == pytest.approx(0.1)
    assert sent == []
    clock["now"] += 0.2
    tick_until_idle(scheduler)
    assert sent == ["due work"]
    clock["now"] += 30
    sent.clear()
    tick_until_idle(scheduler)
    assert sorted(sent) == ["beat", "count tokens", "due work"], "what was missed is not made up for"


def test_beat_does_not_wait_for_the_time_of_day(
    sent: list[str], clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduler = Scheduler(app=app)
    tick_until_idle(scheduler)
    sent.clear()
    set_back = time.time() - 3600
    monkeypatch.setattr(time, "time", lambda: set_back)
    clock["now"] += 5
    tick_until_idle(scheduler)
    assert sent == ["due work"]
