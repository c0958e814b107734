"""A tuning file without its faults: only usable lines, each once, converted where that helps (pure)."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator

from orjson import dumps, loads

from jobs.datasets.check import other_formats as conversion
from jobs.datasets.check.checker import not_text
from jobs.datasets.check.example import FORMATS, Conversation, other_format, problems_of
from jobs.datasets.check.fast_path.columns import digests
from jobs.datasets.check.fast_path.plain_example import UNUSUAL, most_keys, plain
from jobs.datasets.check.json_line import Unreadable, parse
from jobs.datasets.check.lines import BOM, lines

FEWEST_SLOTS = 2**10


class Hashes:
    """A set of 64-bit numbers in an array of its own, at a fifth of a set's memory. 0 marks a free slot."""

    def __init__(self) -> None:
        self.slots = array("q", bytes(8 * FEWEST_SLOTS))
        self.count = 0

    def add(self, number: int) -> bool:
        """Whether it is new."""
        number = number or 1
        if self.count * 3 > len(self.slots) * 2:
            self._grow()
        place = self._place(number)
        if self.slots[place] == number:
            return False
        self.slots[place] = number
        self.count += 1
        return True

    def _place(self, number: int) -> int:
        last = len(self.slots) - 1
        place = number & last
        while self.slots[place] not in (0, number):
            place = (place + 1) & last
        return place

    def _grow(self) -> None:
        held, self.slots = self.slots, array("q", bytes(16 * len(self.slots)))
        for number in held:
            if number:
                self.slots[self._place(number)] = number


def cleaned(chunks: Iterable[bytes], *, convert: bool = True) -> Iterator[bytes]:
    """The lines that can be learned from, as they were written, each with its newline; what stands twice
    stands once. Where `convert`, examples in other formats come in Gemini's."""
    seen = Hashes()
    for line in lines(chunks):
        if line.number == 1 and not_text(line.content):
            return
        content = line.content.removeprefix(BOM) if line.number == 1 else line.content
        usable = None if line.too_long else usable_line(content.strip(b" \t\r"), convert)
        if usable and seen.add(hash(usable[1])):
            yield usable[0] + b"\n"


def usable_line(line: bytes, convert: bool) -> tuple[bytes, tuple[int, int]] | None:
    """The line to keep, and its digests."""
    try:
        value = loads(line)
        _texts, keys = plain(value)
        if most_keys(line) == keys:
            return line, digests(value)
    except UNUSUAL:
        pass
    return carefully_usable(line, convert)


def carefully_usable(line: bytes, convert: bool) -> tuple[bytes, tuple[int, int]] | None:
    try:
        value = parse(line)
    except Unreadable:
        return None
    if convert and isinstance(value, dict) and other_format(value) in FORMATS:
        value = conversion.convert(value)
        line = dumps(value)
    if any(finding.severity == "error" for finding in problems_of(Conversation.of(value))):
        return None
    return line, digests(value)
