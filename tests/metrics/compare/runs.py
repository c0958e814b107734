"""Five made-up runs as a team would lay them side by side: two of them validated on other data."""

from __future__ import annotations

from copy import deepcopy
from datetime import timedelta
from typing import Any

import numpy as np
from django.utils import timezone

from jobs.datasets.models import Dataset
from jobs.models import TuningJob
from metrics.point_store import Points
from studio.models import Project
from tests.metrics.charts.curves import START, create_job_with_points, make_remote_job

SETTINGS: dict[str, dict[str, Any]] = {
    "r8": {"best": 0.431, "at": 420, "adapter": 8, "rate": 1.0, "epochs": 4, "steps": 564, "data": "v3"},
    "r16": {"best": 0.409, "at": 360, "adapter": 16, "rate": 1.0, "epochs": 4, "steps": 431, "data": "v3"},
    "lr2": {"best": 0.452, "at": 180, "adapter": 8, "rate": 2.0, "epochs": 4, "steps": 564, "data": "v3"},
    "r4": {"best": 0.528, "at": 560, "adapter": 4, "rate": 1.0, "epochs": 4, "steps": 564, "data": "v2"},
    "e10": {"best": 0.438, "at": 440, "adapter": 8, "rate": 1.0, "epochs": 10, "steps": 1410, "data": "v2"},
}


def make_series(best: float, at: int, steps: int, seed: int = 0) -> dict[str, Points]:
    """Training falls; validation is lowest, with `best`, at step `at`."""
    chance = np.random.default_rng(seed)
    x = np.arange(1, steps + 1)
    pace = at / 4.5
    train = best - 0.06 + 3.4 * np.exp(-x / pace) + chance.normal(0, 0.05, steps)
    share = np.clip(0.93 - 0.9 * np.exp(-x / pace) + chance.normal(0, 0.015, steps), 0, 1)
    ex = x[19::20]
    falling = 3.2 * np.exp(-ex / pace)
    loss = best + falling - falling[ex == at] + np.maximum(0, ex - at) / 1100
    evals = 0.869 - 0.8 * np.exp(-ex / pace)
    wall, walls = START + x * 1.3, START + ex * 1.3 + 0.5
    return {
        "/train_total_loss": Points.from_arrays(x, wall, train),
        "/train_fraction_of_correct_next_step_preds": Points.from_arrays(x, wall, share),
        "/train_num_predictions": Points.from_arrays(x, wall, chance.normal(358, 17, steps).round()),
        "/eval_total_loss": Points.from_arrays(ex, walls, loss),
        "/eval_fraction_of_correct_next_step_preds": Points.from_arrays(ex, walls, evals),
        "/eval_num_predictions": Points.from_arrays(ex, walls, np.full(len(ex), 6120.0)),
    }


def create_validation(project: Project, version: str) -> Dataset:
    return Dataset.objects.get_or_create(
        project=project,
        uri=f"gs://tuning-data/banking77-{version}.jsonl",
        generation="1",
        defaults={
            "crc32c": f"{version}AAAA==",
            "size": 54_000 + int(version[1:]),
            "source": Dataset.Source.UPLOAD,
        },
    )[0]


def make_resource(name: str) -> dict[str, Any]:
    told = SETTINGS[name]
    planned = 141 * told["epochs"]
    found = deepcopy(make_remote_job("JOB_STATE_SUCCEEDED", 0))
    found["supervisedTuningSpec"]["hyperParameters"] = {
        "epochCount": str(told["epochs"]),
        "adapterSize": f"ADAPTER_SIZE_{ {4: 'FOUR', 8: 'EIGHT', 16: 'SIXTEEN'}[told['adapter']] }",
        "learningRateMultiplier": told["rate"],
    }
    found["tuningDataStats"]["supervisedTuningDataStats"] |= {
        "tuningStepCount": str(planned),
        "tuningDatasetExampleCount": "1128",
        "totalBillableTokenCount": "40328",
    }
    return found


def create_run(project: Project, name: str, **fields: Any) -> TuningJob:
    told = SETTINGS[name]
    state = "JOB_STATE_RUNNING" if name == "r16" else "JOB_STATE_SUCCEEDED"
    data = create_validation(project, told["data"])
    found = make_series(told["best"], told["at"], told["steps"], seed=told["adapter"])
    usual = {
        "tuned_model_display_name": f"banking77-intents-{name}",
        "base_model": "studio-tiny",
        "location": "us-central1",
        "adapter_size": told["adapter"],
        "learning_rate_multiplier": None if told["rate"] == 1 else told["rate"],
        "training": data,
        "validation": data,
        "remote": make_resource(name) | {"state": state},
        "ended_at": None
        if name == "r16"
        else timezone.datetime.fromtimestamp(START, timezone.get_default_timezone())
        + timedelta(seconds=1.3 * told["steps"]),
    }
    return create_job_with_points(project, found, state=state, **{**usual, **fields})


def create_team(project: Project) -> list[TuningJob]:
    """r8, r16 (running), lr2, and, on other data, r4 and e10."""
    return [create_run(project, name) for name in SETTINGS]


def join_ids(jobs: list[TuningJob]) -> str:
    return ",".join(str(job.pk) for job in jobs)
