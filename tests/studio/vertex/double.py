"""A real HTTP server on this machine that sends queued answers and records requests."""

from __future__ import annotations

import json
import socket
import struct
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.paths import CAPTURES


@dataclass
class Answer:
    """`cut` closes the connection before the announced end, `reset` before any answer, `pause` waits before
    the answer, `until` for its event, `drip` between its bytes, `chunks` streams its parts."""

    status: int = 200
    body: Any = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    reset: bool = False
    pause: float = 0.0
    until: Event | None = None
    drip: float = 0.0
    chunks: Iterable[bytes] | None = None

    @property
    def content(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return self.body.encode() if isinstance(self.body, str) else json.dumps(self.body).encode()


@dataclass(frozen=True)
class ReceivedRequest:
    method: str
    path: str
    query: list[tuple[str, str]]
    headers: dict[str, str]
    content: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.content) if self.content else None


class FakeVertexServer:
    """Tell it what it `will` answer, in order, and `otherwise`; look at what it was `asked`."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.answers: deque[Answer] = deque()
        self.otherwise: Callable[[ReceivedRequest], Answer] = lambda asked: Answer(599, "no answer left")
        self.asked: list[ReceivedRequest] = []

    def queue_answers(self, *answers: Answer) -> None:
        self.answers.extend(answers)


def json_answer(body: Any, status: int = 200, **headers: str) -> Answer:
    return Answer(status, body, {"Content-Type": "application/json; charset=UTF-8", **headers})


def load_exchanges(capture: str) -> list[dict[str, Any]]:
    return json.loads((CAPTURES / f"{capture}.json").read_text(encoding="utf-8"))["exchanges"]


def replay_answer(exchange: dict[str, Any], url: str = "") -> Answer:
    """The captured answer, for the double at `url`."""
    response = exchange["response"]
    body = response["body"]
    headers = {
        name: value.replace("http://127.0.0.1:PORT", url) for name, value in response["headers"].items()
    }
    content = body["_raw"] if isinstance(body, dict) and "_raw" in body else b"" if body is None else body
    return Answer(response["status"], content, {"Content-Type": response["contentType"] or "", **headers})


@contextmanager
def run_server() -> Iterator[FakeVertexServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.double = double = FakeVertexServer(server.server_address[1])  # type: ignore[attr-defined]
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield double
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _serve(self) -> None:
        double: FakeVertexServer = self.server.double  # type: ignore[attr-defined]
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        target = urlsplit(self.path)
        query = parse_qsl(target.query, keep_blank_values=True)
        asked = ReceivedRequest(self.command, target.path, query, dict(self.headers), content)
        double.asked.append(asked)
        answer = double.answers.popleft() if double.answers else double.otherwise(asked)
        time.sleep(answer.pause)
        if answer.until:
            answer.until.wait(60)
        if answer.reset:
            self._hang_up()
            return
        try:
            self._send(answer)
        except OSError:  # whoever asked has gone
            self.close_connection = True

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _serve  # noqa: N815

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.chunks is not None:
            self._stream(answer)
            return
        self.send_header("Content-Length", str(len(answer.content) + 10 * answer.cut))
        self.end_headers()
        if answer.drip:
            self._drip(answer)
        else:
            self.wfile.write(answer.content)
        self.close_connection = answer.cut

    def _stream(self, answer: Answer) -> None:
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for chunk in answer.chunks or []:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        if answer.cut:
            self._hang_up()
        else:
            self.wfile.write(b"0\r\n\r\n")

    def _drip(self, answer: Answer) -> None:
        for byte in answer.content:
            self.wfile.write(bytes([byte]))
            time.sleep(answer.drip)

    def _hang_up(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def log_message(self, format: str, *args: Any) -> None:
        pass
