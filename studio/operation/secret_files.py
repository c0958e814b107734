"""Secrets in files: read where a setting names one, created where an installation makes its own.

`python -m studio.operation.secret_files FILE` creates one for every container that mounts its folder.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import sys
from contextlib import suppress
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

OWNER_ONLY = 0o600
# The database runs as another user than the studio; only the containers of both mount the folder.
ALL_WHO_MOUNT_IT = 0o644


def read_secret(file: Path, setting: str) -> str:
    """Return the text of the file that `setting` names; raise ImproperlyConfigured if there is none."""
    try:
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "not text"
        raise ImproperlyConfigured(
            f"{setting}: {file} cannot be read ({why}). "
            f"Name a file that the account with the ID {os.getuid()} may read."
        ) from None
    if not text:
        raise ImproperlyConfigured(f"{setting}: {file} is empty. Write the secret into it.")
    return text


def read_or_create_secret(file: Path, mode: int = OWNER_ONLY) -> str:
    """Return the secret in `file`, which the first call creates; it fills one that a full disk left blank."""
    with suppress(FileNotFoundError):
        if text := file.read_text().strip():
            return text
    with os.fdopen(os.open(file, os.O_RDWR | os.O_CREAT, mode), "r+") as created:
        # Several processes may start at once, and all need the same secret.
        fcntl.flock(created, fcntl.LOCK_EX)
        text = created.read().strip()
        if not text:
            os.fchmod(created.fileno(), mode)
            text = secrets.token_urlsafe(48)
            created.write(text)
    return text


def main(files: list[str]) -> int:
    try:
        for file in files:
            read_or_create_secret(Path(file), ALL_WHO_MOUNT_IT)
    except OSError as error:
        sys.stderr.write(f"{error.filename} cannot be created: {error.strerror}.\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
