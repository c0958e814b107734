"""Whether a project has Google credentials that no other project uses."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from studio.models import Project

DEFAULT_FILE = "GOOGLE_APPLICATION_CREDENTIALS"
"""Variable that names the server's own key file, as Google's libraries read it."""


def has_own_credentials(project: Project) -> bool:
    """Whether the project names a credentials file, and no other project acts as the same account. The
    server's default credentials are nobody's own: every project that names no file uses them."""
    if project.on_engine or not project.credentials_file:
        return False
    others = type(project).objects.filter(backend=project.backend).exclude(pk=project.pk)
    account = identify_account(project.credentials_file)
    return all(
        identify_account(path) != account for path in others.values_list("credentials_file", flat=True)
    )


def identify_account(path: str) -> str:
    """Return the account of a key file: two keys of one account reach the same. A blank path stands for the
    server's default credentials, and the file's real path for an account that can't be read."""
    file = path or os.environ.get(DEFAULT_FILE, "")
    if not file:
        return "default"
    try:
        key = json.loads(Path(file).read_bytes())
    except (OSError, ValueError, RecursionError):
        key = None
    email = key.get("client_email") if isinstance(key, dict) else None
    return str(email or os.path.realpath(file))
