"""Bring the database and the static files up to date before the first process starts."""

from __future__ import annotations

import hashlib
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.db import DatabaseError

from studio.models import Pulse
from studio.operation.static_bundles import BUNDLES
from studio.people import invitations
from studio.run.preflight import RunError


def prepare_database() -> None:
    """Migrate the database and remove the pulses of an earlier run."""
    try:
        call_command("migrate", verbosity=0, interactive=False)
        Pulse.objects.all().delete()
    except DatabaseError as error:
        where = settings.DATABASES["default"]
        raise RunError(f"The database {where['NAME']} does not answer ({str(error).strip()}).") from error


def collect_static_files() -> None:
    """Collect them and make the bundles, only if a file was added, removed or changed since the last run."""
    stamp = Path(settings.STATIC_ROOT) / ".sources"
    now = digest_static_files()
    if not stamp.is_file() or stamp.read_text() != now:
        call_command("collectstatic", verbosity=0, interactive=False, clear=True)
        stamp.write_text(now)


def digest_static_files() -> str:
    """Return a digest over path, size and modification time of every static file, and over BUNDLES."""
    files = (Path(storage.path(name)) for finder in get_finders() for name, storage in finder.list([]))
    facts = sorted((str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files)
    return hashlib.sha256(repr((settings.DEBUG, BUNDLES, facts)).encode()).hexdigest()


def welcome() -> list[str]:
    """The lines for the terminal: the address, and a one-time link while there is no admin."""
    said = [f"Tuning Studio is at {settings.BASE_URL}  (Ctrl-C stops it)"]
    if not invitations.admin_exists():
        link = invitations.one_time_link(invitations.invite_admin())
        said.append(
            f"Become its admin with this one-time link: {link}\n"
            "It is valid for 3 days; `make invite` prints a new one."
        )
    return said
