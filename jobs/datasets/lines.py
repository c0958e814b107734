"""A file's bytes, cut anywhere -> blocks of whole lines (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

LINE_LIMIT = 8 * 2**20
"""Bytes; an example of 131,072 tokens has fewer, however it is written."""
BLOCK = 2**17
"""Bytes gathered before lines are cut out of them: what the processor's cache holds."""
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Line:
    """`content` is cut where `too_long`."""

    number: int
    content: bytes
    too_long: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """Lines from `number` on, without their newlines, and all of them as they stand; where `too_long`, one
    line's beginning. Cut at newlines only: U+2028, form feeds and others may stand inside a text."""

    number: int
    lines: list[bytes]
    content: memoryview
    too_long: bool = False

    @property
    def last(self) -> int:
        return self.number + len(self.lines) - 1

    def after(self, count: int) -> Block:
        """Without the first lines."""
        skipped = sum(len(line) + 1 for line in self.lines[:count])
        return Block(self.number + count, self.lines[count:], self.content[skipped:])


def lines(chunks: Iterable[bytes]) -> Iterator[Line]:
    for block in blocks(chunks):
        for number, content in enumerate(block.lines, block.number):
            yield Line(number, content, block.too_long)


def blocks(chunks: Iterable[bytes]) -> Iterator[Block]:
    """The first one begins with the file's first byte, a byte order mark included."""
    number, held, skipping = 1, b"", False
    for gathered in gather(chunks):
        if skipping:
            _rest, newline, gathered = gathered.partition(b"\n")
            if not newline:
                continue
            number, skipping = number + 1, False
        content = held + gathered
        *lines, held = content.split(b"\n")
        if lines:
            yield from bounded(number, lines, memoryview(content)[: len(content) - len(held)])
            number += len(lines)
        if len(held) > LINE_LIMIT:
            yield long_line(number, held)
            held, skipping = b"", True
    if held:
        yield Block(number, [held], memoryview(held))


def gather(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of BLOCK bytes or a little more; only the last one may have fewer."""
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


def bounded(number: int, lines: list[bytes], content: memoryview) -> Iterator[Block]:
    """One block, or a block for each line where one of them may be longer than the limit."""
    if len(content) <= LINE_LIMIT:
        yield Block(number, lines, content)
        return
    for place, line in enumerate(lines, number):
        if len(line) > LINE_LIMIT:
            yield long_line(place, line)
        else:
            yield Block(place, [line], memoryview(line))


def long_line(number: int, line: bytes) -> Block:
    beginning = line[:BLOCK]
    return Block(number, [beginning], memoryview(beginning), too_long=True)
