"""The pulse that shows /healthz and the watchdog that broker and worker complete tasks."""

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
    """Send a pulse as soon as a worker starts, without waiting for beat."""
    heartbeat.delay()
