"""The task that reads metrics. The one that reads states is in jobs.tasks."""

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from jobs import tasks
from jobs.models import TuningJob
from metrics import collect


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
