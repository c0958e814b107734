"""Cancelling several jobs: which are cancelled, the message about the others, and one audit entry per job."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import User
from django.test import Client

from jobs.models import Submission, TuningJob
from studio.models import AuditEntry, Project, Role

pytestmark = [pytest.mark.django_db, pytest.mark.sql]
ADDRESS = "/p/local/jobs/cancel/"
Make = Callable[..., TuningJob]


@pytest.fixture
def make(project: Project, tuner: User) -> Make:
    def make_job(name: str, state: str = "JOB_STATE_RUNNING", **fields: Any) -> TuningJob:
        usual = {"project": project, "owner": tuner, "submission": Submission.CREATED, "name": name}
        return TuningJob.objects.create(
            **{**usual, "tuned_model_display_name": name, "state": state, **fields}
        )

    return make_job


@pytest.fixture
def browser(tuner: User, browser_of: Callable[[User], Client]) -> Client:
    return browser_of(tuner)


def build_cancel_url(*jobs: TuningJob) -> str:
    return f"{ADDRESS}?{urlencode([('run', job.pk) for job in jobs])}"


def list_cancelled_names() -> list[str]:
    jobs = TuningJob.objects.filter(cancel_asked_at__isnull=False)
    return sorted(job.tuned_model_display_name for job in jobs)


def test_the_confirmation_names_the_jobs_and_changes_nothing(make: Make, browser: Client) -> None:
    html = browser.get(
        build_cancel_url(make("one"), make("two"), make("done", "JOB_STATE_SUCCEEDED"))
    ).content.decode()
    assert "Cancel 2 jobs?" in html
    assert re.findall(r'class="b"><bdi>(\w+)', html) == ["two", "one"]
    assert re.findall(r"<li><bdi>(\w+)", html) == ["done"]
    assert html.count('name="run"') == 2
    assert list_cancelled_names() == []


def test_each_cancelled_job_gets_its_own_audit_entry(make: Make, browser: Client, tuner: User) -> None:
    jobs = [make("one"), make("two"), make("queued", "JOB_STATE_QUEUED"), make("over", "JOB_STATE_FAILED")]
    make("left alone")
    answer = browser.post(ADDRESS, {"run": [job.pk for job in jobs]}, follow=True)
    assert list_cancelled_names() == ["one", "queued", "two"]
    entries = AuditEntry.objects.filter(action="tuning_job.cancel", actor=tuner)
    assert sorted(entry.subject for entry in entries) == sorted(f"{job.pk} {job}" for job in jobs[:3])
    assert "Cancellation requested for 3 jobs: queued, two, one." in answer.content.decode()


def test_a_second_bulk_cancel_does_nothing(make: Make, browser: Client) -> None:
    job = make("one")
    browser.post(ADDRESS, {"run": job.pk})
    answer = browser.post(ADDRESS, {"run": job.pk}, follow=True)
    assert AuditEntry.objects.filter(action="tuning_job.cancel").count() == 1
    assert "These jobs have all finished or are already being cancelled." in answer.content.decode()


@pytest.mark.parametrize("query", ["", "?run=", "?run=x&run=-1", "?run=99999999999999999999"])
def test_an_empty_selection_redirects_to_the_list(query: str, make: Make, browser: Client) -> None:
    make("one")
    answer = browser.get(f"{ADDRESS}{query}", follow=True)
    assert answer.redirect_chain == [("/p/local/jobs/", 302)]
    assert "Select the jobs to cancel." in answer.content.decode()


def test_jobs_of_another_project_are_not_found(
    make: Make, browser: Client, person: Callable[..., User]
) -> None:
    other = Project.objects.create(slug="other", name="Other", project_id="other", regions=["us-central1"])
    theirs = make("theirs", project=other)
    draft = make("draft", "", submission=Submission.DRAFT, owner=person(Role.TUNER, "another"))
    assert browser.get(build_cancel_url(theirs, draft)).status_code == 404
    mine = make("mine")
    assert "theirs" not in browser.get(build_cancel_url(theirs, mine)).content.decode()
    browser.post(ADDRESS, {"run": [theirs.pk, mine.pk]})
    assert list_cancelled_names() == ["mine"]


def test_a_viewer_may_compare_but_not_cancel(
    make: Make, person: Callable[..., User], browser_of: Callable[[User], Client]
) -> None:
    viewer = browser_of(person(Role.VIEWER))
    job = make("one")
    assert viewer.get(build_cancel_url(job)).status_code == 403
    html = viewer.get("/p/local/jobs/").content.decode()
    assert f'id="pick-{job.pk}"' in html and "Compare selected" in html
    assert "Cancel selected" not in html
    assert f"/p/local/compare/?run={job.pk}" in viewer.get(f"/p/local/jobs/{job.pk}/").content.decode()
