"""When the keeper restarts a part, decided on real processes and sockets, by a clock that the test sets."""

from __future__ import annotations

import os
import selectors
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from studio.run import part as part_module
from studio.run.inquiry import Question
from studio.run.part import Part, read_state
from studio.run.processes import Program
from tests.paths import ROOT
from tests.stack import iter_processes, wait_until

IDLE = [sys.executable, "-c", "import signal; signal.pause()"]
BUSY = [sys.executable, "-c", "while True: pass"]


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def selector() -> Iterator[selectors.BaseSelector]:
    with selectors.DefaultSelector() as selector:
        yield selector


@pytest.fixture
def run(tmp_path: Path, selector: selectors.BaseSelector, clock: Clock) -> Iterator[Callable[..., Part]]:
    """run(command, question) -> a part that runs and has shown that it works."""
    parts: list[Part] = []

    def start(command: list[str], question: Question | None = None) -> Part:
        part = Part(Program("web", command, question=question), tmp_path / "web.log", selector, clock)
        part.start(ROOT)
        parts.append(part)
        part.record_sign()
        return part

    yield start
    for part in parts:
        part.kill()
        wait_until(lambda part=part: part.process is None or part.reap())


def handle_events(selector: selectors.BaseSelector, seconds: float = 0.1) -> None:
    for key, _ in selector.select(seconds):
        key.data()


def test_pulses_may_stay_out_for_a_while(run: Callable[..., Part], clock: Clock) -> None:
    part = run(IDLE)
    clock.now += part_module.PULSELESS_SECONDS - 1
    assert part.find_trouble() == ""
    clock.now += 2
    assert part.find_trouble() == "has been silent for 46 s"
    part.record_sign()
    assert part.find_trouble() == ""


def test_a_part_that_starts_has_longer(run: Callable[..., Part], clock: Clock) -> None:
    part = run(IDLE)
    part.is_up = False
    clock.now += part_module.START_SECONDS - 1
    assert part.find_trouble() == ""
    clock.now += 2
    assert "silent" in part.find_trouble()


def test_what_uses_the_processor_is_late_not_frozen(
    run: Callable[..., Part], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part_module, "BUSY_SHARE", 0.005)
    part = run(BUSY)
    clock.now += part_module.PULSELESS_SECONDS / 2
    assert part.find_trouble() == ""
    used = part_module.measure_processor_time(part.process.pid)  # type: ignore[union-attr]
    wait_until(
        lambda: part_module.measure_processor_time(part.process.pid) > used + 0.15,  # type: ignore[union-attr]
        seconds=60,
    )
    clock.now += part_module.PULSELESS_SECONDS / 2 + 1
    assert part.find_trouble() == ""
    clock.now += part_module.BUSY_SECONDS
    assert "silent" in part.find_trouble()


def test_a_stopped_process_is_found_at_once_and_given_a_moment(
    run: Callable[..., Part], clock: Clock
) -> None:
    part = run(IDLE)
    assert part.process
    os.kill(part.process.pid, signal.SIGSTOP)
    wait_until(lambda: read_state(part.process.pid) == "T")  # type: ignore[union-attr]
    assert part.find_trouble() == ""
    clock.now += part_module.STOPPED_SECONDS
    assert part.find_trouble() == "is stopped"
    os.kill(part.process.pid, signal.SIGCONT)
    wait_until(lambda: read_state(part.process.pid) != "T")  # type: ignore[union-attr]
    assert part.find_trouble() == ""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[socket.socket]:
    """A unix socket that takes connections and answers none of them by itself."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "asked.sock"))
        server.listen()
        server.settimeout(60)
        yield server


def test_any_answer_is_a_sign(
    run: Callable[..., Part], clock: Clock, selector: selectors.BaseSelector, server: socket.socket
) -> None:
    part = run(IDLE, Question(server.getsockname(), b"PING\r\n"))
    clock.now += part_module.SILENT_SECONDS + 1
    part.ask()
    connection, _ = server.accept()
    with connection:
        handle_events(selector)
        assert connection.recv(100) == b"PING\r\n"
        assert "silent" in part.find_trouble()
        connection.send(b"-LOADING\r\n")
        handle_events(selector, 60)
    assert part.find_trouble() == ""


def test_a_question_without_an_answer_is_asked_again(
    run: Callable[..., Part], clock: Clock, selector: selectors.BaseSelector, server: socket.socket
) -> None:
    part = run(IDLE, Question(server.getsockname(), b"PING\r\n"))
    part.ask()
    first, _ = server.accept()
    with first:
        handle_events(selector)
        clock.now += 1
        part.ask()  # one is on its way
        clock.now += part_module.ANSWER_SECONDS
        part.ask()
        second, _ = server.accept()
        second.close()
        assert first.recv(100) == b"PING\r\n"
        assert first.recv(100) == b""


def test_a_closed_door_is_no_sign(
    run: Callable[..., Part], clock: Clock, selector: selectors.BaseSelector, tmp_path: Path
) -> None:
    part = run(IDLE, Question(str(tmp_path / "nobody.sock"), b"PING\r\n"))
    clock.now += part_module.SILENT_SECONDS + 1
    part.ask()
    handle_events(selector)
    assert "silent" in part.find_trouble()


def test_its_end_ends_all_of_its_group(run: Callable[..., Part], tmp_path: Path) -> None:
    """Also what is frozen."""
    child = "import os, signal, subprocess, sys; p = subprocess.Popen(['sleep', '12345']); "
    part = run([sys.executable, "-c", f"{child}os.kill(p.pid, signal.SIGSTOP); signal.pause()"])
    group = part.process.pid  # type: ignore[union-attr]

    def list_group() -> list[int]:
        return [pid for pid, _ in iter_processes() if find_group(pid) == group]

    wait_until(lambda: [pid for pid in list_group() if read_state(pid) == "T"])
    os.kill(group, signal.SIGKILL)
    wait_until(part.reap)
    wait_until(lambda: not list_group())


def find_group(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return 0


def test_quick_ends_are_tried_again_more_slowly(run: Callable[..., Part], clock: Clock) -> None:
    part = run(["false"])
    pauses = []
    for _ in range(12):
        wait_until(part.reap)
        pauses.append(part.start_at - clock.now)
        assert not part.is_due
        clock.now = part.start_at
        part.start(ROOT)
    assert pauses == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 10]
    clock.now += part_module.QUICK_END_SECONDS
    wait_until(part.reap)
    assert (part.quick_ends, part.start_at) == (0, clock.now)


def test_output_reaches_the_log(
    run: Callable[..., Part], selector: selectors.BaseSelector, tmp_path: Path
) -> None:
    part = run(["sh", "-c", "echo one; echo two >&2"])
    wait_until(part.reap)
    while selector.get_map():
        handle_events(selector, 60)
    assert (tmp_path / "web.log").read_text() == "one\ntwo\n"
