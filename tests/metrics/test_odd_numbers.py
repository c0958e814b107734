"""No number of a service breaks a page: every page that shows statistics, points or settings of jobs is read
with numbers that are none, infinite, huge, negative, nested or of another type."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from jobs import tasks
from jobs.datasets.models import Dataset
from jobs.job_page.dataset_tab import DatasetTab
from jobs.models import JobListPoll, Submission, TuningJob
from metrics import point_store
from metrics.compare.query import Outcome, Setting
from metrics.models import Feed
from metrics.run import Run
from metrics.summary import summarize_curves
from studio.models import Project
from studio.vertex.time_series import parse_points
from tests.jobs.conftest import PLACE
from tests.metrics.charts.curves import create_dataset
from tests.studio.vertex.double import Answer, run_server

pytestmark = pytest.mark.django_db
ODD: dict[str, str] = {
    "NaN": "NaN",
    "infinity": "Infinity",
    "minus infinity": "-Infinity",
    "NaN as text": '"NaN"',
    "infinity as text": '"-Infinity"',
    "text": '"many"',
    "blank": '""',
    "null": "null",
    "true": "true",
    "list": "[1, [2]]",
    "object": '{"a": {"b": 1}}',
    "negative": "-5",
    "negative as text": '"-5"',
    "fraction": "0.5",
    "5,000 digits": "9" * 5000,
    "5,000 digits as text": f'"{"9" * 5000}"',
    "largest double": "1.7e308",
    "least double": "-1.7e308",
    "tiny": "1e-300",
    "64 bits": str(2**63 - 1),
    "64 bits as text": f'"-{2**63}"',
    "zero": "0",
}
SPREAD = dict.fromkeys(("sum", "billableSum", "min", "max", "mean", "median", "p5", "p95"), "ODD") | {
    "buckets": [
        {"left": "ODD", "right": "ODD", "count": "ODD"},
        {"left": 1.0, "right": "ODD", "count": 3},
        {"left": "ODD", "right": 5.0, "count": 3},
        {"left": 5.0, "right": 9.0, "count": "ODD"},
        "ODD",
    ]
}
TEMPLATE: dict[str, Any] = {
    "name": f"{PLACE}/tuningJobs/1",
    "state": "JOB_STATE_SUCCEEDED",
    "startTime": "2026-11-20T14:00:00Z",
    "tuningJobMetadata": {"completedEpochCount": "ODD", "completedStepCount": "ODD"},
    "supervisedTuningSpec": {
        "trainingDatasetUri": "ODD",
        "hyperParameters": {"epochCount": "ODD", "learningRateMultiplier": "ODD", "adapterSize": "ODD"},
    },
    "error": {"code": "ODD", "message": "ODD"},
    "tunedModel": {
        "model": f"{PLACE}/models/1@1",
        "endpoint": f"{PLACE}/endpoints/2",
        "checkpoints": [
            {"checkpointId": "1", "epoch": "ODD", "step": "ODD", "endpoint": f"{PLACE}/endpoints/1"},
            {"checkpointId": "2", "epoch": "2", "step": "20", "endpoint": f"{PLACE}/endpoints/2"},
            {"checkpointId": "ODD", "epoch": "ODD", "step": "ODD", "endpoint": "ODD"},
        ],
    },
    "tuningDataStats": {
        "supervisedTuningDataStats": {
            **dict.fromkeys(
                [
                    "tuningDatasetExampleCount",
                    "tuningStepCount",
                    "totalBillableTokenCount",
                    "totalBillableCharacterCount",
                    "totalTuningCharacterCount",
                    "totalTruncatedExampleCount",
                ],
                "ODD",
            ),
            "truncatedExampleIndices": ["ODD", "7"],
            "droppedExampleReasons": ["ODD"],
            "userInputTokenDistribution": SPREAD,
            "userOutputTokenDistribution": SPREAD,
            "userMessagePerExampleDistribution": {**SPREAD, "min": 1, "max": 9, "buckets": SPREAD["buckets"]},
            "userDatasetExamples": [
                "ODD",
                {"role": "ODD", "parts": "ODD"},
                {"role": "user", "parts": ["ODD", {"text": "ODD"}, {"fileData": "ODD"}]},
            ],
        }
    },
}
AXES, SCALES = ("step", "epoch", "elapsed", "clock"), ("linear", "log")


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


@pytest.fixture
def browser(tuner: User, browser_of: Callable[[User], Client]) -> Client:
    return browser_of(tuner)


@pytest.fixture
def poll(
    project: Project, tuner: User, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], list[TuningJob]]:
    """poll(numbers) -> two jobs, polled from a service whose answers hold these numbers, in turn, wherever it
    sends one."""
    monkeypatch.setattr("studio.vertex.client.PAUSE", 0.01)

    def read(*numbers: str) -> list[TuningJob]:
        made = [create_job(project, tuner, number) for number in (1, 2)]
        places = itertools.cycle(numbers)
        pieces = json.dumps([{**TEMPLATE, "name": job.name} for job in made]).split('"ODD"')
        listed = pieces[0] + "".join(next(places) + piece for piece in pieces[1:])
        with run_server() as service:
            settings.ENGINE_URL = service.url
            service.otherwise = lambda asked: Answer(200, f'{{"tuningJobs": {listed}}}')
            tasks.poll_due()
        found = list(TuningJob.objects.order_by("pk"))
        assert [job.state for job in found] == ["JOB_STATE_SUCCEEDED"] * 2
        assert JobListPoll.objects.get().last_error == {}
        return found

    return read


def create_job(project: Project, owner: User, number: int) -> TuningJob:
    return TuningJob.objects.create(
        project=project,
        owner=owner,
        tuned_model_display_name=f"job {number}",
        base_model="studio-tiny",
        location="us-central1",
        submission=Submission.CREATED,
        name=f"{PLACE}/tuningJobs/{number}",
        validation=create_dataset(project),
    )


def store_points(job: TuningJob, values: list[Any]) -> None:
    """Store a curve as `metrics.collect` does, with these values among ordinary ones."""
    given = [
        {"step": str(n), "wallTime": f"2026-11-20T14:{n % 60:02}:00Z", "scalar": {"value": value}}
        for n, value in enumerate([2.0, *values, 1.5, 1.2, *values, 1.0, 0.9, 0.8, 0.7], 1)
    ]
    points = point_store.Points.from_arrays(*zip(*parse_points(given), strict=True))
    series = {
        f"/{part}_{metric}": points
        for part in ("train", "eval")
        for metric in ("total_loss", "fraction_of_correct_next_step_preds", "num_predictions")
    }
    point_store.merge_points(job.pk, series)
    job.summary = json.loads(json.dumps(summarize_curves(series, Run.from_job(job)), allow_nan=False))
    job.save(update_fields=["summary"])
    Feed.objects.update_or_create(job=job, defaults={"due_at": None, "read_at": timezone.now()})


def list_addresses(jobs: list[TuningJob]) -> list[str]:
    """Every page, file and figure that shows numbers of the service."""
    own = [
        *("jobs:detail", "jobs:details", "jobs:data", "jobs:request"),
        *("metrics:monitor", "metrics:figures", "metrics:csv"),
    ]
    pages = [reverse(name, args=["local", jobs[0].pk]) for name in own]
    pages += [
        reverse("metrics:table", args=["local", jobs[0].pk, chart])
        for chart in ("loss", "accuracy", "predictions")
    ]
    runs = "?runs=" + ",".join(str(job.pk) for job in jobs)
    compare = [
        reverse(f"compare:{name}", args=["local"]) + runs
        for name in ("page", "figures", "values", "curves", "runs")
    ]
    listed = [
        reverse("jobs:list", args=["local"]) + f"?sort={sort}"
        for sort in ("progress", "left", "duration", "best")
    ]
    return [
        *pages,
        *compare,
        *listed,
        compare[0] + "&tab=effect",
        compare[0] + "&tab=data",
        reverse("talk:list", args=["local"]),
    ]


def visit(browser: Client, address: str) -> None:
    answer = browser.get(address)
    assert answer.status_code == 200, address
    content = b"".join(answer.streaming_content if answer.streaming else [answer.content])  # type: ignore[attr-defined]
    if answer["Content-Type"].startswith("application/json"):
        json.loads(content, parse_constant=refuse)


@pytest.mark.parametrize("number", ODD.values(), ids=ODD)
def test_every_page_shows_odd_statistics(
    poll: Callable[..., list[TuningJob]], browser: Client, number: str
) -> None:
    jobs = poll(number)
    for job in jobs:
        store_points(job, [])
    for address in list_addresses(jobs):
        visit(browser, address)
    assert (
        browser.post(reverse("talk:new", args=["local"]), {"job": jobs[0].pk}, follow=True).status_code == 200
    )


@pytest.mark.sql
@pytest.mark.parametrize("shift", range(3))
def test_every_page_shows_odd_statistics_that_are_mixed(
    poll: Callable[..., list[TuningJob]], browser: Client, shift: int
) -> None:
    """Each number meets others, and in each field another one."""
    numbers = [*ODD.values()]
    jobs = poll(*numbers[shift * 7 :], *numbers[: shift * 7])
    for job in jobs:
        store_points(job, ["NaN", "Infinity", 1e308, -1e308, 3e38, -3e38])
    for address in list_addresses(jobs):
        visit(browser, address)


@pytest.mark.parametrize(
    "values", [["NaN"], ["Infinity", "-Infinity"], [1e308, -1e308], [3e38, -3e38], [1e-300, 0, -5]], ids=str
)
def test_charts_of_odd_values_are_json_in_every_unit(
    poll: Callable[..., list[TuningJob]], browser: Client, values: list[Any]
) -> None:
    jobs = poll("5")
    for job in jobs:
        store_points(job, values)
    monitor = reverse("metrics:figures", args=["local", jobs[0].pk])
    compare = reverse("compare:figures", args=["local"]) + f"?runs={jobs[0].pk},{jobs[1].pk}"
    for axis, scale in itertools.product(AXES, SCALES):
        visit(browser, f"{monitor}?axis={axis}&scale={scale}&clip=off")
        visit(browser, f"{compare}&axis={axis}&scale={scale}")
    for setting, outcome in itertools.product(Setting, Outcome):
        visit(browser, f"{compare}&tab=effect&by={setting}&outcome={outcome}")


def test_a_clock_that_goes_back_draws_a_chart(poll: Callable[..., list[TuningJob]], browser: Client) -> None:
    job, _other = poll("5")
    given = [
        {"step": str(n), "wallTime": f"2026-11-20T14:{59 - n:02}:00Z", "scalar": {"value": 1.0}}
        for n in range(1, 9)
    ]
    points = point_store.Points.from_arrays(*zip(*parse_points(given), strict=True))
    point_store.merge_points(job.pk, {"/train_total_loss": points})
    for axis in AXES:
        visit(browser, reverse("metrics:figures", args=["local", job.pk]) + f"?axis={axis}")


def test_a_distribution_with_an_unreadable_figure_is_left_out(poll: Callable[..., list[TuningJob]]) -> None:
    """Shown as zero, the figure would mislead."""
    job = poll("NaN")[0]
    stats = job.remote["tuningDataStats"]["supervisedTuningDataStats"]
    assert stats["userInputTokenDistribution"]["min"] == "NaN"
    assert DatasetTab(job).spreads == []
    stats["userInputTokenDistribution"] = {
        "min": 1,
        "max": 9,
        "buckets": [{"left": 1, "right": 9, "count": 3}],
    }
    assert [spread.id for spread in DatasetTab(job).spreads] == ["input"]


def test_estimates_take_no_odd_numbers_of_earlier_jobs(
    poll: Callable[..., list[TuningJob]], browser: Client, project: Project, tuner: User
) -> None:
    poll(*ODD.values())
    data = Dataset.objects.create(
        project=project,
        owner=tuner,
        uri="gs://b/t.jsonl",
        generation="1",
        size=9,
        report={"lines": 480, "examples": 480, "characters": 9000, "longest": 90, "longest_line": 3},
    )
    draft = TuningJob.objects.create(
        project=project, owner=tuner, base_model="studio-tiny", location="us-central1", training=data
    )
    for name in ("jobs:model", "jobs:dataset", "jobs:review"):
        visit(browser, reverse(name, args=["local", draft.pk]))
