"""A tuning file without its faults: only usable lines, each once, converted where that helps (pure)."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator

from orjson import dumps, loads

from jobs.datasets.check import other_formats as conversion
from jobs.datasets.check.checker import detect_non_text
from jobs.datasets.check.example import FORMATS, Conversation, check_conversation, detect_format
from jobs.datasets.check.fast_path.columns import hash_example
from jobs.datasets.check.fast_path.plain_example import NOT_PLAIN, count_raw_keys, extract_plain_texts
from jobs.datasets.check.json_line import UnreadableLine, parse_line
from jobs.datasets.check.lines import BOM, lines

FEWEST_SLOTS = 2**10


class HashSet:
    """A set of 64-bit numbers in an array of its own, at a fifth of a set's memory. 0 marks a free slot."""

    def __init__(self) -> None:
        self.slots = array("q", bytes(8 * FEWEST_SLOTS))
        self.count = 0

    def add(self, number: int) -> bool:
        """Whether it is new."""
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
        held, self.slots = self.slots, array("q", bytes(16 * len(self.slots)))
        for number in held:
            if number:
                self.slots[self._find_slot(number)] = number


def clean_file(chunks: Iterable[bytes], *, convert: bool = True) -> Iterator[bytes]:
    """The lines that can be learned from, as they were written, each with its newline; what stands twice
    stands once. Where `convert`, examples in other formats come in Gemini's."""
    seen = HashSet()
    for line in lines(chunks):
        if line.number == 1 and detect_non_text(line.content):
            return
        content = line.content.removeprefix(BOM) if line.number == 1 else line.content
        usable = None if line.too_long else clean_line(content.strip(b" \t\r"), convert)
        if usable and seen.add(hash(usable[1])):
            yield usable[0] + b"\n"


def clean_line(line: bytes, convert: bool) -> tuple[bytes, tuple[int, int]] | None:
    """The line to keep, and its digests."""
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
        value = conversion.convert_example(value)
        line = dumps(value)
    if any(finding.severity == "error" for finding in check_conversation(Conversation.from_value(value))):
        return None
    return line, hash_example(value)
