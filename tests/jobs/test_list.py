"""The jobs list: what the address asks for, what a row shows, and how few queries it takes."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from jobs import listing
from jobs.models import Dataset, Sweep, TuningJob
from jobs.queries import Submission
from studio.models import Project, Role

pytestmark = pytest.mark.django_db


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


def shown(html: str) -> list[str]:
    return re.findall(r'id="open-\d+"[^>]*><bdi>([^<]+)<', html)


def measured(value: float) -> dict[str, Any]:
    return {
        "summary": {"best": {"value": value, "step": 3, "epoch": 1.0}, "spark": [2.0, value, value + 0.1]}
    }


def data(project: Project, uri: str, crc32c: str) -> Dataset:
    return Dataset.objects.create(
        project=project, uri=uri, generation="1", crc32c=crc32c, size=9, source="existing"
    )


def test_an_empty_project_says_what_comes_next(page: Callable[..., str]) -> None:
    html = page()
    assert "No tuned models in this project yet" in html
    assert html.count("btn-primary") == 1


def test_rows_are_newest_first_and_can_be_sorted(
    make: Callable[..., TuningJob], page: Callable[..., str]
) -> None:
    make("b", **measured(0.5))
    make("a", **measured(0.7))
    make("c", state="JOB_STATE_FAILED")
    assert shown(page()) == ["c", "a", "b"]
    assert shown(page("?sort=name")) == ["a", "b", "c"]
    assert shown(page("?sort=best")) == ["b", "a", "c"]
    assert shown(page("?sort=-best")) == ["a", "b", "c"]


def test_filters_live_in_the_address(make: Callable[..., TuningJob], page: Callable[..., str]) -> None:
    make("first try")
    make("second", state="JOB_STATE_FAILED")
    make("third", state="JOB_STATE_RUNNING")
    assert shown(page("?status=failed")) == ["second"]
    assert shown(page("?status=active")) == ["third"]
    assert shown(page("?q=FIRST")) == ["first try"]
    assert "No jobs match" in page("?q=nothing+like+this")
    assert shown(page("?status=nonsense&sort=nonsense&page=999")) == ["third", "second", "first try"]


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
    assert shown(html) == ["mine"]
    assert re.findall(r'href="([^"]+)">Drafts <span class="num">(\d+)<', html) == [
        ("/p/local/jobs/drafts/", "2")
    ]


def test_a_state_we_do_not_know_is_shown_as_it_is(
    make: Callable[..., TuningJob], page: Callable[..., str]
) -> None:
    make("odd", state="JOB_STATE_HIBERNATING")
    assert "JOB_STATE_HIBERNATING" in page()


def test_a_running_row_tells_how_far_it_is(make: Callable[..., TuningJob], page: Callable[..., str]) -> None:
    make("going", state="JOB_STATE_RUNNING", summary={"step": 40, "steps": 100, "rate": 0.5, "spark": [3, 2]})
    html = page()
    assert "step 40 of 100" in html
    assert "about 2 min left" in html
    assert 'hx-trigger="every 4s"' in html


def test_the_best_is_bold_only_among_runs_on_the_same_data(
    make: Callable[..., TuningJob], page: Callable[..., str], project: Project
) -> None:
    old, new = data(project, "gs://b/old.jsonl", "AAAA"), data(project, "gs://b/new.jsonl", "BBBB")
    make("lowest, on other data", validation=old, **measured(0.1))
    make("lower", validation=new, **measured(0.3))
    make("higher", validation=new, **measured(0.4))
    assert re.findall(r'class="best">([\d.]+)<', page()) == ["0.300"]


def test_names_are_text_never_markup(make: Callable[..., TuningJob], page: Callable[..., str]) -> None:
    make("<img src=x onerror=alert(1)>")
    assert "<img" not in page()


def test_htmx_gets_the_list_alone(make: Callable[..., TuningJob], page: Callable[..., str]) -> None:
    make("one")
    html = page(**{"HX-Request": "true"})
    assert html.lstrip().startswith('<div id="jobs"')
    assert shown(html) == ["one"]


def test_stale_rows_say_since_when_and_why(
    make: Callable[..., TuningJob], page: Callable[..., str], project: Project
) -> None:
    make("going", state="JOB_STATE_RUNNING")
    now = timezone.now()
    Sweep.objects.create(
        project=project,
        location="us-central1",
        due_at=now,
        read_at=now - timedelta(minutes=4),
        failing_since=now - timedelta(minutes=3),
        failures=4,
        trouble={"kind": "NotSent", "message": "connection refused"},
    )
    html = page()
    assert "The states below are as of" in html
    assert 'class="stale"' in html


def test_queries_do_not_grow_with_the_rows(
    make: Callable[..., TuningJob],
    tuner: User,
    browser_of: Callable[[User], Client],
    django_assert_max_num_queries: Callable[[int], Any],
) -> None:
    for number in range(60):
        make(f"job {number}", **measured(number / 10))
    browser = browser_of(tuner)
    with django_assert_max_num_queries(11):
        html = browser.get("/p/local/jobs/").content.decode()
    assert len(shown(html)) == listing.PAGE
