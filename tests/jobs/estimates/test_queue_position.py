"""Queue positions of jobs that wait for quota."""

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

from jobs.estimates.queue_position import Queue, QueuedJob, get_queue, get_queue_if_waiting
from jobs.models import TuningJob
from jobs.querysets import Submission
from studio.models import Membership, Project, Role
from studio.projects import quotas
from studio.vertex import job_states

pytestmark = [pytest.mark.django_db, pytest.mark.sql]
Make = Callable[..., TuningJob]


@pytest.fixture
def make(project: Project, tuner: User) -> Make:
    """make(name, state, minutes ago, ...) -> a job submitted at that time."""

    def create_submitted_job(
        name: str, state: str = job_states.RUNNING, ago: float = 5, **fields: Any
    ) -> TuningJob:
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

    return create_submitted_job


def get_names(queue: Queue | None) -> list[str]:
    return [place.name for place in queue.ahead] if queue else []


def test_empty_queue_renders_nothing(draft: TuningJob, tuner: User) -> None:
    queue = get_queue(draft, tuner)
    assert not queue.waits and str(queue) == ""


def test_job_ahead_is_named_with_its_remaining_time(draft: TuningJob, tuner: User, make: Make) -> None:
    make("intents", summary={"step": 100, "steps": 400, "rate": 1.6})
    queue = get_queue(draft, tuner)
    assert str(queue) == "Queued behind 1 job: intents (about 3 min left)."


def test_running_jobs_come_first_then_by_submission_time(draft: TuningJob, tuner: User, make: Make) -> None:
    third = make("third", job_states.PENDING, ago=1)
    second = make("second", job_states.QUEUED, ago=9)
    make("first", job_states.RUNNING, ago=4)
    assert get_names(get_queue(draft, tuner)) == ["first", "second", "third"]
    assert get_names(get_queue_if_waiting(second, tuner)) == ["first"]
    assert get_names(get_queue_if_waiting(third, tuner)) == ["first", "second"]


@pytest.mark.parametrize(
    ("state", "fields"),
    [
        (job_states.SUCCEEDED, {}),
        (job_states.FAILED, {}),
        (job_states.CANCELLED, {}),
        (job_states.PAUSED, {}),
        (job_states.RUNNING, {"deleted_at": timezone.now()}),
        ("", {"submission": Submission.REFUSED}),
        ("", {"submission": Submission.UNKNOWN}),
        ("", {"submission": Submission.DRAFT}),
    ],
)
def test_inactive_jobs_are_not_in_the_queue(
    draft: TuningJob, tuner: User, make: Make, state: str, fields: dict[str, Any]
) -> None:
    make("over", state, **fields)
    assert get_names(get_queue(draft, tuner)) == []


@pytest.mark.parametrize(
    ("state", "submission"),
    [("", Submission.READY), ("", Submission.SENDING), (job_states.CANCELLING, Submission.CREATED)],
)
def test_submitting_and_cancelling_jobs_are_in_the_queue(
    draft: TuningJob, tuner: User, make: Make, state: str, submission: str
) -> None:
    make("there", state, submission=submission)
    assert get_names(get_queue(draft, tuner)) == ["there"]


def test_running_and_final_jobs_cost_no_query(
    tuner: User, make: Make, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    jobs = [make("runs"), make("over", job_states.SUCCEEDED)]
    with django_assert_num_queries(0):
        assert [get_queue_if_waiting(job, tuner) for job in jobs] == [None, None]


def test_larger_quota_lets_more_jobs_run(
    draft: TuningJob, tuner: User, make: Make, settings: Settings
) -> None:
    settings.QUOTAS = quotas.parse_quotas("", "2")
    make("one")
    assert not get_queue(draft, tuner).waits
    make("two")
    queue = get_queue(draft, tuner)
    assert queue.waits and queue.quota == 2


def test_running_jobs_raise_a_quota_set_too_low(draft: TuningJob, tuner: User, make: Make) -> None:
    for number in range(3):
        make(f"job {number}")
    assert get_queue(draft, tuner).quota == 3


def test_projects_of_one_google_project_share_the_quota(
    project: Project, draft: TuningJob, tuner: User, make: Make
) -> None:
    Project.objects.filter(pk=project.pk).update(backend="google", project_id="acme-123")
    draft.project.refresh_from_db()
    facts = {"backend": "google", "regions": ["europe-west4"]}
    twin = Project.objects.create(slug="twin", name="Twin", project_id="acme-123", **facts)
    other = Project.objects.create(slug="other", name="Other", project_id="other-1", **facts)
    make("theirs", project=twin, owner=None, location="europe-west4")
    make("elsewhere", project=other)
    queue = get_queue(draft, tuner)
    assert queue.ahead == (QueuedJob("a job in another project"),)
    Membership.objects.create(project=twin, user=tuner, role=Role.VIEWER)
    place = get_queue(draft, tuner).ahead[0]
    assert place.name == "theirs" and place.owner == "a former member" and "/p/twin/jobs/" in place.address


def test_names_are_escaped_links(
    draft: TuningJob, tuner: User, make: Make, person: Callable[..., User]
) -> None:
    ana = person(Role.TUNER, "ana")
    job = make("<b>bold</b>", owner=ana)
    queue = get_queue(draft, tuner)
    assert queue.names == f'<a href="{job.get_absolute_url()}">&lt;b&gt;bold&lt;/b&gt;</a> (ana)'


def test_long_queue_is_truncated(draft: TuningJob, tuner: User, make: Make) -> None:
    for number in range(1, 6):
        make(f"j{number}", job_states.PENDING, ago=10 - number)
    told = str(get_queue(draft, tuner))
    assert told == "Queued behind 5 jobs: j1, j2, j3, and 2 more."


def test_queue_costs_two_queries_at_any_length(
    project: Project, draft: TuningJob, tuner: User, make: Make, django_assert_max_num_queries: Any
) -> None:
    twin = Project.objects.create(slug="twin", name="Twin", project_id="local", regions=["us-central1"])
    for number in range(8):
        make(f"j{number}", project=twin if number % 2 else project)
    with django_assert_max_num_queries(2):
        assert len(str(get_queue(draft, tuner)))


def test_start_message_and_job_page_show_the_queue(
    draft: TuningJob, tuner: User, make: Make, browser_of: Callable[[User], Client]
) -> None:
    first = make("first", summary={"step": 100, "steps": 400, "rate": 1.6})
    browser = browser_of(tuner)
    page = browser.post(reverse("jobs:start", args=["local", draft.pk]), follow=True).content.decode()
    assert "Queued behind 1 job: first (about 3 min left)." in page
    for tab in ("detail", "details", "data"):
        page = browser.get(reverse(f"jobs:{tab}", args=["local", draft.pk])).content.decode()
        assert f'Queued behind 1 job: <a href="{first.get_absolute_url()}">first</a>' in page
        assert "The engine trains 1 job at a time." in page
    first.update_from_remote({"state": job_states.SUCCEEDED})
    page = browser.get(reverse("jobs:detail", args=["local", draft.pk])).content.decode()
    assert "Queued behind" not in page
