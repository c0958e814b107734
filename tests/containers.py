"""`docker compose up` without docker: its commands as processes of this machine, see container_process.py.

Each service runs its own command as its image's user, in a root that holds what the Dockerfile copies, with
its volumes, secrets and environment, and no more. Where PyTorch is not in an image, it is hidden. Redis and
PostgreSQL are this machine's, started as the compose file says.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

from tests.compose import Image, Service, read_services, read_stages
from tests.container_process import enter_network
from tests.paths import ROOT
from tests.stack import wait_until

PROGRAM = ROOT / "tests" / "container_process.py"
# A first start on a busy machine, the longest wait of which is for a new PostgreSQL.
START_SECONDS = 240
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
POSTGRES = """
if ! [ -s "$PGDATA/PG_VERSION" ]; then
  initdb --username="$POSTGRES_USER" --pwfile="$POSTGRES_PASSWORD_FILE" --encoding=UTF8 --locale=C.UTF-8 \
    --auth-local=trust --auth-host=scram-sha-256 --no-sync >/dev/null
  echo "CREATE DATABASE \\"$POSTGRES_DB\\"" | postgres --single postgres >/dev/null
fi
exec postgres -c listen_addresses='*' -c unix_socket_directories=/tmp -c fsync=off
"""
STAND_INS = {
    "redis": Image(
        runs=("useradd --system --uid 999 redis && install -d -o redis /data",), user="redis", folder="/data"
    ),
    "postgres": Image(
        environment={"PGDATA": "/var/lib/postgresql/data"},
        runs=(
            "useradd --system --uid 999 postgres && install -d -m 700 -o postgres /var/lib/postgresql/data",
        ),
        user="postgres",
        command=("sh", "-ec", POSTGRES),
    ),
}
"""What stands in for images that others made: their user, their folders, and what their entry point does."""


def explain_impossibility() -> str:
    """Say why containers can't run here; nothing if they can."""
    if sys.platform != "linux" or os.geteuid():
        return "only root makes users, mounts and networks"
    missing = [name for name in ("redis-server", "unshare", "nsenter", "setpriv") if not shutil.which(name)]
    if missing or not find_postgres():
        return f"{missing[0] if missing else 'initdb of PostgreSQL'} is missing"
    tried = subprocess.run(["unshare", "--mount", "--net", "--pid", "--fork", "true"], capture_output=True)
    return tried.stderr.decode().strip() if tried.returncode else ""


def find_postgres() -> str:
    """The folder of PostgreSQL's programs, of which Debian links only some."""
    found = shutil.which("initdb") or next(
        iter(sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin/initdb")))), ""
    )
    return str(Path(found).parent) if found else ""


@dataclass
class Container:
    service: Service
    image: Image
    environment: dict[str, str]
    process: subprocess.Popen[bytes]
    pid_file: Path
    log: Path

    @property
    def pid(self) -> int:
        return int(self.pid_file.read_text())

    def list_pids(self) -> list[int]:
        """All processes in it."""
        space = read_link(f"/proc/{self.pid}/ns/pid")
        return [pid for pid in iter_pids() if read_link(f"/proc/{pid}/ns/pid") == space]

    def read_processes(self, file: str) -> dict[int, str]:
        """{pid: text} of a file below /proc for each process in it, but those that end meanwhile."""
        texts = {}
        for pid in self.list_pids():
            with suppress(FileNotFoundError, ProcessLookupError):
                texts[pid] = Path(f"/proc/{pid}/{file}").read_text(errors="replace")
        return texts

    def execute(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        """`docker compose exec`: run a command beside the container's own."""
        enter = ["nsenter", "--target", str(self.pid), "--mount", "--net", "--pid", "--root", "--wd", "--"]
        drop = ["setpriv", "--reuid", self.image.user, "--regid", self.image.user, "--clear-groups", "--"]
        return subprocess.run(
            [*enter, *drop, *command], env=self.environment, capture_output=True, text=True, timeout=120
        )

    def is_healthy(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(f"{self.service.name} has ended: {self.read_log()}")
        assert self.service.check[0] == "CMD"
        return self.pid_file.exists() and self.execute(self.service.check[1:]).returncode == 0

    def measure_check(self) -> float:
        """The processor time of one health check, in seconds."""
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert self.is_healthy()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    def read_log(self) -> str:
        return self.log.read_text(errors="replace")[-4000:]


class Containers:
    """`folder` holds the volumes, which a later start finds again; `environment` is what .env would hold."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.services = read_services(environment)
        self.stages = read_stages()
        self.running: dict[str, Container] = {}
        self.ended: dict[str, Container] = {}
        self.listeners: list[socket.socket] = []

    def __enter__(self) -> Containers:
        self.pod = subprocess.Popen([sys.executable, str(PROGRAM), "--pod"], stdout=subprocess.PIPE)
        assert self.pod.stdout
        assert self.pod.stdout.readline() == b"ready\n"
        try:
            for name in self.services:
                self.start(name)
            for container in self.running.values():
                wait_until(container.is_healthy, START_SECONDS)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, name: str) -> None:
        """Start a service once what it waits for is there."""
        if name in {*self.running, *self.ended}:
            return
        service = self.services[name]
        for other, condition in service.awaited.items():
            self.start(other)
            if condition == "service_healthy":
                wait_until(self.running[other].is_healthy, START_SECONDS)
        container = self.launch(service)
        if service.lasting:
            self.running[name] = container
            for port in service.ports:
                self.publish(port)
        else:
            self.ended[name] = container
            assert container.process.wait(START_SECONDS) == 0, container.read_log()

    def launch(self, service: Service) -> Container:
        image = self.stages[service.stage] if service.stage else STAND_INS[service.name]
        place = self.folder / "containers" / service.name
        place.mkdir(parents=True, exist_ok=True)
        (place / "root").mkdir(exist_ok=True)
        (place / "pid").unlink(missing_ok=True)
        environment = {"PATH": build_path(service), **image.environment, **service.environment}
        recipe = {
            "network": self.pod.pid,
            "root": str(place / "root"),
            "pid_file": str(place / "pid"),
            "hosts": "".join(f"127.0.0.1 {name}\n" for name in ("localhost", *self.services)),
            "shared": list_interpreter_folders(),
            "copies": list(iter_copies(image)),
            "masked": list_packages_of_engine() if service.stage == "studio" else [],
            "runs": [command for command in image.runs if not command.startswith("pip ")],
            "volumes": {path: str(self.find_volume(name)) for path, name in service.mounts.items()},
            "read_only": sorted(service.read_only),
            "secrets": {path: str((ROOT / file).resolve()) for path, file in service.secrets.items()},
            "user": image.user,
            "folder": image.folder,
            "environment": environment,
            "command": service.command or list(image.command),
        }
        (place / "recipe.json").write_text(json.dumps(recipe))
        with (place / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, str(PROGRAM), str(place / "recipe.json")],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        return Container(service, image, environment, process, place / "pid", place / "log")

    def find_volume(self, name: str) -> Path:
        volume = self.folder / "volumes" / name
        volume.mkdir(parents=True, exist_ok=True)
        return volume

    def publish(self, port: str) -> None:
        """Listen on this machine, and pass each connection on into the pod."""
        host, outer, inner = port.split(":")
        listener = socket.create_server((host, int(outer)))
        self.listeners.append(listener)
        Thread(target=forward_connections, args=(listener, int(inner), self.pod.pid), daemon=True).start()

    def stop(self) -> None:
        for listener in self.listeners:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        for container in reversed(self.running.values()):
            container.process.send_signal(signal.SIGTERM)
            try:
                container.process.wait(60)
            except subprocess.TimeoutExpired:
                container.process.kill()
        for process in (*(each.process for each in (*self.running.values(), *self.ended.values())), self.pod):
            process.kill()
            process.wait(60)
        if self.pod.stdout:
            self.pod.stdout.close()


def iter_pids() -> Iterator[int]:
    yield from (int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit())


def read_link(path: str) -> str:
    try:
        return str(Path(path).readlink())
    except OSError:
        return ""


def build_path(service: Service) -> str:
    own = find_postgres() if service.name == "postgres" else str(Path(sys.prefix).resolve() / "bin")
    return f"{own}:{SYSTEM_PATH}"


def list_interpreter_folders() -> list[str]:
    """The environment of these tests, and the Python it stands on, unless that is the system's."""
    folders = {Path(sys.prefix).resolve(), Path(sys.base_prefix).resolve()}
    return sorted(str(folder) for folder in folders if not folder.is_relative_to("/usr"))


def list_packages_of_engine() -> list[str]:
    """The packages that engine/requirements.txt alone brings."""
    lines = (ROOT / "engine" / "requirements.txt").read_text().splitlines()
    packages = Path(sysconfig.get_path("purelib")).resolve()
    return [str(packages / line.partition("==")[0]) for line in lines if not line.startswith("#")]


def iter_copies(image: Image) -> Iterator[tuple[str, str]]:
    """(path here, path in the image) of what the Dockerfile copies."""
    for sources, target in image.copies:
        for source in sources:
            path = ROOT / source
            inside = Path(image.folder, target) / ("" if path.is_dir() else path.name)
            yield str(path), str(inside)


def forward_connections(listener: socket.socket, port: int, pod: int) -> None:
    enter_network(pod)
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        try:
            server = socket.create_connection(("127.0.0.1", port))
        except OSError:
            client.close()
            continue
        for ends in ((client, server), (server, client)):
            Thread(target=copy_bytes, args=ends, daemon=True).start()


def copy_bytes(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
