"""Changes to the two datasets of a draft."""

from __future__ import annotations

from typing import Any

from jobs.datasets.check.model_limits import Purpose
from jobs.datasets.errors import ingest_sample_parts
from jobs.datasets.models import Dataset
from jobs.datasets.transform import hold_out
from jobs.models import TuningJob
from studio.people.access import Request


def attach_dataset(job: TuningJob, purpose: Purpose, dataset: Dataset) -> None:
    """Attach a dataset to the draft. A validation dataset also switches validation on."""
    fields: dict[str, Any] = {purpose: dataset}
    if purpose == "validation":
        fields["validation_enabled"] = True
    job.update_draft(**fields)


def attach_both(job: TuningJob, training: Dataset, validation: Dataset) -> None:
    job.update_draft(training=training, validation=validation, validation_enabled=True)


def attach_sample_data(request: Request, job: TuningJob, name: str) -> None:
    """Attach both parts of the sample data `name`: a first job should have both curves. Raises Refusal."""
    attach_both(job, *ingest_sample_parts(job.project, request.user, name))


def detach_dataset(job: TuningJob, purpose: Purpose) -> None:
    """Remove a dataset from the draft without deleting its file.

    Removing a held-out validation dataset makes the whole training file the training dataset again.
    """
    restored = fields_without_hold_out(job) if purpose == "validation" else {}
    job.update_draft(**{purpose: None} | restored)


def switch_validation(job: TuningJob, *, enabled: bool) -> None:
    """Switch validation on or off. Off keeps the chosen file, but undoes a hold-out."""
    job.update_draft(validation_enabled=enabled, **({} if enabled else fields_without_hold_out(job)))


def fields_without_hold_out(job: TuningJob) -> dict[str, Any]:
    """Return the columns that undo a hold-out, or {} if nothing was held out."""
    if not (job.training and hold_out.are_halves(job.training, job.validation)):
        return {}
    return {"training": hold_out.get_original(job.training), "validation": None}
