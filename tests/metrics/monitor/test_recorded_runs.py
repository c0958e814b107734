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
from tests.html import squeeze_html
from tests.metrics.charts.curves import create_dataset, create_job_with_points
from tests.metrics.compare.test_figures import decode_numbers
from tests.metrics.recorded import MULTIPLIERS, load_recording

pytestmark = pytest.mark.django_db
WEIGHT = 0.8
TRAIN, EVAL = "/train_total_loss", "/eval_total_loss"
Curve = dict[int, float]


@pytest.fixture
def browser(tuner: User, browser_of: Callable[[User], Client]) -> Client:
    return browser_of(tuner)


@pytest.fixture
def jobs(project: Project) -> list[TuningJob]:
    return [create_recorded_job(project, multiplier) for multiplier in MULTIPLIERS]


def create_recorded_job(project: Project, multiplier: float) -> TuningJob:
    remote, series = load_recording(multiplier)
    return create_job_with_points(
        project,
        series,
        state=remote["state"],
        remote=remote,
        name=remote["name"],
        base_model="studio-tiny",
        tuned_model_display_name=f"banking77 x{multiplier}",
        training=create_dataset(project),
        learning_rate_multiplier=multiplier,
    )


def read_csv(browser: Client, job: TuningJob) -> dict[str, Curve]:
    """By metric, step and value, from the file that a person downloads."""
    answer: Any = browser.get(reverse("metrics:csv", args=["local", job.pk]))
    found: dict[str, Curve] = {}
    for row in csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())):
        found.setdefault(row["metric"], {})[int(row["step"])] = float(row["value"])
    return found


def smooth_curve(curve: Curve, weight: float = WEIGHT) -> Curve:
    """The debiased exponential moving average, one value after another."""
    mean, found = 0.0, {}
    for count, (step, value) in enumerate(curve.items(), 1):
        mean = weight * mean + (1 - weight) * value
        found[step] = mean / (1 - weight**count)
    return found


def find_lowest(curve: Curve) -> tuple[int, float]:
    return min(curve.items(), key=lambda point: (point[1], point[0]))


def decode_trace(trace: dict[str, Any]) -> Curve:
    return dict(
        zip(decode_numbers(trace["x"]).astype(int).tolist(), decode_numbers(trace["y"]).tolist(), strict=True)
    )


def assert_on_curve(found: Curve, curve: Curve) -> None:
    assert found
    for step, value in found.items():
        np.testing.assert_allclose(value, curve[step], rtol=1e-9)


def test_the_runs_end_differently(browser: Client, jobs: list[TuningJob]) -> None:
    ends = {}
    for job in jobs:
        loss = read_csv(browser, job)[EVAL]
        (at, best), last = find_lowest(loss), [*loss][-1]
        ends[str(job)] = (at, round(best, 3), last, round(loss[last], 3))
    assert len({*ends.values()}) == len(jobs)
    assert len({at for at, *_rest in ends.values()}) > 1, ends


@pytest.mark.parametrize("at", range(len(MULTIPLIERS)))
def test_monitor_charts_match_the_csv(browser: Client, jobs: list[TuningJob], at: int) -> None:
    job = jobs[at]
    points = read_csv(browser, job)
    answer = browser.get(reverse("metrics:figures", args=["local", job.pk])).json()["charts"]
    for chart, metric in (("loss", "total_loss"), ("accuracy", "fraction_of_correct_next_step_preds")):
        traces = {trace.get("name"): trace for trace in answer[chart]["data"]}
        assert_on_curve(decode_trace(traces["Train (raw)"]), points[f"/train_{metric}"])
        assert_on_curve(decode_trace(traces["Train"]), smooth_curve(points[f"/train_{metric}"]))
        assert_on_curve(decode_trace(traces["Validation"]), points[f"/eval_{metric}"])
    [tokens] = answer["predictions"]["data"]
    assert_on_curve(decode_trace(tokens), points["/train_num_predictions"])


@pytest.mark.parametrize("at", range(len(MULTIPLIERS)))
def test_loss_chart_labels_match_the_csv(browser: Client, jobs: list[TuningJob], at: int) -> None:
    job = jobs[at]
    points = read_csv(browser, job)
    train, evaluation = [*smooth_curve(points[TRAIN]).values()], points[EVAL]
    best_step, best = find_lowest(evaluation)
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
def test_checkpoint_table_and_notes_match_the_csv(browser: Client, jobs: list[TuningJob], at: int) -> None:
    job = jobs[at]
    evaluation, train = (read_csv(browser, job)[metric] for metric in (EVAL, TRAIN))
    page = browser.get(reverse("metrics:monitor", args=["local", job.pk]))
    page = squeeze_html(page.content.decode())
    table = page[page.index("checkpoints") :]
    best = find_lowest(evaluation)[1]
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
def test_chart_tables_match_the_csv(browser: Client, jobs: list[TuningJob], at: int) -> None:
    job = jobs[at]
    points = read_csv(browser, job)
    page = browser.get(reverse("metrics:table", args=["local", job.pk, "loss"])).content.decode()
    cell = r"\s*<td[^>]*>\s*([^<]*?)\s*</td>"
    rows = [(step, *rest) for step, _epoch, *rest in re.findall(rf"<tr>{cell * 4}", page)]
    assert len(rows) == len({*points[TRAIN]} | {*points[EVAL]})
    for step, train, evaluation in rows:
        for told, metric in ((train, TRAIN), (evaluation, EVAL)):
            value = points[metric].get(int(step))
            assert told == ("–" if value is None else f"{value:.6g}")


def test_comparison_matches_the_csv(browser: Client, jobs: list[TuningJob]) -> None:
    query = f"?runs={','.join(str(job.pk) for job in jobs)}&smoothing={WEIGHT}"
    points = {job.pk: read_csv(browser, job) for job in jobs}
    charts = browser.get(reverse("compare:figures", args=["local"]) + query).json()["charts"]
    for metric, figure in charts.items():
        for trace in figure["data"]:
            if trace.get("meta") == "star":
                continue
            curve = points[int(trace["legendgroup"][1:])][f"/{metric}"]
            plain = metric.startswith("eval") or trace.get("meta") == "raw"
            assert_on_curve(decode_trace(trace), curve if plain else smooth_curve(curve))
    page = browser.get(reverse("compare:page", args=["local"]) + query).content.decode()
    best = {job.pk: find_lowest(points[job.pk][EVAL]) for job in jobs}
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
