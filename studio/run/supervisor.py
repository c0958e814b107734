"""Starts supervisord, talks to it, and stops it without leftovers."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from xmlrpc.client import Error as RpcError
from xmlrpc.client import ServerProxy

from supervisor.xmlrpc import SupervisorTransport

from studio.run.preflight import RunError
from studio.run.processes import Plan, bind_to_parent, supervisord_conf

# Twice the longest stop_seconds of a program (the engine's 20), after which supervisord kills it.
STOP_SECONDS = 40


@dataclass(frozen=True, slots=True)
class ProcessInfo:
    """One supervised process as supervisord sees it; `state` is RUNNING, STARTING, BACKOFF, FATAL, ..."""

    name: str
    state: str
    pid: int


class Supervisor:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.seen: dict[str, ProcessInfo] = {}
        conf = plan.sockets / "supervisord.conf"
        conf.write_text(supervisord_conf(plan))
        command = [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(conf)]
        # A session of its own: Ctrl-C reaches this process only, which then stops the parts in order.
        self.process = subprocess.Popen(
            bind_to_parent(command),
            cwd=plan.home,
            start_new_session=True,
            stdout=plan.log_path("supervisord").open("ab"),
            stderr=subprocess.STDOUT,
        )

    @property
    def rpc(self) -> Any:
        transport = SupervisorTransport(None, None, f"unix://{self.plan.supervisor_socket}")
        return ServerProxy("http://127.0.0.1", transport=transport).supervisor

    def fetch_process_info(self) -> dict[str, ProcessInfo]:
        """Return the running processes by name; none while supervisord is still starting."""
        if self.process.poll() is not None:
            raise RunError(f"supervisord ended unexpectedly: see {self.plan.log_path('supervisord')}.")
        try:
            told = self.rpc.getAllProcessInfo()
        except (OSError, RpcError):
            return self.seen
        self.seen = {each["name"]: ProcessInfo(each["name"], each["statename"], each["pid"]) for each in told}
        return self.seen

    def kill(self, name: str) -> None:
        """Kill a process; supervisord starts it again."""
        with contextlib.suppress(OSError, RpcError):
            self.rpc.signalProcess(name, "KILL")

    def start(self, name: str) -> None:
        with contextlib.suppress(OSError, RpcError):
            self.rpc.startProcess(name, False)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for group in self.find_leftovers():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)

    def find_leftovers(self) -> Iterator[int]:
        """Yield the processes that outlive supervisord by more than 5 s; each leads its own process group."""
        deadline = time.monotonic() + 5
        for part in self.seen.values():
            while part.pid and is_alive(part.pid) and time.monotonic() < deadline:
                time.sleep(0.05)
            if part.pid and is_alive(part.pid):
                yield part.pid


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
