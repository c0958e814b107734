"""What Vertex reports about a job's training data: `tuningDataStats.supervisedTuningDataStats`.

https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.tuningJobs#SupervisedTuningDataStats
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from engine.training.dataset import Dataset, Example

SHOWN_EXAMPLES, SHOWN_CHARACTERS, SHOWN_DROPPED, BUCKETS = 3, 400, 20, 6
"""Bounds of what each read of the job returns. Vertex AI's sample answers have five or six buckets."""
ROLES = {"user": "user", "assistant": "model"}


def supervised_tuning_data_stats(dataset: Dataset, steps: int) -> dict[str, Any]:
    """As on the wire: camelCase, int64 as strings, zero and empty lists left out. Dropped lines count as
    examples, but not in the sums."""
    inputs, outputs = zip(*map(_count_tokens, dataset.examples), strict=True)
    turns = [len(list(_shorten_turns(example))) for example in dataset.examples]
    shown = dataset.dropped[:SHOWN_DROPPED]
    stats = {
        "tuningDatasetExampleCount": str(len(dataset.examples) + len(dataset.dropped)),
        "tuningStepCount": str(steps),
        "totalBillableTokenCount": str(sum(inputs) + sum(outputs)),
        "totalTuningCharacterCount": str(_count_characters(dataset)),
        "totalTruncatedExampleCount": str(len(dataset.dropped)),
        "truncatedExampleIndices": [str(line.index) for line in shown],
        "droppedExampleReasons": [line.reason for line in shown],
        "userInputTokenDistribution": summarize_counts(inputs),
        "userOutputTokenDistribution": summarize_counts(outputs),
        "userMessagePerExampleDistribution": summarize_counts(turns),
        "userDatasetExamples": [
            turn for example in dataset.examples[:SHOWN_EXAMPLES] for turn in _shorten_turns(example)
        ],
    }
    return {key: value for key, value in stats.items() if value not in ("0", [])}


def _count_tokens(example: Example) -> tuple[int, int]:
    """The number of input tokens of an example, and of target tokens."""
    learned = sum(sum(sequence.target) for sequence in example.sequences)
    return len(example.sequences[-1]) - learned, learned


def _count_characters(dataset: Dataset) -> int:
    return sum(len(message["content"]) for example in dataset.examples for message in example.messages)


def _shorten_turns(example: Example) -> Iterator[dict[str, Any]]:
    for message in example.messages:
        if message["role"] in ROLES:
            text = message["content"]
            short = text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "..."
            yield {"role": ROLES[message["role"]], "parts": [{"text": short}]}


def summarize_counts(counts: tuple[int, ...] | list[int]) -> dict[str, Any]:
    """Vertex's summary of whole numbers; buckets are inclusive ranges of equal width, empty ones left out."""
    low, high = min(counts), max(counts)
    width = -(-(high - low + 1) // BUCKETS)
    filled, sizes = np.unique((np.array(counts) - low) // width, return_counts=True)
    p5, median, p95 = np.percentile(counts, [5, 50, 95])
    return {
        "sum": str(sum(counts)),
        "billableSum": str(sum(counts)),
        "min": float(low),
        "max": float(high),
        "mean": sum(counts) / len(counts),
        "median": float(median),
        "p5": float(p5),
        "p95": float(p95),
        "buckets": [
            {
                "count": float(size),
                "left": float(low + number * width),
                "right": float(low + (number + 1) * width - 1),
            }
            for number, size in zip(filled, sizes, strict=True)
        ],
    }
