"""After kill -9 of any process of a run, the job goes on and ends once, with each point once."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from engine.queue.job_folder import JobFolder
from tests.journeys.conftest import list_remote_jobs
from tests.stack import Person, Stack, wait_until

pytestmark = [pytest.mark.fault, pytest.mark.journey]
EXAMPLES, EPOCHS, BATCH = 160, 30, 4  # long enough to be killed on its way, also by a test that has to wait
STEPS = EXAMPLES // BATCH * EPOCHS


class Run:
    """One tuning job, started through the wizard's forms, or a draft that is ready to start."""

    def __init__(
        self,
        admin: Person,
        stack: Stack,
        name: str,
        train: Path,
        validation: Path,
        start: bool = True,
        epochs: int = EPOCHS,
    ) -> None:
        self.admin, self.stack = admin, stack
        made = admin.send("/p/local/jobs/new/", page="/p/local/jobs/")
        self.id = re.search(r"/jobs/(\d+)/", made.url)[1]  # type: ignore[index]
        self.send(
            "model",
            tuned_model_display_name=name,
            base_model="studio-tiny",
            location="us-central1",
            epoch_count=epochs,
        )
        for purpose, file in [("training", train), ("validation", validation)]:
            with file.open("rb") as content:
                self.send(
                    "dataset/upload", page="dataset", purpose=purpose, files={"file": (file.name, content)}
                )
        if start:
            self.send("start", page="review")

    @property
    def url(self) -> str:
        return f"/p/local/jobs/{self.id}/"

    def send(self, what: str, page: str = "", **fields: Any) -> None:
        self.admin.send(f"{self.url}{what}/", page=f"{self.url}{page or what}/", **fields)

    def has_text(self, word: str) -> bool:
        try:
            return word in self.admin.get(self.url).text
        except (requests.RequestException, AssertionError):
            return False

    def points(self) -> dict[str, list[int]]:
        """Return {series: its steps in order} from the page's CSV."""
        rows = list(csv.DictReader(io.StringIO(self.admin.get(f"{self.url}monitor/points.csv").text)))
        series: dict[str, list[int]] = {}
        for row in rows:
            series.setdefault(row["metric"], []).append(int(row["step"]))
        return series


@pytest.fixture
def start(admin: Person, stack: Stack, dataset: Callable[..., Path]) -> Callable[[str], Run]:
    def begin(name: str) -> Run:
        run = Run(admin, stack, name, dataset("train.jsonl", EXAMPLES), dataset("validation.jsonl", 8))
        wait_until(lambda: len(run.points().get("/train_total_loss", [])) > 20, seconds=240)
        assert run.has_text("Running")
        return run

    return begin


@pytest.fixture
def whole(stack: Stack) -> Callable[[Run, str], None]:
    """whole(run, name): the job succeeded, it exists once on the engine, and each point exists once."""

    def check(run: Run, name: str) -> None:
        wait_until(lambda: run.has_text("Succeeded"), seconds=400)
        assert len(list_remote_jobs(stack, name)) == 1
        wait_until(lambda: run.points().get("/train_total_loss", [])[-1:] == [STEPS], seconds=60)
        for metric, steps in run.points().items():
            assert max(Counter(steps).values()) == 1, f"{metric} has a step twice"
            if metric.startswith("/train"):
                assert steps == list(range(1, STEPS + 1)), metric
            else:
                assert (steps[0], steps[-1]) == (0, STEPS), metric

    return check


@pytest.mark.parametrize(
    "victim",
    ["-m engine.training", "-A studio worker", "-m engine --host"],
    ids=["trainer", "worker", "engine"],
)
def test_run_survives_a_killed_process(
    victim: str, start: Callable[[str], Run], whole: Callable[[Run, str], None], stack: Stack
) -> None:
    name = f"without {victim.split()[-1]}"
    run = start(name)
    hit = stack.kill(victim)
    wait_until(lambda: set(stack.processes(victim)) - set(hit), seconds=120)
    whole(run, name)


def test_run_survives_killing_everything(
    start: Callable[[str], Run], whole: Callable[[Run, str], None], stack: Stack
) -> None:
    run = start("without anything")
    stack.kill_everything()
    stack.start()
    whole(run, "without anything")


@pytest.fixture(autouse=True)
def nothing_left_running(stack: Stack) -> Iterator[None]:
    """Leave the engine idle, so that the next test's job does not wait in the queue."""
    yield
    jobs = JobFolder.all(stack.state / "engine")
    wait_until(lambda: all(job.is_finished for job in jobs), seconds=60)
