"""/healthz: whether each part of the installation responds. It is public, so it says no more than that."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import requests
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import Error as DatabaseError
from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from kombu.exceptions import OperationalError

from studio import disk_space
from studio.celery import app
from studio.models import Pulse

# Four pulses of beat and worker; the watchdog of `make run` restarts them after the same time.
FRESH = timedelta(seconds=60)
# All checks together stay below the 10 s that docker compose and most monitors wait.
SECONDS = 2


@require_safe
@never_cache
@login_not_required
def healthz(request: HttpRequest) -> JsonResponse:
    """200 if every part answers, else 503: {"status": "ok", "parts": {"engine": "off", ...}}.

    `?part=NAME` asks for one part only; `web` is this process, and costs nothing but the answer.
    """
    asked = request.GET.get("part")
    checks = {asked: CHECKS[asked]} if asked in CHECKS else CHECKS
    parts = {"web": "ok"} if asked == "web" else {name: check() for name, check in checks.items()}
    well = all(told in {"ok", "off"} for told in parts.values())
    return JsonResponse({"status": "ok" if well else "trouble", "parts": parts}, status=200 if well else 503)


def check_database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return "not answering"
    return "ok"


def check_broker() -> str:
    # The settings' time limit suits a worker that may wait; a health check may not.
    limits = {**settings.CELERY_BROKER_TRANSPORT_OPTIONS, "socket_timeout": SECONDS}
    try:
        with app.connection_for_write(transport_options=limits) as link:
            link.ensure_connection(max_retries=0, timeout=SECONDS)
    except (OperationalError, OSError):
        return "not answering"
    return "ok"


def check_pulse(name: str) -> str:
    try:
        seen = Pulse.objects.filter(name=name).values_list("at", flat=True).first()
    except DatabaseError:
        return "unknown: the database does not answer"
    if seen is None:
        return "not seen yet"
    silent = timezone.now() - seen
    if silent < FRESH:
        return "ok"
    if disk_space.is_full():  # a pulse is a row as well
        return "unknown: the disk is full"
    return f"silent for {int(silent.total_seconds())} s"


def check_worker() -> str:
    return check_pulse("worker")


def check_beat() -> str:
    """The worker records beat's pulse, which is a message: without a worker nobody knows."""
    told = check_pulse("beat")
    return told if told == "ok" or check_worker() == "ok" else "unknown: the worker is silent"


def check_engine() -> str:
    """Any response counts: the question is whether the process runs, not whether we may use it. Its body is
    not read."""
    if not settings.ENGINE:
        return "off"
    address = f"{settings.ENGINE_URL}/healthz"
    try:
        with requests.get(address, timeout=SECONDS, allow_redirects=False, stream=True) as answer:
            return "ok" if answer.status_code < 500 else "failing"
    except requests.RequestException:
        return "not answering"


def check_disk() -> str:
    return "full" if disk_space.is_full() else "ok"


CHECKS: dict[str, Callable[[], str]] = {
    "database": check_database,
    "broker": check_broker,
    "worker": check_worker,
    "beat": check_beat,
    "engine": check_engine,
    "disk": check_disk,
}
