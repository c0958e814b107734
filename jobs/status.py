"""Display of a job's status: always icon, label and color together (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from jobs.querysets import Submission
from studio.vertex import job_states

if TYPE_CHECKING:
    from jobs.models import TuningJob


@dataclass(frozen=True, slots=True)
class Status:
    """Icon, label and tone (ok, run, warn, bad or idle) of a status. Only statuses of running work spin."""

    word: str | Promise
    icon: str
    tone: str = "idle"
    spins: bool = False


RUNNING_ICON = "progress_activity"
BY_STATE = {
    job_states.QUEUED: Status(_("Queued"), "schedule"),
    job_states.PENDING: Status(_("Pending"), "schedule"),
    job_states.RUNNING: Status(_("Running"), RUNNING_ICON, "run", spins=True),
    job_states.SUCCEEDED: Status(_("Succeeded"), "check_circle", "ok"),
    job_states.PARTIALLY_SUCCEEDED: Status(_("Partially succeeded"), "check_circle", "warn"),
    job_states.FAILED: Status(_("Failed"), "error", "bad"),
    job_states.CANCELLING: Status(_("Cancelling"), RUNNING_ICON, "idle", spins=True),
    job_states.CANCELLED: Status(_("Cancelled"), "do_not_disturb_on"),
    job_states.PAUSED: Status(_("Paused"), "pause"),
    job_states.EXPIRED: Status(_("Expired"), "do_not_disturb_on", "bad"),
    job_states.UPDATING: Status(_("Updating"), RUNNING_ICON, "run", spins=True),
}
BY_SUBMISSION = {
    Submission.DRAFT: Status(_("Draft"), "edit"),
    Submission.READY: Status(_("Starting"), RUNNING_ICON, "run", spins=True),
    Submission.SENDING: Status(_("Starting"), RUNNING_ICON, "run", spins=True),
    Submission.REFUSED: Status(_("Rejected"), "error", "bad"),
    Submission.UNKNOWN: Status(_("Outcome unknown"), "warning", "warn"),
}
DELETED = Status(_("Deleted"), "delete")


def status_of(job: TuningJob) -> Status:
    """Return the status of a job. An unknown state is displayed verbatim."""
    if job.deleted_at:
        return DELETED
    if not job.is_created:
        return BY_SUBMISSION[Submission(job.submission)]
    if job.cancel_asked_at and not job.is_final:
        return BY_STATE[job_states.CANCELLING]
    created = pgettext_lazy("state of a job", "Created")
    return BY_STATE.get(job.state) or Status(job.state or created, "radio_button_unchecked")


@dataclass(frozen=True, slots=True)
class RunProgress:
    """Progress of a run. `left` is in seconds, or None if the pace is unknown."""

    step: int | None
    steps: int | None
    left: float | None


def get_run_progress(job: TuningJob) -> RunProgress:
    """Return the progress by the larger of the two step counts: points usually arrive before the resource."""
    remote, drawn = job.progress, job.summary
    step = max(
        filter(None, [positive_or_none(remote.step), positive_or_none(drawn.get("step"))]), default=None
    )
    steps, rate = positive_or_none(remote.steps) or positive_or_none(drawn.get("steps")), drawn.get("rate")
    runs = job.state == job_states.RUNNING and not job.cancel_asked_at
    left = (steps - step) / rate if step and steps and rate and runs else None
    return RunProgress(step, steps, left if left and left > 0 else None)


def positive_or_none(steps: int | None) -> int | None:
    return steps if steps and steps > 0 else None


ALERT_MESSAGES: dict[str, str | Promise] = {
    "not_a_number": _("Loss is not a number (NaN)."),
    "diverged": _("Loss is diverging."),
    "plateau": _("Validation loss has stopped improving."),
    "overfitting": _("Validation loss is rising again: the model is overfitting."),
}
"""Messages by the alert key that metrics writes into `summary`."""
FAULT_MESSAGE: str | Promise = _("Tuning Studio couldn’t process the service’s response.")


def describe_alerts(job: TuningJob) -> list[str | Promise]:
    """Return the messages of the known alerts; jobs summarized by an older version have none."""
    kinds = job.summary.get("alerts")
    known = [words for kind, words in ALERT_MESSAGES.items() if isinstance(kinds, list) and kind in kinds]
    return [*known, FAULT_MESSAGE] if job.has_internal_fault else known
