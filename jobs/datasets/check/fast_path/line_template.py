"""Learn how a file formats its examples, and parse lines of that format many at a time (pure).

A program that writes a tuning file puts the same keys, in the same order and with the same spaces, around
every text. Once these bytes are known from one line, a block of lines is cut at them and parsed as one flat
list of texts. None of these lines can have an unknown key: every byte is known, or is inside a text.
"""

from __future__ import annotations

import json
import re
from operator import itemgetter
from typing import Any

from orjson import loads

from jobs.datasets.check.fast_path.columns import Rows
from jobs.datasets.check.fast_path.plain_example import (
    FIRST,
    LATER,
    NOT_PLAIN,
    SYSTEM,
    count_keys,
    extract_plain_texts,
)

MARK = b"@"
SEPARATORS = ((", ", ": "), (",", ":"))
CLOSING = b'"}]'
"""Where a text ends. Each gap begins with it and contains no other."""
ANSWER, INSTRUCTED = b"AI"
"""Further kinds of texts: an answer, and the question after a system instruction."""
INSTRUCTION, NO_ANSWER = bytes([SYSTEM, INSTRUCTED]), bytes([SYSTEM, ANSWER, LATER])
EXAMPLES = re.compile(rb"(?:(?:%c|%b)A(?:%cA)*)+" % (FIRST, INSTRUCTION, LATER))
BETWEEN = b'",\n"'
TEXT, GAP = itemgetter(0), itemgetter(2)


class LineTemplate:
    """`gaps` are the bytes before, between and after the texts of two questions with their answers, by the
    kind of the line's first row; each ends in `opening`, except the last, which is `end`. Without `opening`,
    `beginnings` tells the kind of a line, and `texts` the kind of the text that follows a gap."""

    def __init__(self) -> None:
        self.gaps: dict[int, list[bytes]] = {}
        self.opening = self.end = b""
        self.beginnings: dict[bytes, int] = {}
        self.texts: dict[bytes, int] = {}

    def learn(self, content: bytes, value: Any) -> None:
        """Learn from a line and its value, if it is plain. A different format replaces the one known so
        far."""
        gaps = find_gaps(content, value)
        if not gaps:
            return
        common = gaps[-4:]
        self.gaps = {kind: known for kind, known in self.gaps.items() if known[-4:] == common}
        self.gaps[SYSTEM if len(value) > 1 else FIRST] = gaps
        self.opening = opening = common[0][common[0].rindex(b'"parts"') :]
        self.end = common[-1]
        self.beginnings = {known[0].removesuffix(opening): kind for kind, known in self.gaps.items()}
        self.texts = {common[0]: ANSWER, common[1]: LATER}
        for kind, known in self.gaps.items():
            self.texts[common[-1] + b"\n" + known[0]] = kind
        if SYSTEM in self.gaps:
            self.texts[self.gaps[SYSTEM][1]] = INSTRUCTED
        self.texts = {gap[len(CLOSING) : -len(opening)]: text for gap, text in self.texts.items()}

    def parse_rows(self, content: bytes) -> Rows:
        """Parse whole lines. Raises one of NOT_PLAIN if they are not all plain and in this format.

        The texts are joined by quote, comma, newline, quote and parsed as one list. No JSON string contains a
        newline, so if the list can be parsed, the first quote ends a string and the second one starts the
        next. A text with a bare quote inside makes more values than there are texts, or one that is no text.
        """
        kind, pieces = self._split_texts(content)
        parts = [piece.rpartition(CLOSING) for piece in pieces[:-1]]
        order = bytes([kind, *map(self.texts.__getitem__, map(GAP, parts))])
        if not EXAMPLES.fullmatch(order):
            raise ValueError
        texts = [*map(TEXT, parts), pieces[-1]]
        count, place = len(texts), -1
        if SYSTEM in self.gaps:
            for _ in range(order.count(INSTRUCTION)):
                place = order.index(INSTRUCTION, place + 1)
                texts[place] += BETWEEN
                count += 1
            order = order.replace(INSTRUCTION, NO_ANSWER)
        texts[0], texts[-1] = b'["' + texts[0], texts[-1] + b'"]'
        read = loads(BETWEEN.join(texts))
        asked, answered = read[::2], read[1::2]
        if len(read) != count or any(map(str.isspace, asked)) or any(map(str.isspace, answered)):
            raise ValueError
        return Rows.from_texts(order[::2], asked, answered)

    def _split_texts(self, content: bytes) -> tuple[int, list[bytes]]:
        """Return the first row's kind, and the texts, each except the last one with the gap after it."""
        pieces = content.split(self.opening)
        kind, last = self.beginnings[pieces.pop(0)], pieces[-1].removesuffix(b"\n")
        if not last.endswith(self.end):
            raise ValueError
        pieces[-1] = last[: -len(self.end)]
        return kind, pieces


def find_gaps(content: bytes, value: Any) -> list[bytes]:
    """Return the gaps; none if the line is not plain, has its keys in another order, or unusual spaces."""
    try:
        if extract_plain_texts(value)[1] != count_keys(value) or [*value][-1] != "contents":
            return []
    except NOT_PLAIN:
        return []
    marked = [{"text": MARK.decode()}]
    changed: dict[str, Any] = {"contents": 2 * [{**turn, "parts": marked} for turn in value["contents"][:2]]}
    if len(value) > 1:
        changed["systemInstruction"] = {**value["systemInstruction"], "parts": marked}
    for separators in SEPARATORS:
        gaps = json.dumps({**value, **changed}, separators=separators).encode().split(MARK)
        gaps[-1] += b"\r" * content.endswith(b"\r")
        if content.startswith(gaps[0]) and content.endswith(gaps[-1]) and len(gaps) == len(value) + 4:
            return gaps
    return []
