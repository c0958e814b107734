"""A plain Hugging Face model folder described in base.json's form, with settings that suit it.

The recommended settings are conventions by size, not measurements: large models take small learning rates.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import struct
from functools import cache
from pathlib import Path
from typing import Any

from engine.queue.atomic_files import read_json

BLOCK = 2**20  # bytes of a weight file that are hashed at a time
CONTEXT_KEYS = ("max_position_embeddings", "n_positions", "max_sequence_length", "seq_length")
DEFAULT_CONTEXT = 2048  # where the model does not say
REPOSITORY = re.compile(r"[\w][\w.-]*/[\w][\w.-]*(@[\w./-]+)?")
LARGE, MEDIUM = 100_000_000, 10_000_000
"""Parameters. The more a model has, the smaller its recommended learning rate."""


class BaseModelError(ValueError):
    """An entry of ENGINE_BASES is not a base model; the message names it and says what to do."""


def entries() -> list[str]:
    """The entries of ENGINE_BASES; no Hugging Face id contains the separator."""
    return [entry for entry in os.environ.get("ENGINE_BASES", "").split(os.pathsep) if entry]


def locate_folder(entry: str, *, download: bool = False) -> Path:
    """The folder of an entry: itself, or where Hugging Face's cache keeps the repository of that id.

    Raises: BaseModelError
    """
    if Path(entry).is_dir():
        return Path(entry)
    if not REPOSITORY.fullmatch(entry):
        raise BaseModelError(f"ENGINE_BASES names {entry}, but there is no such folder.")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    id, _, revision = entry.partition("@")
    files = ["*.json", "*.jinja", "*.model", "*.safetensors", "*.txt"]
    try:
        folder = snapshot_download(
            id, revision=revision or None, allow_patterns=files, local_files_only=not download
        )
    except (OSError, HfHubHTTPError, ValueError) as error:
        reason = str(error).strip().split("\n")[0]
        raise BaseModelError(
            f"ENGINE_BASES names {entry}, which is not a folder, and no Hugging Face model that is cached or "
            f"can be downloaded ({reason}). Download it elsewhere and name its folder."
        ) from error
    return Path(folder)


def describe_folder(folder: Path, id: str) -> dict[str, Any]:
    """The folder as one of our base.json files would describe it.

    Raises: BaseModelError
    """
    weights = sorted(folder.glob("*.safetensors"))
    if not (folder / "config.json").exists() or not weights:
        raise BaseModelError(f"{folder} contains no model. It needs config.json and *.safetensors.")
    if not _has_chat_template(folder):
        raise BaseModelError(f"{folder} has no chat template. Use a chat model, or add chat_template.jinja.")
    parameters = sum(map(_count_parameters, weights))
    return {
        "id": re.sub(r"[^\w.-]", "-", id.partition("@")[0].rpartition("/")[2]),
        "description": f"{folder.name}, {parameters:,} parameters, from Hugging Face's format.",
        "parameters": parameters,
        "contextTokens": _read_context_length(read_json(folder / "config.json")),
        "sha256": _hash_weights(tuple((path, *_file_version(path)) for path in weights)),
        "recommended": recommend_settings(parameters),
    }


def recommend_settings(parameters: int) -> dict[str, Any]:
    large = parameters >= LARGE
    rate = 2e-4 if large else 1e-3 if parameters >= MEDIUM else 5e-3
    return {
        "learningRate": rate,
        "loraAlpha": 16,
        "batchSize": 8,
        "adapterSize": 8,
        "steps": 300 if large else 400,
        "maxEpochs": 5 if large else 30,
        "warmup": 0.05,
    }


def _has_chat_template(folder: Path) -> bool:
    files = ("chat_template.jinja", "chat_template.json")
    listed = read_json(folder / "tokenizer_config.json").get("chat_template")
    return bool(listed) or any((folder / name).exists() for name in files)


def _read_context_length(config: dict[str, Any]) -> int:
    """Models that also read images keep the text settings one level deeper."""
    places = (config, config.get("text_config") or {})
    return next(
        (int(place[key]) for place in places for key in CONTEXT_KEYS if place.get(key)), DEFAULT_CONTEXT
    )


def _count_parameters(weights: Path) -> int:
    """By the file's header alone: https://huggingface.co/docs/safetensors"""
    with weights.open("rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))
    return sum(math.prod(tensor["shape"]) for name, tensor in header.items() if name != "__metadata__")


def _file_version(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


@cache
def _hash_weights(weights: tuple[tuple[Path, int, int], ...]) -> str:
    """Hash all files in order. Gigabytes take seconds, so the result is cached until one of them changes."""
    digest = hashlib.sha256()
    for path, *_ in weights:
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
    return digest.hexdigest()
