"""Recognize the commonest shape of an example: user and model take turns, with one text part each (pure).

Most lines of a file meet nothing but extract_plain_texts, so it is written for speed, without objects of our
own and with as few calls as possible. Other lines are parsed strictly, in json_line.py and example.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

NOT_PLAIN = (ValueError, KeyError, TypeError, AttributeError)
"""What orjson.loads and extract_plain_texts raise for an example of any other shape."""
SPACE, QUOTE, COLON, BACKSLASH = b' ":\\'
FIRST, LATER, SYSTEM = b"FLS"
"""Kinds of rows: a line's first question with its answer, a later one, or a system instruction with ""."""


def extract_plain_texts(value: Any) -> tuple[list[str], int]:
    """Return the texts in pairs, a system instruction first and paired with "", and the number of keys read:
    if the line has more keys, it is not plain. Raises one of NOT_PLAIN; a missing key or a text that is not a
    string raises on its own.
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
    """Count the keys in lines of JSON, including repeated ones, of which orjson silently keeps the last; None
    where that can't be told quickly.

    A key ends in a quote that no backslash escapes, with a colon behind it. All such colons are counted, so
    no key is missed; a text that starts with a colon is counted by mistake, which only costs time.
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
