"""The base models that this engine tunes, and the Gemini names that they stand in for."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from engine.base_models import hf_folder
from engine.queue.atomic_files import read_json

BUILT_IN = Path(__file__).parents[1] / "base"
ADAPTER_SIZES = (1, 2, 4, 8, 16, 32)


@dataclass(frozen=True, slots=True)
class LocalBaseModel:
    """A causal language model in a folder, with the settings that suit it (its base.json)."""

    id: str
    folder: Path
    description: str
    parameters: int
    context_tokens: int
    sha256: str
    learning_rate: float
    lora_alpha: int
    batch_size: int
    adapter_size: int
    steps: int
    max_epochs: int
    warmup: float

    @classmethod
    def from_folder(cls, folder: Path, name: str = "") -> "LocalBaseModel":
        """`name` is what a folder without a base.json is called, its own name where there is none."""
        about = read_json(folder / "base.json") or hf_folder.describe_folder(
            folder, name or folder.resolve().name
        )
        recommended = about["recommended"]
        return cls(
            id=about["id"],
            folder=folder,
            description=about["description"],
            parameters=about["parameters"],
            context_tokens=about["contextTokens"],
            sha256=about["sha256"],
            learning_rate=recommended["learningRate"],
            lora_alpha=recommended["loraAlpha"],
            batch_size=recommended["batchSize"],
            adapter_size=recommended["adapterSize"],
            steps=recommended["steps"],
            max_epochs=recommended["maxEpochs"],
            warmup=recommended["warmup"],
        )

    def recommended_epochs(self, examples: int) -> int:
        """As many epochs as bring `examples` near the base's recommended number of steps."""
        steps_per_epoch = max(1, -(-examples // self.batch_size))
        return min(max(round(self.steps / steps_per_epoch), 1), self.max_epochs)


@dataclass(frozen=True, slots=True)
class StandIn:
    """A Gemini model that a base of ours answers for, with the limits that Google documents for it."""

    adapter_sizes: tuple[int, ...]
    example_tokens: int | None = 131_072
    default_adapter_size: int | None = None
    base: str = "studio-tiny"


# From cloud.google.com/vertex-ai/generative-ai/docs/models/gemini-supervised-tuning,
# as it stood in 2024 (1.x), in September 2025 (2.0) and in September 2026 (2.5 and later).
STAND_INS = {
    "gemini-1.0-pro-002": StandIn((1, 4, 8, 16), example_tokens=None),
    "gemini-1.5-pro-002": StandIn((1, 4), example_tokens=32_000, default_adapter_size=4),
    "gemini-1.5-flash-002": StandIn((1, 4, 8, 16), example_tokens=128_000, default_adapter_size=8),
    "gemini-2.0-flash-001": StandIn((1, 2, 4, 8)),
    "gemini-2.0-flash-lite-001": StandIn((1, 2, 4, 8)),
    "gemini-2.5-pro": StandIn((1, 2, 4, 8)),
    "gemini-2.5-flash": StandIn((1, 2, 4, 8, 16)),
    "gemini-2.5-flash-lite": StandIn((1, 2, 4, 8, 16)),
    "gemini-3.1-flash-lite": StandIn((1, 2, 4, 8, 16)),
    "gemini-3.5-flash": StandIn((1, 2, 4, 8, 16)),
    "gemini-3.5-flash-lite": StandIn((1, 2, 4, 8, 16)),
}


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """The base that answers to a model id, and the Gemini id where it only stands in for it."""

    base: LocalBaseModel
    stand_in_for: str | None = None

    @property
    def model_version(self) -> str:
        if self.stand_in_for is None:
            return self.base.id
        return f"{self.base.id} (stand-in for {self.stand_in_for})"

    @property
    def adapter_sizes(self) -> tuple[int, ...]:
        return STAND_INS[self.stand_in_for].adapter_sizes if self.stand_in_for else ADAPTER_SIZES

    @property
    def adapter_size(self) -> int:
        """The adapter size of a job that names none."""
        stand_in = STAND_INS[self.stand_in_for] if self.stand_in_for else None
        return (stand_in and stand_in.default_adapter_size) or self.base.adapter_size

    @property
    def example_tokens(self) -> int:
        """How long one example may be."""
        limit = STAND_INS[self.stand_in_for].example_tokens if self.stand_in_for else None
        return min(limit or self.base.context_tokens, self.base.context_tokens)


def list_base_models() -> list[LocalBaseModel]:
    """The built-in base, and those of ENGINE_BASES that exist.

    One whose id is that of an earlier one takes its place.
    """
    return list({base.id: base for base in (*_iter_built_in(), *_iter_configured())}.values())


def resolve_base_model(model_id: str) -> ResolvedModel | None:
    """The base for a model id, which `publishers/google/models/` may lead; None if it is unknown."""
    name = model_id.removeprefix("publishers/google/models/")
    bases = {base.id: base for base in list_base_models()}
    if name in bases:
        return ResolvedModel(bases[name])
    stand_in = STAND_INS.get(name)
    if stand_in is None or stand_in.base not in bases:
        return None
    return ResolvedModel(bases[stand_in.base], stand_in_for=name)


def _iter_built_in() -> Iterator[LocalBaseModel]:
    return (LocalBaseModel.from_folder(path.parent) for path in sorted(BUILT_IN.glob("*/base.json")))


def _iter_configured() -> Iterator[LocalBaseModel]:
    for entry in hf_folder.entries():
        with suppress(hf_folder.BaseModelError):  # prepare_base_models has reported it
            yield _load_entry(entry)


def _load_entry(entry: str, *, download: bool = False) -> LocalBaseModel:
    folder = hf_folder.locate_folder(entry, download=download)
    return LocalBaseModel.from_folder(folder, "" if Path(entry).is_dir() else entry)


def prepare_base_models() -> None:
    """Download the bases that are given as ids, and read every base once, before the first request.

    Raises: BaseModelError
    """
    for entry in hf_folder.entries():
        _load_entry(entry, download=True)
