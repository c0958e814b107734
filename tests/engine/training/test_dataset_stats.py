"""The summary of a job's data, as Vertex gives it."""

import json
from pathlib import Path

from engine.training.chat_template import ChatTemplate
from engine.training.dataset import read_dataset
from engine.training.dataset_stats import summarize_counts, supervised_tuning_data_stats
from tests.engine.tiny_base import example


def test_sums_cover_only_the_usable_lines(chat: ChatTemplate, tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    lines = [json.dumps(example("hi", "yes", system="Say.")), "{", json.dumps(example("x" * 500, "no"))]
    path.write_text("\n".join(lines))
    stats = supervised_tuning_data_stats(read_dataset(path, chat, 1_000), steps=7)
    assert stats["tuningDatasetExampleCount"] == "3"
    assert stats["tuningStepCount"] == "7"
    assert stats["totalTuningCharacterCount"] == str(len("Say.hiyes") + 500 + len("no"))
    assert stats["totalTruncatedExampleCount"] == "1"
    assert stats["truncatedExampleIndices"] == ["2"]
    assert "not valid JSON" in stats["droppedExampleReasons"][0]
    # One token per byte and per special token: the answers are yes and no, each with its end.
    assert stats["userOutputTokenDistribution"]["sum"] == "7"
    assert stats["userInputTokenDistribution"]["max"] == 500 + 3
    assert stats["totalBillableTokenCount"] == str((4 + 2 + 5) + (500 + 3) + 7)
    assert stats["userMessagePerExampleDistribution"]["mean"] == 2.0
    assert [turn["role"] for turn in stats["userDatasetExamples"]] == ["user", "model", "user", "model"]
    assert stats["userDatasetExamples"][2]["parts"][0]["text"] == "x" * 400 + "..."


def test_dropped_fields_are_absent_where_nothing_was_dropped(chat: ChatTemplate, tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text(json.dumps(example("hi", "yes")))
    stats = supervised_tuning_data_stats(read_dataset(path, chat, 1_000), steps=1)
    assert not {"totalTruncatedExampleCount", "truncatedExampleIndices", "droppedExampleReasons"} & set(stats)


def test_buckets_are_inclusive_and_empty_ones_are_omitted() -> None:
    told = summarize_counts([1, 2, 2, 30])
    assert (told["sum"], told["min"], told["max"], told["median"]) == ("35", 1.0, 30.0, 2.0)
    assert told["buckets"] == [
        {"count": 3.0, "left": 1.0, "right": 5.0},
        {"count": 1.0, "left": 26.0, "right": 30.0},
    ]


def test_equal_numbers_share_one_bucket() -> None:
    assert summarize_counts([4, 4])["buckets"] == [{"count": 2.0, "left": 4.0, "right": 4.0}]
