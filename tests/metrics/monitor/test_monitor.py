"""The Monitor tab as a person gets it: figures that are sent only when they change, every state in words."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.html import strip_tags

from jobs.models import TuningJob
from metrics import point_store
from metrics.models import Feed
from metrics.point_store import Points
from studio.models import Project, Role
from tests.html import squeeze_html
from tests.metrics.charts.curves import EPOCHS, STEPS, create_job_with_points, make_remote_job, make_series
from tests.metrics.charts.test_figures import decode_numbers

LOSS, EVAL = "/train_total_loss", "/eval_total_loss"
pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(tuner: User, browser_of: Callable[[User], Client]) -> Client:
    return browser_of(tuner)


def monitor_url(name: str, job: TuningJob, *more: str) -> str:
    return reverse(f"metrics:{name}", args=[job.project.slug, job.pk, *more])


def page_text(answer: HttpResponse) -> str:
    assert answer.status_code == 200
    return squeeze_html(answer.content.decode())


def response_text(answer: Any) -> str:
    return b"".join(answer.streaming_content if answer.streaming else [answer.content]).decode()


# ---- the page ----


def test_the_monitor_is_a_page_and_a_fragment(browser: Client, project: Project) -> None:
    job = create_job_with_points(project, make_series())
    whole = page_text(browser.get(monitor_url("monitor", job)))
    panel = page_text(browser.get(monitor_url("monitor", job), headers={"HX-Request": "true"}))
    assert "<!doctype html>" in whole
    assert "<!doctype html>" not in panel
    for page in (whole, panel):
        assert 'id="monitor"' in page
        assert "Token accuracy" in page
        assert "Step 431 of 564 · about 2 min left" in page
    facts = page_text(
        browser.get(monitor_url("monitor", job), headers={"HX-Request": "true", "HX-Target": "monitor-facts"})
    )
    assert facts.startswith('<div id="monitor-facts"')


def test_page_without_javascript_links_tables_and_csv(browser: Client, project: Project) -> None:
    job = create_job_with_points(project, make_series())
    page = page_text(browser.get(monitor_url("monitor", job)))
    assert "Charts require JavaScript. The same numbers are available as tables and as a CSV file." in page
    assert f'href="{monitor_url("table", job, "loss")}"' in page
    assert f'href="{monitor_url("csv", job)}"' in page
    table = page_text(browser.get(monitor_url("table", job, "loss")))
    assert "<!doctype html>" in table


def test_controls_reflect_the_query_string(browser: Client, project: Project) -> None:
    job = create_job_with_points(project, make_series())
    page = page_text(
        browser.get(monitor_url("monitor", job) + "?smoothing=0.35&axis=epoch&scale=log&clip=off")
    )
    assert 'value="0.35"' in page
    assert 'value="epoch" checked' in page
    assert 'value="log" checked' in page
    assert 'value="on" data-default="on">' in page


def test_checkpoint_loss_is_the_last_evaluation_before_it(browser: Client, project: Project) -> None:
    series = make_series()
    job = create_job_with_points(project, series)
    page = page_text(browser.get(monitor_url("monitor", job)))
    losses = series[EVAL].values
    for index, step in ((20, 420), (13, 280), (6, 140)):
        assert f'title="/eval_total_loss at step {step}, raw"' in page
        assert f'title="/eval_total_loss at step {step} minus step 360, raw"' in page
        assert f"{losses[index]:.3f}</span>" in page
        assert f"+{losses[index] - losses.min():.3f}" in page
    assert page.count('<span class="tag tag-on">') == 1
    assert "3 of 4 · one at the end of each epoch" in page
    assert page.index('"/eval_total_loss at step 420, raw"') < page.index(
        '"/eval_total_loss at step 280, raw"'
    )


def test_tuner_can_test_a_checkpoint_but_viewer_cannot(
    person: Callable[..., User], browser_of: Callable[[User], Client], project: Project
) -> None:
    job = create_job_with_points(project, make_series())
    panel = {"HX-Request": "true"}
    may = page_text(browser_of(person(Role.TUNER)).get(monitor_url("monitor", job), headers=panel))
    may_not = page_text(browser_of(person(Role.VIEWER)).get(monitor_url("monitor", job), headers=panel))
    action = f'action="{reverse("talk:new", args=[project.slug])}"'
    assert (may.count(action), may_not.count(action)) == (3, 0)


def make_ended_job(default: int = 3) -> dict[str, Any]:
    """Three checkpoints, with the losses 0.946, 0.453 and 0.415; a model is there, and this its default."""
    said = make_remote_job("JOB_STATE_SUCCEEDED")
    model = "projects/local/locations/us-central1/models/7@1"
    endpoint = said["tunedModel"]["checkpoints"][default - 1]["endpoint"]
    return {**said, "tunedModel": {**said["tunedModel"], "model": model, "endpoint": endpoint}}


def test_the_hint_stands_below_the_charts(browser: Client, project: Project) -> None:
    job = create_job_with_points(project, make_series())
    page = page_text(browser.get(monitor_url("monitor", job)))
    said = strip_tags(page)
    assert "Overfitting began at step 360 (epoch 2.55). Validation loss has risen from 0.392 to 0.415" in said
    assert page.index("Overfitting began") > page.index('data-panel="predictions"')
    assert page.index("Overfitting began") < page.index("Checkpoints</h3>")
    assert '<span class="num" title="/eval_total_loss at step 360, raw">360</span>' in page
    etag = browser.get(monitor_url("figures", job)).json()["facts"]
    assert etag in page
    point_store.merge_points(job.pk, {EVAL: Points.from_arrays([440], [2e9], [0.2])})
    assert browser.get(monitor_url("figures", job)).json()["facts"] != etag


def test_better_checkpoint_offers_set_as_default(
    person: Callable[..., User], browser_of: Callable[[User], Client], project: Project
) -> None:
    job = create_job_with_points(
        project, make_series(), state="JOB_STATE_SUCCEEDED", remote=make_ended_job(default=2)
    )
    page = page_text(browser_of(person(Role.TUNER)).get(monitor_url("monitor", job)))
    assert "Validation loss at checkpoint 2 (the default) is 0.038 higher" in strip_tags(page)
    assert page.count("Set checkpoint 3 as default</a>") == 1
    choose = reverse("jobs:set_default", args=[project.slug, job.pk, "3"])
    assert page.count(f'href="{choose}" data-dialog="default-3"') == 2, "in the note and in the table"
    assert f'<form method="post" action="{choose}"' in page
    assert reverse("jobs:set_default", args=[project.slug, job.pk, "2"]) not in page, "it is the default"
    seen = page_text(browser_of(person(Role.VIEWER)).get(monitor_url("monitor", job)))
    assert "Validation loss at checkpoint 2 (the default) is 0.038 higher" in strip_tags(seen)
    assert choose not in seen


@pytest.mark.parametrize("state", ["JOB_STATE_RUNNING", "JOB_STATE_SUCCEEDED"])
def test_set_as_default_is_hidden_when_not_possible(browser: Client, project: Project, state: str) -> None:
    """While it runs; and where the service names no model."""
    made = make_ended_job(default=2) if state == "JOB_STATE_RUNNING" else make_remote_job(state)
    job = create_job_with_points(project, make_series(), state=state, remote={**made, "state": state})
    assert "/default/" not in page_text(browser.get(monitor_url("monitor", job)))


def test_page_takes_few_queries(
    browser: Client, project: Project, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    job = create_job_with_points(project, make_series(5000))
    with django_assert_max_num_queries(9):
        browser.get(monitor_url("monitor", job))
    with django_assert_max_num_queries(8):
        browser.get(monitor_url("figures", job))


# ---- figures ----


def test_figures_carry_the_stored_numbers(browser: Client, project: Project) -> None:
    series = make_series()
    job = create_job_with_points(project, series)
    said = browser.get(monitor_url("figures", job) + "?smoothing=0").json()
    train = next(one for one in said["charts"]["loss"]["data"] if one.get("name") == "Train")
    assert decode_numbers(train["x"]).tolist() == series[LOSS].steps.tolist()
    assert decode_numbers(train["y"]).tolist() == series[LOSS].values.tolist()
    assert (said["every"], said["over"], said["word"]) == (4, False, "")


def test_unchanged_figures_return_304(browser: Client, project: Project) -> None:
    job = create_job_with_points(project, make_series())
    first = browser.get(monitor_url("figures", job))
    known = {"If-None-Match": first["ETag"]}
    Feed.objects.update(read_at=timezone.now() + timedelta(seconds=30))
    second = browser.get(monitor_url("figures", job), headers=known)
    assert (second.status_code, second.content) == (304, b"")
    assert second["Last-Modified"] != first["Last-Modified"]
    assert browser.get(monitor_url("figures", job) + "?smoothing=0.5", headers=known).status_code == 200
    assert (
        browser.get(monitor_url("figures", job), headers={**known, "Accept-Language": "ja"}).status_code
        == 200
    )


def test_every_language_has_its_own_etag(browser: Client, project: Project) -> None:
    """Also where a run is too young for a finding, so that only the words in the charts differ."""
    young = {LOSS: Points.from_arrays([1, 2, 3], [2e9, 2e9 + 1, 2e9 + 2], [3.0, 2.0, 1.0])}
    url = monitor_url("figures", create_job_with_points(project, young))
    etags = {browser.get(url, headers={"Accept-Language": language})["ETag"] for language in ("en", "ja")}
    assert len(etags) == 2


@pytest.mark.parametrize("what", ["a point", "a correction", "a checkpoint", "the end", "an error"])
def test_every_change_gives_a_new_etag(browser: Client, project: Project, what: str) -> None:
    job = create_job_with_points(project, make_series(), remote=make_remote_job(checkpoints=2))
    etag = browser.get(monitor_url("figures", job))["ETag"]
    match what:
        case "a point":
            point_store.merge_points(job.pk, {LOSS: Points.from_arrays([432], [2e9], [0.4])})
        case "a correction":
            point_store.merge_points(job.pk, {LOSS: Points.from_arrays([5], [2e9], [0.4])})
        case "a checkpoint":
            TuningJob.objects.update(remote=make_remote_job(checkpoints=3))
        case "the end":
            TuningJob.objects.update(state="JOB_STATE_SUCCEEDED")
        case "an error":
            Feed.objects.update(error={"kind": "NotSent", "message": "no way"})
    assert browser.get(monitor_url("figures", job), headers={"If-None-Match": etag}).status_code == 200


def test_page_asks_each_second_until_the_first_point(browser: Client, project: Project) -> None:
    job = create_job_with_points(project, {})
    TuningJob.objects.update(
        state="JOB_STATE_RUNNING", submitted_at=timezone.now(), ended_at=None, summary={}
    )
    first = browser.get(monitor_url("figures", job))
    assert first.json()["every"] == 1
    TuningJob.objects.update(submitted_at=timezone.now() - timedelta(seconds=121))
    later = browser.get(monitor_url("figures", job), headers={"If-None-Match": first["ETag"]})
    assert later.json()["every"] == 4
    TuningJob.objects.update(submitted_at=timezone.now())
    point_store.merge_points(job.pk, {LOSS: Points.from_arrays([1], [1.7e9], [2.0])})
    assert browser.get(monitor_url("figures", job)).json()["every"] == 4


def test_response_says_when_to_stop_polling(browser: Client, project: Project) -> None:
    job = create_job_with_points(project, make_series(STEPS), state="JOB_STATE_SUCCEEDED")
    assert browser.get(monitor_url("figures", job)).json()["every"] == 30
    Feed.objects.update(due_at=None)
    said = browser.get(monitor_url("figures", job)).json()
    assert (said["every"], said["over"]) == (None, True)


def test_figures_are_gzipped(browser: Client, project: Project) -> None:
    job = create_job_with_points(project, make_series(10_000))
    plain = browser.get(monitor_url("figures", job))
    packed = browser.get(monitor_url("figures", job), headers={"Accept-Encoding": "gzip"})
    assert packed["Content-Encoding"] == "gzip"
    assert len(packed.content) < len(plain.content) < 150_000


def test_edited_query_string_is_accepted(browser: Client, project: Project) -> None:
    job = create_job_with_points(project, make_series())
    assert browser.get(monitor_url("figures", job) + "?smoothing=nan&axis=x&scale=&clip=1").status_code == 200


# ---- states ----


def test_page_before_the_first_point_shows_placeholder(browser: Client, project: Project) -> None:
    job = create_job_with_points(project, {}, state="JOB_STATE_PENDING", remote={})
    page = page_text(browser.get(monitor_url("monitor", job)))
    assert "Charts appear when tuning starts." in page
    assert "Checkpoints appear during tuning, at the end of an epoch." in page
    said = browser.get(monitor_url("figures", job)).json()
    assert (said["charts"], said["word"]) == ({}, "Charts appear when tuning starts.")


def test_draft_redirects_to_the_wizard(browser: Client, project: Project, tuner: User) -> None:
    job = TuningJob.objects.create(project=project, owner=tuner)
    assert browser.get(monitor_url("monitor", job)).url == job.get_absolute_url()


def test_draft_of_another_person_returns_404(browser: Client, project: Project, admin_exists: User) -> None:
    job = TuningJob.objects.create(project=project, owner=admin_exists)
    for name in ("monitor", "figures", "csv"):
        assert browser.get(monitor_url(name, job)).status_code == 404


def test_permission_denied_is_not_shown_as_missing_metrics(browser: Client, project: Project) -> None:
    job = create_job_with_points(project, {})
    Feed.objects.update(error={"kind": "PermissionDenied", "code": 403, "message": "aiplatform.contexts.get"})
    page = page_text(browser.get(monitor_url("monitor", job)))
    assert "Metrics can’t be read." in page
    assert "aiplatform.contexts.get" in page
    assert "Metrics couldn’t be read yet." not in page
    said = browser.get(monitor_url("figures", job)).json()
    assert (said["word"], said["failing"]) == ("Metrics can’t be read.", True)


def test_stale_numbers_show_their_time(
    browser: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    noon = timezone.localtime().replace(hour=12, minute=0)
    monkeypatch.setattr(timezone, "now", lambda: noon)
    job = create_job_with_points(project, make_series())
    Feed.objects.update(read_at=noon - timedelta(minutes=5))
    page = page_text(browser.get(monitor_url("monitor", job)))
    assert "Data as of 11:55." in page
    assert "the background worker may have stopped" in page
    Feed.objects.update(error={"kind": "NotSent", "message": "The server could not be reached."})
    page = page_text(browser.get(monitor_url("monitor", job)))
    assert "Data as of 11:55." in page
    assert "the background worker may have stopped" not in page


def test_an_ended_run_is_not_stale(browser: Client, project: Project) -> None:
    job = create_job_with_points(
        project, make_series(STEPS), state="JOB_STATE_SUCCEEDED", ended_at=timezone.now()
    )
    Feed.objects.update(read_at=timezone.now() - timedelta(days=5), due_at=None)
    page = page_text(browser.get(monitor_url("monitor", job)))
    assert "Data as of" not in page
    assert "Step 564 of 564" in page
    assert "left" not in page[page.index("Step 564") : page.index("Step 564") + 60]


def test_missing_validation_curve_is_explained(browser: Client, project: Project) -> None:
    job = create_job_with_points(project, make_series(validation=False), validation=None)
    page = page_text(browser.get(monitor_url("monitor", job)))
    assert "No validation dataset was set, so only training curves are shown." in page
    assert "Tune again with validation" in page
    loss = browser.get(monitor_url("figures", job)).json()["charts"]["loss"]
    assert {one["legendgroup"] for one in loss["data"]} == {"train"}


@pytest.mark.parametrize(
    ("state", "word"), [("JOB_STATE_CANCELLED", "Cancelled"), ("JOB_STATE_FAILED", "Failed")]
)
def test_early_end_keeps_the_points(browser: Client, project: Project, state: str, word: str) -> None:
    job = create_job_with_points(project, make_series(), state=state)
    page = page_text(browser.get(monitor_url("monitor", job)))
    assert f"{word} at step 431." in page
    assert "Data up to that step is saved." in page
    assert reverse("jobs:again", args=[project.slug, job.pk]) in page
    assert browser.get(monitor_url("figures", job)).json()["charts"]


def test_nan_values_are_reported(browser: Client, project: Project) -> None:
    values = np.ones(50)
    values[[7, 20]] = np.nan
    job = create_job_with_points(project, {LOSS: Points.from_arrays(range(50), range(50), values)})
    page = page_text(browser.get(monitor_url("monitor", job)))
    assert "Training loss is NaN or infinite at 2 steps." in strip_tags(page)
    assert "The first gap in the curve is at step 7." in strip_tags(page)


# ---- tables and files ----


def test_csv_has_every_point_exactly(browser: Client, project: Project) -> None:
    series = make_series(2500)
    job = create_job_with_points(project, series)
    answer = browser.get(monitor_url("csv", job))
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    found: dict[str, list[tuple[int, float, float]]] = {}
    for row in csv.DictReader(io.StringIO(response_text(answer))):
        at = datetime.fromisoformat(row["wall_time"]).timestamp()
        found.setdefault(row["metric"], []).append((int(row["step"]), at, float(row["value"])))
    assert found == {
        metric: list(zip(*(array.tolist() for array in points.arrays()), strict=True))
        for metric, points in series.items()
    }


def test_csv_of_one_chart_has_only_its_series(browser: Client, project: Project) -> None:
    job = create_job_with_points(project, make_series())
    answer = response_text(browser.get(monitor_url("csv", job) + "?chart=loss"))
    assert {line.split(",")[0] for line in answer.splitlines()[1:]} == {LOSS, EVAL}


def test_table_has_the_points_of_the_chart(browser: Client, project: Project) -> None:
    series = make_series(40)
    job = create_job_with_points(project, series)
    rows = page_text(browser.get(monitor_url("table", job, "loss"), headers={"HX-Request": "true"}))
    assert "<!doctype html>" not in rows
    assert rows.count("<tr>") == 41
    assert rows.index(f"{series[LOSS].values[-1]:.6g}") < rows.index(f"{series[LOSS].values[0]:.6g}")
    assert f"{series[EVAL].values[0]:.6g}" in rows
    assert f"{40 * EPOCHS / STEPS:.2f}" in rows
    assert "40 steps" in rows


def test_long_table_is_downsampled_like_the_chart(browser: Client, project: Project) -> None:
    job = create_job_with_points(project, make_series(6000))
    rows = page_text(browser.get(monitor_url("table", job, "predictions"), headers={"HX-Request": "true"}))
    assert "of 6000 points, as in the chart." in rows
    assert 1000 <= rows.count("<tr>") < 1400


def test_unknown_chart_returns_404(browser: Client, project: Project) -> None:
    job = create_job_with_points(project, make_series())
    assert browser.get(monitor_url("table", job, "nothing")).status_code == 404


def test_job_of_another_project_returns_404(browser: Client, project: Project) -> None:
    other = Project.objects.create(slug="other", name="Other", project_id="other")
    job = create_job_with_points(other, make_series())
    for name in ("monitor", "figures", "csv"):
        url = reverse(f"metrics:{name}", args=[project.slug, job.pk])
        assert browser.get(url).status_code == 404
