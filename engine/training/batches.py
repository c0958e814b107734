"""Sequences of tokens to padded batches, and what a model gets right on one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from engine.training.dataset import TokenSequence

T = TypeVar("T")
WINDOW = 50  # batches among which sequences of one length are brought together


@dataclass(frozen=True, slots=True)
class BatchSums:
    """Over target tokens: summed cross-entropy (with its gradient), right guesses, how many they are."""

    loss: Tensor
    correct: int
    count: int


@dataclass(frozen=True, slots=True)
class Batch:
    """`ids` and `real` are (sequences, tokens); `labels` is (sequences, columns), -100 where not a target.

    Column c holds the guess of token c + 1; `columns` are those in which some sequence has a target.
    """

    ids: Tensor
    real: Tensor
    columns: Tensor
    labels: Tensor

    @classmethod
    def from_sequences(cls, sequences: Sequence[TokenSequence], pad: int, device: torch.device) -> Batch:
        width = max(map(len, sequences))
        ids = torch.full((len(sequences), width), pad)
        labels = torch.full((len(sequences), width), -100)
        for row, sequence in enumerate(sequences):
            tokens, size = torch.tensor(sequence.ids), len(sequence)
            ids[row, :size] = tokens
            labels[row, : size - 1] = torch.where(torch.tensor(sequence.target[1:]), tokens[1:], -100)
        lengths = torch.tensor([[len(sequence)] for sequence in sequences])
        columns = (labels != -100).any(0).nonzero().squeeze(1)
        parts = (ids, (torch.arange(width) < lengths).long(), columns, labels[:, columns])
        return cls(*(part.to(device) for part in parts))


def measure_batch(model: Any, batch: Batch) -> BatchSums:
    """Run the model, with logits at the target columns only: a large vocabulary costs most elsewhere."""
    logits = model(
        input_ids=batch.ids, attention_mask=batch.real, logits_to_keep=batch.columns, use_cache=False
    ).logits
    chosen = batch.labels != -100
    guesses, labels = logits[chosen].float(), batch.labels[chosen]
    loss = cross_entropy(guesses, labels, reduction="sum")
    return BatchSums(loss, int((guesses.argmax(-1) == labels).sum()), labels.numel())


def shuffle_batches(sequences: Sequence[TokenSequence], size: int, seed: int) -> list[list[TokenSequence]]:
    """All sequences once, in batches, in an order of their own for each seed.

    Within each window of the shuffled sequences those of like length share a batch, to spare padding.
    """
    random = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(sequences), generator=random).tolist()
    batches: list[list[TokenSequence]] = []
    for start in range(0, len(order), size * WINDOW):
        window = sorted(order[start : start + size * WINDOW], key=lambda number: len(sequences[number]))
        batches += ([sequences[number] for number in part] for part in split_batches(window, size))
    return [batches[number] for number in torch.randperm(len(batches), generator=random).tolist()]


def sort_into_batches(sequences: Sequence[TokenSequence], size: int) -> Iterator[list[TokenSequence]]:
    """All sequences once, the longest first: where memory does not suffice, it shows at once."""
    return split_batches(sorted(sequences, key=len, reverse=True), size)


def split_batches(items: Sequence[T], size: int) -> Iterator[list[T]]:
    return (list(items[start : start + size]) for start in range(0, len(items), size))
