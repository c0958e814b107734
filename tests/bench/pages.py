"""Pages of the studio, rendered in this process: time and queries, with few and with many rows."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator

from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from jobs.models import Submission, TuningJob
from studio.models import AuditEntry, Project

VISITS = 20
PAGES = ["/p/local/jobs/", "/p/local/activity/", "/p/local/members/"]


def measure() -> Iterator[str]:
    browser = Client()
    admin = User.objects.create_superuser("bench", password="x", last_login=timezone.now())
    browser.force_login(admin)
    for jobs in (10, 1000):
        fill_project(Project.objects.get(slug="local"), admin, jobs)
        for page in PAGES:
            yield f"{page} with {jobs} jobs: {time_page(browser, page)}"


def fill_project(project: Project, owner: User, jobs: int) -> None:
    missing = range(project.tuningjob_set.count(), jobs)
    TuningJob.objects.bulk_create(
        TuningJob(
            project=project,
            owner=owner,
            tuned_model_display_name=f"run {number}",
            base_model="studio-tiny",
            location="us-central1",
            submission=Submission.CREATED,
            state="JOB_STATE_SUCCEEDED",
            name=f"projects/local/locations/us-central1/tuningJobs/{number}",
        )
        for number in missing
    )
    AuditEntry.objects.bulk_create(
        AuditEntry(project=project, actor=owner, action="tuning_job.start", subject=f"{number}")
        for number in missing
    )


def time_page(browser: Client, page: str) -> str:
    with CaptureQueriesContext(connection) as queries:
        answer = browser.get(page)
    assert answer.status_code == 200, f"{page} answers {answer.status_code}"
    asked = len(queries)
    seconds = []
    for _visit in range(VISITS):
        start = time.perf_counter()
        browser.get(page)
        seconds.append(time.perf_counter() - start)
    return f"median {statistics.median(seconds) * 1000:.1f} ms, {asked} queries"
