"""The Celery application (`celery -A studio worker`, `celery -A studio beat`), and `send_on_commit`."""

import logging
import os
from typing import Any

from celery import Celery
from celery.signals import task_postrun, task_prerun
from django.db import close_old_connections, transaction
from kombu.exceptions import OperationalError

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "studio.settings")
app = Celery("studio")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["studio", "jobs", "metrics"])
log = logging.getLogger(__name__)


@task_prerun.connect
@task_postrun.connect
def close_unusable_connections(**kwargs: Any) -> None:
    close_old_connections()


def send_on_commit(task: str, **kwargs: Any) -> None:
    """Send `task` after the transaction commits.

    The row is the order and beat looks for such rows, so a broker that is down costs a few seconds, not the
    request.
    """

    def send() -> None:
        try:
            app.send_task(task, kwargs=kwargs)
        except OperationalError as error:
            log.warning("%s waits for the next beat: the broker does not answer (%s)", task, error)

    transaction.on_commit(send)
