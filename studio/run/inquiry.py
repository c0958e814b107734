"""Asks a process whether it works, without waiting for it: any answer counts."""

from __future__ import annotations

import errno
import selectors
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

ANSWER_BYTES = 4096  # the answers are shorter; what follows is of no interest
STARTED = (0, errno.EINPROGRESS)


@dataclass(frozen=True, slots=True)
class Question:
    """What a working process answers at once; `address` is a unix socket's path, or host and port."""

    address: str | tuple[str, int]
    text: bytes

    @property
    def family(self) -> socket.AddressFamily:
        if isinstance(self.address, str):
            return socket.AF_UNIX
        return socket.AF_INET6 if ":" in self.address[0] else socket.AF_INET


class Inquiry:
    """A question on its way. It is asked and heard by the selector's callbacks, none of which waits."""

    def __init__(
        self, question: Question, selector: selectors.BaseSelector, record_answer: Callable[[], None]
    ) -> None:
        self._question = question
        self._selector = selector
        self._record_answer = record_answer
        self._socket = socket.socket(question.family, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        try:
            started = self._socket.connect_ex(question.address) in STARTED
        except OSError:  # the host's name has no address
            started = False
        if started:
            selector.register(self._socket, selectors.EVENT_WRITE, self._ask)
        else:
            self._socket.close()

    def _ask(self) -> None:
        try:
            self._socket.send(self._question.text)
            self._selector.modify(self._socket, selectors.EVENT_READ, self._hear)
        except OSError:
            self.close()

    def _hear(self) -> None:
        answer = b""
        with suppress(OSError):
            answer = self._socket.recv(ANSWER_BYTES)
        self.close()
        if answer:
            self._record_answer()

    @property
    def is_open(self) -> bool:
        return self._socket.fileno() >= 0

    def close(self) -> None:
        """Stop waiting for the answer."""
        if self.is_open:
            with suppress(KeyError):
                self._selector.unregister(self._socket)
            self._socket.close()
