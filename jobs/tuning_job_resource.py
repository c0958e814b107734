"""What Vertex's TuningJob resource says, read without trusting it to be complete (pure).

Every function takes `remote`, the last answer verbatim; it is `{}` before creation. int64 fields come as
strings, and whatever is unset is absent.
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
class Setting:
    """One hyper-parameter: what was asked for (None: as recommended) and what the service made of it."""

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


def part(remote: Mapping[str, Any], *path: str) -> Json:
    """The object at `path`, or {} where anything on the way is missing or of another shape."""
    here: Any = remote
    for key in path:
        here = here.get(key) if isinstance(here, Mapping) else None
    return here if isinstance(here, dict) else {}


def whole(value: Any) -> int | None:
    try:
        return None if isinstance(value, bool) else int(value)
    except (TypeError, ValueError, OverflowError):
        return None


def number(value: Any) -> float | None:
    try:
        return None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def hyper_parameters(remote: Json) -> Json:
    return part(remote, "supervisedTuningSpec", "hyperParameters")


def epoch_count(remote: Json) -> int | None:
    return whole(hyper_parameters(remote).get("epochCount"))


def adapter_size(remote: Json) -> int | None:
    """The rank; the enum's own numbers are neither rank nor in order, so only its names are read."""
    return ADAPTER_SIZES.get(str(hyper_parameters(remote).get("adapterSize")))


def learning_rate_multiplier(remote: Json) -> float | None:
    return number(hyper_parameters(remote).get("learningRateMultiplier"))


def tuned_model(remote: Json) -> str:
    """`projects/.../models/ID@VERSION`; a failed job may have one, too."""
    return str(part(remote, "tunedModel").get("model") or "")


def endpoint(remote: Json) -> str:
    """Where the default checkpoint answers; may be missing in any state."""
    return str(part(remote, "tunedModel").get("endpoint") or "")


def checkpoints(remote: Json) -> list[Checkpoint]:
    listed = part(remote, "tunedModel").get("checkpoints")
    return [
        Checkpoint(
            id=str(entry.get("checkpointId") or ""),
            epoch=whole(entry.get("epoch")),
            step=whole(entry.get("step")),
            endpoint=str(entry.get("endpoint") or ""),
        )
        for entry in (listed if isinstance(listed, list) else [])
        if isinstance(entry, dict)
    ]


def followed(old: Json, new: Json) -> Json:
    """A final answer with what a later one adds to it; the default checkpoint is all that changes."""
    both = added(old, new)
    return (
        {**both, "tunedModel": {**part(both, "tunedModel"), "endpoint": endpoint(new)}}
        if endpoint(new)
        else both
    )


def statistics(remote: Json) -> Json:
    return part(remote, "tuningDataStats", "supervisedTuningDataStats")


def progress(remote: Json) -> Progress:
    """v1beta1 counts completed steps and epochs; how many there will be stands in the statistics."""
    done = part(remote, "tuningJobMetadata")
    return Progress(
        step=whole(done.get("completedStepCount")),
        steps=whole(statistics(remote).get("tuningStepCount")),
        epoch=whole(done.get("completedEpochCount")),
    )


def added(old: Json, new: Json) -> Json:
    """`old` with the fields that only `new` has: a later answer may complete a final one, never change it."""
    both = {
        key: added(value, new[key])
        for key, value in old.items()
        if isinstance(value, dict) and isinstance(new.get(key), dict)
    }
    return {**new, **old, **both}
