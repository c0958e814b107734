"""The plain examples of a block, counted; where a file is great, by two processes in turn."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing.connection import Connection, Pipe

from orjson import loads

from jobs.datasets.lines import Block
from jobs.datasets.plain import UNUSUAL, most_keys, plain

ALONE = 256
"""Blocks (32 MB) before a second process is worth its start."""
BATCH, OWN = 16, 10
"""Blocks handed over at once, and those counted here meanwhile, where lines are cut as well."""

Numbered = list[tuple[int, bytes]]


@dataclass(slots=True)
class Counted:
    """A value for each plain example, and the lines that are not plain. Sizes are in bytes of UTF-8; prompts
    and answers are hashes, which mean something in this process and its forks only."""

    lines: Sequence[int] = ()
    sizes: list[int] = field(default_factory=list)
    turns: list[int] = field(default_factory=list)
    prompts: list[int] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    others: Numbered = field(default_factory=list)


def count(block: Block) -> Iterator[Counted]:
    """Of all lines at once; a line at a time where keys may be repeated or unknown in one of them."""
    found = Counted()
    others, keys = found.others, 0
    sizes, turns, answers, prompts = found.sizes, found.turns, found.answers, found.prompts
    for number, content in enumerate(block.lines, block.number):
        try:
            texts, own = plain(loads(content))
        except UNUSUAL:
            others.append((number, content))
            continue
        keys += own
        size = 0
        for text in texts:
            size += len(text) if text.isascii() else len(text.encode())
        sizes.append(size)
        turns.append(len(texts) & ~1)  # without the system instruction
        answers.append(hash(texts.pop()))
        prompts.append(hash(tuple(texts)))
    if keys_unique(block, keys, others):
        left = {number for number, _content in others}
        places = range(block.number, block.number + len(block.lines))
        found.lines = [number for number in places if number not in left] if left else places
        yield found
    elif len(block.lines) == 1:
        yield Counted(others=[(block.number, block.lines[0])])
    else:
        for number, line in enumerate(block.lines, block.number):
            yield from count(Block(number, [line], memoryview(line)))


def keys_unique(block: Block, keys: int, others: Numbered) -> bool:
    """Whether the lines that were taken, with so many keys, have no key twice and none that was not read."""
    total = most_keys(block.content)
    counts = [most_keys(other) for _number, other in others]
    return total is not None and None not in counts and total - sum(filter(None, counts)) == keys


def count_all(blocks: Iterable[Block]) -> Iterator[tuple[Block, list[Counted]]]:
    """In their order. Long lines are not counted."""
    waiting = iter(blocks)
    for block in islice(waiting, ALONE):
        yield block, counted(block)
    if not several_processors():
        yield from ((block, counted(block)) for block in waiting)
        return
    if batch := list(islice(waiting, BATCH)):
        yield from with_a_twin(batch, waiting)


def with_a_twin(batch: list[Block], waiting: Iterator[Block]) -> Iterator[tuple[Block, list[Counted]]]:
    twin = Twin()
    try:
        while batch:
            twin.send(batch)
            own = [(block, counted(block)) for block in islice(waiting, OWN)]
            yield from zip(batch, twin.receive(), strict=True)
            yield from own
            batch = list(islice(waiting, BATCH))
    finally:
        twin.close()


def counted(block: Block) -> list[Counted]:
    return [] if block.too_long else list(count(block))


def several_processors() -> bool:
    return sys.platform == "linux" and len(os.sched_getaffinity(0)) > 1


class Twin:
    """A fork of this process, which shares the secret of its hashes. It computes and touches nothing else."""

    def __init__(self) -> None:
        self.ours, theirs = Pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                serve(theirs)
            finally:
                os._exit(0)
        theirs.close()

    def send(self, batch: list[Block]) -> None:
        self.ours.send([(block.number, bytes(block.content), block.too_long) for block in batch])

    def receive(self) -> list[list[Counted]]:
        found: list[list[Counted]] = self.ours.recv()
        return found

    def close(self) -> None:
        """Says so: a pipe's end may have been inherited by another fork, and then closing it says nothing."""
        with suppress(OSError):
            self.ours.send(None)
        self.ours.close()
        os.waitpid(self.pid, 0)


def serve(pipe: Connection) -> None:
    while (batch := pipe.recv()) is not None:
        pipe.send([counted(block_of(*each)) for each in batch])


def block_of(number: int, content: bytes, too_long: bool) -> Block:
    lines = content.removesuffix(b"\n").split(b"\n")
    return Block(number, lines, memoryview(content), too_long)
