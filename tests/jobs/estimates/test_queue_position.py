"""Whose turn it is, where the quota of the place makes jobs wait."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from jobs.estimates.queue_position import Place, Queue, queue_of, waiting
from jobs.models import TuningJob
from jobs.querysets import Submission
from studio.models import Membership, Project, Role
from studio.projects import quotas
from studio.vertex import job_states

pytestmark = pytest.mark.django_db
Make = Callable[..., TuningJob]


@pytest.fixture
def make(project: Project, tuner: User) -> Make:
    """make(name, state, minutes ago, ...) -> a job that was handed over then."""

    def handed_over(name: str, state: str = job_states.RUNNING, ago: float = 5, **fields: Any) -> TuningJob:
        usual: dict[str, Any] = {
            "project": project,
            "owner": tuner,
            "submission": Submission.CREATED,
            "base_model": "studio-tiny",
            "location": "us-central1",
            "name": f"projects/p/locations/l/tuningJobs/{name}",
            "submitted_at": timezone.now() - timedelta(minutes=ago),
        }
        return TuningJob.objects.create(tuned_model_display_name=name, state=state, **{**usual, **fields})

    return handed_over


def names(queue: Queue | None) -> list[str]:
    return [place.name for place in queue.ahead] if queue else []


def test_nobody_ahead_means_nothing_is_said(draft: TuningJob, tuner: User) -> None:
    queue = queue_of(draft, tuner)
    assert not queue.waits and str(queue) == ""


def test_one_ahead_is_named_with_the_time_it_has_left(draft: TuningJob, tuner: User, make: Make) -> None:
    make("intents", summary={"step": 100, "steps": 400, "rate": 1.6})
    queue = queue_of(draft, tuner)
    assert str(queue) == "1 job is ahead of it: intents (about 3 min left). It waits its turn."


def test_the_one_that_runs_comes_first_then_by_their_time(draft: TuningJob, tuner: User, make: Make) -> None:
    third = make("third", job_states.PENDING, ago=1)
    second = make("second", job_states.QUEUED, ago=9)
    make("first", job_states.RUNNING, ago=4)
    assert names(queue_of(draft, tuner)) == ["first", "second", "third"]
    assert names(waiting(second, tuner)) == ["first"]
    assert names(waiting(third, tuner)) == ["first", "second"]


@pytest.mark.parametrize(
    ("state", "fields"),
    [
        (job_states.SUCCEEDED, {}),
        (job_states.FAILED, {}),
        (job_states.CANCELLED, {}),
        (job_states.PAUSED, {}),
        (job_states.RUNNING, {"gone_at": timezone.now()}),
        ("", {"submission": Submission.REFUSED}),
        ("", {"submission": Submission.UNKNOWN}),
        ("", {"submission": Submission.DRAFT}),
    ],
)
def test_what_holds_no_place_is_not_ahead(
    draft: TuningJob, tuner: User, make: Make, state: str, fields: dict[str, Any]
) -> None:
    make("over", state, **fields)
    assert names(queue_of(draft, tuner)) == []


@pytest.mark.parametrize(
    ("state", "submission"),
    [("", Submission.READY), ("", Submission.SENDING), (job_states.CANCELLING, Submission.CREATED)],
)
def test_what_is_on_its_way_or_still_stopping_holds_a_place(
    draft: TuningJob, tuner: User, make: Make, state: str, submission: str
) -> None:
    make("there", state, submission=submission)
    assert names(queue_of(draft, tuner)) == ["there"]


def test_a_job_that_runs_or_is_over_asks_nothing(
    tuner: User, make: Make, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    jobs = [make("runs"), make("over", job_states.SUCCEEDED)]
    with django_assert_num_queries(0):
        assert [waiting(job, tuner) for job in jobs] == [None, None]


def test_a_larger_quota_lets_more_run(draft: TuningJob, tuner: User, make: Make, settings: Settings) -> None:
    settings.QUOTAS = quotas.read("", "2")
    make("one")
    assert not queue_of(draft, tuner).waits
    make("two")
    queue = queue_of(draft, tuner)
    assert queue.waits and queue.quota == 2


def test_more_at_work_than_was_told_correct_the_quota(draft: TuningJob, tuner: User, make: Make) -> None:
    for number in range(3):
        make(f"job {number}")
    assert queue_of(draft, tuner).quota == 3


def test_the_quota_is_shared_by_the_projects_of_one_google_project(
    project: Project, draft: TuningJob, tuner: User, make: Make
) -> None:
    Project.objects.filter(pk=project.pk).update(backend="google", project_id="acme-123")
    draft.project.refresh_from_db()
    facts = {"backend": "google", "regions": ["europe-west4"]}
    twin = Project.objects.create(slug="twin", name="Twin", project_id="acme-123", **facts)
    other = Project.objects.create(slug="other", name="Other", project_id="other-1", **facts)
    make("theirs", project=twin, owner=None, location="europe-west4")
    make("elsewhere", project=other)
    queue = queue_of(draft, tuner)
    assert queue.ahead == (Place("a job of another project"),)
    Membership.objects.create(project=twin, user=tuner, role=Role.VIEWER)
    place = queue_of(draft, tuner).ahead[0]
    assert place.name == "theirs" and place.owner == "a former member" and "/p/twin/jobs/" in place.address


def test_a_name_is_text_and_its_link_leads_to_the_job(
    draft: TuningJob, tuner: User, make: Make, person: Callable[..., User]
) -> None:
    ana = person(Role.TUNER, "ana")
    job = make("<b>bold</b>", owner=ana)
    queue = queue_of(draft, tuner)
    assert queue.names == f'<a href="{job.get_absolute_url()}">&lt;b&gt;bold&lt;/b&gt;</a> (ana)'


def test_a_long_line_is_counted(draft: TuningJob, tuner: User, make: Make) -> None:
    for number in range(1, 6):
        make(f"j{number}", job_states.PENDING, ago=10 - number)
    told = str(queue_of(draft, tuner))
    assert told == "5 jobs are ahead of it: j1, j2, j3, and 2 more. It waits its turn."


def test_the_line_costs_two_queries_however_long_it_is(
    project: Project, draft: TuningJob, tuner: User, make: Make, django_assert_max_num_queries: Any
) -> None:
    twin = Project.objects.create(slug="twin", name="Twin", project_id="local", regions=["us-central1"])
    for number in range(8):
        make(f"j{number}", project=twin if number % 2 else project)
    with django_assert_max_num_queries(2):
        assert len(str(queue_of(draft, tuner)))


def test_start_and_the_waiting_jobs_page_say_it(
    draft: TuningJob, tuner: User, make: Make, browser_of: Callable[[User], Client]
) -> None:
    first = make("first", summary={"step": 100, "steps": 400, "rate": 1.6})
    browser = browser_of(tuner)
    page = browser.post(reverse("jobs:start", args=["local", draft.pk]), follow=True).content.decode()
    assert "1 job is ahead of it: first (about 3 min left). It waits its turn." in page
    for tab in ("detail", "details", "data"):
        page = browser.get(reverse(f"jobs:{tab}", args=["local", draft.pk])).content.decode()
        assert f'1 job is ahead of it: <a href="{first.get_absolute_url()}">first</a>' in page
        assert "The engine trains 1 job at a time." in page
    first.absorb({"state": job_states.SUCCEEDED})
    page = browser.get(reverse("jobs:detail", args=["local", draft.pk])).content.decode()
    assert "ahead of it" not in page
