"""The processes of a run: pure functions of a Plan."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from studio.run.inquiry import Question

DIE_WITH_PARENT = Path(__file__).parent / "die_with_parent.py"
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104
"""Where this machine reaches a process that listens on all addresses."""


def bind_to_parent(command: Iterable[str], number: signal.Signals = signal.SIGTERM) -> list[str]:
    """Return the command as one whose process gets the signal when its parent dies."""
    return [sys.executable, "-I", "-S", str(DIE_WITH_PARENT), str(int(number)), *command]


@dataclass(frozen=True, slots=True)
class Plan:
    """One run: its state and sockets, the address it listens on, and which processes it starts itself.

    `redis` is the server's binary, None if REDIS_URL names another server; `engine_port` is None if no engine
    is started here.
    """

    home: Path
    state: Path
    sockets: Path
    host: str
    port: int
    redis: str | None
    engine_port: int | None

    @classmethod
    def from_json(cls, text: str) -> Plan:
        fields: dict[str, Any] = json.loads(text)
        return cls(**fields | {name: Path(fields[name]) for name in ("home", "state", "sockets")})

    def to_json(self) -> str:
        return json.dumps(asdict(self), default=str)

    @property
    def keeper_socket(self) -> Path:
        """Where parts send their pulses."""
        return self.sockets / "keeper.sock"

    @property
    def redis_socket(self) -> Path:
        return self.sockets / "redis.sock"

    @property
    def redis_url(self) -> str:
        return f"redis+socket://{self.redis_socket}"

    @property
    def engine_url(self) -> str:
        return f"http://127.0.0.1:{self.engine_port}"

    @property
    def engine_token_file(self) -> Path:
        """The engine creates it at its first start, readable by its owner only."""
        return self.state / "engine.token"

    @property
    def bind(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def log_path(self, name: str) -> Path:
        return self.state / "log" / f"{name}.log"


@dataclass(frozen=True, slots=True)
class Program:
    """A process to keep running.

    It has `stop_seconds` to finish its work before it is killed. `question` is what it answers while it
    works; one without sends pulses. While one that it `needs` is in trouble, its own silence says nothing.
    """

    name: str
    command: list[str]
    stop_seconds: int = 10
    question: Question | None = None
    needs: tuple[str, ...] = ()


def programs(plan: Plan) -> list[Program]:
    """Return the programs in the order of starting; they stop in the reverse order."""
    own_redis = [redis_program(plan, plan.redis)] if plan.redis else []
    own_engine = [engine_program(plan, plan.engine_port)] if plan.engine_port else []
    return [*own_redis, *own_engine, web_program(plan), beat_program(), worker_program()]


def redis_program(plan: Plan, binary: str) -> Program:
    """It stores nothing: a message only wakes a task that beat sends again, and a disk can be full."""
    options = {
        "--port": "0",
        "--unixsocket": str(plan.redis_socket),
        "--unixsocketperm": "600",
        "--dir": str(plan.state / "redis"),
        "--appendonly": "no",
        "--save": "",
        "--dbfilename": "none.rdb",
        "--maxmemory": "128mb",
        "--maxmemory-policy": "noeviction",
        # Its own clock ticks once a second instead of ten times: nothing here expires sooner.
        "--hz": "1",
    }
    command = [binary, *(word for pair in options.items() for word in pair)]
    return Program("redis", command, question=Question(str(plan.redis_socket), b"PING\r\n"))


def engine_program(plan: Plan, port: int) -> Program:
    where = ["--host", "127.0.0.1", "--port", str(port), "--root", str(plan.state / "engine")]
    token = ["--token-file", str(plan.engine_token_file)]
    return Program(
        "engine",
        [sys.executable, "-m", "engine", *where, *token],
        stop_seconds=20,
        question=ask_over_http("127.0.0.1", port, "/healthz"),
    )


def web_program(plan: Plan) -> Program:
    serve = ["--config", "studio/operation/gunicorn_conf.py", "--bind", plan.bind, "studio.wsgi"]
    return Program(
        "web",
        [sys.executable, "-m", "gunicorn", *serve],
        question=ask_over_http(EVERYWHERE.get(plan.host, plan.host), plan.port, "/healthz?part=web"),
    )


def ask_over_http(host: str, port: int, path: str) -> Question:
    return Question((host, port), f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())


def beat_program() -> Program:
    return Program("beat", [*celery_command("beat"), "--pidfile", ""], needs=("redis",))


def worker_program() -> Program:
    """Without the messages by which workers find each other: there is one."""
    threads = ["--loglevel", "INFO", "--pool", "threads", "--concurrency", "8"]
    alone = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    # Its pulse is a task that beat sends.
    return Program("worker", [*celery_command("worker"), *threads, *alone], 15, needs=("redis", "beat"))


def celery_command(role: str) -> list[str]:
    return [sys.executable, "-m", "celery", "-A", "studio", role]
