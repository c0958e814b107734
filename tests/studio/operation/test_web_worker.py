"""Clients that never finish do not hold the web process: a real gunicorn with the product's configuration."""

from __future__ import annotations

import http.client
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from studio.operation.web_worker import MOST_HEAD, SMALL_BODY, UPLOADS, Stage, find_stage
from studio.run.processes import bind_to_parent
from tests.paths import ROOT
from tests.stack import find_port, wait_until

CONFIG = (ROOT / "studio/operation/gunicorn_conf.py").read_text()
WORKERS, THREADS_EACH = (
    int(found) for found in re.findall(r"^(?:workers|threads) = (\d+)", CONFIG, re.MULTILINE)
)
THREADS = WORKERS * THREADS_EACH
SOON = 15.0
"""Seconds in which a page must answer: far fewer than the clients of these tests are waited for."""
Start = Callable[..., int]
HALF_HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\nAccept: "
HALF_BODY = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000000\r\n\r\nthe first bytes"
HALF_FORM = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n\r\nthe first bytes"
LARGE = b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n"
LAST = b"GET / HTTP/1.0\r\n\r\n"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """start(...) -> the port of a gunicorn that answers."""
    with ExitStack() as ended:

        def start_server(*options: str, patience: float = 600.0) -> int:
            port = find_port()
            config = ["--config", "studio/operation/gunicorn_conf.py", "--bind", f"127.0.0.1:{port}"]
            command = ["-m", "gunicorn", *config, *options, "tests.studio.operation.slow_clients_app"]
            process = subprocess.Popen(
                bind_to_parent([sys.executable, *command]),
                cwd=ROOT,
                env={**os.environ, "TEST_PATIENCE": str(patience)},
                stderr=(tmp_path / "log").open("w"),
            )
            ended.callback(process.wait, 60)
            ended.callback(process.terminate)
            wait_until(lambda: is_answering(port))
            return port

        yield start_server


def is_answering(port: int) -> bool:
    with suppress(OSError):
        return ask(port) == "0"
    return False


def ask(port: int, body: bytes | None = None, timeout: float = 60) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("POST" if body else "GET", "/", body)
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def connect(port: int, sends: bytes, receive_buffer: int = 0) -> socket.socket:
    sock = socket.socket()
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.settimeout(60)
    sock.connect(("127.0.0.1", port))
    sock.sendall(sends)
    return sock


@pytest.mark.parametrize(
    ("sends", "count"),
    [
        pytest.param(HALF_HEAD, THREADS + 10, id="half a head"),
        pytest.param(HALF_FORM, THREADS + 10, id="half a form"),
        pytest.param(HALF_BODY, THREADS + 10, id="half an upload"),
        pytest.param(b"", THREADS + 10, id="nothing"),
        pytest.param(LAST, THREADS + 10, id="no end of the connection"),
        pytest.param(LAST[:-4] + b"\r\nContent-Length: 9000000\r\n\r\n", THREADS + 10, id="no body at all"),
    ],
)
def test_clients_that_never_finish_leave_the_pages_alone(sends: bytes, count: int, start: Start) -> None:
    port = start()
    with ExitStack() as open_sockets:
        for _ in range(count):
            open_sockets.enter_context(connect(port, sends))
        for _ in range(10):
            began = time.monotonic()
            assert ask(port, timeout=SOON) == "0"
            assert time.monotonic() - began < SOON


def test_clients_that_read_nothing_make_way_for_those_who_wait(start: Start) -> None:
    port = start()
    with ExitStack() as open_sockets:
        for _ in range(THREADS + 10):
            open_sockets.enter_context(connect(port, LARGE, receive_buffer=4096))
        assert ask(port, timeout=60) == "0"


def test_an_upload_gets_its_turn_although_others_hold_theirs(start: Start) -> None:
    port = start(patience=1.0)
    body = b"y" * 3_000_000
    with ExitStack() as open_sockets:
        for _ in range(THREADS):
            open_sockets.enter_context(connect(port, HALF_BODY))
        assert ask(port, body) == str(len(body))


def test_a_slow_upload_makes_way_for_one_that_waits(start: Start) -> None:
    """It may go on for as long as nobody waits."""
    port = start("--workers", "1", patience=1.0)
    body, over = b"y" * 3_000_000, threading.Event()
    with ExitStack() as open_sockets:
        for _ in range(UPLOADS):
            sock = open_sockets.enter_context(connect(port, HALF_BODY))
            threading.Thread(target=trickle, args=(sock, over), daemon=True).start()
        time.sleep(3)  # all of them are slower than the server's patience, and none has been hung up on
        assert ask(port, body, timeout=SOON) == str(len(body))
        over.set()


def trickle(sock: socket.socket, over: threading.Event) -> None:
    """Send 5 kB a second."""
    with suppress(OSError):
        while not over.wait(0.1):
            sock.sendall(b"x" * 500)


def test_a_slow_upload_arrives_whole(start: Start) -> None:
    """It takes longer than the patience for a client that sends nothing."""
    port = start("--workers", "1", patience=1.0)
    body = b"z" * (SMALL_BODY + 40_000)
    with connect(port, b"POST / HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % len(body)) as sock:
        began = time.monotonic()
        for place in range(0, len(body), 4000):
            sock.sendall(body[place : place + 4000])
            time.sleep(0.1)  # the slow line
        assert time.monotonic() - began > 2
        assert sock.makefile("rb").read().endswith(b"\r\n\r\n%d" % len(body))


@pytest.mark.parametrize("sends", [HALF_HEAD, HALF_FORM, HALF_BODY, b""])
def test_a_client_that_stops_is_hung_up_on(sends: bytes, start: Start) -> None:
    port = start("--workers", "1", patience=1.0)
    with connect(port, sends) as sock:
        assert not sock.makefile("rb").read().startswith(b"HTTP/1.1 200")


def test_requests_on_one_connection_are_answered_one_by_one(start: Start) -> None:
    """Also if they arrive together, or the second one in pieces."""
    port = start("--workers", "1")
    request = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc"
    with connect(port, request + request[:20]) as sock:
        answers = sock.makefile("rb")
        assert read_answer(answers) == b"3"
        sock.sendall(request[20:] + request)
        assert [read_answer(answers), read_answer(answers)] == [b"3", b"3"]


def read_answer(stream: object) -> bytes:
    length = 0
    while line := stream.readline().strip():  # type: ignore[attr-defined]
        if line.lower().startswith(b"content-length"):
            length = int(line.split(b":")[1])
    return stream.read(length)  # type: ignore[attr-defined,no-any-return]


def test_a_chunked_body_and_one_that_waits_for_leave_are_read(start: Start) -> None:
    port = start("--workers", "1")
    with connect(
        port, b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
    ) as sock:
        answers = sock.makefile("rb")
        assert answers.readline().startswith(b"HTTP/1.1 100")
        answers.readline()
        sock.sendall(b"abc")
        assert read_answer(answers) == b"3"
    chunks = b"4\r\nwxyz\r\n0\r\n\r\n"
    with connect(port, b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks) as sock:
        assert read_answer(sock.makefile("rb")) == b"4"


def test_a_head_without_end_is_refused(start: Start) -> None:
    port = start("--workers", "1")
    with connect(port, b"GET / HTTP/1.1\r\n") as sock, suppress(ConnectionError):
        for _ in range(40):
            sock.sendall(b"A: " + b"b" * 4000 + b"\r\n")
        assert sock.makefile("rb").readline().startswith(b"HTTP/1.1 431")


def test_at_the_limit_of_connections_the_oldest_idle_one_makes_way(start: Start) -> None:
    port = start("--workers", "1", "--worker-connections", "30")
    with ExitStack() as open_sockets:
        first = open_sockets.enter_context(connect(port, HALF_HEAD))
        for _ in range(60):
            open_sockets.enter_context(connect(port, HALF_HEAD))
        assert ask(port, timeout=SOON) == "0"
        assert first.recv(10) == b""


@pytest.mark.parametrize(
    ("arrived", "stage"),
    [
        (b"", Stage.PART),
        (b"GET / HTTP/1.1\r\nA: b\r\n", Stage.PART),
        (b"GET / HTTP/1.1\r\nA: b\r\n\r\n", Stage.WHOLE),
        (b"\r\n\r\nGET / HTTP/1.1\r\n", Stage.PART),
        (b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nab", Stage.PART),
        (b"POST / HTTP/1.1\r\ncontent-LENGTH:\t3 \r\n\r\nabc", Stage.WHOLE),
        (b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (SMALL_BODY + 1), Stage.UPLOAD),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", Stage.UPLOAD),
        (b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n", Stage.UPLOAD),
        (b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * MOST_HEAD, Stage.TOO_LARGE),
    ],
)
def test_stages_of_a_request(arrived: bytes, stage: Stage) -> None:
    assert find_stage(arrived) is stage
