"""What a draft's estimate is made of: its data, and what earlier jobs of the project took."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from jobs.datasets.check.tokens import BYTES_PER_TOKEN
from jobs.estimates.estimate import Data, Estimate, Past, estimate
from jobs.models import TuningJob, moment, seconds_between
from jobs.tuning_job_resource import number, part, whole
from studio.vertex.catalog import BaseModel

if TYPE_CHECKING:
    from jobs.datasets.models import Dataset

LOOKED_AT = 20
SPEC = "remote__supervisedTuningSpec__hyperParameters__epochCount"
STATISTICS = "remote__tuningDataStats__supervisedTuningDataStats"
COLUMNS = {
    "name": "tuned_model_display_name",
    "started": "remote__startTime",
    "ended": "ended_at",
    "epochs": SPEC,
    "asked": "epoch_count",
    "examples": "training__report__examples",
    "tokens": "training__report__tokens__total",
    "characters": "training__report__characters",
    "counted": f"{STATISTICS}__totalBillableTokenCount",
    "steps": f"{STATISTICS}__tuningStepCount",
    "crc32c": "training__crc32c",
    "size": "training__size",
}
"""Single values out of the JSON: reports and resources are large, and the preview asks at every change."""


def estimate_of(job: TuningJob, model: BaseModel | None) -> Estimate | None:
    """None before there is a base model and training data that could be read."""
    if model is None or job.training is None:
        return None
    data = data_of(job.training, job.base_model)
    return estimate(data, model, job.epoch_count, list(past(job, model))) if data.examples else None


def data_of(dataset: Dataset, base_model: str) -> Data:
    report = dataset.report
    characters = whole(report.get("characters")) or 0
    return Data(
        examples=whole(report.get("examples")) or 0,
        tokens=whole(part(report, "tokens").get("total")) or characters // BYTES_PER_TOKEN,
        ratio=number(dataset.calibration.get(base_model)),
        version=dataset.content_key,
    )


def past(job: TuningJob, model: BaseModel) -> Iterator[Past]:
    """The project's last finished jobs on this base, or on what answers for it; newest first. One query."""
    bases = {model.id, model.stand_in or model.id}
    finished = TuningJob.objects.filter(project=job.project_id, base_model__in=bases).succeeded()
    rows = finished.order_by("-ended_at", "-pk").values_list(*COLUMNS.values())[:LOOKED_AT]
    for row in rows:
        told = dict(zip(COLUMNS, row, strict=True))
        yield Past(
            name=str(told["name"]),
            seconds=seconds_between(moment(told["started"]), told["ended"]),
            epochs=whole(told["epochs"]),
            asked=told["asked"] is not None,
            examples=whole(told["examples"]),
            tokens=whole(told["tokens"]) or (whole(told["characters"]) or 0) // BYTES_PER_TOKEN,
            counted=whole(told["counted"]),
            steps=whole(told["steps"]),
            version=(told["crc32c"] or "", told["size"] or 0),
        )
