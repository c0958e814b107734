"""/healthz: whether each part of the installation responds. It is public, so it says no more than that."""

from __future__ import annotations

import math
import threading
import time
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
# Seconds. Monitors ask less often, and get an answer of their own each time. While something is wrong, as
# during a start, it is looked for again soon.
KEPT_SECONDS, RETRY_SECONDS = 3, 0.5
NO_ANSWER = "not answering"
WELL = {"ok", "off"}


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
    well = all(told in WELL for told in parts.values())
    return JsonResponse({"status": "ok" if well else "trouble", "parts": parts}, status=200 if well else 503)


class KeptAnswer:
    """A check whose answer is kept for a moment, so that many requests cost no more than one.

    It runs once at a time. The request that starts it waits for it, and so do others before its first answer;
    later ones get the last answer at once. A check that takes longer than SECONDS counts as no answer.
    """

    def __init__(self, check: Callable[[], str], *, in_thread: bool = False) -> None:
        """With `in_thread`, no request waits longer than SECONDS, whatever the check does."""
        self._check = check
        self._in_thread = in_thread
        self._lock = threading.Lock()
        self._answer = ""
        self._began_at = self._ended_at = -math.inf
        self._done: threading.Event | None = None

    def __call__(self) -> str:
        with self._lock:
            now = time.monotonic()
            if now - self._ended_at < (KEPT_SECONDS if self._answer in WELL else RETRY_SECONDS):
                return self._answer
            starts = self._done is None
            if self._done is None:
                self._done, self._began_at = threading.Event(), now
            done, left = self._done, self._began_at + SECONDS - now
        if starts:
            self._start(done)
        if starts or not self._answer:
            done.wait(max(0.0, left))
        with self._lock:
            overdue = self._done is done and time.monotonic() - self._began_at >= SECONDS
            return NO_ANSWER if overdue or not self._answer else self._answer

    def _start(self, done: threading.Event) -> None:
        if self._in_thread:
            threading.Thread(target=self._run, args=[done], name="health", daemon=True).start()
        else:
            self._run(done)

    def _run(self, done: threading.Event) -> None:
        answer = NO_ANSWER
        try:
            answer = self._check()
        finally:
            with self._lock:
                self._answer, self._ended_at, self._done = answer, time.monotonic(), None
            done.set()


def check_database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return NO_ANSWER
    return "ok"


def check_broker() -> str:
    # The settings' time limit suits a worker that may wait; a health check may not.
    limits = {**settings.CELERY_BROKER_TRANSPORT_OPTIONS, "socket_timeout": SECONDS}
    try:
        with app.connection_for_write(transport_options=limits) as link:
            link.ensure_connection(max_retries=0, timeout=SECONDS)
    except (OperationalError, OSError):
        return NO_ANSWER
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
        return NO_ANSWER


def check_disk() -> str:
    return "full" if disk_space.is_full() else "ok"


CHECKS: dict[str, Callable[[], str]] = {
    "database": KeptAnswer(check_database),
    "broker": KeptAnswer(check_broker, in_thread=True),
    "worker": KeptAnswer(check_worker),
    "beat": KeptAnswer(check_beat),
    "engine": KeptAnswer(check_engine, in_thread=True),
    "disk": check_disk,
}
