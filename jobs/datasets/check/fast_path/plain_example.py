"""The commonest shape of an example, known quickly: texts of user and model in turn, one part each (pure).

`plain` is all that most lines of a file meet, so it is written for speed: no objects of our own, no calls
that can be spared. What it does not know goes the careful way, through parse.py and conversation.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

NOT_PLAIN = (ValueError, KeyError, TypeError, AttributeError)
"""What `orjson.loads` and `plain` raise for whatever is not in the commonest shape."""
SPACE, QUOTE, COLON, BACKSLASH = b' ":\\'
FIRST, LATER, SYSTEM = b"FLS"
"""Kinds of rows: a line's first question with its answer, a later one, and a system instruction with ""."""


def extract_plain_texts(value: Any) -> tuple[list[str], int]:
    """The texts in pairs, the system instruction first with "" where there is one, and how many keys were
    read: where the line has more, it is not plain. Raises one of UNUSUAL: a missing key, or a text that is no
    text, says so by itself.
    """
    contents = value["contents"]
    texts: list[str] = []
    keys = 1
    if len(value) != 1:
        instruction = value["systemInstruction"]
        (part,) = instruction["parts"]
        text = part["text"]
        if not text or text.isspace():
            raise ValueError
        texts = [text, ""]
        keys = 5 if "role" in instruction else 4
    turns = iter(contents)
    for asking, answering in zip(turns, turns, strict=False):
        (part,) = asking["parts"]
        (reply,) = answering["parts"]
        asked, answer = part["text"], reply["text"]
        if (
            asking["role"] != "user"
            or answering["role"] != "model"
            or not asked
            or not answer
            or asked.isspace()
            or answer.isspace()
        ):
            raise ValueError
        texts.append(asked)
        texts.append(answer)
    if not contents or len(contents) & 1:
        raise ValueError
    return texts, keys + 3 * len(contents)


def count_raw_keys(content: bytes | memoryview) -> int | None:
    """How many keys lines of JSON have, those that are repeated in an object included, of which orjson
    silently keeps the last; None where that cannot be told quickly.

    Each key is followed by a colon, and ends in a quote that no backslash escapes. Colons that follow such
    a quote are counted, so that none is missed; only a text that begins with a colon is counted with them.
    """
    seen = np.frombuffer(content, np.uint8)
    ends = np.flatnonzero(seen == COLON) - 1
    spaced = seen[ends] <= SPACE
    if spaced.any():
        ends -= spaced
        if (seen[ends[spaced]] <= SPACE).any():
            return None
    ends = ends[seen[ends] == QUOTE]
    escaped = seen[ends - 1] == BACKSLASH
    if (seen[ends[escaped] - 2] == BACKSLASH).any():
        return None
    return int(np.count_nonzero(~escaped))


def count_keys(value: Any) -> int:
    if isinstance(value, dict):
        return len(value) + sum(map(count_keys, value.values()))
    return sum(map(count_keys, value)) if isinstance(value, list) else 0
