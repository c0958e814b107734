"""The base models that can be tuned: dated data, read once from catalog.json.

`models(backend)` lists what a project may choose from, best first; `find_model(id, backend)` is one of them.
On the engine, studio-tiny stands in for every Gemini model.
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
"""{Vertex's name of an adapter size: rank}. The enum's numbers are neither ranks nor in order."""
ADAPTER_SIZE_NAMES = {rank: name for name, rank in ADAPTER_SIZES.items()}


@dataclass(frozen=True, slots=True)
class Recommended:
    """The documented rule by which a base model chooses the number of epochs."""

    steps: int
    batch_size: int
    max_epochs: int

    def recommend_epochs(self, examples: int) -> int:
        """Return the epochs that come closest to the recommended number of steps."""
        return min(max(round(self.steps / self.steps_per_epoch(examples)), 1), self.max_epochs)

    def steps_per_epoch(self, examples: int) -> int:
        return max(1, -(-examples // self.batch_size))


@dataclass(frozen=True, slots=True)
class BaseModel:
    """A model to tune, with its documented limits; None where none is documented.

    `stage` is "GA", "preview" or "retired"; `adapter_sizes` are ranks; `serving_locations` are the locations
    that serve the tuned model, if not the region of its tuning job; `price` is US dollars per million
    training tokens, set by an operator on the day `price_as_of`; `recommended` is None if only the service
    knows the rule; `stand_in` names the base model that is really tuned in place of this one.
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
    """Return the models of "google" or "engine"; retired ones come last."""
    return tuple(_adapt_to_backend(model, backend) for model in _load_models() if backend in model.backends)


def find_model(id: str, backend: str | None = None) -> BaseModel | None:
    """Return the model with that id: as it is documented, or as `backend` offers it."""
    known = _load_models() if backend is None else models(backend)
    return next((model for model in known if model.id == id), None)


def describe_added_model(id: str) -> BaseModel:
    """Return a base model that was added to the engine; only the engine knows its limits."""
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
    """Return `model` as `backend` offers it.

    A stand-in keeps the model's adapter sizes, so that a rehearsed request is valid on Vertex AI too; the
    other limits are those of the base model that is really tuned.
    """
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
