"""The pulse that tells /healthz and the watchdog that broker and worker carry a task to its end."""

from __future__ import annotations

from typing import Any

from celery import shared_task
from celery.signals import worker_ready
from django.utils import timezone

from studio.models import Pulse


@shared_task
def heartbeat() -> None:
    Pulse.objects.update_or_create(name="worker", defaults={"at": timezone.now()})


@worker_ready.connect
def send_first_heartbeat(**kwargs: Any) -> None:
    """Shows at once that a new worker works, without waiting for the clock."""
    heartbeat.delay()
