"""manage.py invite --admin [--username NAME]: a one-time link for an admin of this installation."""

import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from studio.people import invitations


class Command(BaseCommand):
    help = "Prints a one-time link, valid for 3 days, that makes its holder an admin of this installation."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--admin",
            action="store_true",
            help="required: members of a project are added on its Members page",
        )
        parser.add_argument(
            "--username", default="", help="who; by default the admin who has not signed in yet"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["admin"]:
            raise CommandError("Add --admin. Other people are added on a project's Members page.")
        self.stdout.write(
            invitations.one_time_link(invitations.invite_admin(options["username"]), read_running_url())
        )


def read_running_url() -> str:
    """Return the address of the run on this STATE_DIR, blank if there is none."""
    try:
        return str(json.loads((settings.STATE_DIR / "run.json").read_text())["url"])
    except (OSError, ValueError, KeyError):
        return ""
