"""The sample datasets of our own making: as their script writes them, without a fault, honestly parted."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from jobs.datasets.check.checker import check_file
from jobs.datasets.samples import make

FILES = dict(make.generate_files())


@pytest.mark.parametrize("path", FILES)
def test_sample_file_equals_generated_content_and_has_no_errors(path: str) -> None:
    committed = (make.HERE / path).read_bytes()
    assert committed.decode() == FILES[path]
    report = check_file(committed.splitlines(keepends=True))
    assert (report.problems, report.examples) == ([], make.SIZES[Path(path).stem])


@pytest.mark.parametrize("task", make.TASKS)
@pytest.mark.parametrize("part", make.SIZES)
def test_facts_of_one_part_are_in_no_other_part(task: str, part: str) -> None:
    own = make.Vocabulary.for_part(part)
    names = own.family_names if task == "orders_ja" else own.names
    answers = {other: read_answers(task, other) for other in make.SIZES}
    assert sum(name in answers[part] for name in names) > 8
    others = "".join(answers[other] for other in make.SIZES if other != part)
    assert [name for name in names if re.search(rf"(?<!\w){name}(?=様|\W)", others)] == []


def read_answers(task: str, part: str) -> str:
    lines = FILES[f"{task}/{part}.jsonl"].splitlines()
    return "\n".join(json.loads(line)["contents"][1]["parts"][0]["text"] for line in lines)


def test_parts_have_disjoint_vocabularies() -> None:
    drawn = [make.Vocabulary.for_part(part) for part in make.SIZES]
    for lists in zip(*((w.names, w.machines, w.family_names, w.goods) for w in drawn), strict=True):
        assert len({word for words in lists for word in words}) == sum(map(len, lists))


def test_no_message_is_repeated() -> None:
    for task in make.TASKS:
        asked = [
            json.loads(line)["contents"][0]["parts"][0]["text"]
            for part in make.SIZES
            for line in FILES[f"{task}/{part}.jsonl"].splitlines()
        ]
        assert len(asked) == len(set(asked))
