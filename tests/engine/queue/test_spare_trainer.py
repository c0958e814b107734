"""The spare trainer: started on request, given to one job, and gone when nobody needs it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from engine.queue.job_folder import JobFolder
from engine.queue.runner import Runner
from engine.queue.spare_trainer import Spare, SpareKeeper
from tests.engine.job_folders import values, weights
from tests.engine.queue.test_runner import Act, MakeJob, find_trainer, read_state, wait_for
from tests.engine.queue.test_runner import act as act
from tests.engine.queue.test_runner import launches as launches
from tests.engine.queue.test_runner import start as start
from tests.engine.running_engine import run_engine
from tests.paths import ROOT

pytestmark = pytest.mark.engine

Start = Callable[..., Runner]


def find_spares(parent: int | None = None) -> list[psutil.Process]:
    """The spare trainers that this process started, or `parent`; not those of an engine that tests share."""
    found = []
    for child in psutil.Process(parent).children(recursive=parent is not None):
        try:
            if "--spare" in child.cmdline() and child.status() != psutil.STATUS_ZOMBIE:
                found.append(child)
        except psutil.NoSuchProcess:
            continue
    return found


def wait_for_spare(parent: int | None = None) -> psutil.Process:
    wait_for(lambda: find_spares(parent))
    (spare,) = find_spares(parent)
    return spare


def is_gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


@pytest.fixture
def keeper(act: Act) -> Iterator[SpareKeeper]:
    """One whose spare, an acting one, waits for a minute."""
    keeper = SpareKeeper(60)
    yield keeper
    keeper.stop()


def test_job_starts_in_the_spare_that_was_requested(act: Act, start: Start) -> None:
    runner = start()
    runner.warm_up()
    spare = wait_for_spare()
    wait_for(runner.describe_spare)
    folder = act("works on")
    runner.wake()
    assert find_trainer(folder) == spare
    assert folder.state["pidStarted"] == spare.create_time()
    assert runner.describe_spare() is None
    assert os.getsid(spare.pid) == spare.pid


def test_no_spare_without_a_request(act: Act, start: Start) -> None:
    folder = act("works")
    runner = start()
    wait_for(lambda: folder.is_finished)
    assert (find_spares(), runner.describe_spare()) == ([], None)


@pytest.mark.parametrize("warm", [True, False])
def test_log_and_standard_input_are_as_in_a_new_process(act: Act, start: Start, warm: bool) -> None:
    runner = start()
    if warm:
        runner.warm_up()
        wait_for_spare()
    folder = act("prints")
    (folder.path / "trainer.log").write_text("before\n")
    runner.wake()
    wait_for(lambda: folder.is_finished)
    assert (folder.path / "trainer.log").read_text() == "before\nThis is the trainer.  1\n"


def test_spare_of_another_environment_is_not_used(
    act: Act, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = start()
    runner.warm_up()
    spare = wait_for_spare()
    monkeypatch.setenv("ENGINE_THREADS", "2")
    folder = act("prints")
    runner.wake()
    wait_for(lambda: folder.is_finished)
    assert (folder.path / "trainer.log").read_text() == "This is the trainer.  2\n"
    assert is_gone(spare)


def test_job_starts_without_a_spare_that_was_killed(act: Act, start: Start) -> None:
    runner = start()
    runner.warm_up()
    spare = wait_for_spare()
    spare.kill()
    folder = act("works")
    runner.wake()
    wait_for(lambda: folder.is_finished)
    assert read_state(folder) == "SUCCEEDED"
    assert "restarts" not in folder.state


def test_handover_to_a_dead_spare_starts_a_new_process(act: Act, keeper: SpareKeeper) -> None:
    """It dies after the keeper has looked at it for the last time."""
    folder = act("works")
    keeper.request()
    keeper.update(is_useful=True, is_idle=True)
    spare = wait_for_spare()
    spare.kill()
    wait_for(lambda: is_gone(spare))
    process = keeper.launch_trainer(folder)
    assert process.wait(120) == 0
    assert process.pid != spare.pid
    assert folder.result == {"outcome": "SUCCEEDED"}


def test_spare_stays_where_the_job_cannot_start(act: Act, keeper: SpareKeeper) -> None:
    folder = act("works")
    keeper.request()
    keeper.update(is_useful=True, is_idle=True)
    spare = wait_for_spare()
    (folder.path / "trainer.log").mkdir()
    with pytest.raises(OSError):
        keeper.launch_trainer(folder)
    assert keeper.describe()
    (folder.path / "trainer.log").rmdir()
    process = keeper.launch_trainer(folder)
    assert (process.pid, process.wait(120)) == (spare.pid, 0)


def test_spare_ends_after_its_time_without_a_job(
    act: Act, start: Start, launches: list[subprocess.Popen[bytes]]
) -> None:
    runner = start(spare_timeout=0.5)
    wait_for(
        lambda: launches or runner.warm_up()
    )  # where half a second passes before it starts, it never does
    wait_for(lambda: launches[0].returncode is not None)
    wait_for(lambda: runner.describe_spare() is None)


def test_each_request_keeps_the_spare_for_longer(
    act: Act, keeper: SpareKeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(monotonic=lambda: 100.0)
    monkeypatch.setattr("engine.queue.spare_trainer.time", clock)
    keeper.request()
    assert keeper.update(is_useful=True, is_idle=True) == 60
    clock.monotonic = lambda: 150.0
    assert keeper.update(is_useful=True, is_idle=True) == 10
    keeper.request()
    assert keeper.update(is_useful=True, is_idle=True) == 60
    assert len(find_spares()) == 1


def test_spare_that_cannot_start_is_not_tried_again_until_the_next_request(
    act: Act, keeper: SpareKeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.queue.spare_trainer.TRAINER", "no.such.module")
    keeper.request()
    keeper.update(is_useful=True, is_idle=True)
    wait_for(lambda: keeper.describe() is None)
    assert keeper.update(is_useful=True, is_idle=True) is None
    assert keeper.update(is_useful=True, is_idle=True) is None
    monkeypatch.setattr("engine.queue.spare_trainer.TRAINER", "tests.engine.queue.acting_trainer")
    keeper.request()
    assert keeper.update(is_useful=True, is_idle=True)
    assert keeper.describe()


def test_while_a_job_trains_a_spare_starts_only_for_a_job_that_waits(act: Act, start: Start) -> None:
    runner = start()
    runner.warm_up()
    first = wait_for_spare()
    running = act("works on")
    runner.wake()
    assert find_trainer(running) == first
    runner.warm_up()
    heartbeat = running.progress["heartbeat"]
    wait_for(lambda: running.progress["heartbeat"] > heartbeat + 1)
    assert runner.describe_spare() is None
    waiting = act("works")
    runner.wake()
    wait_for(lambda: runner.describe_spare())
    assert read_state(waiting) == "PENDING"


def test_after_a_job_that_was_announced_a_spare_waits_for_the_next(act: Act, start: Start) -> None:
    runner = start()
    runner.warm_up()
    first = wait_for_spare()
    folder = act("works")
    runner.wake()
    wait_for(lambda: folder.is_finished)
    assert wait_for_spare() != first


def test_stopped_runner_leaves_no_spare(act: Act, start: Start) -> None:
    runner = start()
    runner.warm_up()
    spare = wait_for_spare()
    runner.stop()
    assert is_gone(spare)


def test_spare_ends_when_the_engine_closes_its_end(act: Act) -> None:
    spare = Spare()
    spare._channel.close()
    assert spare.process.wait(120) == 0


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGSEGV])
@pytest.mark.fault
def test_trainer_that_was_a_spare_is_restarted_when_it_dies(
    act: Act, start: Start, signal_number: int
) -> None:
    runner = start()
    runner.warm_up()
    spare = wait_for_spare()
    folder = act("works on")
    runner.wake()
    assert find_trainer(folder) == spare
    os.kill(spare.pid, signal_number)
    wait_for(lambda: folder.state.get("pid", spare.pid) != spare.pid)
    assert folder.state["restarts"] == 1


ENGINE = """
import sys, time, pathlib
from engine.queue.runner import Runner
runner = Runner(pathlib.Path(sys.argv[1]))
runner.start()
runner.warm_up()
time.sleep(600)
"""


@pytest.mark.fault
def test_spare_dies_with_the_engine(base_folder: Path, tmp_path: Path) -> None:
    """A real one, killed while it imports torch or waits."""
    engine = subprocess.Popen([sys.executable, "-c", ENGINE, str(tmp_path / "root")], cwd=ROOT)
    spare = wait_for_spare(engine.pid)
    engine.kill()
    engine.wait()
    wait_for(lambda: is_gone(spare))


def test_spare_trains_to_the_same_bits_as_a_new_process(
    make_job: MakeJob, trained: JobFolder, start: Start
) -> None:
    runner = start()
    runner.warm_up()
    spare = wait_for_spare()
    wait_for(lambda: (runner.describe_spare() or {}).get("ready"), 120)
    warm = make_job()
    runner.wake()
    wait_for(lambda: "pid" in warm.state)
    assert warm.state["pid"] == spare.pid
    wait_for(lambda: warm.is_finished, 120)
    runner.stop()  # without it a spare would wait for the second job
    cold = make_job()
    start()
    wait_for(lambda: cold.is_finished, 120)
    assert read_state(warm) == read_state(cold) == "SUCCEEDED"
    assert values(warm.read_points()) == values(cold.read_points()) == values(trained.read_points())
    assert weights(warm) == weights(cold) == weights(trained)
    assert warm.progress["steps"] == cold.progress["steps"]


def test_warm_up_call_starts_a_spare_and_health_tells_its_memory(base_folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "token"
    with run_engine(tmp_path / "root", "--token-file", str(file)) as engine:
        allowed = {"Authorization": f"Bearer {file.read_text()}"}
        assert engine.get("healthz").json() == {"status": "ok", "spareTrainer": None}
        assert engine.post("engine/warm-up").status_code == 401
        assert engine.post("engine/warm-up", headers={**allowed, "Origin": "null"}).status_code == 403
        assert engine.get("engine/warm-up", headers=allowed).status_code == 405
        assert engine.get("healthz").json()["spareTrainer"] is None
        assert engine.post("engine/warm-up", headers=allowed).json() == {}
        wait_for(lambda: (engine.get("healthz").json()["spareTrainer"] or {}).get("ready"), 120)
        assert engine.get("healthz").json()["spareTrainer"]["memoryBytes"] > 2**26  # torch alone takes more
        spare = wait_for_spare(engine.process.pid)
    assert is_gone(spare)
