"""The tasks that read metrics, and the one that sends all others. The reading of states is in jobs.tasks."""

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from jobs import tasks
from jobs.models import TuningJob
from metrics import collect
from metrics.models import Feed
from studio.celery import send_on_commit

OPEN_JOB_TASKS = (
    "jobs.tasks.submit_ready",
    "jobs.tasks.send_cancels",
    "jobs.tasks.resolve_unknown",
    "jobs.tasks.poll_due",
    "metrics.tasks.pull_due",
    "metrics.tasks.follow_starts",
)
"""The tasks that move open jobs on. Each is a task of its own, so that one that waits for a service keeps no
other from its work."""


@shared_task
def send_due() -> None:
    """Send the tasks that move jobs on, if there is an open job or one to read; else nothing happens."""
    if TuningJob.objects.open().exists() or Feed.objects.has_unread():
        for task in OPEN_JOB_TASKS:
            send_on_commit(task)


@shared_task
def pull_due() -> None:
    collect.pull_due()


@shared_task
def follow_starts() -> None:
    """Until jobs that have just started have their first point, both clocks tick each second, not each beat.

    Woken by each beat and after each submission. It asks for the ticks up to the next beat and keeps no chain
    going, so that it neither breaks off nor adds up.
    """
    if TuningJob.objects.starting(timezone.now()).exists():
        for second in range(max(1, int(settings.POLL_SECONDS))):
            tick.apply_async(countdown=second, expires=settings.POLL_SECONDS + second)


@shared_task
def tick() -> None:
    """Reads what is due: first the states, since a job tells there where its points are."""
    tasks.poll_due()
    collect.pull_due()
