"""Every number on Monitor and Compare, computed again from the exported CSV, on three runs of the engine."""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from jobs.models import TuningJob
from studio.models import Project
from tests.metrics.charts.curves import dataset, job_with
from tests.metrics.compare.test_figures import numbers
from tests.metrics.recorded import MULTIPLIERS, recording

pytestmark = pytest.mark.django_db
WEIGHT = 0.8
TRAIN, EVAL = "/train_total_loss", "/eval_total_loss"
Curve = dict[int, float]


@pytest.fixture
def browser(tuner: User, browser_of: Callable[[User], Client]) -> Client:
    return browser_of(tuner)


@pytest.fixture
def jobs(project: Project) -> list[TuningJob]:
    return [whole_run(project, multiplier) for multiplier in MULTIPLIERS]


def whole_run(project: Project, multiplier: float) -> TuningJob:
    remote, series = recording(multiplier)
    return job_with(
        project,
        series,
        state=remote["state"],
        remote=remote,
        name=remote["name"],
        base_model="studio-tiny",
        tuned_model_display_name=f"banking77 x{multiplier}",
        training=dataset(project),
        learning_rate_multiplier=multiplier,
    )


def exported(browser: Client, job: TuningJob) -> dict[str, Curve]:
    """By metric, step and value, from the file that a person downloads."""
    answer: Any = browser.get(reverse("metrics:csv", args=["local", job.pk]))
    found: dict[str, Curve] = {}
    for row in csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())):
        found.setdefault(row["metric"], {})[int(row["step"])] = float(row["value"])
    return found


def smoothed(curve: Curve, weight: float = WEIGHT) -> Curve:
    """The debiased exponential moving average, one value after another."""
    mean, found = 0.0, {}
    for count, (step, value) in enumerate(curve.items(), 1):
        mean = weight * mean + (1 - weight) * value
        found[step] = mean / (1 - weight**count)
    return found


def lowest(curve: Curve) -> tuple[int, float]:
    return min(curve.items(), key=lambda point: (point[1], point[0]))


def drawn(trace: dict[str, Any]) -> Curve:
    return dict(zip(numbers(trace["x"]).astype(int).tolist(), numbers(trace["y"]).tolist(), strict=True))


def within(found: Curve, curve: Curve) -> None:
    assert found
    for step, value in found.items():
        np.testing.assert_allclose(value, curve[step], rtol=1e-9)


def test_the_runs_end_differently(browser: Client, jobs: list[TuningJob]) -> None:
    ends = {}
    for job in jobs:
        loss = exported(browser, job)[EVAL]
        (at, best), last = lowest(loss), [*loss][-1]
        ends[str(job)] = (at, round(best, 3), last, round(loss[last], 3))
    assert len({*ends.values()}) == len(jobs)
    assert len({at for at, *_rest in ends.values()}) > 1, ends


@pytest.mark.parametrize("at", range(len(MULTIPLIERS)))
def test_the_charts_of_monitor(browser: Client, jobs: list[TuningJob], at: int) -> None:
    job = jobs[at]
    points = exported(browser, job)
    answer = browser.get(reverse("metrics:figures", args=["local", job.pk])).json()["charts"]
    for chart, metric in (("loss", "total_loss"), ("accuracy", "fraction_of_correct_next_step_preds")):
        traces = {trace.get("name"): trace for trace in answer[chart]["data"]}
        within(drawn(traces["Train, raw"]), points[f"/train_{metric}"])
        within(drawn(traces["Train"]), smoothed(points[f"/train_{metric}"]))
        within(drawn(traces["Validation"]), points[f"/eval_{metric}"])
    [tokens] = answer["predictions"]["data"]
    within(drawn(tokens), points["/train_num_predictions"])


@pytest.mark.parametrize("at", range(len(MULTIPLIERS)))
def test_the_words_on_the_loss_chart(browser: Client, jobs: list[TuningJob], at: int) -> None:
    job = jobs[at]
    points = exported(browser, job)
    train, evaluation = [*smoothed(points[TRAIN]).values()], points[EVAL]
    best_step, best = lowest(evaluation)
    remote = job.remote
    length = int(remote["tuningDataStats"]["supervisedTuningDataStats"]["tuningStepCount"]) / int(
        remote["supervisedTuningSpec"]["hyperParameters"]["epochCount"]
    )
    figure = browser.get(reverse("metrics:figures", args=["local", job.pk])).json()["charts"]["loss"]
    texts = [one["text"] for one in figure["layout"]["annotations"]]
    assert f"Train {train[-1]:.3f}" in texts
    assert f"Validation {[*evaluation.values()][-1]:.3f}" in texts
    assert f"best {best:.3f} · step {best_step:,} · epoch {best_step / length:.2f}" in texts


@pytest.mark.parametrize("at", range(len(MULTIPLIERS)))
def test_the_checkpoints_and_what_is_said_of_them(browser: Client, jobs: list[TuningJob], at: int) -> None:
    job = jobs[at]
    evaluation, train = (exported(browser, job)[metric] for metric in (EVAL, TRAIN))
    page = browser.get(reverse("metrics:monitor", args=["local", job.pk])).content.decode()
    table = page[page.index("checkpoints") :]
    best = lowest(evaluation)[1]
    for checkpoint in job.checkpoints:
        step = max(step for step in evaluation if step <= (checkpoint.step or 0))
        assert f">{evaluation[step]:.3f}<" in table
        assert f"+{evaluation[step] - best:.3f}" in table
    known = {f"{value:.3f}" for value in [*evaluation.values(), *train.values()]}
    losses = [*evaluation.values()]
    apart = {f"{abs(one - other):.3f}" for one in losses for other in losses}
    notes = re.findall(r'<div class="note.*?</div>', page, re.S)
    said = re.findall(r"\d\.\d{3}(?!\d)", html.unescape(re.sub(r"<[^>]+>", " ", " ".join(notes))))
    assert {*said} <= known | apart


@pytest.mark.parametrize("at", range(len(MULTIPLIERS)))
def test_the_tables_behind_the_charts(browser: Client, jobs: list[TuningJob], at: int) -> None:
    job = jobs[at]
    points = exported(browser, job)
    page = browser.get(reverse("metrics:table", args=["local", job.pk, "loss"])).content.decode()
    rows = re.findall(
        r"<tr><td[^>]*>(\d+)</td><td[^>]*>[^<]*</td><td[^>]*>([^<]*)</td><td[^>]*>([^<]*)</td>", page
    )
    assert len(rows) == len({*points[TRAIN]} | {*points[EVAL]})
    for step, train, evaluation in rows:
        for told, metric in ((train, TRAIN), (evaluation, EVAL)):
            value = points[metric].get(int(step))
            assert told == ("–" if value is None else f"{value:.6g}")


def test_the_comparison(browser: Client, jobs: list[TuningJob]) -> None:
    query = f"?runs={','.join(str(job.pk) for job in jobs)}&smoothing={WEIGHT}"
    points = {job.pk: exported(browser, job) for job in jobs}
    charts = browser.get(reverse("compare:figures", args=["local"]) + query).json()["charts"]
    for metric, figure in charts.items():
        for trace in figure["data"]:
            if trace.get("meta") == "star":
                continue
            curve = points[int(trace["legendgroup"][1:])][f"/{metric}"]
            plain = metric.startswith("eval") or trace.get("meta") == "raw"
            within(drawn(trace), curve if plain else smoothed(curve))
    page = browser.get(reverse("compare:page", args=["local"]) + query).content.decode()
    best = {job.pk: lowest(points[job.pk][EVAL]) for job in jobs}
    for job in jobs:
        row = page[page.index(f'data-run="{job.pk}"') :]
        cells = [
            " ".join(re.sub(r"<[^>]+>", " ", cell).split())
            for cell in re.findall(r"<td[^>]*>(.*?)</td>", row[: row.index("</tr>")], re.S)
        ]
        step, value = best[job.pk]
        share = points[job.pk]["/eval_fraction_of_correct_next_step_preds"][step]
        assert cells[5] == f"{value:.3f}"
        assert cells[7] == f"{step:,}"
        assert cells[8] == f"{[*points[job.pk][EVAL].values()][-1]:.3f}"
        assert cells[9] == f"{share:.3f}"
        if job is not jobs[0]:
            assert cells[6] == f"{value - best[jobs[0].pk][1]:+.3f}".replace("-", "−")
