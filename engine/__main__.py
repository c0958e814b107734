"""python -m engine --host H --port N --root FOLDER [--token-file F]

Serves the Vertex AI and Cloud Storage calls that tuning needs, from this machine. From the environment:

    ENGINE_HOSTS      further names allowed in the Host header, separated by commas
    ENGINE_BASES      further base models: folders, or ids on Hugging Face, separated as in PATH
    ENGINE_JOBS       how many jobs train at once (1)
    ENGINE_THREADS    threads of one training (its share of the cores)
    ENGINE_FAULTS     1 allows tests to ask for faults (fault_injection.py)

Two calls are not Google's: GET /healthz also tells how much memory the spare trainer holds, and POST
/engine/warm-up asks for a spare trainer, which imports torch before its job is there.
"""

import argparse
import ctypes
import fcntl
import ipaddress
import os
import secrets
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

from engine.base_models.hf_folder import BaseModelError
from engine.base_models.registry import prepare_base_models
from engine.request_guard import LOOPBACK

# Seconds: an engine that was just killed may take a moment to let go of the folder.
LOCK_TIMEOUT = 5.0
PR_SET_PDEATHSIG = 1  # linux/prctl.h
SHARED_MEMORY = "/dev/shm"  # noqa: S108


def main() -> None:
    arguments = parse_arguments(sys.argv[1:])
    root = Path(arguments.root).resolve()
    try:
        prepare_base_models()
        lock = lock_root(root)
        token_file = prepare_token_file(arguments.host, arguments.token_file)
        listener = open_listener(arguments.host, arguments.port)
    except OSError as error:
        give_up(f"{error.strerror}: {error.filename or f'{arguments.host} port {arguments.port}'}")
    except BaseModelError as error:
        give_up(str(error))
    export_environment(root, arguments.host, token_file)
    serve(listener, lock)


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m engine", description="The local tuning engine.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8090, help="port to listen on; 0 for any that is free")
    parser.add_argument("--root", required=True, help="folder for jobs and objects")
    parser.add_argument("--token-file", help="file with the token that callers must send; created if missing")
    return parser.parse_args(arguments)


def give_up(sentence: str) -> NoReturn:
    sys.exit(f"The engine cannot start. {sentence}")


def lock_root(root: Path) -> int:
    """Create the folder, readable by its owner only, and lock out every other engine."""
    root.mkdir(parents=True, exist_ok=True)
    root.chmod(0o700)
    lock = os.open(root / "engine.lock", os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + LOCK_TIMEOUT
    while not try_lock(lock):
        if time.monotonic() > deadline:
            give_up(f"Another engine is using {root}. Stop it, or pass a different --root.")
        time.sleep(0.1)
    return lock


def try_lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def prepare_token_file(host: str, token_file: str | None) -> str:
    if token_file is None:
        if not is_loopback(host):
            give_up(f"{host} is reachable from other machines. Pass --token-file as well.")
        return ""
    path = Path(token_file)
    if not path.exists():
        create_token(path)
    if not path.read_text().strip():
        give_up(f"The token file {path} is empty. Delete it, and the next start creates a new token.")
    return str(path.resolve())


def create_token(path: Path) -> None:
    """Write a new token, readable by its owner only: a reader finds all of it, or no file."""
    unfinished = path.with_name(f"{path.name}.tmp")
    unfinished.unlink(missing_ok=True)
    file = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(file, "w") as new:
        new.write(secrets.token_urlsafe(32))
    unfinished.replace(path)


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() in LOOPBACK


def open_listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    return listener


def export_environment(root: Path, host: str, token_file: str) -> None:
    """Pass the command line's values on to the serving process."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "engine.settings"
    os.environ["ENGINE_ROOT"] = str(root)
    os.environ["ENGINE_TOKEN_FILE"] = token_file
    os.environ["ENGINE_HOSTS"] = ",".join(filter(None, (host, os.environ.get("ENGINE_HOSTS", ""))))


def serve(listener: socket.socket, lock: int) -> None:
    """Run gunicorn until a signal ends it: one worker process, since queue and models live in its memory."""
    from gunicorn.app.base import BaseApplication

    class Application(BaseApplication):
        def load_config(self) -> None:
            for name, value in gunicorn_options(listener).items():
                self.cfg.set(name, value)

        def load(self) -> Any:
            from django.core.wsgi import get_wsgi_application

            from engine.request_guard import hide_content_type

            return hide_content_type(get_wsgi_application())

    host, port = listener.getsockname()[:2]
    print(f"Engine at http://{f'[{host}]' if ':' in host else host}:{port}", flush=True)  # noqa: T201
    Application().run()
    os.close(lock)


def gunicorn_options(listener: socket.socket) -> dict[str, Any]:
    return {
        "bind": f"fd://{listener.fileno()}",
        "workers": 1,
        "worker_class": "gthread",
        "threads": 16,
        "max_requests": 0,
        "preload_app": False,
        "timeout": 0,
        "graceful_timeout": 3,
        "keepalive": 60,
        # batchRead names twenty time series in its query.
        "limit_request_line": 8190,
        "control_socket_disable": True,
        "proc_name": "engine",
        "worker_tmp_dir": SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else None,
        "post_fork": end_with_parent,
        "loglevel": "warning",
        "post_worker_init": start_worker,
        "worker_exit": stop_worker,
    }


def end_with_parent(server: Any, worker: Any) -> None:
    """Have the kernel end the serving process with its parent: a frozen one would keep port and folder."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def start_worker(worker: Any) -> None:
    from engine import services

    services.start_services()


def stop_worker(server: Any, worker: Any) -> None:
    from engine import services

    services.stop_services()


if __name__ == "__main__":
    main()
