"""The compare page as a person gets it: its own address, its fragments, its files, its cost in queries."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from jobs.models import TuningJob
from metrics import point_store
from studio.models import Project, Role
from tests.metrics.compare.runs import run, runs_of, team
from tests.metrics.compare.test_figures import numbers

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(tuner: User, browser_of: Callable[[User], Client]) -> Client:
    return browser_of(tuner)


def address(name: str, project: Project, query: str = "") -> str:
    return reverse(f"compare:{name}", args=[project.slug]) + query


def words(answer: HttpResponse) -> str:
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def test_the_page_shows_runs_settings_and_charts(browser: Client, project: Project) -> None:
    jobs = team(project)
    page = words(browser.get(address("page", project, f"?runs={runs_of(jobs)}")))
    assert page.count("data-run=") == 5
    assert "6 of 11 settings differ" in page
    assert 'data-chart="eval_total_loss"' in page
    assert 'data-chart="train_total_loss"' in page


def test_values_are_all_of_training_in_single_precision(browser: Client, project: Project) -> None:
    jobs = [run(project, "r8"), run(project, "lr2")]
    query = f"?runs={runs_of(jobs)}&metrics=eval_total_loss,train_total_loss"
    said = browser.get(address("values", project, query)).json()
    assert {metric: {*runs} for metric, runs in said.items()} == {
        "train_total_loss": {f"r{job.pk}" for job in jobs}
    }
    for job in jobs:
        stored = point_store.of_job(job.pk)["/train_total_loss"].values
        assert numbers(said["train_total_loss"][f"r{job.pk}"]).tolist() == stored.astype("f4").tolist()


def test_another_smoothing_sends_the_lines_alone(browser: Client, project: Project) -> None:
    query = (
        f"?runs={runs_of([run(project, 'r8'), run(project, 'lr2')])}&metrics=train_total_loss&smoothing=0.9"
    )
    figure = browser.get(address("figures", project, query)).json()["charts"]["train_total_loss"]
    asked = f"{query}&drawn={figure['points']}"
    said = browser.get(address("figures", project, asked)).json()
    drawn = {one["legendgroup"]: one["y"] for one in figure["data"] if one.get("meta") != "raw"}
    assert said["smoothed"]["train_total_loss"] == {"points": figure["points"], "lines": drawn}
    assert said["every"] is None and "charts" not in said
    # a page whose figures have fewer points gets new ones
    said = browser.get(address("figures", project, asked + "1")).json()
    assert said["charts"]["train_total_loss"] == figure


def test_a_fragment_is_what_stands_about_the_charts(browser: Client, project: Project) -> None:
    jobs = team(project)
    part = words(
        browser.get(address("page", project, f"?runs={runs_of(jobs)}"), headers={"HX-Request": "true"})
    )
    assert "<!doctype html>" not in part
    assert "data-chart" not in part
    assert part.count("data-run=") == 5


def test_ticked_runs_become_an_address_of_their_own(browser: Client, project: Project) -> None:
    jobs = team(project)
    answer = browser.get(address("page", project, f"?run={jobs[1].pk}&run={jobs[0].pk}&axis=epoch"))
    assert answer.status_code == 302
    assert answer["Location"].endswith(f"?runs={jobs[1].pk},{jobs[0].pk}&axis=epoch")


@pytest.mark.parametrize("query", ["", "?runs=", "?runs=999999", "?q=intents"])
def test_without_two_runs_the_page_offers_them(browser: Client, project: Project, query: str) -> None:
    team(project)
    page = words(browser.get(address("page", project, query)))
    assert page.count('type="checkbox" name="run"') == 5


def test_runs_that_are_gone_are_told(browser: Client, project: Project) -> None:
    jobs = team(project)
    page = words(browser.get(address("page", project, f"?runs={runs_of(jobs)},999999")))
    assert "1 run of this address is not in this project" in page


def test_runs_of_another_project_stay_there(browser: Client, project: Project) -> None:
    other = Project.objects.create(
        slug="other", name="Other", backend="engine", project_id="o", regions=["r"]
    )
    jobs = [run(other, "r8"), run(other, "r16")]
    page = words(browser.get(address("page", project, f"?runs={runs_of(jobs)}")))
    assert "intents-r8" not in page
    figures = browser.get(address("figures", project, f"?runs={runs_of(jobs)}")).json()
    assert figures["charts"] == {}


def test_viewers_see_it_and_strangers_do_not(
    project: Project, person: Callable[..., User], browser_of: Callable[[User], Client]
) -> None:
    jobs = team(project)
    query = f"?runs={runs_of(jobs)}"
    viewer, stranger = browser_of(person(Role.VIEWER)), browser_of(person(None))
    for name in ("page", "figures", "curves", "runs", "search"):
        assert viewer.get(address(name, project, query)).status_code == 200
        assert stranger.get(address(name, project, query)).status_code == 404


def test_figures_are_sent_once(browser: Client, project: Project) -> None:
    jobs = team(project)
    asked = address("figures", project, f"?runs={runs_of(jobs)}")
    first = browser.get(asked, headers={"Accept-Encoding": "gzip"})
    assert first["Content-Encoding"] == "gzip"
    again = browser.get(asked, headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    point_store.merge(jobs[1].pk, {"/eval_total_loss": point_store.Points.of([440], [1.8e9], [0.39])})
    changed = browser.get(asked, headers={"If-None-Match": first["ETag"]})
    assert changed.status_code == 200


def test_only_live_runs_are_asked_again(browser: Client, project: Project) -> None:
    jobs = team(project)
    live = browser.get(address("figures", project, f"?runs={runs_of(jobs)}")).json()
    over = browser.get(address("figures", project, f"?runs={runs_of(jobs[2:])}")).json()
    assert (live["every"], over["every"]) == (8, None)


def test_the_cost_does_not_grow_with_the_runs(browser: Client, project: Project) -> None:
    jobs = team(project) + [run(project, "r8") for _more in range(20)]
    browser.get(address("page", project))  # what only a session's first request asks
    counted = []
    for chosen in (jobs[:2], jobs):
        for name in ("page", "figures"):
            with CaptureQueriesContext(connection) as queries:
                browser.get(address(name, project, f"?runs={runs_of(chosen)}"))
            counted.append(len(queries))
    assert counted[:2] == counted[2:]


def csv_rows(answer: Any) -> list[dict[str, str]]:
    body = b"".join(answer.streaming_content).decode()
    return [*csv.DictReader(io.StringIO(body))]


def test_every_number_of_the_page_is_found_again_from_the_file(browser: Client, project: Project) -> None:
    """Best, final, accuracy, deltas and drawn curves, recomputed from the exported points alone."""
    jobs = team(project)
    metrics = "eval_total_loss,train_total_loss,eval_fraction_of_correct_next_step_preds"
    query = f"?runs={runs_of(jobs)}&metrics={metrics}"
    rows = csv_rows(browser.get(address("curves", project, query)))
    table = {row["job"]: row for row in csv_rows(browser.get(address("runs", project, query)))}
    figures = browser.get(address("figures", project, query)).json()["charts"]
    best = {}
    for job in jobs:
        of_job = [row for row in rows if row["job"] == str(job.pk)]
        loss = [
            (int(row["step"]), float(row["value"])) for row in of_job if row["metric"] == "/eval_total_loss"
        ]
        step, best[job.pk] = min(loss, key=lambda one: (one[1], one[0]))
        told = table[str(job.pk)]
        assert (float(told["best_eval_loss"]), int(told["best_step"])) == (best[job.pk], step)
        assert (float(told["final_eval_loss"]), int(told["final_step"])) == (loss[-1][1], loss[-1][0])
        [share] = [
            float(row["value"]) for row in of_job if "fraction" in row["metric"] and int(row["step"]) == step
        ]
        assert float(told["eval_accuracy_at_best"]) == share
    for job in jobs[1:]:
        assert float(table[str(job.pk)]["vs_baseline"]) == best[job.pk] - best[jobs[0].pk]
    for metric, figure in figures.items():
        for trace in figure["data"]:
            if trace.get("meta") == "star":
                continue
            stored = {
                int(row["step"]): float(row["value"])
                for row in rows
                if row["metric"] == f"/{metric}" and row["job"] == trace["legendgroup"].removeprefix("r")
            }
            for step, value in zip(numbers(trace["x"]), numbers(trace["y"]), strict=True):
                assert stored[int(step)] == value


def test_hidden_runs_are_not_in_the_file(browser: Client, project: Project) -> None:
    jobs = team(project)
    rows = csv_rows(browser.get(address("curves", project, f"?runs={runs_of(jobs)}&hidden={jobs[0].pk}")))
    assert {row["job"] for row in rows} == {str(job.pk) for job in jobs[1:]}


def test_search_offers_what_is_not_there_yet(browser: Client, project: Project) -> None:
    jobs = team(project)
    found = words(browser.get(address("search", project, f"?runs={runs_of(jobs[:2])}&q=LR2")))
    assert "banking77-intents-lr2" in found
    assert f"runs={runs_of(jobs[:3])}" in found
    assert "banking77-intents-r4" not in found


@pytest.mark.parametrize("tab", ["effect", "data"])
def test_the_other_tabs(browser: Client, project: Project, tab: str) -> None:
    jobs = team(project)
    page = words(browser.get(address("page", project, f"?runs={runs_of(jobs)}&tab={tab}")))
    if tab == "effect":
        assert 'data-chart="effect"' in page
        found = browser.get(address("figures", project, f"?runs={runs_of(jobs)}&tab=effect")).json()
        assert len(found["charts"]["effect"]["data"]) == 5
    else:
        assert "2 different contents" in page


def test_names_are_never_markup(browser: Client, project: Project) -> None:
    evil = "<b onclick=x>a</b>"
    jobs = [
        run(project, "r8", tuned_model_display_name=evil),
        run(project, "r16", tuned_model_display_name="b"),
    ]
    page = browser.get(address("page", project, f"?runs={runs_of(jobs)}")).content.decode()
    assert evil not in page
    figures = browser.get(address("figures", project, f"?runs={runs_of(jobs)}")).json()["charts"]
    texts = [one["text"] for figure in figures.values() for one in figure["layout"]["annotations"]]
    assert texts
    assert not any("<b" in text for text in texts)
    assert np.all([isinstance(job, TuningJob) for job in jobs])
