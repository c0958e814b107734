"""Tolerant readers of Vertex AI's TuningJob resource (pure).

Every function takes `remote`, the last response verbatim (`{}` before creation). int64 fields are strings,
and unset fields are absent; missing, malformed and absurd values are read as None or empty.
https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.tuningJobs
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.utils.dateparse import parse_datetime

from studio.vertex.catalog import ADAPTER_SIZES
from studio.vertex.resource_names import MAX_LENGTH

Json = dict[str, Any]
MAX_COUNT = 2**53
"""No count of examples, tokens or steps is larger, and charts compute with doubles, which hold whole numbers
up to here."""
EARLIEST, LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
"""A time beyond is a mistake, and near the ends of the calendar it breaks conversions between time zones."""
CHECKPOINT_ID = re.compile(r"[-a-zA-Z0-9_]{1,40}")
"""What fits into an address, and into the column of a draft that continues from it."""


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
    """Return a whole number of a size that occurs, or None."""
    try:
        number = None if isinstance(value, bool) else int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if number is not None and abs(number) <= MAX_COUNT else None


def parse_float(value: Any) -> float | None:
    """Return a finite number, or None."""
    try:
        number = None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if number is not None and math.isfinite(number) else None


def parse_timestamp(text: Any) -> datetime | None:
    """Parse an RFC 3339 timestamp. Return None if it is missing, invalid, beyond reason or has no time
    zone."""
    try:
        found = parse_datetime(str(text or ""))
        return found if found and found.tzinfo and EARLIEST < found < LATEST else None
    except (ValueError, OverflowError):
        return None


def parse_name(value: Any) -> str:
    """Return the name of a resource, or "" for what a row can't hold."""
    return value if isinstance(value, str) and len(value) <= MAX_LENGTH else ""


def hyper_parameters(remote: Json) -> Json:
    return get_object(remote, "supervisedTuningSpec", "hyperParameters")


def epoch_count(remote: Json) -> int | None:
    return parse_int(hyper_parameters(remote).get("epochCount"))


def adapter_size(remote: Json) -> int | None:
    """Return the adapter's rank. Only enum names are read: the enum's numbers aren't ranks."""
    return ADAPTER_SIZES.get(str(hyper_parameters(remote).get("adapterSize")))


def learning_rate_multiplier(remote: Json) -> float | None:
    rate = parse_float(hyper_parameters(remote).get("learningRateMultiplier"))
    return rate if rate is not None and abs(rate) <= MAX_COUNT else None


def tuned_model(remote: Json) -> str:
    """Return `projects/.../models/ID@VERSION` or "". A failed job can have a tuned model as well."""
    return parse_name(get_object(remote, "tunedModel").get("model"))


def default_endpoint(remote: Json) -> str:
    """Return the endpoint of the default checkpoint, or "": it can be missing in any state."""
    return parse_name(get_object(remote, "tunedModel").get("endpoint"))


def checkpoints(remote: Json) -> list[Checkpoint]:
    """Return the checkpoints; an id that no address can hold is blank."""
    listed = get_object(remote, "tunedModel").get("checkpoints")
    return [
        Checkpoint(
            id=parse_checkpoint_id(entry.get("checkpointId")),
            epoch=parse_int(entry.get("epoch")),
            step=parse_int(entry.get("step")),
            endpoint=parse_name(entry.get("endpoint")),
        )
        for entry in (listed if isinstance(listed, list) else [])
        if isinstance(entry, dict)
    ]


def parse_checkpoint_id(value: Any) -> str:
    id = str(value or "")
    return id if CHECKPOINT_ID.fullmatch(id) else ""


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
