"""The pulse that tells /healthz and the watchdog that beat, broker and worker all work."""

from celery import shared_task
from django.utils import timezone

from studio.models import Pulse


@shared_task
def heartbeat() -> None:
    Pulse.objects.update_or_create(name="worker", defaults={"at": timezone.now()})
