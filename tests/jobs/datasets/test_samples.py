"""The sample datasets of our own making: as their script writes them, without a fault, honestly parted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jobs.datasets.check import check
from jobs.datasets.samples import make

FILES = dict(make.files())


@pytest.mark.parametrize("path", FILES)
def test_a_file_is_what_the_script_writes_and_has_no_fault(path: str) -> None:
    committed = (make.HERE / path).read_bytes()
    assert committed.decode() == FILES[path]
    report = check(committed.splitlines(keepends=True))
    assert (report.problems, report.examples) == ([], make.SIZES[Path(path).stem])


@pytest.mark.parametrize("task", make.TASKS)
def test_what_is_to_be_taken_over_in_the_test_part_is_in_no_other(task: str) -> None:
    kept = make.Words.of("test")
    ours = {*kept.names, *kept.machines} if task != "orders_ja" else {*kept.family_names, *kept.goods}
    texts = {part: FILES[f"{task}/{part}.jsonl"] for part in make.SIZES}
    assert sum(word in texts["test"] for word in ours) > 10
    for part in ("train", "validation"):
        assert [word for word in ours if word in texts[part]] == []


def test_no_message_stands_twice() -> None:
    for task in make.TASKS:
        asked = [
            json.loads(line)["contents"][0]["parts"][0]["text"]
            for part in make.SIZES
            for line in FILES[f"{task}/{part}.jsonl"].splitlines()
        ]
        assert len(asked) == len(set(asked))
