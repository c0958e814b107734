"""The whole product as `make run` starts it, for tests and scripts that need every real part.

`Stack` starts `python -m studio.run` on a state folder and a port of its own; `Person` is somebody with a
browser that has no JavaScript: it reads a page, fills its form in, and sends it.
"""

from __future__ import annotations

import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urljoin

import requests

from studio.run.processes import bind_to_parent
from tests.paths import ROOT

START_SECONDS = 150
T = TypeVar("T")


def wait_until(look: Callable[[], T], seconds: float = 120, every: float = 0.2) -> T:
    """Return the first true answer of `look`; fail with the last one if none comes in time."""
    deadline = time.monotonic() + seconds
    while True:
        answer = look()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"still {answer!r} after {seconds} s"
        time.sleep(every)


def find_port() -> int:
    """A free one below those that the kernel gives to outgoing connections, which could take it until the
    stack has started, or while it starts again."""
    for port in random.sample(range(20_000, 30_000), 100):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("no port is free")


class Stack:
    """`start` returns when the product says that it is up; `url` is its address, `link` the first admin's."""

    def __init__(self, state: Path, **environment: str) -> None:
        self.state = state
        self.port = find_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.link = ""
        self.environment = environment
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> Stack:
        kept = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
        own = {"STATE_DIR": str(self.state), "BIND": "127.0.0.1", "PORT": str(self.port), "POLL_SECONDS": "1"}
        self.process = subprocess.Popen(
            bind_to_parent([sys.executable, "-u", "-m", "studio.run"]),
            cwd=ROOT,
            env={**kept, **own, **self.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        too_late = threading.Timer(START_SECONDS, self.process.kill)
        too_late.start()
        try:
            self.link = self._wait_for_welcome()
        finally:
            too_late.cancel()
        return self

    def _wait_for_welcome(self) -> str:
        assert self.process and self.process.stdout
        said = ""
        for line in self.process.stdout:
            said += line
            if self.url in line and "/join/" not in line:
                break
        else:
            raise AssertionError(f"the stack ended while starting: {said}")
        return self.link or self._first_link()

    def _first_link(self) -> str:
        """The one-time link follows the address on lines of its own, unless there is an admin already."""
        if requests.get(f"{self.url}/sign-in/", timeout=120).status_code != 503:
            return ""
        assert self.process and self.process.stdout
        for line in self.process.stdout:
            if found := re.search(r"http://\S+/join/\S+", line):
                return found[0]
        raise AssertionError("no one-time link was printed")

    def stop(self) -> None:
        """Stop it like Ctrl-C."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(120)
        if self.process and self.process.stdout:
            self.process.stdout.close()

    def processes(self, words: str = "") -> dict[int, str]:
        """{pid: command line} of this stack's living processes whose command line matches `words`."""
        return {
            pid: command
            for pid, command in iter_processes()
            if re.search(words, command) and belongs_to(pid, self.state)
        }

    @property
    def engine_token(self) -> str:
        return (self.state / "engine.token").read_text()

    def get_from_engine(self, path: str, token: str | None = None) -> requests.Response:
        """Ask this stack's engine, with its own token unless another one is given."""
        command = next(iter(self.processes("-m engine --host").values()))
        port = re.search(r"--port (\d+)", command)[1]  # type: ignore[index]
        shown = self.engine_token if token is None else token
        headers = {"Authorization": f"Bearer {shown}"} if shown else {}
        return requests.get(f"http://127.0.0.1:{port}/{path}", headers=headers, timeout=120)

    def kill(self, words: str) -> list[int]:
        """Send kill -9 to each match, check that it has ended, and return the matches."""
        hit = list(self.processes(words))
        assert hit, f"nothing of the stack matches {words!r}: {self.processes()}"
        for pid in hit:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not set(hit) & {pid for pid, _ in iter_processes()}, seconds=60)
        return hit

    def kill_everything(self) -> None:
        self.kill("")
        assert self.process
        self.process.wait(60)

    def __enter__(self) -> Stack:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


NOT_INHERITED = {
    "DATABASE_URL",
    "DATABASE_URL_FILE",
    "REDIS_URL",
    "REDIS_URL_FILE",
    "BASE_URL",
    "SECRET_KEY",
    "SECRET_KEY_FILE",
    "DJANGO_SETTINGS_MODULE",
    "ENGINE_URL",
    "ENGINE_TOKEN_FILE",
    "TEST_DATABASE_URL",
}


def iter_processes() -> Iterator[tuple[int, str]]:
    """(pid, command line) of every process that is not a zombie."""
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            if re.search(r"^State:\s+Z", (folder / "status").read_text(), re.MULTILINE):
                continue
            yield (
                int(folder.name),
                (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"),
            )
        except OSError:
            continue


def list_children(parent: int) -> list[int]:
    """The living child processes of a process."""
    return [pid for pid, _ in iter_processes() if read_parent(pid) == parent]


def read_parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def belongs_to(pid: int, state: Path) -> bool:
    """Find out by its environment, or by its folder: Redis overwrites its environment with its title."""
    process = Path("/proc") / str(pid)
    try:
        told = f"STATE_DIR={state}\0".encode() in (process / "environ").read_bytes() + b"\0"
        return told or (process / "cwd").readlink().is_relative_to(state)
    except OSError:
        return False


class Person:
    """A person with a browser without JavaScript."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.headers["Accept-Language"] = "en"

    def get(self, path: str, **options: Any) -> requests.Response:
        answer = self.session.get(urljoin(self.url, path), timeout=120, **options)
        assert answer.status_code < 400, f"{path}: {answer.status_code} {answer.text[:500]}"
        return answer

    def send(self, path: str, *, page: str = "", files: Any = None, **fields: Any) -> requests.Response:
        """Posts `fields` to `path`, with the token of a form on `page` (the same address unless named)."""
        shown = self.get(page or path)
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', shown.text)
        assert token, f"no form on {page or path}"
        answer = self.session.post(
            urljoin(self.url, path),
            data={"csrfmiddlewaretoken": token[1], **fields},
            files=files,
            headers={"Referer": shown.url},
            timeout=120,
        )
        assert answer.status_code < 400, f"{path}: {answer.status_code} {answer.text[:500]}"
        return answer
