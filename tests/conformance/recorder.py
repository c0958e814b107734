"""A proxy between a client and the engine that changes nothing and remembers what was said."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}
BLOCK = 64 * 1024


@dataclass(frozen=True)
class Exchange:
    method: str
    target: str
    status: int
    content_type: str
    body: bytes

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    def __str__(self) -> str:
        return f"{self.method} {self.target} -> {self.status}"


class Recorder(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, engine: str) -> None:
        super().__init__(("127.0.0.1", 0), _Relay)
        self.engine = urlsplit(engine).netloc
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.exchanges: list[Exchange] = []


@contextmanager
def record_exchanges(engine: str) -> Iterator[Recorder]:
    recorder = Recorder(engine)
    thread = Thread(target=recorder.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield recorder
    finally:
        recorder.shutdown()
        recorder.server_close()
        thread.join()


class _Relay(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Recorder

    def relay_request(self) -> None:
        upstream = HTTPConnection(self.server.engine, timeout=120)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
        try:
            # Host stays as the client sent it, so that addresses in answers lead here again.
            upstream.request(self.command, self.path, self.request_body(), headers)
            response = upstream.getresponse()
            body = self.relay_response(response)
        finally:
            upstream.close()
        kind = response.headers.get("Content-Type", "")
        self.server.exchanges.append(Exchange(self.command, self.path, response.status, kind, body))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = relay_request  # noqa: N815

    def request_body(self) -> bytes | None:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return b"".join(self.iter_chunks())
        length = self.headers.get("Content-Length")
        return self.rfile.read(int(length)) if length else None

    def iter_chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline().split(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def relay_response(self, response: HTTPResponse) -> bytes:
        """Pass the answer on as it comes, so that a stream stays one."""
        self.send_response_only(response.status, response.reason)
        for name, value in response.headers.items():
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        streamed = response.length is None
        if streamed:
            self.send_header("Transfer-Encoding", "chunked")
        elif response.status != 204:
            self.send_header("Content-Length", str(response.length))
        self.end_headers()
        body = bytearray()
        while block := response.read1(BLOCK):
            body += block
            self.wfile.write(b"%x\r\n%s\r\n" % (len(block), block) if streamed else block)
        if streamed:
            self.wfile.write(b"0\r\n\r\n")
        return bytes(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass
