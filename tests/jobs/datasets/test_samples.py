"""The sample datasets of our own making: as their script writes them, without a fault, honestly parted."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from jobs.datasets.check.checker import check
from jobs.datasets.samples import make

FILES = dict(make.files())


@pytest.mark.parametrize("path", FILES)
def test_a_file_is_what_the_script_writes_and_has_no_fault(path: str) -> None:
    committed = (make.HERE / path).read_bytes()
    assert committed.decode() == FILES[path]
    report = check(committed.splitlines(keepends=True))
    assert (report.problems, report.examples) == ([], make.SIZES[Path(path).stem])


@pytest.mark.parametrize("task", make.TASKS)
@pytest.mark.parametrize("part", make.SIZES)
def test_what_is_to_be_taken_over_in_a_part_is_in_no_other(task: str, part: str) -> None:
    own = make.Words.of(part)
    names = own.family_names if task == "orders_ja" else own.names
    answers = {other: answers_of(task, other) for other in make.SIZES}
    assert sum(name in answers[part] for name in names) > 8
    others = "".join(answers[other] for other in make.SIZES if other != part)
    assert [name for name in names if re.search(rf"(?<!\w){name}(?=様|\W)", others)] == []


def answers_of(task: str, part: str) -> str:
    lines = FILES[f"{task}/{part}.jsonl"].splitlines()
    return "\n".join(json.loads(line)["contents"][1]["parts"][0]["text"] for line in lines)


def test_parts_draw_from_words_of_their_own() -> None:
    drawn = [make.Words.of(part) for part in make.SIZES]
    for lists in zip(*((w.names, w.machines, w.family_names, w.goods) for w in drawn), strict=True):
        assert len({word for words in lists for word in words}) == sum(map(len, lists))


def test_no_message_stands_twice() -> None:
    for task in make.TASKS:
        asked = [
            json.loads(line)["contents"][0]["parts"][0]["text"]
            for part in make.SIZES
            for line in FILES[f"{task}/{part}.jsonl"].splitlines()
        ]
        assert len(asked) == len(set(asked))
