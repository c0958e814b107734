"""Pages of conversations: list, one conversation, create and delete."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from jobs.chat.endpoints import endpoints
from jobs.chat.forms import DEFAULTS, AskForm
from jobs.chat.models import Conversation
from jobs.chat.page import build_chat_context, build_job_opening, may_delete
from jobs.models import TuningJob
from studio.models import AuditEntry, Project, Role
from studio.pages.query_values import parse_pk
from studio.people.access import Request, require_role

PAGE_SIZE = 50


@require_GET
@require_role(Role.VIEWER)
def list_conversations(request: Request, project: Project) -> HttpResponse:
    chats = Conversation.objects.filter(project=project, turn__isnull=False).distinct()
    page = Paginator(chats.select_related("owner", "job"), PAGE_SIZE).get_page(request.GET.get("page"))
    tuned = project.tuningjob_set.select_related("project").filter(remote__has_key="tunedModel")[:PAGE_SIZE]
    models = [(job, endpoints(job.remote)) for job in tuned]
    return render(request, "jobs/chat/list.html", {"page": page, "models": models})


@require_POST
@require_role(Role.TUNER)
def create_conversation(request: Request, project: Project) -> HttpResponse:
    """Create a conversation with one endpoint of `job`: `endpoint`, or the default checkpoint's."""
    pk = parse_pk(request.POST.get("job") or request.GET.get("job") or "")
    job = get_object_or_404(TuningJob, project=project, pk=pk)
    known = [endpoint.resource for endpoint in endpoints(job.remote)]
    resource = request.POST.get("endpoint") or next(iter(known), "")
    if resource not in known:
        messages.error(request, _("This model has no endpoint yet. Test it after tuning succeeds."))
        return redirect("talk:list", project.slug)
    return redirect(start_conversation(request, job, resource))


def start_conversation(request: Request, job: TuningJob, resource: str) -> Conversation:
    """Create a conversation, with the settings of the user's conversation `like` if given (Clear keeps
    settings)."""
    like = parse_pk(request.POST.get("like", ""))
    model = Conversation.objects.filter(project=job.project, owner=request.user, pk=like).first()
    return Conversation.objects.create(
        project=job.project,
        owner=request.user,
        job=job,
        resource=resource,
        system_instruction=model.system_instruction if model else build_job_opening(job).system_instruction,
        generation_config=model.generation_config if model else DEFAULTS,
    )


@require_GET
@require_role(Role.VIEWER)
def show_conversation(request: Request, project: Project, pk: int) -> HttpResponse:
    row = get_object_or_404(
        Conversation.objects.select_related("project", "owner", "job__training", "job__validation"),
        project=project,
        pk=pk,
    )
    template = "jobs/chat/conversation.html" + ("#chat" if request.htmx else "")
    return render(request, template, build_chat_context(request, row, AskForm.from_conversation(row)))


@require_http_methods(["GET", "POST"])
@require_role(Role.TUNER)
def delete_conversation(request: Request, project: Project, pk: int) -> HttpResponse:
    row = get_object_or_404(Conversation.objects.select_related("owner"), project=project, pk=pk)
    if not may_delete(request, row):
        raise PermissionDenied(_("This conversation belongs to someone else."))
    if request.method == "GET":
        return render(request, "jobs/chat/delete.html", {"conversation": row})
    with transaction.atomic():
        AuditEntry.record(
            "delete conversation", actor=request.user, project=project, subject=str(row), number=row.pk
        )
        row.delete()
    messages.success(request, _("Conversation deleted."))
    return redirect("talk:list", project.slug)
