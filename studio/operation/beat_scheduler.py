"""The scheduler of celery beat: one per STATE_DIR, and independent of the database and the time of day."""

from __future__ import annotations

import fcntl
import time
from typing import IO, Any

from celery.beat import Scheduler as InMemoryScheduler
from celery.signals import beat_init
from django.conf import settings

from studio.operation.pulse import send_pulse

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
    """Stores no schedule: each entry is due at the start, and again after one interval; the work itself is in
    the database. Intervals are measured by a clock that nobody sets, unlike the time of day, which Celery's
    own scheduler waits for.
    """

    # The keeper doubts beat after two of these without a pulse.
    max_interval = 5

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.due_at: dict[str, float] = {}
        super().__init__(*args, **kwargs)

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Send the entry that is due first, if it is due; return the seconds until the next tick."""
        send_pulse("beat")
        now = time.monotonic()
        name = min(self.schedule, key=lambda name: self.due_at.get(name, 0.0))
        wait = self.due_at.get(name, 0.0) - now
        if wait > 0:
            return min(wait, self.max_interval)
        entry = self.schedule[name]
        self.due_at[name] = now + entry.schedule.seconds
        self.apply_entry(entry, producer=self.producer)
        return 0.0
