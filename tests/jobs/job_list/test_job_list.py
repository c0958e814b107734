"""The job list: query parameters, rows, and the number of database queries."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jobs.datasets.models import Dataset
from jobs.job_list import filters
from jobs.models import JobListPoll, TuningJob
from jobs.querysets import Submission
from studio.models import Project, Role

pytestmark = [pytest.mark.django_db, pytest.mark.sql]


@pytest.fixture
def make(project: Project, tuner: User) -> Callable[..., TuningJob]:
    def make_job(name: str, state: str = "JOB_STATE_SUCCEEDED", **fields: Any) -> TuningJob:
        usual = {"submission": Submission.CREATED, "base_model": "studio-tiny", "location": "us-central1"}
        return TuningJob.objects.create(
            **{
                "project": project,
                "owner": tuner,
                "tuned_model_display_name": name,
                "state": state,
                **usual,
                **fields,
            }
        )

    return make_job


@pytest.fixture
def page(tuner: User, browser_of: Callable[[User], Client]) -> Callable[..., str]:
    def get(query: str = "", **headers: str) -> str:
        answer = browser_of(tuner).get(f"/p/local/jobs/{query}", headers=headers)
        assert answer.status_code == 200
        return answer.content.decode()

    return get


def parse_row_names(html: str) -> list[str]:
    return re.findall(r'id="open-\d+"[^>]*><bdi>([^<]+)<', html)


def make_measured_summary(value: float) -> dict[str, Any]:
    return {
        "summary": {"best": {"value": value, "step": 3, "epoch": 1.0}, "spark": [2.0, value, value + 0.1]}
    }


def create_dataset(project: Project, uri: str, crc32c: str) -> Dataset:
    return Dataset.objects.create(
        project=project, uri=uri, generation="1", crc32c=crc32c, size=9, source="existing"
    )


def test_an_empty_project_shows_the_next_step(page: Callable[..., str]) -> None:
    html = page()
    assert "No tuned models in this project yet" in html
    assert html.count("btn-primary") == 1


def test_rows_are_newest_first_and_can_be_sorted(
    make: Callable[..., TuningJob], page: Callable[..., str]
) -> None:
    make("b", **make_measured_summary(0.5))
    make("a", **make_measured_summary(0.7))
    make("c", state="JOB_STATE_FAILED")
    assert parse_row_names(page()) == ["c", "a", "b"]
    assert parse_row_names(page("?sort=name")) == ["a", "b", "c"]
    assert parse_row_names(page("?sort=best")) == ["b", "a", "c"]
    assert parse_row_names(page("?sort=-best")) == ["a", "b", "c"]


def test_filters_are_part_of_the_url(make: Callable[..., TuningJob], page: Callable[..., str]) -> None:
    make("first try")
    make("second", state="JOB_STATE_FAILED")
    make("third", state="JOB_STATE_RUNNING")
    assert parse_row_names(page("?status=failed")) == ["second"]
    assert parse_row_names(page("?status=active")) == ["third"]
    assert parse_row_names(page("?q=FIRST")) == ["first try"]
    assert "No jobs match" in page("?q=nothing+like+this")
    assert parse_row_names(page("?status=nonsense&sort=nonsense&page=999")) == [
        "third",
        "second",
        "first try",
    ]


def test_segments_count_each_status(make: Callable[..., TuningJob], page: Callable[..., str]) -> None:
    make("one")
    make("two", state="JOB_STATE_RUNNING")
    counted = re.findall(r'id="seg-(\w+)"[^>]*>[^<]*<span class="num">(\d+)<', page())
    assert counted == [("all", "2"), ("active", "1"), ("succeeded", "1")]


def test_a_draft_is_seen_by_its_owner_only(
    make: Callable[..., TuningJob], page: Callable[..., str], person: Callable[..., User]
) -> None:
    make("mine", state="", submission=Submission.DRAFT)
    make("theirs", state="", submission=Submission.DRAFT, owner=person(Role.TUNER, "other"))
    html = page()
    assert parse_row_names(html) == ["mine"]
    assert re.findall(r'href="([^"]+)">\s*Drafts\s*<span class="num">(\d+)<', html) == [
        ("/p/local/jobs/drafts/", "2")
    ]


def test_an_unknown_state_is_shown_verbatim(make: Callable[..., TuningJob], page: Callable[..., str]) -> None:
    make("odd", state="JOB_STATE_HIBERNATING")
    assert "JOB_STATE_HIBERNATING" in page()


def test_a_running_row_shows_its_progress(make: Callable[..., TuningJob], page: Callable[..., str]) -> None:
    make("going", state="JOB_STATE_RUNNING", summary={"step": 40, "steps": 100, "rate": 0.5, "spark": [3, 2]})
    html = page()
    assert "step 40 of 100" in html
    assert "about 2 min left" in html
    assert 'hx-trigger="every 4s"' in html


def test_the_best_is_bold_only_among_runs_on_the_same_data(
    make: Callable[..., TuningJob], page: Callable[..., str], project: Project
) -> None:
    old, new = (
        create_dataset(project, "gs://b/old.jsonl", "AAAA"),
        create_dataset(project, "gs://b/new.jsonl", "BBBB"),
    )
    make("lowest, on other data", validation=old, **make_measured_summary(0.1))
    make("lower", validation=new, **make_measured_summary(0.3))
    make("higher", validation=new, **make_measured_summary(0.4))
    assert re.findall(r'class="best">([\d.]+)<', page()) == ["0.300"]


def test_names_are_escaped(make: Callable[..., TuningJob], page: Callable[..., str]) -> None:
    make("<img src=x onerror=alert(1)>")
    assert "<img" not in page()


def test_htmx_gets_only_the_list_fragment(make: Callable[..., TuningJob], page: Callable[..., str]) -> None:
    make("one")
    html = page(**{"HX-Request": "true"})
    assert html.lstrip().startswith('<div id="jobs"')
    assert parse_row_names(html) == ["one"]


def test_stale_rows_show_since_when_and_why(
    make: Callable[..., TuningJob], page: Callable[..., str], project: Project
) -> None:
    make("going", state="JOB_STATE_RUNNING")
    now = timezone.now()
    JobListPoll.objects.create(
        project=project,
        location="us-central1",
        due_at=now,
        read_at=now - timedelta(minutes=4),
        failing_since=now - timedelta(minutes=3),
        failures=4,
        last_error={"kind": "NotSent", "message": "connection refused"},
    )
    html = page()
    assert "States shown as of" in html
    assert 'class="stale"' in html


def test_a_running_row_without_a_rate_shows_no_time_left(
    make: Callable[..., TuningJob], page: Callable[..., str]
) -> None:
    make("slow", state="JOB_STATE_RUNNING", summary={"step": 40, "steps": 100, "rate": None})
    make(
        "stopping",
        state="JOB_STATE_RUNNING",
        cancel_asked_at=timezone.now(),
        summary={"step": 4, "steps": 9, "rate": 1},
    )
    make("nameless pace", state="JOB_STATE_RUNNING", summary={"step": 7, "rate": 1})
    html = page()
    assert "step 40 of 100" in html and "step 4 of 9" in html and "step 7" not in html
    assert "left</span>" not in html


def test_a_row_shows_the_final_loss_and_how_long_it_took(
    make: Callable[..., TuningJob], page: Callable[..., str]
) -> None:
    ended = timezone.now()
    make(
        "done",
        summary={"best": {"value": 0.25}, "last": {"value": 0.5}},
        remote={"startTime": (ended - timedelta(minutes=65)).isoformat()},
        ended_at=ended,
    )
    html = page()
    assert re.findall(r'<td class="num">(0\.\d+)</td>', html) == ["0.500"]
    assert '<span title="1 h 05 min">1 h 05 min</span>' in html


def test_known_alerts_are_described_and_unknown_ones_omitted(
    make: Callable[..., TuningJob], page: Callable[..., str]
) -> None:
    make("bad", summary={"alerts": ["overfitting", "boredom", "not_a_number"]})
    make("good", summary={"alerts": []})
    make("of an older version", summary={"best": None})
    make("odd", summary={"alerts": "not_a_number"})
    words = "Loss is not a number (NaN). Validation loss is rising again: the model is overfitting."
    html = page()
    assert html.count('class="alerts"') == 1
    assert f'title="{words}"' in html and f'hidden">{words}<' in html


def test_every_job_but_a_draft_can_be_selected(
    make: Callable[..., TuningJob], page: Callable[..., str]
) -> None:
    going, over = make("going", state="JOB_STATE_RUNNING"), make("over")
    make("draft", state="", submission=Submission.DRAFT)
    html = page()
    boxes = re.findall(
        r'id="pick-(\d+)" form="pick" name="run"\s+value="(\d+)" data-pick( data-cancels)?', html
    )
    assert boxes == [(str(over.pk),) * 2 + ("",), (str(going.pk),) * 2 + (" data-cancels",)]
    assert '<form id="pick" method="get" action="/p/local/compare/">' in html


def count_queries(browser: Client, address: str) -> int:
    with CaptureQueriesContext(connection) as asked:
        assert browser.get(address).status_code == 200
    return len(asked)


@pytest.mark.parametrize("query", ["", "?sort=left", "?sort=duration&base=studio-tiny&owner=mine"])
def test_the_number_of_queries_does_not_grow_with_the_rows(
    query: str,
    make: Callable[..., TuningJob],
    project: Project,
    tuner: User,
    browser_of: Callable[[User], Client],
) -> None:
    browser, address = browser_of(tuner), f"/p/local/jobs/{query}"
    make("job", training=create_dataset(project, "gs://b/0.jsonl", "A"), **make_measured_summary(0.5))
    browser.get(address)
    few = count_queries(browser, address)
    for number in range(1, 60):
        make(
            f"job {number}",
            training=create_dataset(project, f"gs://b/{number}.jsonl", "B"),
            **make_measured_summary(number / 10),
        )
    assert count_queries(browser, address) == few <= 14
    assert len(parse_row_names(browser.get(address).content.decode())) == filters.PAGE_SIZE
