"""Queue position of a job: the jobs that share a quota, and those ahead of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from django.conf import settings
from django.db.models import Q
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from jobs.models import TuningJob
from jobs.querysets import Submission
from jobs.status import get_run_progress
from studio.formats import format_rough_duration, join_list, list_separator
from studio.models import Project
from studio.projects import quotas
from studio.templatetags.studio import person
from studio.vertex import job_states

if TYPE_CHECKING:
    from django.contrib.auth.models import User

MAX_NAMES_SHOWN = 3
"""Names that fit in one sentence; the others are counted."""
WAITING_STATES = ("", job_states.QUEUED, job_states.PENDING)


@dataclass(frozen=True, slots=True)
class QueuedJob:
    """A job in the queue, limited to what the reader may see: no URL for jobs of other projects. `left` is in
    seconds, or None if the pace is unknown."""

    name: str
    address: str = ""
    owner: str = ""
    left: float | None = None

    @property
    def facts(self) -> str:
        details = [
            self.owner,
            _("about %(left)s left") % {"left": format_rough_duration(self.left)} if self.left else "",
        ]
        return join_list(filter(None, details))

    @property
    def link(self) -> SafeString:
        label = format_html('<a href="{}">{}</a>', self.address, self.name) if self.address else self.name
        if not self.facts:
            return format_html("{}", label)
        return format_html(_("{name} ({facts})"), name=label, facts=self.facts)

    def __str__(self) -> str:
        return _("{name} ({facts})").format(name=self.name, facts=self.facts) if self.facts else self.name


@dataclass(frozen=True, slots=True)
class Queue:
    """`ahead` lists the jobs ahead of this one, running ones first; `quota` jobs run at the same time."""

    ahead: tuple[QueuedJob, ...]
    quota: int

    @property
    def waits(self) -> bool:
        return len(self.ahead) >= self.quota

    @property
    def names(self) -> SafeString:
        """Return the names of the first jobs as HTML links."""
        listed = [(place.link,) for place in self.first_jobs] + [
            (more,) for more in format_more(self.hidden_count)
        ]
        return format_html_join(list_separator(), "{}", listed)

    @property
    def first_jobs(self) -> tuple[QueuedJob, ...]:
        return self.ahead[:MAX_NAMES_SHOWN]

    @property
    def hidden_count(self) -> int:
        return len(self.ahead) - len(self.first_jobs)

    def __str__(self) -> str:
        """Return one sentence for a toast, or "" if no job is ahead."""
        if not self.waits:
            return ""
        count = len(self.ahead)
        return ngettext(
            "Queued behind %(n)s job: %(names)s.",
            "Queued behind %(n)s jobs: %(names)s.",
            count,
        ) % {
            "n": count,
            "names": join_list([*self.first_jobs, *format_more(self.hidden_count)]),
        }


def format_more(count: int) -> list[str]:
    return [ngettext("and %(n)s more", "and %(n)s more", count) % {"n": count}] if count > 0 else []


def get_queue(job: TuningJob, reader: User) -> Queue:
    """Return the queue ahead of a pending job, or of a draft if it started now."""
    line = sorted(find_jobs_in_line(job.project), key=sort_key)
    before = line if job.is_draft else [other for other in line if sort_key(other) < sort_key(job)]
    at_work = sum(has_begun(other) for other in line)
    others = [other for other in before if other.pk != job.pk]
    return Queue(describe_jobs(others, job, reader), max(get_quota(job.project), at_work))


def get_queue_if_waiting(job: TuningJob, reader: User) -> Queue | None:
    """Return the queue of a job that hasn't begun, or None (without a query) for other jobs."""
    handed_over = job.submission in (Submission.READY, Submission.SENDING)
    at_service = (
        job.is_created and not job.is_final and job.state in WAITING_STATES and not job.cancel_asked_at
    )
    return get_queue(job, reader) if handed_over or at_service else None


def find_jobs_in_line(project: Project) -> list[TuningJob]:
    """Return the jobs that share the project's quota, in all regions: those of the same Google Cloud project,
    or of the engine. Jobs with an unknown outcome may not exist, and paused jobs don't use quota."""
    handed_over = Q(submission__in=(Submission.READY, Submission.SENDING))
    created_jobs = Q(submission=Submission.CREATED, deleted_at__isnull=True)
    over = Q(state__in=[*job_states.TERMINAL, job_states.PAUSED])
    place = {} if project.on_engine else {"project__project_id": project.project_id}
    jobs = TuningJob.objects.filter(
        handed_over | created_jobs & ~over, project__backend=project.backend, **place
    )
    return list(jobs.select_related("project", "owner").defer("request"))


def has_begun(job: TuningJob) -> bool:
    return job.is_created and job.state not in WAITING_STATES


def sort_key(job: TuningJob) -> tuple[bool, datetime, int]:
    return (not has_begun(job), job.submitted_at or job.created_at, job.pk)


def get_quota(project: Project) -> int:
    quota: int = settings.QUOTAS.limit_for(quotas.ENGINE if project.on_engine else project.project_id)
    return quota


def describe_jobs(jobs: list[TuningJob], mine: TuningJob, reader: User) -> tuple[QueuedJob, ...]:
    elsewhere = {job.project_id for job in jobs} - {mine.project_id}
    open_to = {mine.project_id}
    if elsewhere:
        open_to |= set(
            Project.objects.visible_to(reader).filter(pk__in=elsewhere).values_list("pk", flat=True)
        )
    return tuple(describe_job(job, reader, known=job.project_id in open_to) for job in jobs)


def describe_job(job: TuningJob, reader: User, *, known: bool) -> QueuedJob:
    left = get_run_progress(job).left
    if not known:
        return QueuedJob(_("a job in another project"), left=left)
    owner = "" if job.owner_id == reader.pk else person(job.owner)
    return QueuedJob(str(job), job.get_absolute_url(), owner, left)
