"""QuerySets of tuning jobs: due for submission, due for a search, active, open ..."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from studio.models import Backend
from studio.vertex import job_states

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

    from jobs.models import TuningJob  # noqa: F401


class Submission(models.TextChoices):
    DRAFT = "draft", _("Draft")
    READY = "ready", _("Starting")
    SENDING = "sending", _("Starting")
    CREATED = "created", _("Created")
    REFUSED = "refused", _("Rejected")
    UNKNOWN = "unknown", _("Outcome unknown")


HANDED_OVER = (Submission.READY, Submission.SENDING, Submission.UNKNOWN)
SENDING_TIMEOUT = timedelta(seconds=40)
"""A create call times out after 35 s, so a row that is still SENDING after 40 s belongs to a dead process."""


RECENT_EDIT = timedelta(minutes=30)
"""Half an hour after its last change nobody is waiting for a draft's token count."""
STARTING_TIME = timedelta(minutes=2)
"""Importing torch and recording the first point takes up to 30 s on a busy machine. A job without points
after four times as long is queued or has a problem, so it needs no fast polling."""


class TuningJobQuerySet(models.QuerySet["TuningJob"]):
    def visible_to(self, user: User | AnonymousUser) -> TuningJobQuerySet:
        """All jobs and the user's own drafts. Other members' drafts are listed on a separate page."""
        return self.exclude(~Q(owner_id=user.pk), submission=Submission.DRAFT)

    def with_related(self) -> TuningJobQuerySet:
        """Join the related rows that every page of a job or draft displays."""
        return self.select_related("project", "owner", "training", "validation")

    def drafts(self) -> TuningJobQuerySet:
        return self.filter(submission=Submission.DRAFT)

    def with_uncounted_tokens(self, now: datetime) -> TuningJobQuerySet:
        """Recently edited drafts with training data and a base model, whose tokens the service may be asked
        to count."""
        recent = Q(updated_at__gt=now - RECENT_EDIT) | Q(training__created_at__gt=now - RECENT_EDIT)
        return self.drafts().filter(recent, training__isnull=False).exclude(base_model="")

    def due_for_submission(self, now: datetime) -> TuningJobQuerySet:
        """Jobs whose create call is due."""
        return self.filter(submission=Submission.READY).filter(due_or_unset("next_try_at", now))

    def stuck_while_sending(self, now: datetime) -> TuningJobQuerySet:
        return self.filter(submission=Submission.SENDING, claimed_at__lt=now - SENDING_TIMEOUT)

    def due_for_search(self, now: datetime) -> TuningJobQuerySet:
        """Jobs with an unknown outcome whose search by label is due."""
        return self.filter(submission=Submission.UNKNOWN, next_try_at__lte=now)

    def pending_cancels(self, now: datetime) -> TuningJobQuerySet:
        """Jobs with a requested cancellation that hasn't been sent to the service."""
        return (
            self.active()
            .filter(cancel_asked_at__isnull=False, cancel_sent_at__isnull=True)
            .filter(due_or_unset("next_try_at", now))
        )

    def active(self) -> TuningJobQuerySet:
        """Jobs that exist at the service and haven't ended."""
        return self.filter(submission=Submission.CREATED, deleted_at__isnull=True).exclude(
            state__in=job_states.TERMINAL
        )

    def starting(self, now: datetime) -> TuningJobQuerySet:
        """Jobs just started on the engine that have no point yet.

        (On Vertex AI the first point takes minutes.)
        """
        young = self.open().filter(submitted_at__gt=now - STARTING_TIME, project__backend=Backend.ENGINE)
        return young.filter(summary={})

    def open(self) -> TuningJobQuerySet:
        """Jobs that were started and haven't ended."""
        return self.filter(OPEN)

    def succeeded(self) -> TuningJobQuerySet:
        return self.filter(state__in=job_states.WITH_MODEL)

    def failed(self) -> TuningJobQuerySet:
        return self.filter(FAILED)

    def cancelled(self) -> TuningJobQuerySet:
        return self.filter(state=job_states.CANCELLED)


def due_or_unset(field: str, now: datetime) -> Q:
    return Q(**{f"{field}__isnull": True}) | Q(**{f"{field}__lte": now})


OPEN = Q(submission__in=HANDED_OVER) | (
    Q(submission=Submission.CREATED, deleted_at__isnull=True) & ~Q(state__in=sorted(job_states.TERMINAL))
)
FAILED = Q(submission=Submission.REFUSED) | Q(state__in=[job_states.FAILED, job_states.EXPIRED])
