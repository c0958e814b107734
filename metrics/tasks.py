"""The second clock: points. The first one, in jobs.tasks, moves states."""

from celery import shared_task

from metrics import collect


@shared_task
def pull_due() -> None:
    collect.pull_due()
