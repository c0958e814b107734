"""The processes of a run, and supervisord's configuration for them: pure functions of a Plan."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

DIE_WITH_PARENT = Path(__file__).parent / "die_with_parent.py"


def bind_to_parent(command: Iterable[str]) -> list[str]:
    """Return the command as one whose process ends when its parent dies."""
    return [sys.executable, "-I", "-S", str(DIE_WITH_PARENT), *command]


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

    @property
    def supervisor_socket(self) -> Path:
        return self.sockets / "supervisor.sock"

    @property
    def redis_url(self) -> str:
        return f"redis+socket://{self.sockets / 'redis.sock'}"

    @property
    def engine_url(self) -> str:
        return f"http://127.0.0.1:{self.engine_port}"

    @property
    def bind(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def log_path(self, name: str) -> Path:
        return self.state / "log" / f"{name}.log"


@dataclass(frozen=True, slots=True)
class Program:
    """A process to supervise. It has `stop_seconds` to finish its work before it is killed."""

    name: str
    command: list[str]
    stop_seconds: int = 10


def programs(plan: Plan) -> list[Program]:
    """Return the programs in the order of starting; they stop in the reverse order."""
    own_redis = [redis_program(plan, plan.redis)] if plan.redis else []
    own_engine = [engine_program(plan, plan.engine_port)] if plan.engine_port else []
    return [*own_redis, *own_engine, web_program(plan), worker_program(), beat_program()]


def redis_program(plan: Plan, binary: str) -> Program:
    options = {
        "--port": "0",
        "--unixsocket": str(plan.sockets / "redis.sock"),
        "--unixsocketperm": "600",
        "--dir": str(plan.state / "redis"),
        "--appendonly": "yes",
        "--appendfsync": "everysec",
        "--maxmemory": "128mb",
        "--maxmemory-policy": "noeviction",
    }
    return Program("redis", [binary, *(word for pair in options.items() for word in pair)])


def engine_program(plan: Plan, port: int) -> Program:
    where = ["--host", "127.0.0.1", "--port", str(port), "--root", str(plan.state / "engine")]
    return Program("engine", [sys.executable, "-m", "engine", *where], stop_seconds=20)


def web_program(plan: Plan) -> Program:
    serve = [
        "-m",
        "gunicorn",
        "--config",
        "studio/operation/gunicorn_conf.py",
        "--bind",
        plan.bind,
        "studio.wsgi",
    ]
    return Program("web", [sys.executable, *serve])


def worker_program() -> Program:
    return Program(
        "worker",
        [
            *celery_command("worker"),
            "--loglevel",
            "INFO",
            "--pool",
            "threads",
            "--concurrency",
            "8",
            "--without-gossip",
        ],
        15,
    )


def beat_program() -> Program:
    return Program("beat", [*celery_command("beat"), "--pidfile", ""])


def celery_command(role: str) -> list[str]:
    return [sys.executable, "-m", "celery", "-A", "studio", role]


def supervisord_conf(plan: Plan) -> str:
    head = f"""\
[supervisord]
nodaemon=true
silent=true
logfile={escape_percent(plan.log_path("supervisord"))}
logfile_maxbytes=1MB
logfile_backups=1
pidfile={escape_percent(plan.sockets / "supervisord.pid")}
directory={escape_percent(plan.home)}

[unix_http_server]
file={escape_percent(plan.supervisor_socket)}
chmod=0600

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
"""
    return head + "".join(section(plan, order, program) for order, program in enumerate(programs(plan), 1))


def section(plan: Plan, order: int, program: Program) -> str:
    command = shlex.join(bind_to_parent(program.command))
    return f"""
[program:{program.name}]
command={escape_percent(command)}
directory={escape_percent(plan.home)}
priority={order}
autorestart=true
startsecs=1
startretries=10
stopwaitsecs={program.stop_seconds}
killasgroup=true
redirect_stderr=true
stdout_logfile={escape_percent(plan.log_path(program.name))}
stdout_logfile_maxbytes=5MB
stdout_logfile_backups=3
"""


def escape_percent(text: object) -> str:
    """supervisord expands %(name)s in every value."""
    return str(text).replace("%", "%%")
