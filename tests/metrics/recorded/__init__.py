"""Three whole runs of the engine, recorded: the sample banking77 with learning rate multiplier 1, 2 and 6.

Each file holds the service's last answer and its points, as `python -m tests.metrics.recorded.record` read
them over REST; a recording of all three takes some minutes.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from metrics.point_store import Points

MULTIPLIERS = (1, 2, 6)
FOLDER = Path(__file__).parent


class Recording(NamedTuple):
    """`remote` is the TuningJob resource; `series` its points by metric."""

    remote: dict[str, Any]
    series: dict[str, Points]


def recording_path(multiplier: float) -> Path:
    return FOLDER / f"multiplier-{multiplier:g}.json.gz"


def load_recording(multiplier: float) -> Recording:
    from metrics.point_store import Points  # needs Django, which a recording does without

    with gzip.open(recording_path(multiplier), "rt") as file:
        said = json.load(file)
    series = {
        metric: Points.from_arrays(*zip(*found, strict=True)) for metric, found in said["series"].items()
    }
    return Recording(said["remote"], series)
