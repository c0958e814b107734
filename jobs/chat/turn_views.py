"""Actions of the chat page: ask, ask again, stream the answer, stop."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from jobs.chat import sse
from jobs.chat.forms import AskForm
from jobs.chat.models import Conversation, Turn
from jobs.chat.page import build_chat_context, line, may_write
from studio.models import Project, Role
from studio.people.access import Request, require_role


@require_POST
@require_role(Role.TUNER)
def ask_question(request: Request, project: Project, pk: int) -> HttpResponse:
    conversation = get_own_conversation(request, project, pk)
    data = request.POST.copy()
    data["prompt"] = data.get("starter") or data.get("prompt", "")
    form = AskForm(data)
    if form.is_valid():
        form.save(conversation)
        if turn := conversation.ask(form.cleaned_data["prompt"]):
            return respond_with_turn(request, conversation, turn)
        form.add_error("prompt", _("An answer is in progress. Wait for it to finish, or stop it."))
    return render(request, choose_template(request), build_chat_context(request, conversation, form))


@require_POST
@require_role(Role.TUNER)
def ask_again(request: Request, project: Project, pk: int) -> HttpResponse:
    """Ask the last question again with the settings on the page, or the stored ones."""
    conversation = get_own_conversation(request, project, pk)
    if "temperature" in request.POST:
        form = AskForm(request.POST)
        form.fields["prompt"].required = False
        if not form.is_valid():
            return render(request, choose_template(request), build_chat_context(request, conversation, form))
        form.save(conversation)
    if turn := conversation.ask_again():
        return respond_with_turn(request, conversation, turn, typed=request.POST.get("prompt", ""))
    return redirect(conversation)


@require_GET
@require_role(Role.VIEWER)
def show_turn(request: Request, project: Project, pk: int, turn_pk: int) -> HttpResponse:
    """Return one turn's fragment with the matching button of the message box."""
    Turn.objects.filter(pk=turn_pk).abandon_silent(timezone.now())
    turn = turn_or_404(project, pk, turn_pk)
    conversation = turn.conversation
    if not request.htmx:
        return redirect(f"{conversation.get_absolute_url()}#turn-{turn_pk}")
    context = {
        "conversation": conversation,
        "line": line(turn, conversation.turn_set.latest("pk")),
        "live": turn if turn.live else None,
        "may_write": may_write(request, conversation),
        "busy": sse.get_busy_message(),
    }
    return render(request, "jobs/chat/_turn_and_send.html", context)


@require_GET
@require_role(Role.VIEWER)
def stream_turn(request: Request, project: Project, pk: int, turn_pk: int) -> HttpResponseBase:
    turn = turn_or_404(project, pk, turn_pk)
    return sse.build_stream_response(turn, may_answer=may_write(request, turn.conversation))


@require_POST
@require_role(Role.TUNER)
def stop_turn(request: Request, project: Project, pk: int, turn_pk: int) -> HttpResponse:
    """Mark the turn as stopped; the generating request sees this in the row and closes its call."""
    conversation = get_own_conversation(request, project, pk)
    get_object_or_404(Turn, conversation=conversation, pk=turn_pk).stop()
    return HttpResponse(status=204) if request.htmx else redirect(conversation)


def get_own_conversation(request: Request, project: Project, pk: int) -> Conversation:
    found = Conversation.objects.select_related("project", "owner", "job__training", "job__validation")
    conversation = get_object_or_404(found, project=project, pk=pk)
    if not may_write(request, conversation):
        raise PermissionDenied(_("This conversation belongs to someone else. Start your own."))
    return conversation


def turn_or_404(project: Project, pk: int, turn_pk: int) -> Turn:
    found = Turn.objects.select_related("conversation__project", "conversation__job", "conversation__owner")
    return get_object_or_404(found, conversation__project=project, conversation=pk, pk=turn_pk)


def choose_template(request: Request) -> str:
    return "jobs/chat/conversation.html" + ("#chat" if request.htmx else "")


def respond_with_turn(
    request: Request, conversation: Conversation, turn: Turn, typed: str = ""
) -> HttpResponse:
    """Return the turn for streaming with JavaScript; without it, generate the whole answer first."""
    if request.htmx:
        form = AskForm.from_conversation(conversation, prompt=typed)
        return render(request, choose_template(request), build_chat_context(request, conversation, form))
    if not sse.answer_without_stream(turn):
        messages.warning(
            request, _("The server is at its limit of simultaneous chats. Try again in a moment.")
        )
    return redirect(f"{conversation.get_absolute_url()}#turn-{turn.pk}")
