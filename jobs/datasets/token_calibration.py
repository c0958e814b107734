"""Calibrate a dataset's estimated tokens by the service's own count in a few examples, per base model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.db import transaction

from jobs.datasets.check.tokens import compute_token_ratio, sample_for_counting
from jobs.datasets.models import Dataset
from studio.vertex.client import Vertex
from studio.vertex.errors import VertexError

MAX_TOKENS = 1_000_000
"""An example whose tokens are counted has about 8,000: more is a mistake of the service."""


def calibrate_dataset(dataset: Dataset, base_model: str, location: str) -> float | None:
    """Return the ratio for `base_model`, from the service if it isn't known yet. None if the file or the
    service doesn't respond: the estimate stays, and a later call tries again."""
    known = dataset.get_token_ratio(base_model)
    if known:
        return known
    vertex = dataset.project.vertex()
    try:
        model = vertex.publisher_model(location, base_model)
        ratio = compute_token_ratio(list(count_sample_tokens(vertex, model, dataset.iter_chunks())))
    except VertexError:
        return None
    if ratio:
        save_ratio(dataset, base_model, ratio)
    return ratio


def count_sample_tokens(vertex: Vertex, model: str, chunks: Iterable[bytes]) -> Iterator[tuple[int, int]]:
    """Yield (estimate, the service's count) of each sampled example that the service counted."""
    for example in sample_for_counting(chunks):
        answer = vertex.count_tokens(model, example.body)
        tokens = answer.get("totalTokens")
        if isinstance(tokens, int) and 0 < tokens <= MAX_TOKENS:
            yield example.estimate, tokens


@transaction.atomic
def save_ratio(dataset: Dataset, base_model: str, ratio: float) -> None:
    """Add the ratio without losing those of other models that were saved meanwhile."""
    row = Dataset.objects.select_for_update().get(pk=dataset.pk)
    row.calibration[base_model] = dataset.calibration[base_model] = round(ratio, 4)
    row.save(update_fields=["calibration"])
