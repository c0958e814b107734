"""Cut a file's bytes, which arrive in chunks of any size, into blocks of whole lines (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from studio.vertex import storable

LINE_LIMIT = 8 * 2**20
"""Bytes. An example of 131,072 tokens, the longest that a model supports, has fewer even if every character
is escaped, so no usable line is longer."""
BLOCK = 2**18
"""Bytes gathered before they are cut into lines: small enough for the processor's cache."""
CHUNK = 2**20
"""Bytes read from a file at once: few requests to Cloud Storage, and little memory."""
NEWLINE = ord("\n")
BOM = b"\xef\xbb\xbf"
NUL_ESCAPE = storable.NUL_ESCAPE


@dataclass(frozen=True, slots=True)
class Line:
    """`content` is only the beginning of the line if `too_long`."""

    number: int
    content: bytes
    too_long: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """`count` lines, the first of which is line `number`, with or without the last newline; if `too_long`,
    the beginning of one line. Only newlines separate lines: a text may contain U+2028 or form feeds."""

    number: int
    content: bytes
    count: int
    too_long: bool = False

    @property
    def lines(self) -> list[bytes]:
        return self.content.split(b"\n")[: self.count]

    @property
    def last(self) -> int:
        return self.number + self.count - 1

    def skip_lines(self, count: int) -> Block:
        """Return the block without its first `count` lines."""
        skipped = sum(len(line) + 1 for line in self.lines[:count])
        return Block(self.number + count, self.content[skipped:], self.count - count)


def read_chunks(file: BinaryIO) -> Iterator[bytes]:
    """Yield the rest of the file in chunks of CHUNK bytes."""
    while chunk := file.read(CHUNK):
        yield chunk


def lines(chunks: Iterable[bytes]) -> Iterator[Line]:
    for block in blocks(chunks):
        for number, content in enumerate(block.lines, block.number):
            yield Line(number, content, block.too_long)


def blocks(chunks: Iterable[bytes]) -> Iterator[Block]:
    """Yield all lines of the file. A byte order mark stays at the start of the first block."""
    number, pending, skipping = 1, b"", False
    for gathered in gather(chunks):
        if skipping:
            _rest, newline, gathered = gathered.partition(b"\n")
            if not newline:
                continue
            number, skipping = number + 1, False
        end = gathered.rfind(b"\n") + 1
        if not end:
            whole, pending = b"", pending + gathered
        else:
            whole, pending = b"".join((pending, memoryview(gathered)[:end])), gathered[end:]
        for block in split_long_lines(number, whole):
            yield block
            number += block.count
        if len(pending) > LINE_LIMIT:
            yield truncate_line(number, pending)
            pending, skipping = b"", True
    if pending:
        yield Block(number, pending, 1)


def gather(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the same bytes in pieces of at least BLOCK bytes; only the last one may be smaller."""
    parts: list[bytes] = []
    size = 0
    for chunk in chunks:
        for start in range(0, len(chunk), BLOCK):
            part = chunk[start : start + BLOCK]
            parts.append(part)
            size += len(part)
            if size >= BLOCK:
                yield b"".join(parts)
                parts, size = [], 0
    if parts:
        yield b"".join(parts)


def split_long_lines(number: int, whole: bytes) -> Iterator[Block]:
    """Yield one block, or a block per line where a line may exceed the limit."""
    count = int(np.count_nonzero(np.frombuffer(whole, np.uint8) == NEWLINE))
    if len(whole) <= LINE_LIMIT:
        if count:
            yield Block(number, whole, count)
        return
    for place, line in enumerate(whole.split(b"\n")[:count], number):
        yield truncate_line(place, line) if len(line) > LINE_LIMIT else Block(place, line, 1)


def truncate_line(number: int, line: bytes) -> Block:
    return Block(number, line[:BLOCK], 1, too_long=True)
