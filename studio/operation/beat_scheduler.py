"""The scheduler of celery beat: one per STATE_DIR, with a pulse that shows that it is running."""

from __future__ import annotations

import fcntl
import logging
from datetime import datetime, timedelta
from typing import IO, Any

from celery.beat import Scheduler as InMemoryScheduler
from celery.signals import beat_init
from django.conf import settings
from django.db import DatabaseError, close_old_connections
from django.utils import timezone

from studio.models import Pulse

# A quarter of what health and watchdog accept as fresh (60 s), so that one late pulse is no alarm.
PULSE = timedelta(seconds=15)
log = logging.getLogger(__name__)
_held_locks: list[IO[str]] = []


@beat_init.connect
def acquire_beat_lock(**kwargs: Any) -> None:
    """Exit with a message if another beat is running: two would send every task twice."""
    lock = (settings.STATE_DIR / "beat.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise SystemExit(f"Another beat already runs on {settings.STATE_DIR}: stop that one first.") from None
    _held_locks.append(lock)


class Scheduler(InMemoryScheduler):
    """Stores no schedule: each entry is due again after one interval; the work itself is in the database."""

    pulsed_at: datetime | None = None

    def tick(self, *args: Any, **kwargs: Any) -> float:
        now = timezone.now()
        if not self.pulsed_at or now - self.pulsed_at >= PULSE:
            self.pulsed_at = now
            self.record_pulse(now)
        return float(super().tick(*args, **kwargs))

    def record_pulse(self, now: datetime) -> None:
        """Record a pulse; if the database is down, beat continues, and the missing pulse shows it."""
        try:
            close_old_connections()
            Pulse.objects.update_or_create(name="beat", defaults={"at": now})
        except DatabaseError:
            log.warning("no pulse: the database does not answer", exc_info=True)
