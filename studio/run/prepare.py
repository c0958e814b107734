"""python -m studio.run.prepare: bring the database and the static files up to date, before the first process.

Prints the address and the lines of the welcome as JSON.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import django
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.db import DatabaseError

from studio.disk_space import is_out_of_space
from studio.operation.static_bundles import BUNDLES
from studio.run.preflight import RunError


def main() -> int:
    django.setup()
    try:
        prepare_database()
        collect_static_files()
        said = welcome()
    except RunError as trouble:
        sys.stderr.write(f"{trouble}\n")
        return 1
    except (DatabaseError, OSError) as error:
        if not is_out_of_space(error):
            raise
        sys.stderr.write(f"The disk of {settings.STATE_DIR} is full: free some space first.\n")
        return 1
    json.dump({"url": settings.BASE_URL, "welcome": said}, sys.stdout)
    return 0


def prepare_database() -> None:
    """Migrate the database and remove the pulses of an earlier run."""
    from studio.models import Pulse

    try:
        call_command("migrate", verbosity=0, interactive=False)
        Pulse.objects.all().delete()
    except DatabaseError as error:
        if is_out_of_space(error):
            raise
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
    from studio.people import invitations

    said = [f"Tuning Studio is at {settings.BASE_URL}  (Ctrl-C stops it)"]
    if not invitations.admin_exists():
        link = invitations.one_time_link(invitations.invite_admin())
        said.append(
            f"Become its admin with this one-time link: {link}\n"
            "It is valid for 3 days; `make invite` prints a new one."
        )
    return said


if __name__ == "__main__":
    sys.exit(main())
