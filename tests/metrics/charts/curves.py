"""A made-up run with known numbers: training loss falls, validation is lowest before the end."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
from django.utils import timezone

from jobs.datasets.models import Dataset
from jobs.models import Submission, TuningJob
from metrics import point_store
from metrics.models import Feed
from metrics.point_store import Points
from metrics.run import Run
from metrics.summary import summarize_curves
from studio.models import Project

START = datetime(2026, 11, 20, 14, 0, tzinfo=UTC).timestamp()
STEPS, EPOCHS = 564, 4
ENDPOINT = "projects/local/locations/us-central1/endpoints/4182000{n}"


def make_series(steps: int = 431, validation: bool = True) -> dict[str, Points]:
    """The six series up to `steps`, one step a second."""
    chance = np.random.default_rng(7)
    at = np.arange(1, steps + 1)
    loss = 0.32 + 3.6 * np.exp(-at / 78) + chance.normal(0, 0.06, steps) * (0.6 + np.exp(-at / 120))
    share = np.clip(0.92 - 0.85 * np.exp(-at / 95) + chance.normal(0, 0.015, steps), 0, 1)
    tokens = chance.normal(358, 17, steps).round()
    found = {
        "/train_total_loss": Points.from_arrays(at, START + at, loss),
        "/train_fraction_of_correct_next_step_preds": Points.from_arrays(at, START + at, share),
        "/train_num_predictions": Points.from_arrays(at, START + at, tokens),
    }
    if validation:
        found |= make_evaluation(at[19::20])
    return found


def make_evaluation(at: np.ndarray) -> dict[str, Points]:
    loss = 0.36 + 3.7 * np.exp(-at / 76) + np.maximum(0, at - 360) / 1500
    share = 0.88 - 0.8 * np.exp(-at / 98)
    return {
        "/eval_total_loss": Points.from_arrays(at, START + at + 0.5, loss),
        "/eval_fraction_of_correct_next_step_preds": Points.from_arrays(at, START + at + 0.5, share),
        "/eval_num_predictions": Points.from_arrays(at, START + at + 0.5, np.full(len(at), 6120.0)),
    }


def make_remote_job(state: str = "JOB_STATE_RUNNING", checkpoints: int = 3) -> dict[str, Any]:
    """The resource as the service answers it while the run has that many checkpoints."""
    made = [
        {"checkpointId": str(n), "epoch": str(n), "step": str(141 * n), "endpoint": ENDPOINT.format(n=n)}
        for n in range(1, checkpoints + 1)
    ]
    return {
        "state": state,
        "startTime": datetime.fromtimestamp(START, UTC).isoformat(),
        "experiment": "projects/local/locations/us-central1/metadataStores/default/contexts/tuning-1",
        "supervisedTuningSpec": {"hyperParameters": {"epochCount": str(EPOCHS)}},
        "tuningDataStats": {"supervisedTuningDataStats": {"tuningStepCount": str(STEPS)}},
        "tunedModel": {"checkpoints": made, "endpoint": made[-1]["endpoint"]} if made else {},
    }


def create_job_with_points(
    project: Project, series: dict[str, Points], *, state: str = "JOB_STATE_RUNNING", **fields: Any
) -> TuningJob:
    """A created job whose points are stored and whose feed has just been read."""
    number = TuningJob.objects.count() + 1
    defaults = {
        "tuned_model_display_name": "banking77-intents-r16",
        "submission": Submission.CREATED,
        "name": f"projects/local/locations/us-central1/tuningJobs/{number}",
        "state": state,
        "remote": make_remote_job(state),
        "validation": create_dataset(project),
    }
    job = TuningJob.objects.create(project=project, **{**defaults, **fields})
    point_store.merge_points(job.pk, series)
    job.summary = summarize_curves(series, Run.from_job(job))
    job.save()
    Feed.objects.create(job=job, due_at=timezone.now(), read_at=timezone.now())
    return job


def create_dataset(project: Project) -> Dataset:
    return Dataset.objects.get_or_create(
        project=project,
        uri="gs://studio/validation.jsonl",
        generation="1",
        defaults={"crc32c": "AAAAAA==", "size": 1000, "source": Dataset.Source.UPLOAD},
    )[0]
