"""gunicorn's threaded worker, which takes a thread for a request only once the request is there.

gunicorn's own worker gives each connection a thread: as many clients that send half a request as there are
threads hold all of it. Here the main thread collects what arrives, as gunicorn's does between two requests of
a connection, and hands over a request whose head has arrived, and its body, if that is small. Larger bodies
are read by a few of the threads, so that the others are free for pages; who is slow makes way if others wait.
"""

from __future__ import annotations

import heapq
import re
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from enum import Enum
from functools import partial
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

from studio.operation.paced_socket import PATIENCE, SLOWEST, PacedSocket

MOST_HEAD = 64 * 1024
"""Bytes; browsers send a few kilobytes."""
SMALL_BODY = 64 * 1024
"""Bytes of a form with every field filled in; files are larger. With the head it is what a client may have
the process hold without a thread."""
UPLOADS = 4
"""Threads of a worker that read large bodies at a time. 8 more may stream chats (jobs/chat/sse.py)."""
PAGE_PATIENCE = 2.0
"""Seconds of waiting for one client while a request waits for a thread."""
LINGER_SECONDS, LINGER_BYTES = 2.0, 64 * 1024
"""After an answer that closes the connection: what the client still sends is read, so that it gets all of
the answer."""
CONTENT_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,18})[ \t]*\r\n")
TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class Stage(Enum):
    """How much of a request has arrived. An upload is one whose body is large, or of unknown length, or waits
    for `100 Continue`."""

    PART = "part"
    WHOLE = "whole"
    UPLOAD = "upload"
    TOO_LARGE = "too large"


def find_stage(arrived: bytes | bytearray) -> Stage:
    """Only when a thread is taken depends on this; what the request says is read by gunicorn."""
    start = len(arrived) - len(arrived.lstrip(b"\r\n"))
    end = arrived.find(b"\r\n\r\n", start)
    if end < 0:
        return Stage.TOO_LARGE if len(arrived) > MOST_HEAD else Stage.PART
    head = bytes(arrived[start : end + 2]).lower()
    if b"\r\ntransfer-encoding:" in head or b"\r\nexpect:" in head:
        return Stage.UPLOAD
    said = CONTENT_LENGTH.search(head)
    length = int(said[1]) if said else 0
    if length > SMALL_BODY:
        return Stage.UPLOAD
    return Stage.WHOLE if len(arrived) >= end + 4 + length else Stage.PART


class Arrival:
    """What the main thread reads from a connection without a thread, and until when it waits for more."""

    def __init__(self, conn: Any, data: bytes = b"") -> None:
        self.conn = conn
        self.data = bytearray(data)
        self.since = time.monotonic()

    def is_late(self, now: float) -> bool:
        return now - self.since > PATIENCE + len(self.data) / SLOWEST


class WebWorker(ThreadWorker):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.arrivals: dict[Any, Arrival] = {}
        self.closing: dict[Any, Arrival] = {}
        self.waiting_uploads: deque[Arrival] = deque()
        self.uploading: set[Any] = set()
        self.working: set[Any] = set()

    # ---- a request arrives ----

    def enqueue_req(self, conn: Any) -> None:
        """gunicorn calls this for a new connection, and for one whose next request has begun to arrive."""
        if self.cfg.is_ssl:
            super().enqueue_req(conn)
            return
        if not isinstance(conn.sock, PacedSocket):
            conn.sock = PacedSocket(fileno=conn.sock.detach())
        conn.sock.setblocking(False)
        arrival = Arrival(conn, conn.parser.unreader.take_buffered() if conn.parser else b"")
        if not self.hand_over(arrival):
            self.arrivals[conn] = arrival
            self.watch(conn, self.read_arrival)
        self.make_room()

    def watch(self, conn: Any, callback: Callable[[Any, Any], None]) -> None:
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(callback, conn))

    def unwatch(self, conn: Any) -> None:
        with suppress(KeyError, ValueError, OSError):
            self.poller.unregister(conn.sock)

    def read_arrival(self, conn: Any, _sock: Any) -> None:
        arrival = self.arrivals.get(conn)
        if arrival is None:  # dropped since the poller told of it
            return
        try:
            data = conn.sock.recv(MOST_HEAD)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        arrival.data += data
        if not data:
            self.drop(conn)
        elif self.hand_over(arrival):
            self.unwatch(conn)
            del self.arrivals[conn]

    def hand_over(self, arrival: Arrival) -> bool:
        """Give the request to a thread or to the queue of uploads. Return False if some of it is missing."""
        stage = find_stage(arrival.data)
        if stage is Stage.PART:
            return False
        if stage is Stage.UPLOAD and len(self.uploading) >= UPLOADS:
            self.waiting_uploads.append(arrival)
        elif stage is Stage.TOO_LARGE:
            with suppress(OSError):
                arrival.conn.sock.send(TOO_LARGE)
            self.close_later(arrival.conn)
        else:
            self.start(arrival, is_upload=stage is Stage.UPLOAD)
        return True

    def start(self, arrival: Arrival, *, is_upload: bool) -> None:
        conn = arrival.conn
        conn.data_ready, conn.arrived = True, bytes(arrival.data)
        self.working.add(conn)
        if is_upload:
            self.uploading.add(conn)
        super().enqueue_req(conn)

    def handle(self, conn: Any) -> Any:
        """Runs in a thread: give the parser what has arrived, then let gunicorn do the rest."""
        if isinstance(conn.sock, PacedSocket):
            conn.sock.setblocking(True)
            conn.sock.begin()
            conn.init()
            conn.parser.unreader.unread(conn.arrived)
        return super().handle(conn)

    # ---- a request is over ----

    def finish_request(self, conn: Any, fs: Future[Any]) -> None:
        self.working.discard(conn)
        self.uploading.discard(conn)
        while self.waiting_uploads and len(self.uploading) < UPLOADS:
            self.start(self.waiting_uploads.popleft(), is_upload=True)
        stays = not fs.cancelled() and fs.exception() is None and fs.result()
        if stays or not isinstance(conn.sock, PacedSocket):
            super().finish_request(conn, fs)
        else:
            self.close_later(conn)

    def close_later(self, conn: Any) -> None:
        """Close the connection once the client does, or soon: gunicorn's main thread would wait here."""
        try:
            conn.sock.setblocking(False)
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.drop(conn)
            return
        self.closing[conn] = Arrival(conn)
        self.watch(conn, self.read_remains)

    def read_remains(self, conn: Any, _sock: Any) -> None:
        remains = self.closing.get(conn)
        if remains is None:
            return
        try:
            data = conn.sock.recv(LINGER_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        remains.data += data
        if not data or len(remains.data) > LINGER_BYTES:
            self.drop(conn)

    def drop(self, conn: Any) -> None:
        self.unwatch(conn)
        self.arrivals.pop(conn, None)
        self.closing.pop(conn, None)
        self.nr_conns -= 1
        conn.close()

    # ---- who takes too long ----

    def murder_pending(self) -> None:
        """gunicorn calls this once a second at least."""
        super().murder_pending()
        now = time.monotonic()
        idle = [] if self.alive else [conn for conn, arrival in self.arrivals.items() if not arrival.data]
        late = [conn for conn, arrival in self.arrivals.items() if arrival.is_late(now)]
        over = [conn for conn, remains in self.closing.items() if now - remains.since > LINGER_SECONDS]
        for conn in {*idle, *late, *over}:
            self.drop(conn)
        if self.waiting_uploads:
            cut_slowest(self.uploading, 1, PATIENCE)
        cut_slowest(self.working, len(self.working) - self.cfg.threads, PAGE_PATIENCE)

    def make_room(self) -> None:
        """At the limit of connections, the oldest one that has not sent its request makes way."""
        if self.nr_conns < self.worker_connections:
            return
        if self.arrivals:
            self.drop(next(iter(self.arrivals)))
        elif self.waiting_uploads:
            self.drop(self.waiting_uploads.popleft().conn)


def cut_slowest(conns: Iterable[Any], count: int, seconds: float) -> None:
    """End connections, `count` at most, whose clients have kept a thread waiting for over `seconds`."""
    now = time.monotonic()
    socks = [conn.sock for conn in conns if isinstance(conn.sock, PacedSocket)]
    slow = [sock for sock in socks if sock.get_seconds_slow(now) > seconds]
    for sock in heapq.nlargest(max(0, count), slow, key=lambda sock: sock.get_seconds_slow(now)):
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
