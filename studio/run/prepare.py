"""The database and the static files, brought up to date before the first process starts."""

from __future__ import annotations

import hashlib
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.db import DatabaseError

from studio.models import Pulse
from studio.people import invitations
from studio.run.preflight import RunError


def prepare_database() -> None:
    """Migrated, and without the pulses of an earlier run."""
    try:
        call_command("migrate", verbosity=0, interactive=False)
        Pulse.objects.all().delete()
    except DatabaseError as error:
        where = settings.DATABASES["default"]
        raise RunError(f"The database {where['NAME']} does not answer ({str(error).strip()}).") from error


def collect_static_files() -> None:
    """Collects them only when one was added, taken away or changed since the last time."""
    stamp = Path(settings.STATIC_ROOT) / ".sources"
    now = digest_static_files()
    if not stamp.is_file() or stamp.read_text() != now:
        call_command("collectstatic", verbosity=0, interactive=False, clear=True)
        stamp.write_text(now)


def digest_static_files() -> str:
    """A digest over path, size and time of every static file there is to collect."""
    files = (Path(storage.path(name)) for finder in get_finders() for name, storage in finder.list([]))
    facts = sorted((str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files)
    return hashlib.sha256(repr((settings.DEBUG, facts)).encode()).hexdigest()


def welcome() -> list[str]:
    """What the person at the terminal needs to go on in the browser."""
    said = [f"Tuning Studio is at {settings.BASE_URL}  (Ctrl-C stops it)"]
    if not invitations.admin_exists():
        link = invitations.one_time_link(invitations.invite_admin())
        said.append(
            f"Become its admin with this one-time link: {link}\n"
            "It is valid for 3 days; `make invite` prints a new one."
        )
    return said
