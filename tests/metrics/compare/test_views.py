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
from metrics.compare import csv_export
from studio.models import Project, Role
from tests.metrics.compare.runs import create_run, create_team, join_ids
from tests.metrics.compare.test_figures import decode_numbers

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(tuner: User, browser_of: Callable[[User], Client]) -> Client:
    return browser_of(tuner)


def compare_url(name: str, project: Project, query: str = "") -> str:
    return reverse(f"compare:{name}", args=[project.slug]) + query


def page_text(answer: HttpResponse) -> str:
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def test_the_page_shows_runs_settings_and_charts(browser: Client, project: Project) -> None:
    jobs = create_team(project)
    page = page_text(browser.get(compare_url("page", project, f"?runs={join_ids(jobs)}")))
    assert page.count("data-run=") == 5
    assert "6 of 11 settings differ" in page
    assert 'data-chart="eval_total_loss"' in page
    assert 'data-chart="train_total_loss"' in page


def test_values_hold_every_training_point_in_single_precision(browser: Client, project: Project) -> None:
    jobs = [create_run(project, "r8"), create_run(project, "lr2")]
    query = f"?runs={join_ids(jobs)}&metrics=eval_total_loss,train_total_loss"
    said = browser.get(compare_url("values", project, query)).json()
    assert {metric: {*runs} for metric, runs in said.items()} == {
        "train_total_loss": {f"r{job.pk}" for job in jobs}
    }
    for job in jobs:
        stored = point_store.read_job_series(job.pk)["/train_total_loss"].values
        assert decode_numbers(said["train_total_loss"][f"r{job.pk}"]).tolist() == stored.astype("f4").tolist()


def test_new_smoothing_sends_only_the_lines(browser: Client, project: Project) -> None:
    runs = join_ids([create_run(project, "r8"), create_run(project, "lr2")])
    query = f"?runs={runs}&metrics=train_total_loss&smoothing=0.9"
    figure = browser.get(compare_url("figures", project, query)).json()["charts"]["train_total_loss"]
    asked = f"{query}&drawn={figure['points']}"
    said = browser.get(compare_url("figures", project, asked)).json()
    drawn = {one["legendgroup"]: one["y"] for one in figure["data"] if one.get("meta") != "raw"}
    assert said["smoothed"]["train_total_loss"] == {"points": figure["points"], "lines": drawn}
    assert said["every"] is None and "charts" not in said
    # a page whose figures have fewer points gets new ones
    said = browser.get(compare_url("figures", project, asked + "1")).json()
    assert said["charts"]["train_total_loss"] == figure


def test_htmx_gets_only_the_part_around_the_charts(browser: Client, project: Project) -> None:
    jobs = create_team(project)
    part = page_text(
        browser.get(compare_url("page", project, f"?runs={join_ids(jobs)}"), headers={"HX-Request": "true"})
    )
    assert "<!doctype html>" not in part
    assert "data-chart" not in part
    assert part.count("data-run=") == 5


def test_checked_runs_redirect_to_a_runs_url(browser: Client, project: Project) -> None:
    jobs = create_team(project)
    answer = browser.get(compare_url("page", project, f"?run={jobs[1].pk}&run={jobs[0].pk}&axis=epoch"))
    assert answer.status_code == 302
    assert answer["Location"].endswith(f"?runs={jobs[1].pk},{jobs[0].pk}&axis=epoch")


@pytest.mark.parametrize("query", ["", "?runs=", "?runs=999999", "?q=intents"])
def test_fewer_than_two_runs_shows_the_chooser(browser: Client, project: Project, query: str) -> None:
    create_team(project)
    page = page_text(browser.get(compare_url("page", project, query)))
    assert page.count('type="checkbox" name="run"') == 5


def test_missing_runs_are_counted(browser: Client, project: Project) -> None:
    jobs = create_team(project)
    page = page_text(browser.get(compare_url("page", project, f"?runs={join_ids(jobs)},999999")))
    assert "1 run in this link isn’t in this project or was removed." in page


def test_runs_of_another_project_are_not_shown(browser: Client, project: Project) -> None:
    other = Project.objects.create(
        slug="other", name="Other", backend="engine", project_id="o", regions=["r"]
    )
    jobs = [create_run(other, "r8"), create_run(other, "r16")]
    page = page_text(browser.get(compare_url("page", project, f"?runs={join_ids(jobs)}")))
    assert "intents-r8" not in page
    figures = browser.get(compare_url("figures", project, f"?runs={join_ids(jobs)}")).json()
    assert figures["charts"] == {}


def test_viewers_see_it_and_strangers_do_not(
    project: Project, person: Callable[..., User], browser_of: Callable[[User], Client]
) -> None:
    jobs = create_team(project)
    query = f"?runs={join_ids(jobs)}"
    viewer, stranger = browser_of(person(Role.VIEWER)), browser_of(person(None))
    for name in ("page", "figures", "curves", "runs", "search"):
        assert viewer.get(compare_url(name, project, query)).status_code == 200
        assert stranger.get(compare_url(name, project, query)).status_code == 404


def test_unchanged_figures_return_304(browser: Client, project: Project) -> None:
    jobs = create_team(project)
    asked = compare_url("figures", project, f"?runs={join_ids(jobs)}")
    first = browser.get(asked, headers={"Accept-Encoding": "gzip"})
    assert first["Content-Encoding"] == "gzip"
    again = browser.get(asked, headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    point_store.merge_points(
        jobs[1].pk, {"/eval_total_loss": point_store.Points.from_arrays([440], [1.8e9], [0.39])}
    )
    changed = browser.get(asked, headers={"If-None-Match": first["ETag"]})
    assert changed.status_code == 200


def test_only_live_runs_are_polled(browser: Client, project: Project) -> None:
    jobs = create_team(project)
    live = browser.get(compare_url("figures", project, f"?runs={join_ids(jobs)}")).json()
    over = browser.get(compare_url("figures", project, f"?runs={join_ids(jobs[2:])}")).json()
    assert (live["every"], over["every"]) == (8, None)


def test_query_count_does_not_grow_with_runs(browser: Client, project: Project) -> None:
    jobs = create_team(project) + [create_run(project, "r8") for _more in range(20)]
    browser.get(compare_url("page", project))  # what only a session's first request asks
    counted = []
    for chosen in (jobs[:2], jobs):
        for name in ("page", "figures"):
            with CaptureQueriesContext(connection) as queries:
                browser.get(compare_url(name, project, f"?runs={join_ids(chosen)}"))
            counted.append(len(queries))
    assert counted[:2] == counted[2:]


def read_csv_rows(answer: Any) -> list[dict[str, str]]:
    body = b"".join(answer.streaming_content).decode()
    return [*csv.DictReader(io.StringIO(body))]


def test_page_numbers_match_the_csv(browser: Client, project: Project) -> None:
    """Best, final, accuracy, deltas and drawn curves, recomputed from the exported points alone."""
    jobs = create_team(project)
    metrics = "eval_total_loss,train_total_loss,eval_fraction_of_correct_next_step_preds"
    query = f"?runs={join_ids(jobs)}&metrics={metrics}"
    rows = read_csv_rows(browser.get(compare_url("curves", project, query)))
    table = {row["job"]: row for row in read_csv_rows(browser.get(compare_url("runs", project, query)))}
    figures = browser.get(compare_url("figures", project, query)).json()["charts"]
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
            for step, value in zip(decode_numbers(trace["x"]), decode_numbers(trace["y"]), strict=True):
                assert stored[int(step)] == value


def test_hidden_runs_are_not_in_the_csv(browser: Client, project: Project) -> None:
    jobs = create_team(project)
    rows = read_csv_rows(
        browser.get(compare_url("curves", project, f"?runs={join_ids(jobs)}&hidden={jobs[0].pk}"))
    )
    assert {row["job"] for row in rows} == {str(job.pk) for job in jobs[1:]}


@pytest.mark.parametrize("language", ["en", "ja"])
def test_csv_heads_and_settings_are_english_for_every_reader(
    browser: Client, project: Project, language: str
) -> None:
    jobs = create_team(project)
    browser.cookies["django_language"] = language
    page = browser.get(compare_url("page", project, f"?runs={join_ids(jobs)}")).content.decode()
    assert f'lang="{language}"' in page
    query = f"?runs={join_ids(jobs)}"
    rows = read_csv_rows(browser.get(compare_url("runs", project, query)))
    assert [*rows[0]] == [
        *csv_export.RUNS_HEADER,
        *("Base model", "Training dataset", "Validation dataset", "Number of epochs", "Adapter size"),
        *("Learning rate multiplier", "Export last checkpoint only", "Steps", "Examples"),
        *("Billable tokens", "Region"),
    ]
    assert {row["Export last checkpoint only"] for row in rows} == {"No"}
    curves = read_csv_rows(browser.get(compare_url("curves", project, query)))
    assert [*curves[0]] == csv_export.CURVES_HEADER


def test_search_offers_runs_not_yet_compared(browser: Client, project: Project) -> None:
    jobs = create_team(project)
    found = page_text(browser.get(compare_url("search", project, f"?runs={join_ids(jobs[:2])}&q=LR2")))
    assert "banking77-intents-lr2" in found
    assert f"runs={join_ids(jobs[:3])}" in found
    assert "banking77-intents-r4" not in found


@pytest.mark.parametrize("tab", ["effect", "data"])
def test_the_other_tabs(browser: Client, project: Project, tab: str) -> None:
    jobs = create_team(project)
    page = page_text(browser.get(compare_url("page", project, f"?runs={join_ids(jobs)}&tab={tab}")))
    if tab == "effect":
        assert 'data-chart="effect"' in page
        found = browser.get(compare_url("figures", project, f"?runs={join_ids(jobs)}&tab=effect")).json()
        assert len(found["charts"]["effect"]["data"]) == 5
    else:
        assert "2 different files" in page


def test_run_names_are_escaped(browser: Client, project: Project) -> None:
    evil = "<b onclick=x>a</b>"
    jobs = [
        create_run(project, "r8", tuned_model_display_name=evil),
        create_run(project, "r16", tuned_model_display_name="b"),
    ]
    page = browser.get(compare_url("page", project, f"?runs={join_ids(jobs)}")).content.decode()
    assert evil not in page
    figures = browser.get(compare_url("figures", project, f"?runs={join_ids(jobs)}")).json()["charts"]
    texts = [one["text"] for figure in figures.values() for one in figure["layout"]["annotations"]]
    assert texts
    assert not any("<b" in text for text in texts)
    assert np.all([isinstance(job, TuningJob) for job in jobs])
