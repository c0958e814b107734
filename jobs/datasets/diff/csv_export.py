"""List every example that changed between two files, in bounded memory (pure).

The old answers of edited examples are stored in a temporary file until the other file is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import numpy as np

from jobs.datasets.check.fast_path.columns import Ints
from jobs.datasets.check.report import Message
from jobs.datasets.diff.diff import Source
from jobs.datasets.diff.fingerprints import fingerprint_file
from jobs.datasets.diff.matching import Matches, match_examples
from jobs.datasets.diff.texts import ExampleTexts, iter_texts

HEAD = (
    "change",
    "line_before",
    "line_after",
    "system_instruction",
    "prompt",
    "answer_before",
    "answer_after",
)
Row = tuple[str, int, int, str, str, str, str]
"""Cells as in HEAD; 0 and "" for lines and answers that don't exist."""


def match_files(before: Source, after: Source) -> Matches:
    return match_examples(fingerprint_file(before()).columns, fingerprint_file(after()).columns)


def changed_rows(found: Matches, before: Source, after: Source, folder: Path | None = None) -> Iterator[Row]:
    """Yield removed examples by their old line, then added and edited ones by their new line. `folder` is for
    the temporary file."""
    with TemporaryFile(dir=folder) as answers:
        lengths = np.zeros(len(found.edited), np.int64)
        yield from iter_removed_rows(found, before, answers, lengths)
        yield from iter_newer_rows(found, after, answers, lengths)


def order_by_before(found: Matches) -> Ints:
    return np.argsort(found.edited[:, 0])


def iter_removed_rows(found: Matches, before: Source, answers: IO[bytes], lengths: Ints) -> Iterator[Row]:
    """Also write the old answers of edited examples, in the order of this file, and fill in their
    `lengths`."""
    wanted = np.sort(np.concatenate([found.removed, found.edited[:, 0]]))
    places = iter(order_by_before(found))
    for line, texts in iter_texts(before(), map(int, wanted)):
        if contains_line(found.removed, line):
            yield "removed", line, 0, texts.system, format_prompt(texts), texts.answer, ""
        else:
            lengths[next(places)] = answers.write(texts.answer.encode("utf-8", "replace"))


def iter_newer_rows(found: Matches, after: Source, answers: IO[bytes], lengths: Ints) -> Iterator[Row]:
    order = order_by_before(found)
    starts = np.zeros(len(order), np.int64)
    starts[order] = np.cumsum(lengths[order]) - lengths[order]
    wanted = np.sort(np.concatenate([found.added, found.edited[:, 1]]))
    edits = iter(zip(found.edited[:, 0], starts, lengths, strict=True))
    for line, texts in iter_texts(after(), map(int, wanted)):
        if contains_line(found.added, line):
            yield "added", 0, line, texts.system, format_prompt(texts), "", texts.answer
        else:
            first, start, length = map(int, next(edits))
            answers.seek(start)
            old = answers.read(length).decode()
            yield "edited", first, line, texts.system, format_prompt(texts), old, texts.answer


def contains_line(ascending: Ints, line: int) -> bool:
    place = int(np.searchsorted(ascending, line))
    return place < len(ascending) and int(ascending[place]) == line


def format_prompt(texts: ExampleTexts) -> str:
    """A single question as it is, or several turns with their roles."""
    if len(texts.prompt) == 1:
        return texts.prompt[0].text
    return "\n".join(map(format_message, texts.prompt))


def format_message(message: Message) -> str:
    return f"{message.role}: {message.text}"
