"""The base models that can be tuned: dated data, read once from catalog.json beside this file.

`models(backend)` lists what a project may choose from, best first; `get(id, backend)` is one of them.
On the engine a Gemini name is only a stand-in: studio-tiny is tuned and answers in its place.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

DATA = Path(__file__).with_name("catalog.json")
ADAPTER_SIZES = {
    "ADAPTER_SIZE_ONE": 1,
    "ADAPTER_SIZE_TWO": 2,
    "ADAPTER_SIZE_FOUR": 4,
    "ADAPTER_SIZE_EIGHT": 8,
    "ADAPTER_SIZE_SIXTEEN": 16,
    "ADAPTER_SIZE_THIRTY_TWO": 32,
}
"""Vertex's name of an adapter size -> its rank. The enum's numbers are neither rank nor in order."""
ADAPTER_SIZE_NAMES = {rank: name for name, rank in ADAPTER_SIZES.items()}


@dataclass(frozen=True, slots=True)
class Recommended:
    """What a base that decides by a documented rule makes of epochs that were left to it."""

    steps: int
    batch_size: int
    max_epochs: int

    def recommend_epochs(self, examples: int) -> int:
        """As many as bring the run near the recommended number of steps."""
        return min(max(round(self.steps / self.steps_per_epoch(examples)), 1), self.max_epochs)

    def steps_per_epoch(self, examples: int) -> int:
        return max(1, -(-examples // self.batch_size))


@dataclass(frozen=True, slots=True)
class BaseModel:
    """A model to tune, with the limits its makers document; None where they document none.

    `stage` is "GA", "preview" or "retired"; `adapter_sizes` are ranks; `serving_locations` are where the
    tuned model answers, when that is not the region it was tuned in; `price` is US dollars per million
    training tokens, set by an operator on the day `price_as_of`; `recommended` is None where only the service
    knows; `stand_in` names the base that is really tuned where this one cannot be.
    """

    id: str
    title: str
    description_en: str
    description_ja: str
    stage: str
    backends: tuple[str, ...]
    regions: tuple[str, ...]
    serving_locations: tuple[str, ...]
    adapter_sizes: tuple[int, ...]
    default_adapter_size: int | None
    tokens_per_example: int | None
    max_training_bytes: int
    max_training_examples: int
    max_validation_examples: int
    min_training_examples: int
    recommended_training_examples: int
    modalities: tuple[str, ...]
    price: float | None
    as_of: str
    source: str
    stand_in: str | None = None
    recommended: Recommended | None = None
    price_as_of: str = ""

    def description(self, language: str) -> str:
        return self.description_ja if language.startswith("ja") else self.description_en

    @property
    def retired(self) -> bool:
        return self.stage == "retired"


def models(backend: str) -> tuple[BaseModel, ...]:
    """What can be tuned on "google" or "engine"; retired models come last and are marked."""
    return tuple(_adapt_to_backend(model, backend) for model in _load_models() if backend in model.backends)


def find_model(id: str, backend: str | None = None) -> BaseModel | None:
    """The model of that id: as its makers document it, or as it can be used on `backend`."""
    known = _load_models() if backend is None else models(backend)
    return next((model for model in known if model.id == id), None)


def describe_added_model(id: str) -> BaseModel:
    """A base that an engine has beside the one that comes with it: what it takes, only the engine knows."""
    own = next(model for model in _load_models() if model.backends == ("engine",))
    return replace(
        own,
        id=id,
        title=id,
        description_en="A model that was added to this engine.",
        description_ja="このエンジンに追加されたモデルです。",
        tokens_per_example=None,
        recommended=None,
        source="The engine's list of its base models",
    )


def _adapt_to_backend(model: BaseModel, backend: str) -> BaseModel:
    """`model` as `backend` offers it. A stand-in keeps the model's adapter sizes, so that a request rehearsed
    here is taken there; the rest are the limits of the base that really answers."""
    if backend != "engine" or model.backends == ("engine",):
        return model
    base = next(base for base in _load_models() if base.backends == ("engine",))
    return replace(
        model,
        stand_in=base.id,
        regions=base.regions,
        serving_locations=(),
        tokens_per_example=base.tokens_per_example,
        modalities=base.modalities,
        min_training_examples=base.min_training_examples,
        price=None,
        recommended=base.recommended,
    )


@cache
def _load_models() -> tuple[BaseModel, ...]:
    data = json.loads(DATA.read_text(encoding="utf-8"))
    return tuple(_parse_model({**data["defaults"], **entry}) for entry in data["models"])


def _parse_model(entry: dict[str, Any]) -> BaseModel:
    description, recommended = entry.pop("description"), entry.pop("recommended", None)
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()
    }
    return BaseModel(
        **values,
        description_en=description["en"],
        description_ja=description["ja"],
        recommended=Recommended(**recommended) if recommended else None,
    )
