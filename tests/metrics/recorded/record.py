"""Tunes banking77 three times on the engine and keeps what its service says of each run."""

from __future__ import annotations

import gzip
import json
import tempfile
from pathlib import Path

from studio.vertex.auth import Place
from studio.vertex.client import Vertex
from tests.engine.running_engine import Engine, run_engine
from tests.metrics.recorded import MULTIPLIERS, recording_path
from tests.paths import SAMPLES, STUDIO_TINY

MOST_SECONDS = 3600


def main() -> None:
    bases = str(STUDIO_TINY)
    with (
        tempfile.TemporaryDirectory() as folder,
        run_engine(Path(folder) / "root", ENGINE_BASES=bases) as engine,
    ):
        for multiplier in MULTIPLIERS:
            record_run(engine, multiplier)


def record_run(engine: Engine, multiplier: float) -> None:
    spec = {
        "trainingDatasetUri": engine.upload(
            "train.jsonl", (SAMPLES / "banking77" / "train.jsonl").read_bytes()
        ),
        "validationDatasetUri": engine.upload(
            "validation.jsonl", (SAMPLES / "banking77" / "validation.jsonl").read_bytes()
        ),
        "hyperParameters": {"learningRateMultiplier": multiplier},
    }
    created = engine.create(
        baseModel="studio-tiny",
        tunedModelDisplayName=f"banking77 x{multiplier}",
        supervisedTuningSpec=spec,
    )
    created.raise_for_status()
    job = engine.wait(created.json(), seconds=MOST_SECONDS)
    vertex = Vertex(Place("engine", "local", engine_url=engine.url))
    run = vertex.tensorboard_run(job["experiment"])
    series = vertex.read_time_series(vertex.list_time_series(run)) if run else {}
    with gzip.GzipFile(recording_path(multiplier), "wb", mtime=0) as file:
        file.write(json.dumps({"remote": job, "series": series}).encode())
    print(multiplier, job["state"], {metric: len(found) for metric, found in series.items()}, flush=True)


if __name__ == "__main__":
    main()
