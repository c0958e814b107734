"""A tuning job from draft to tuned model, and the datasets it learns from.

`submission` is ours (where the one paid create call stands); `state` is Vertex's own word, verbatim, blank
before creation. The draft row serves as both outbox and idempotency key (DECISIONS.md, "Exactly one remote
job").
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models, transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from jobs import tuning_job_resource as vertex_job
from jobs.chat.models import Conversation, Turn
from jobs.datasets.models import Changes, Dataset, Overlap
from jobs.querysets import HANDED_OVER, STARTING_TIME, Submission, TuningJobQuerySet
from jobs.request.body import build_tuning_request
from jobs.tuning_job_resource import Checkpoint, HyperParameter, Progress, parse_timestamp
from studio.celery import send_on_commit
from studio.models import AuditEntry, Project
from studio.projects.places import ADAPTER_BUCKET
from studio.vertex import job_states
from studio.vertex.errors import InternalFault

if TYPE_CHECKING:
    from django.contrib.auth.models import User

__all__ = ["Changes", "Conversation", "Dataset", "JobListPoll", "Overlap", "TuningJob", "Turn"]


def new_submission_id() -> str:
    return uuid.uuid4().hex


class TuningJob(models.Model):
    project = models.ForeignKey(Project, on_delete=models.CASCADE)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)

    # The wizard's settings; a blank hyper-parameter means the recommended value.
    tuned_model_display_name = models.CharField(max_length=128, blank=True)
    description = models.TextField(max_length=2000, blank=True)
    base_model = models.CharField(max_length=100, blank=True)
    # Resource name of a pre-tuned model to tune further, `projects/…/models/ID@version`; blank tunes the base
    # model itself.
    pre_tuned_model = models.CharField(max_length=300, blank=True)
    pre_tuned_checkpoint = models.CharField(max_length=40, blank=True)
    location = models.CharField(max_length=40, blank=True)
    epoch_count = models.PositiveIntegerField(null=True, blank=True)
    adapter_size = models.PositiveSmallIntegerField(null=True, blank=True)
    learning_rate_multiplier = models.FloatField(null=True, blank=True)
    export_last_checkpoint_only = models.BooleanField(default=False)
    labels = models.JSONField(default=dict, blank=True)
    service_account = models.CharField(max_length=254, blank=True)
    kms_key_name = models.CharField(max_length=300, blank=True)
    validation_enabled = models.BooleanField(default=False)
    upload_to = models.CharField(max_length=1100, blank=True)  # gs://bucket/folder/; blank is the project's
    training = models.ForeignKey(Dataset, null=True, on_delete=models.PROTECT, related_name="trains")
    validation = models.ForeignKey(Dataset, null=True, on_delete=models.PROTECT, related_name="validates")

    # State of the single create call. `last_error` is the last failed call, `search_attempts` counts the
    # searches for a job whose create call got no response, and `duplicates` are further remote jobs with
    # our label.
    submission = models.CharField(max_length=10, choices=Submission, default=Submission.DRAFT)
    submission_id = models.CharField(max_length=32, unique=True, default=new_submission_id, editable=False)
    attempt = models.PositiveSmallIntegerField(default=0)
    request = models.JSONField(default=dict)
    submitted_at = models.DateTimeField(null=True)
    claimed_at = models.DateTimeField(null=True)
    unknown_since = models.DateTimeField(null=True)
    search_attempts = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True)
    cancel_asked_at = models.DateTimeField(null=True)
    cancel_sent_at = models.DateTimeField(null=True)
    last_error = models.JSONField(default=dict)
    duplicates = models.JSONField(default=list)

    # The service's last response; `replaced` names its values that no row can hold as they came, and
    # `missed_polls` counts the consecutive full lists without this job.
    name = models.CharField(max_length=300, null=True, unique=True)
    state = models.CharField(max_length=60, blank=True)
    remote = models.JSONField(default=dict)
    replaced = models.JSONField(default=list)
    error = models.JSONField(default=dict)
    seen_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    missed_polls = models.PositiveSmallIntegerField(default=0)
    deleted_at = models.DateTimeField(null=True)

    # Written by metrics, so that the job list can draw curves without loading points.
    summary = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = TuningJobQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        indexes = [
            models.Index(fields=["project", "-created_at", "-id"], name="jobs_newest_first"),
            models.Index(
                fields=["project", "submission", "state", "owner", "deleted_at"], name="jobs_by_status"
            ),
        ]

    def __str__(self) -> str:
        return self.tuned_model_display_name or (
            str(_("Unnamed draft")) if self.is_draft else f"{self.base_model} {self.pk}"
        )

    def get_absolute_url(self) -> str:
        return reverse("jobs:model" if self.is_draft else "jobs:detail", args=[self.project.slug, self.pk])

    @classmethod
    def names_object(cls, project: Project, uri: str, generation: int | None) -> bool:
        """Whether the object, or the folder, holds adapters of one of the project's jobs on the engine."""
        bucket, _slash, name = uri.removeprefix("gs://").partition("/")
        job, slash, _file = name.partition("/")
        if bucket != ADAPTER_BUCKET or not slash or not project.on_engine:
            return False
        return cls.objects.filter(project=project, name__endswith=f"/tuningJobs/{job}").exists()

    # ---- verbs ----

    def start(self, user: User) -> bool:
        """Mark the draft as ready to send. Return False if that was already done."""
        with transaction.atomic():
            # Only the job is locked: PostgreSQL can't lock the nullable side of the join with the datasets.
            rows = TuningJob.objects.select_for_update(of=("self",)).select_related("training", "validation")
            draft = rows.get(pk=self.pk)
            if not draft.is_draft:
                return False
            draft.submission = Submission.READY
            draft.request = build_tuning_request(draft)
            draft.submitted_at = timezone.now()
            draft.save(update_fields=["submission", "request", "submitted_at", "updated_at"])
            draft.add_audit_entry("tuning_job.start", user, request=draft.request)
        send_on_commit("jobs.tasks.submit_ready")
        return True

    def update_draft(self, **chosen: Any) -> bool:
        """Update the draft's columns. Return False if it was started or discarded in the meantime."""
        drafts = TuningJob.objects.drafts().filter(pk=self.pk)
        return bool(drafts.update(updated_at=timezone.now(), **chosen))

    def update_from_remote(self, remote: dict[str, Any]) -> None:
        """Store the TuningJob resource `remote`. A final state never changes: later responses can only add
        fields and change the default checkpoint."""
        with transaction.atomic():
            job = TuningJob.objects.select_for_update().get(pk=self.pk)
            if job.deleted_at is None:
                job._apply_remote(remote)
                job.save(update_fields=REMOTE_FIELDS)
        for field in REMOTE_FIELDS:
            setattr(self, field, getattr(job, field))

    def _apply_remote(self, remote: dict[str, Any]) -> None:
        before = self.replaced if self.is_final else []
        paths = dict.fromkeys([*before, *getattr(remote, "replaced", ())])
        self.replaced = [path[:MAX_PATH] for path in list(paths)[:MAX_PATHS]]
        self.remote = vertex_job.merge_final(self.remote, remote) if self.is_final else remote
        self.state = str(self.remote.get("state") or "")[:60]
        self.error = vertex_job.get_object(self.remote, "error")
        self.tuned_model_display_name = (
            self.tuned_model_display_name or str(self.remote.get("tunedModelDisplayName") or "")[:128]
        )
        now = self.seen_at = timezone.now()
        if self.is_final and self.ended_at is None:
            # Never in the future: the last reads of metrics are due some time after the end.
            self.ended_at = min(parse_timestamp(self.remote.get("endTime")) or now, now)
        self.missed_polls, self.last_error = 0, {}

    def request_cancel(self, user: User) -> bool:
        """Request cancellation. A job that wasn't sent becomes a draft again; for others a task calls the
        service."""
        with transaction.atomic():
            job = TuningJob.objects.select_for_update().get(pk=self.pk)
            if not job.can_cancel:
                return False
            if job.submission == Submission.READY:
                job.submission, job.next_try_at, job.last_error = Submission.DRAFT, None, {}
            else:
                job.cancel_asked_at, job.next_try_at = (
                    timezone.now(),
                    job.next_try_at if job.has_unknown_outcome else None,
                )
            job.save(
                update_fields=["submission", "next_try_at", "last_error", "cancel_asked_at", "updated_at"]
            )
            job.add_audit_entry("tuning_job.cancel", user)
        send_on_commit("jobs.tasks.send_cancels")
        return True

    def create_again(self, user: User) -> bool:
        """Send a job with an unknown outcome again, at the user's request.

        Both jobs would carry the same label, so the search finds either.
        """
        with transaction.atomic():
            updated = TuningJob.objects.filter(
                pk=self.pk, submission=Submission.UNKNOWN, next_try_at__isnull=True
            ).update(submission=Submission.READY, search_attempts=0, last_error={})
            if updated:
                self.add_audit_entry("tuning_job.create_again", user)
        send_on_commit("jobs.tasks.submit_ready")
        return bool(updated)

    def search_again(self) -> None:
        TuningJob.objects.filter(pk=self.pk, submission=Submission.UNKNOWN).update(next_try_at=timezone.now())
        send_on_commit("jobs.tasks.resolve_unknown")

    def copy_to_draft(self, user: User) -> TuningJob:
        """Return a new draft of `user` with the same settings."""
        chosen = {field: getattr(self, field) for field in COPIED_FIELDS}
        with transaction.atomic():
            draft = TuningJob.objects.create(project_id=self.project_id, owner=user, **chosen)
            draft.add_audit_entry("tuning_job.tune_again", user, of=self.pk)
        return draft

    def discard(self, user: User) -> None:
        with transaction.atomic():
            if TuningJob.objects.drafts().filter(pk=self.pk).delete()[0]:
                self.add_audit_entry("tuning_job.discard", user, owner=self.owner_id)

    def add_audit_entry(self, action: str, user: User | None, **detail: Any) -> None:
        AuditEntry.record(action, actor=user, project=self.project, subject=f"{self.pk} {self}", **detail)

    # ---- status ----

    @property
    def is_draft(self) -> bool:
        return self.submission == Submission.DRAFT

    @property
    def is_created(self) -> bool:
        return self.submission == Submission.CREATED

    @property
    def has_unknown_outcome(self) -> bool:
        """Whether the create call got no response, so that a remote job may or may not exist."""
        return self.submission == Submission.UNKNOWN

    @property
    def has_internal_fault(self) -> bool:
        """Whether the last response for this job raised an exception that nobody expected."""
        return bool(self.last_error.get("kind") == InternalFault.__name__)

    @property
    def is_final(self) -> bool:
        return (
            self.submission == Submission.REFUSED
            or self.deleted_at is not None
            or job_states.is_terminal(self.state)
        )

    @property
    def is_starting(self) -> bool:
        """The same condition as TuningJobQuerySet.starting, for one row."""
        young = self.submitted_at is not None and timezone.now() - self.submitted_at < STARTING_TIME
        return young and not (self.is_draft or self.is_final or self.summary) and self.project.on_engine

    @property
    def can_cancel(self) -> bool:
        if self.cancel_asked_at or self.is_final:
            return False
        return self.submission in HANDED_OVER or (self.is_created and self.state in job_states.CANCELLABLE)

    @property
    def is_queued_long(self) -> bool:
        waits = (
            self.is_created and self.state in (job_states.QUEUED, job_states.PENDING) and not self.is_final
        )
        return (
            waits and self.submitted_at is not None and timezone.now() - self.submitted_at > LONG_QUEUE_TIME
        )

    @property
    def can_create_again(self) -> bool:
        return self.has_unknown_outcome and self.next_try_at is None

    # ---- the service's response ----

    @property
    def epochs(self) -> HyperParameter:
        return HyperParameter(self.epoch_count, vertex_job.epoch_count(self.remote))

    @property
    def adapter(self) -> HyperParameter:
        return HyperParameter(self.adapter_size, vertex_job.adapter_size(self.remote))

    @property
    def learning_rate(self) -> HyperParameter:
        return HyperParameter(self.learning_rate_multiplier, vertex_job.learning_rate_multiplier(self.remote))

    @property
    def endpoint(self) -> str:
        return vertex_job.default_endpoint(self.remote)

    @property
    def tuned_model(self) -> str:
        return vertex_job.tuned_model(self.remote)

    @property
    def checkpoints(self) -> list[Checkpoint]:
        return vertex_job.checkpoints(self.remote)

    def is_default(self, checkpoint: Checkpoint) -> bool:
        return bool(self.endpoint) and checkpoint.endpoint == self.endpoint

    @property
    def can_choose_default(self) -> bool:
        """Whether the job has succeeded with a default checkpoint and at least one other checkpoint."""
        there = self.is_final and self.deleted_at is None and bool(self.tuned_model and self.endpoint)
        return there and len(self.checkpoints) > 1

    @property
    def statistics(self) -> dict[str, Any]:
        return vertex_job.tuning_data_stats(self.remote)

    @property
    def progress(self) -> Progress:
        return vertex_job.progress(self.remote)

    @property
    def started_at(self) -> datetime | None:
        return parse_timestamp(self.remote.get("startTime"))

    @property
    def elapsed(self) -> float | None:
        """Seconds from the start to the end, or until now while the job is running."""
        return seconds_between(self.started_at, self.ended_at or self.deleted_at or timezone.now())


LONG_QUEUE_TIME = timedelta(minutes=30)
"""Jobs usually start within minutes; after half an hour the page explains what the job may be waiting for."""
MAX_PATHS, MAX_PATH = 20, 200
"""How many replaced values a row names, and in how many characters: as much as a person reads."""
REMOTE_FIELDS = (
    "remote",
    "replaced",
    "state",
    "error",
    "tuned_model_display_name",
    "seen_at",
    "ended_at",
    "missed_polls",
    "last_error",
    "updated_at",
)
COPIED_FIELDS = (
    "tuned_model_display_name",
    "description",
    "base_model",
    "pre_tuned_model",
    "pre_tuned_checkpoint",
    "location",
    "epoch_count",
    "adapter_size",
    "learning_rate_multiplier",
    "export_last_checkpoint_only",
    "labels",
    "service_account",
    "kms_key_name",
    "upload_to",
    "validation_enabled",
    "training",
    "validation",
)


class JobListPoll(models.Model):
    """Polling state of one job list (project, location): when it is due, was last read and began to fail."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE)
    location = models.CharField(max_length=40)
    due_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True)
    full_at = models.DateTimeField(null=True)
    watched_at = models.DateTimeField(null=True)
    failing_since = models.DateTimeField(null=True)
    failures = models.PositiveIntegerField(default=0)
    last_error = models.JSONField(default=dict)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "location"], name="one_sweep_per_location")]


def seconds_between(start: datetime | None, end: datetime | None) -> float | None:
    return (end - start).total_seconds() if start and end else None


def resource_id(name: Any) -> str:
    """Return the last segment of a resource name."""
    return str(name or "").rsplit("/", 1)[-1]
