"""Clean a tuning file: only usable lines, each once, converted to Gemini's format (pure)."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator

from orjson import dumps, loads

from jobs.datasets.check.checker import detect_non_text
from jobs.datasets.check.example import Conversation, check_conversation
from jobs.datasets.check.fast_path.columns import hash_example
from jobs.datasets.check.fast_path.plain_example import NOT_PLAIN, count_raw_keys, extract_plain_texts
from jobs.datasets.check.formats import FORMATS, detect_format
from jobs.datasets.check.json_line import UnreadableLine, parse_line
from jobs.datasets.check.lines import BOM, lines
from jobs.datasets.check.other_formats import convert_example

FEWEST_SLOTS = 2**10
"""Slots of an empty set: a power of two, as the search for a slot needs it, and 8 kB."""


class HashSet:
    """A set of 64-bit numbers in an array, with a fifth of a set's memory. 0 marks a free slot."""

    def __init__(self) -> None:
        self.slots = array("q", bytes(8 * FEWEST_SLOTS))
        self.count = 0

    def add(self, number: int) -> bool:
        """Add a number. Return whether it is new."""
        number = number or 1
        if self.count * 3 > len(self.slots) * 2:
            self._grow()
        place = self._find_slot(number)
        if self.slots[place] == number:
            return False
        self.slots[place] = number
        self.count += 1
        return True

    def _find_slot(self, number: int) -> int:
        last = len(self.slots) - 1
        place = number & last
        while self.slots[place] not in (0, number):
            place = (place + 1) & last
        return place

    def _grow(self) -> None:
        numbers, self.slots = self.slots, array("q", bytes(16 * len(self.slots)))
        for number in numbers:
            if number:
                self.slots[self._find_slot(number)] = number


def clean_file(chunks: Iterable[bytes], *, convert: bool = True) -> Iterator[bytes]:
    """Yield the usable lines as they are written, each with a newline and without duplicates. With `convert`,
    examples in other formats are converted to Gemini's."""
    seen = HashSet()
    for line in lines(chunks):
        if line.number == 1 and detect_non_text(line.content):
            return
        content = line.content.removeprefix(BOM) if line.number == 1 else line.content
        usable = None if line.too_long else clean_line(content.strip(b" \t\r"), convert)
        if usable and seen.add(hash(usable[1])):
            yield usable[0] + b"\n"


def clean_line(line: bytes, convert: bool) -> tuple[bytes, tuple[int, int]] | None:
    """Return the line and the hashes of its prompt and answer; None if it isn't usable."""
    try:
        value = loads(line)
        _texts, keys = extract_plain_texts(value)
        if count_raw_keys(line) == keys:
            return line, hash_example(value)
    except NOT_PLAIN:
        pass
    return clean_line_slowly(line, convert)


def clean_line_slowly(line: bytes, convert: bool) -> tuple[bytes, tuple[int, int]] | None:
    try:
        value = parse_line(line)
    except UnreadableLine:
        return None
    if convert and isinstance(value, dict) and detect_format(value) in FORMATS:
        value = convert_example(value)
        line = dumps(value)
    if any(finding.severity == "error" for finding in check_conversation(Conversation.from_value(value))):
        return None
    return line, hash_example(value)
