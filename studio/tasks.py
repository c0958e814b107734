"""The pulse that shows /healthz and the keeper that beat, broker and worker all work."""

from __future__ import annotations

import logging
from typing import Any

from celery import shared_task
from celery.signals import worker_ready
from django.db import DatabaseError
from django.utils import timezone

from studio.models import Pulse
from studio.operation.pulse import send_pulse

log = logging.getLogger(__name__)


@shared_task
def heartbeat(*, beat: bool = False) -> None:
    """Tell the keeper first: a database that is down or full is not the worker's trouble.

    `beat` says that beat has sent it, and so shows that beat works.
    """
    send_pulse("worker")
    try:
        record_pulses("worker", *(["beat"] if beat else []))
    except DatabaseError as error:
        log.warning("No pulse was recorded: %s", error)


def record_pulses(*names: str) -> None:
    now = timezone.now()
    Pulse.objects.bulk_create(
        [Pulse(name=name, at=now) for name in names],
        update_conflicts=True,
        unique_fields=["name"],
        update_fields=["at"],
    )


@worker_ready.connect
def send_first_heartbeat(**kwargs: Any) -> None:
    """Send a pulse as soon as a worker starts, without waiting for beat."""
    heartbeat.delay()
