"""The keeper restarts the part that is in trouble, not one that waits for it."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from studio.run import keeper as keeper_module
from studio.run.inquiry import Question
from studio.run.keeper import CHECK_SECONDS, Keeper
from studio.run.part import Part
from studio.run.processes import Plan, Program, programs
from tests.paths import ROOT
from tests.stack import wait_until
from tests.studio.run.test_part import IDLE, Clock


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the keeper tells the launcher."""
    told: list[str] = []
    monkeypatch.setattr(keeper_module, "tell", lambda kind, sentence="": told.append(f"{kind} {sentence}"))
    return told


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keeper(tmp_path: Path, clock: Clock) -> Iterator[Keeper]:
    """A keeper of processes that only wait, all of which have shown that they work."""
    keeper = object.__new__(Keeper)
    keeper.selector = selectors.DefaultSelector()
    programs = [
        Program("redis", IDLE, question=Question(str(tmp_path / "redis.sock"), b"")),
        Program("beat", IDLE, needs=("redis",)),
        Program("worker", IDLE, needs=("redis", "beat")),
    ]
    keeper.parts = [Part(each, tmp_path / f"{each.name}.log", keeper.selector, clock) for each in programs]
    keeper.by_name = {part.name: part for part in keeper.parts}
    for part in keeper.parts:
        part.start(ROOT)
        part.record_sign()
    yield keeper
    for part in keeper.parts:
        part.kill()
        wait_until(lambda part=part: part.process is None or part.reap())
    keeper.selector.close()


def pass_time(keeper: Keeper, clock: Clock, seconds: float, silent: set[str]) -> None:
    """Let the parts that are not silent show signs, and check all as often as the keeper does."""
    end = clock.now + seconds
    while clock.now < end:
        clock.now += CHECK_SECONDS
        for part in keeper.parts:
            if part.name not in silent:
                part.record_sign()
            keeper.check_part(part)


@pytest.mark.parametrize("silent", ["redis", "beat", "worker"])
def test_the_silent_part_is_restarted_and_no_other(
    keeper: Keeper, clock: Clock, said: list[str], silent: str
) -> None:
    later = {"redis": {"redis", "beat", "worker"}, "beat": {"beat", "worker"}, "worker": {"worker"}}[silent]
    pass_time(keeper, clock, 50, silent=later)
    assert {sentence.split()[1] for sentence in said} == {silent}
    wait_until(keeper.by_name[silent].reap)
    assert all(part.is_up for part in keeper.parts if part.name != silent)


def test_who_waited_for_another_is_given_time_again(keeper: Keeper, clock: Clock, said: list[str]) -> None:
    pass_time(keeper, clock, 40, silent={"redis", "worker"})
    pass_time(keeper, clock, 40, silent={"worker"})
    assert not [sentence for sentence in said if "worker" in sentence]
    pass_time(keeper, clock, 10, silent={"worker"})
    assert [sentence for sentence in said if "worker" in sentence]


def test_a_stopped_part_has_no_excuse(keeper: Keeper, clock: Clock, said: list[str]) -> None:
    worker = keeper.by_name["worker"].process
    assert worker
    os.kill(worker.pid, signal.SIGSTOP)
    wait_until(lambda: "T" in Path(f"/proc/{worker.pid}/stat").read_text().rpartition(")")[2])
    pass_time(keeper, clock, 20, silent={"redis", "worker"})
    assert "say worker is stopped and is restarted." in said


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return Plan(ROOT, tmp_path, tmp_path, "0.0.0.0", 8000, "/usr/bin/redis-server", 8090)  # noqa: S104


def test_a_plan_arrives_as_it_was_sent(plan: Plan) -> None:
    assert Plan.from_json(plan.to_json()) == plan


def test_every_part_can_be_asked_or_sends_pulses(plan: Plan) -> None:
    asked = {program.name: program.question for program in programs(plan) if program.question}
    assert asked.keys() == {"redis", "engine", "web"}
    assert asked["web"] and asked["web"].address == ("127.0.0.1", 8000)
    names = [program.name for program in programs(plan)]
    assert all(set(program.needs) <= set(names) for program in programs(plan))


def test_redis_stores_nothing(plan: Plan) -> None:
    command = programs(plan)[0].command
    assert command[command.index("--appendonly") + 1] == "no"
    assert command[command.index("--save") + 1] == ""


def test_words_that_cannot_be_written_end_nothing() -> None:
    """The terminal may be a file on a full disk."""
    code = "import os; from studio.run.keeper_process import show_sentences as show; show('ab'); os._exit(7)"
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, stdout=full, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (7, b"")
