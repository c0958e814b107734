"""Waits until a run is up, reports trouble, and restarts a process that no longer works."""

from __future__ import annotations

import json
import time
from datetime import datetime, timedelta
from typing import Any, NoReturn
from urllib.error import HTTPError
from urllib.request import urlopen

from django.db import Error as DatabaseError
from django.db import close_old_connections
from django.utils import timezone

from studio.models import Pulse
from studio.run.preflight import RunError, print_line
from studio.run.supervisor import ProcessInfo, Supervisor

# A first start on a slow disk, with nothing in the cache, can take a minute.
START_SECONDS = 120
CHECK_SECONDS = 1.0
# Four pulses of 15 s. A busy worker has other threads to send them from.
SILENT_SECONDS = 60
PARTS_WITH_PULSE = ("beat", "worker")
"""Beat first, since the worker's pulse is a task that beat sends."""


def wait_until_up(supervisor: Supervisor) -> None:
    """Return when /healthz reports that every part responds; raise RunError if that takes too long."""
    deadline = time.monotonic() + START_SECONDS
    missing: list[str] = []
    while time.monotonic() < deadline:
        broken = [part.name for part in supervisor.fetch_process_info().values() if part.state == "FATAL"]
        if broken:
            raise RunError(f"{broken[0]} does not start: see {supervisor.plan.log_path(broken[0])}.")
        missing = list_unhealthy_parts(supervisor)
        if not missing:
            return
        time.sleep(0.25)
    raise RunError(
        f"Not answering after {START_SECONDS} s: {', '.join(missing)}. See {supervisor.plan.state / 'log'}."
    )


def list_unhealthy_parts(supervisor: Supervisor) -> list[str]:
    """Return the names of the parts that do not respond; the web process reports on the others."""
    try:
        told = read_health(f"http://{loopback_address(supervisor)}/healthz")
    except (OSError, ValueError):
        return ["web"]
    return [name for name, state in told["parts"].items() if state not in {"ok", "off"}]


def read_health(address: str) -> dict[str, Any]:
    """Return the JSON of a 200 or 503. Raise OSError without a response, ValueError for other bodies."""
    try:
        with urlopen(address, timeout=15) as answer:  # noqa: S310 (our own http address)
            return dict(json.load(answer))
    except HTTPError as error:
        return dict(json.load(error))


def loopback_address(supervisor: Supervisor) -> str:
    """Return the address at which this machine reaches the web process, even if it listens on all."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(supervisor.plan.host, supervisor.plan.host)  # noqa: S104
    return f"[{host}]:{supervisor.plan.port}" if ":" in host else f"{host}:{supervisor.plan.port}"


def watch_parts(supervisor: Supervisor) -> NoReturn:
    """Report changes and restart silent processes until a signal ends the run."""
    known = supervisor.fetch_process_info()
    since = {name: timezone.now() for name in known}
    while True:
        time.sleep(CHECK_SECONDS)
        now = supervisor.fetch_process_info()
        for name, part in now.items():
            if part.pid != known[name].pid and part.pid:
                since[name] = timezone.now()
            report_change(supervisor, known[name], part)
        known = now
        for name in find_silent_parts(since)[:1]:
            print_line(f"{name} has been silent for {SILENT_SECONDS} s and is restarted.")
            since[name] = timezone.now()
            supervisor.kill(name)


def report_change(supervisor: Supervisor, before: ProcessInfo, now: ProcessInfo) -> None:
    log = supervisor.plan.log_path(now.name)
    if now.state == "FATAL":
        if before.state != "FATAL":
            print_line(f"{now.name} keeps ending: see {log}. It is tried again until it holds.")
        supervisor.start(now.name)
    elif now.pid and before.pid and now.pid != before.pid:
        print_line(f"{now.name} ended and was started again: see {log}.")


def find_silent_parts(since: dict[str, datetime]) -> list[str]:
    """Return the parts without a pulse for SILENT_SECONDS, counted from their start at the earliest."""
    limit = timezone.now() - timedelta(seconds=SILENT_SECONDS)
    try:
        close_old_connections()
        pulses = dict(Pulse.objects.values_list("name", "at"))
    except DatabaseError:
        return []
    return [name for name in PARTS_WITH_PULSE if max(since[name], pulses.get(name, since[name])) < limit]
