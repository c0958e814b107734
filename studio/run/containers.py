"""python -m studio.run.containers: what `docker compose up` does before the studio's containers start.

Supervision is docker's there; this checks the settings, and brings database and static files up to date.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from urllib.parse import urlsplit

import django
from django.core.exceptions import ImproperlyConfigured

from studio.run import preflight


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "studio.settings")
    try:
        check_published_address(os.environ)
        django.setup()
        prepare_installation()
    except (preflight.RunError, ImproperlyConfigured) as trouble:
        sys.stderr.write(f"{trouble}\n")
        return 1
    return 0


def check_published_address(environ: Mapping[str, str]) -> None:
    """Refuse a BIND that opens the studio to the network while BASE_URL leads to this machine only."""
    host = environ.get("BIND", "").strip() or "127.0.0.1"
    if host.startswith(preflight.LOOPBACK):
        return
    name = urlsplit(environ.get("BASE_URL", "")).hostname or ""
    preflight.check_public_bind(
        host, {**environ, "BASE_URL": ""} if name.startswith(preflight.LOOPBACK) else environ
    )


def prepare_installation() -> None:
    # These need Django's apps, which are there after its setup only.
    from django.conf import settings

    from studio.people import invitations
    from studio.run import prepare

    prepare.prepare_database()
    prepare.collect_static_files()
    preflight.print_line(f"Tuning Studio is at {settings.BASE_URL}")
    if not invitations.admin_exists():
        # The link itself would stay in docker's log.
        preflight.print_line(
            "Its first admin gets a one-time link from "
            "`docker compose exec web python manage.py invite --admin`."
        )


if __name__ == "__main__":
    sys.exit(main())
