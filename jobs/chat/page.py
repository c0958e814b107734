"""Context of the chat page and its fragments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from jobs.chat.endpoints import Endpoint, endpoints
from jobs.chat.forms import SettingsForm
from jobs.chat.models import Conversation, Turn
from jobs.chat.notices import Notice, build_notice
from jobs.chat.sse import get_busy_message
from jobs.chat.suggestions import Opening, opening
from jobs.datasets.check.report import Sample
from jobs.datasets.models import Dataset
from jobs.models import TuningJob, resource_id
from studio.models import Role
from studio.people.access import Request


@dataclass(frozen=True, slots=True)
class Line:
    """One turn as displayed in the thread."""

    turn: Turn
    note: Notice | None
    last: bool


def may_write(request: Request, conversation: Conversation) -> bool:
    """Whether the user may continue the conversation: only its owner; other members read it."""
    return conversation.owner_id == request.user.pk and request.role.covers(Role.TUNER)


def may_delete(request: Request, conversation: Conversation) -> bool:
    return may_write(request, conversation) or request.role.covers(Role.ADMIN)


def build_chat_context(request: Request, conversation: Conversation, form: SettingsForm) -> dict[str, Any]:
    Turn.objects.filter(conversation=conversation).abandon_silent(timezone.now())
    turns = list(conversation.turn_set.all())
    writes = may_write(request, conversation)
    for field in form.fields.values():
        field.disabled = not writes
    job = conversation.job
    return {
        "conversation": conversation,
        "job": job,
        "lines": [line(turn, turns[-1]) for turn in turns],
        "live": next((turn for turn in turns if turn.live), None),
        "form": form,
        "may_write": writes,
        "may_delete": may_delete(request, conversation),
        "endpoints": endpoints(job.remote) if job else [],
        "endpoint": find_endpoint(conversation),
        "model_id": resource_id(job.tuned_model) if job else "",
        "opening": build_job_opening(job) if job and not turns else None,
        "busy": get_busy_message(),
    }


def line(turn: Turn, last: Turn) -> Line:
    return Line(turn, build_notice(turn), last=turn.pk == last.pk)


def find_endpoint(conversation: Conversation) -> Endpoint:
    """Return the conversation's endpoint as its job currently describes it."""
    known = endpoints(conversation.job.remote) if conversation.job else []
    return next(
        (endpoint for endpoint in known if endpoint.resource == conversation.resource),
        Endpoint(conversation.resource),
    )


def build_job_opening(job: TuningJob) -> Opening:
    """Return the suggested messages, validation examples first: the model wasn't trained on them."""
    samples = [sample for dataset in (job.validation, job.training) for sample in get_samples(dataset)]
    return opening(samples, job.remote)


def get_samples(dataset: Dataset | None) -> list[Sample]:
    return dataset.parsed_report.samples if dataset else []
