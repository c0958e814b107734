"""Tolerant readers of Vertex AI's TuningJob resource (pure).

Every function takes `remote`, the last response verbatim (`{}` before creation). int64 fields are strings,
and unset fields are absent; missing or malformed values are read as None or empty.
https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.tuningJobs
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from studio.vertex.catalog import ADAPTER_SIZES

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    id: str
    epoch: int | None
    step: int | None
    endpoint: str


@dataclass(frozen=True, slots=True)
class HyperParameter:
    """One hyper-parameter: the requested value (None: recommended) and the value resolved by the service."""

    requested: float | None
    resolved: float | None

    @property
    def effective(self) -> float | None:
        return self.requested if self.resolved is None else self.resolved

    @property
    def changed(self) -> bool:
        return self.requested is not None


@dataclass(frozen=True, slots=True)
class Progress:
    step: int | None
    steps: int | None
    epoch: int | None


def get_object(remote: Mapping[str, Any], *path: str) -> Json:
    """Return the object at `path`, or {} if any part of the path is missing or isn't an object."""
    here: Any = remote
    for key in path:
        here = here.get(key) if isinstance(here, Mapping) else None
    return here if isinstance(here, dict) else {}


def parse_int(value: Any) -> int | None:
    try:
        return None if isinstance(value, bool) else int(value)
    except (TypeError, ValueError, OverflowError):
        return None


def parse_float(value: Any) -> float | None:
    try:
        return None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def hyper_parameters(remote: Json) -> Json:
    return get_object(remote, "supervisedTuningSpec", "hyperParameters")


def epoch_count(remote: Json) -> int | None:
    return parse_int(hyper_parameters(remote).get("epochCount"))


def adapter_size(remote: Json) -> int | None:
    """Return the adapter's rank. Only enum names are read: the enum's numbers aren't ranks."""
    return ADAPTER_SIZES.get(str(hyper_parameters(remote).get("adapterSize")))


def learning_rate_multiplier(remote: Json) -> float | None:
    return parse_float(hyper_parameters(remote).get("learningRateMultiplier"))


def tuned_model(remote: Json) -> str:
    """Return `projects/.../models/ID@VERSION` or "". A failed job can have a tuned model as well."""
    return str(get_object(remote, "tunedModel").get("model") or "")


def default_endpoint(remote: Json) -> str:
    """Return the endpoint of the default checkpoint, or "": it can be missing in any state."""
    return str(get_object(remote, "tunedModel").get("endpoint") or "")


def checkpoints(remote: Json) -> list[Checkpoint]:
    listed = get_object(remote, "tunedModel").get("checkpoints")
    return [
        Checkpoint(
            id=str(entry.get("checkpointId") or ""),
            epoch=parse_int(entry.get("epoch")),
            step=parse_int(entry.get("step")),
            endpoint=str(entry.get("endpoint") or ""),
        )
        for entry in (listed if isinstance(listed, list) else [])
        if isinstance(entry, dict)
    ]


def merge_final(old: Json, new: Json) -> Json:
    """Return the final response `old` with the fields that `new` adds.

    Only the default checkpoint may change.
    """
    both = fill_missing(old, new)
    return (
        {**both, "tunedModel": {**get_object(both, "tunedModel"), "endpoint": default_endpoint(new)}}
        if default_endpoint(new)
        else both
    )


def tuning_data_stats(remote: Json) -> Json:
    return get_object(remote, "tuningDataStats", "supervisedTuningDataStats")


def progress(remote: Json) -> Progress:
    """Return completed steps and epochs (v1beta1 only) and their totals from the tuning data statistics."""
    done = get_object(remote, "tuningJobMetadata")
    return Progress(
        step=parse_int(done.get("completedStepCount")),
        steps=parse_int(tuning_data_stats(remote).get("tuningStepCount")),
        epoch=parse_int(done.get("completedEpochCount")),
    )


def fill_missing(old: Json, new: Json) -> Json:
    """Return `old` with the fields that only `new` has, recursively."""
    both = {
        key: fill_missing(value, new[key])
        for key, value in old.items()
        if isinstance(value, dict) and isinstance(new.get(key), dict)
    }
    return {**new, **old, **both}
