"""Input of a draft's estimate: its training data and the project's earlier jobs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from django.db.models.fields.json import KT, KeyTextTransform

from jobs.datasets.check.tokens import BYTES_PER_TOKEN
from jobs.estimates.estimate import Estimate, PastJob, TrainingData, estimate_run
from jobs.models import TuningJob, seconds_between
from jobs.tuning_job_resource import get_object, parse_float, parse_int, parse_timestamp
from studio.vertex.catalog import BaseModel

if TYPE_CHECKING:
    from jobs.datasets.models import Dataset

MAX_PAST_JOBS = 20
"""The newest finished jobs. A choice: one odd job among twenty hardly moves the median, and older jobs say
less about the service's pace today."""
SPEC = "remote__supervisedTuningSpec__hyperParameters__epochCount"
STATISTICS = "remote__tuningDataStats__supervisedTuningDataStats"
COLUMNS: dict[str, str | KeyTextTransform] = {
    "name": "tuned_model_display_name",
    "started": KT("remote__startTime"),
    "ended": "ended_at",
    "epochs": KT(SPEC),
    "asked": "epoch_count",
    "examples": "training__report__examples",
    "tokens": "training__report__tokens__total",
    "characters": "training__report__characters",
    "counted": KT(f"{STATISTICS}__totalBillableTokenCount"),
    "steps": KT(f"{STATISTICS}__tuningStepCount"),
    "crc32c": "training__crc32c",
    "size": "training__size",
}
"""Single values extracted by the database: reports and resources are large, and the preview runs this query
at every field change. Those of the service are read as text: Django would parse a text of 5,000 digits as a
number, and fail."""


def estimate_draft(job: TuningJob, model: BaseModel | None) -> Estimate | None:
    """Return the estimate of a draft, or None without a base model or readable training data."""
    if model is None or job.training is None:
        return None
    data = get_training_data(job.training, job.base_model)
    return (
        estimate_run(data, model, job.epoch_count, list(iter_past_jobs(job, model)))
        if data.examples
        else None
    )


def get_training_data(dataset: Dataset, base_model: str) -> TrainingData:
    report = dataset.report
    characters = parse_int(report.get("characters")) or 0
    return TrainingData(
        examples=parse_int(report.get("examples")) or 0,
        tokens=parse_int(get_object(report, "tokens").get("total")) or characters // BYTES_PER_TOKEN,
        ratio=parse_float(dataset.calibration.get(base_model)),
        version=dataset.content_key,
    )


def iter_past_jobs(job: TuningJob, model: BaseModel) -> Iterator[PastJob]:
    """Yield the project's latest finished jobs on this base model or its stand-in, newest first (one
    query)."""
    bases = {model.id, model.stand_in or model.id}
    finished = TuningJob.objects.filter(project=job.project_id, base_model__in=bases).succeeded()
    rows = finished.order_by("-ended_at", "-pk").values_list(*COLUMNS.values())[:MAX_PAST_JOBS]
    for row in rows:
        values = dict(zip(COLUMNS, row, strict=True))
        yield PastJob(
            name=str(values["name"]),
            seconds=seconds_between(parse_timestamp(values["started"]), values["ended"]),
            epochs=parse_int(values["epochs"]),
            asked=values["asked"] is not None,
            examples=parse_int(values["examples"]),
            tokens=parse_int(values["tokens"]) or (parse_int(values["characters"]) or 0) // BYTES_PER_TOKEN,
            counted=parse_int(values["counted"]),
            steps=parse_int(values["steps"]),
            version=(values["crc32c"] or "", values["size"] or 0),
        )
