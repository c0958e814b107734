"""The queue, with trainers that play a part, and with real ones that are killed."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from engine.queue.atomic_files import write_json
from engine.queue.job_folder import JobFolder
from engine.queue.runner import Runner
from engine.queue.spare_trainer import launch
from tests.engine.job_folders import series
from tests.engine.running_engine import PROJECT, run_engine
from tests.paths import ROOT

pytestmark = pytest.mark.engine

MakeJob = Callable[..., JobFolder]
Act = Callable[[str], JobFolder]


@pytest.fixture
def act(make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> Act:
    """act("works") -> a job whose trainer will play that part."""
    monkeypatch.setattr("engine.queue.spare_trainer.TRAINER", "tests.engine.queue.acting_trainer")

    def make(part: str) -> JobFolder:
        folder = make_job()
        write_json(folder.path / "job.json", {**folder.job, "model": part})
        return folder

    return make


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Runner]]:
    """start(patience=..., grace=..., spare_timeout=...) -> a running Runner of the jobs made so far."""
    runners: list[Runner] = []

    def make(**times: float) -> Runner:
        runners.append(Runner(tmp_path / "root", **{"grace": 5.0, **times}))
        runners[-1].start()
        return runners[-1]

    yield make
    for runner in runners:
        runner.stop()


@pytest.fixture
def launches(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """Every trainer and spare since, in their order."""
    found: list[subprocess.Popen[bytes]] = []

    def launch_and_note(*arguments: Any) -> subprocess.Popen[bytes]:
        found.append(launch(*arguments))
        return found[-1]

    monkeypatch.setattr("engine.queue.spare_trainer.launch", launch_and_note)
    return found


@pytest.fixture
def state_changes(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """(id of the job, state) as they are written, however short a state lasts."""
    found: list[tuple[str, str]] = []
    write = JobFolder.write_state

    def note_and_write(self: JobFolder, state: str, **changes: Any) -> None:
        found.append((self.id, state))
        write(self, state, **changes)

    monkeypatch.setattr(JobFolder, "write_state", note_and_write)
    return found


def wait_for(condition: Callable[[], object], seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "It did not happen."
        time.sleep(0.02)


def read_state(folder: JobFolder) -> str:
    return str(folder.state["state"]).removeprefix("JOB_STATE_")


def find_trainer(folder: JobFolder) -> psutil.Process:
    """Its process, once it has started and shown life."""
    wait_for(lambda: "pid" in folder.state and folder.progress)
    return psutil.Process(folder.state["pid"])


def test_the_second_job_is_pending_until_the_first_ends(act: Act, start: Callable[..., Runner]) -> None:
    first, second = act("works when told"), act("works")
    start()
    find_trainer(first)
    assert read_state(second) == "PENDING"
    (first.path / "go on").touch()
    wait_for(lambda: second.is_finished)
    assert first.state["endTime"] <= second.state["startTime"]
    assert "pid" not in first.state


def test_later_job_is_started(act: Act, start: Callable[..., Runner]) -> None:
    runner = start()
    folder = act("works")
    runner.wake()
    wait_for(lambda: read_state(folder) == "SUCCEEDED")


def test_engine_jobs_limits_concurrent_trainers(
    act: Act, start: Callable[..., Runner], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENGINE_JOBS", "2")
    folders = [act("works on") for _ in range(3)]
    start()
    wait_for(lambda: read_state(folders[1]) == "RUNNING")
    assert [read_state(folder) for folder in folders] == ["RUNNING", "RUNNING", "PENDING"]


def test_job_error_is_the_trainers_reason(act: Act, start: Callable[..., Runner]) -> None:
    folder = act("refuses")
    start()
    wait_for(lambda: read_state(folder) == "FAILED")
    assert folder.state["error"] == {"code": 3, "message": "There is nothing to learn."}


def test_job_fails_after_its_trainer_crashes_four_times(act: Act, start: Callable[..., Runner]) -> None:
    folder = act("crashes")
    start()
    wait_for(lambda: read_state(folder) == "FAILED")
    assert (folder.path / "trainer.log").read_text().count("ValueError") == 4
    assert folder.state["error"]["code"] == 13
    message = folder.state["error"]["message"]
    assert message.startswith("The trainer ended 4 times without progress after step 0.")
    assert "status 1: 'ValueError: no such thing'" in message


def test_a_trainer_that_makes_progress_may_crash_more_often(
    act: Act, start: Callable[..., Runner], launches: list[subprocess.Popen[bytes]]
) -> None:
    folder = act("crashes on its way")
    start()
    wait_for(lambda: read_state(folder) == "SUCCEEDED")
    assert [trainer.returncode for trainer in launches] == [-signal.SIGKILL] * 5 + [0]


@pytest.mark.fault
def test_silent_trainer_is_killed_and_the_job_fails(
    act: Act, start: Callable[..., Runner], launches: list[subprocess.Popen[bytes]]
) -> None:
    folder = act("falls silent")
    start(patience=0.3)
    wait_for(lambda: read_state(folder) == "FAILED")
    assert [trainer.returncode for trainer in launches] == [-signal.SIGKILL] * 4
    assert "was silent for" in folder.state["error"]["message"]


@pytest.mark.fault
def test_a_stopped_trainer_is_replaced(
    act: Act, start: Callable[..., Runner], launches: list[subprocess.Popen[bytes]]
) -> None:
    folder = act("stops once")
    start(patience=0.5)
    wait_for(lambda: folder.is_finished)
    assert read_state(folder) == "SUCCEEDED"
    assert [trainer.returncode for trainer in launches] == [-signal.SIGKILL, 0]


@pytest.mark.parametrize("part", ["works on", "hears nothing"])
def test_cancel_kills_a_trainer_that_ignores_it(
    act: Act, start: Callable[..., Runner], part: str, state_changes: list[tuple[str, str]]
) -> None:
    folder = act(part)
    runner = start(grace=0.3)
    process = find_trainer(folder)
    folder.request_cancel()
    runner.wake()
    wait_for(lambda: folder.is_finished)
    assert (folder.id, "CANCELLING") in state_changes
    assert folder.state["error"]["code"] == 1
    assert read_state(folder) == "CANCELLED"
    assert not process.is_running()


def test_cancel_of_a_pending_job_starts_no_trainer(act: Act, start: Callable[..., Runner]) -> None:
    running, waiting = act("works on"), act("works")
    runner = start()
    wait_for(lambda: read_state(running) == "RUNNING")
    waiting.request_cancel()
    runner.wake()
    wait_for(lambda: read_state(waiting) == "CANCELLED")
    assert "startTime" not in waiting.state
    assert read_state(running) == "RUNNING"


def test_job_that_ends_before_its_cancel_succeeds(act: Act, start: Callable[..., Runner]) -> None:
    folder = act("works")
    folder.write_result("SUCCEEDED")
    folder.request_cancel()
    start()
    wait_for(lambda: folder.is_finished)
    assert read_state(folder) == "SUCCEEDED"


def test_stopped_runner_leaves_no_trainer_and_the_next_resumes(
    act: Act, start: Callable[..., Runner]
) -> None:
    folder = act("works on")
    runner = start()
    process = find_trainer(folder)
    runner.stop()
    assert not process.is_running()
    assert read_state(folder) == "RUNNING"
    started = folder.state["startTime"]
    start()
    wait_for(lambda: folder.state["pid"] != process.pid)
    assert folder.state["startTime"] == started
    assert "restarts" not in folder.state


@pytest.mark.fault
def test_leftover_trainer_of_a_dead_engine_is_killed_first(act: Act, start: Callable[..., Runner]) -> None:
    folder = act("works")
    leftover = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    folder.write_state("RUNNING", pid=leftover.pid, pidStarted=psutil.Process(leftover.pid).create_time())
    start()
    leftover.wait(60)
    wait_for(lambda: read_state(folder) == "SUCCEEDED")


def test_other_process_with_a_reused_pid_is_not_killed(act: Act, start: Callable[..., Runner]) -> None:
    folder = act("works")
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    folder.write_state("RUNNING", pid=stranger.pid, pidStarted=1.0)
    start()
    wait_for(lambda: read_state(folder) == "SUCCEEDED")
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


def test_a_full_disk_does_not_end_the_queue(
    act: Act, start: Callable[..., Runner], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, write, calls = act("works"), JobFolder.write_state, itertools.count(1)

    def fail_first_writes(self: JobFolder, state: str, **changes: Any) -> None:
        if next(calls) in (1, 3):  # 2 is the RUNNING before the trainer starts, 3 is the one with its pid
            raise OSError(28, "No space left on device")
        write(self, state, **changes)

    monkeypatch.setattr(JobFolder, "write_state", fail_first_writes)
    monkeypatch.setattr("engine.queue.runner.RETRY_AFTER", 0.1)
    start()
    wait_for(lambda: read_state(folder) == "SUCCEEDED")
    assert next(calls) > 5


def test_unreadable_job_does_not_end_the_queue(
    act: Act,
    start: Callable[..., Runner],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    folder, broken = act("works"), act("works")
    about = (broken.path / "job.json").read_bytes()
    (broken.path / "job.json").write_bytes(b"{")
    monkeypatch.setattr("engine.queue.runner.RETRY_AFTER", 0.1)
    start()
    wait_for(lambda: "could not go on" in caplog.text)
    (broken.path / "job.json").write_bytes(about)
    wait_for(lambda: read_state(folder) == read_state(broken) == "SUCCEEDED")


ENGINE = """
import sys, time, pathlib
from engine.queue.runner import Runner
from tests.paths import ROOT
Runner(pathlib.Path(sys.argv[1])).start()
time.sleep(600)
"""


@pytest.mark.fault
def test_killing_engine_and_trainer_loses_nothing(
    make_job: MakeJob, start: Callable[..., Runner], tmp_path: Path
) -> None:
    """A real training of 600 steps: first its engine is killed, then itself, and it ends all the same."""
    folder = make_job(epochs=200)
    engine = subprocess.Popen([sys.executable, "-c", ENGINE, str(tmp_path / "root")], cwd=ROOT)
    wait_for(lambda: folder.read_points(since_step=20), 120)
    process = find_trainer(folder)
    engine.kill()
    engine.wait()
    wait_for(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE)
    assert (read_state(folder), folder.result) == ("RUNNING", {})
    at_first_death = folder.save_points()[-1]

    start()
    wait_for(lambda: folder.read_points(since_step=at_first_death + 20), 120)
    second = folder.state["pid"]
    assert second != process.pid
    os.kill(second, signal.SIGKILL)
    wait_for(lambda: folder.is_finished, 120)
    assert (read_state(folder), folder.state["restarts"]) == ("SUCCEEDED", 1)
    for name in ("total_loss", "fraction_of_correct_next_step_preds", "num_predictions"):
        assert list(series(folder, f"/train_{name}")) == list(range(1, 601))
        assert list(series(folder, f"/eval_{name}")) == list(range(0, 601, 3))
    assert len(folder.checkpoints()) == 10


@pytest.mark.fault
def test_job_survives_an_engine_killed_before_it_starts(base_folder: Path, tmp_path: Path) -> None:
    """The second job is accepted and waits for its turn when every process is killed at once."""
    with run_engine(tmp_path / "root") as engine:
        first, second = engine.tune(epochs=2000), engine.tune(epochs=2)
        found = engine.wait(second, ("JOB_STATE_PENDING",))
        assert "startTime" not in found
        master = psutil.Process(engine.process.pid)
        processes = [master, *master.children(recursive=True)]
        for process in processes:
            process.kill()
        psutil.wait_procs(processes, 60)
    with run_engine(tmp_path / "root") as engine:
        engine.post(f"v1/{first['name']}:cancel").raise_for_status()
        ended = engine.wait(second)
        assert ended["state"] == "JOB_STATE_SUCCEEDED"
        listed = engine.get(f"{PROJECT}/tuningJobs").json()["tuningJobs"]
        assert [job["name"] for job in listed] == [second["name"], first["name"]]
        assert [point["epoch"] for point in ended["tunedModel"]["checkpoints"]] == ["1", "2"]
