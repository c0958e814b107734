"""The tuned models of a project that a new job can tune further."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils import formats, timezone
from django.utils.translation import gettext as _

from jobs.models import TuningJob
from jobs.tuning_job_resource import Checkpoint, get_object
from studio.models import Project

MAX_MODELS = 200
"""Enough for a list that stays usable; older models can be entered by resource name."""


@dataclass(frozen=True, slots=True)
class PreTunedModel:
    """A tuned model.

    `name` is `projects/…/models/ID@version`; `adapter_size` is its rank, which further tuning keeps.
    """

    name: str
    title: str
    base_model: str
    adapter_size: float | None
    made_at: datetime
    checkpoints: list[Checkpoint]
    endpoint: str
    kms_key_name: str

    @classmethod
    def from_job(cls, job: TuningJob) -> PreTunedModel:
        key = get_object(job.remote, "encryptionSpec").get("kmsKeyName")
        return cls(
            name=job.tuned_model,
            title=str(job),
            base_model=job.base_model,
            adapter_size=job.adapter.effective,
            made_at=job.ended_at or job.created_at,
            checkpoints=[found for found in job.checkpoints if found.id],
            endpoint=job.endpoint,
            kms_key_name=str(key or job.kms_key_name),
        )

    def __str__(self) -> str:
        created = formats.date_format(timezone.localtime(self.made_at), _("j M Y, H:i"))
        return f"{self.title} · {self.base_model} · {created} · {_('version %(n)s') % {'n': self.version}}"

    @property
    def version(self) -> str:
        return self.name.rpartition("@")[2] if "@" in self.name else "1"

    @property
    def default_checkpoint(self) -> Checkpoint | None:
        """The checkpoint served by the model's endpoint."""
        serving = (found for found in self.checkpoints if found.endpoint == self.endpoint)
        return next(serving, self.checkpoints[-1] if self.checkpoints else None)


def list_pre_tuned_models(project: Project, location: str) -> list[PreTunedModel]:
    """Return the models in `location`, newest first: a model can only be tuned further in its own region."""
    jobs = TuningJob.objects.filter(project=project, location=location, deleted_at=None).succeeded()
    named = (
        jobs.exclude(base_model="").order_by("-created_at", "-pk").defer("request", "summary")[:MAX_MODELS]
    )
    return [PreTunedModel.from_job(job) for job in named if job.tuned_model]
