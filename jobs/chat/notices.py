"""Notices about how an answer ended, in the reader's language."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from jobs.chat.models import Turn
from jobs.chat.request import BLOCKED_FINISH_REASONS
from studio.pages.error_messages import explain_error
from studio.vertex import errors

State = Turn.State


@dataclass(frozen=True, slots=True)
class Notice:
    """`title` is what happened, `meaning` the consequence and the next step, `machine` the service's
    message."""

    title: str
    meaning: str = ""
    machine: str = ""
    bad: bool = False


def build_notice(turn: Turn) -> Notice | None:
    match turn.state:
        case State.COMPLETE:
            return build_end_notice(turn)
        case State.STOPPED:
            return build_stop_notice(turn)
        case State.BROKEN:
            return build_break_notice(turn)
        case State.FAILED:
            return build_failure_notice(turn)
    return None


def build_end_notice(turn: Turn) -> Notice | None:
    if turn.finish_reason in BLOCKED_FINISH_REASONS:
        return Notice(
            _("The answer was blocked."),
            _("The service’s filters stopped it. Rephrase the message."),
            turn.finish_reason,
            bad=True,
        )
    if turn.finish_reason == "MAX_TOKENS":
        return Notice(
            _("The output token limit was reached."), _("To get more, raise the limit and regenerate.")
        )
    if not turn.reply.strip():
        return Notice(_("The answer is empty."), _("The model returned no text."), turn.finish_reason)
    if turn.finish_reason != "STOP":
        return Notice(_("The service ended the answer for another reason."), "", turn.finish_reason)
    return None


def build_stop_notice(turn: Turn) -> Notice | None:
    """Return the notice of an ended turn, or None if the user stopped it."""
    if turn.error.get("kind") != "Left":
        return None
    return Notice(_("The answer was stopped."), _("The page was closed before the answer was complete."))


def build_break_notice(turn: Turn) -> Notice:
    meaning = (
        _("The connection to the model was lost. The text so far is saved.")
        if turn.reply
        else _("The connection to the model was lost.")
    )
    cut_off = turn.error.get("kind") == "StreamBroken"
    return Notice(
        _("The answer was interrupted."),
        meaning,
        "" if cut_off else turn.error.get("message", ""),
        bad=True,
    )


def build_failure_notice(turn: Turn) -> Notice:
    error = turn.error
    match error.get("kind"):
        case "PromptBlocked":
            words = (
                _("The message was blocked."),
                _("The service’s filters rejected it. Rephrase the message."),
            )
            machine = " ".join(filter(None, [error.get("reason"), error.get("message")]))
        case "NotFound":
            words = (
                _("This endpoint is no longer available."),
                _("The model was deleted or undeployed. Test another one."),
            )
            machine = error["message"]
        case "OutcomeUnknown":
            words = (
                _("No answer received."),
                _("The service disconnected or took too long. Select Retry to ask again."),
            )
            machine = error["message"]
        case _:
            banner = explain_error(restore_error(error), on_engine=turn.conversation.project.on_engine)
            words, machine = (banner.title, f"{banner.meaning} {banner.action}".strip()), banner.machine
    return Notice(*words, machine, bad=True)


def restore_error(error: dict[str, Any]) -> errors.VertexError:
    """Return the stored error of a turn as the original exception."""
    kind = getattr(errors, str(error.get("kind")), errors.OutcomeUnknown)
    return kind(
        error.get("message", ""),
        code=error.get("code"),
        status=error.get("status", ""),
        reason=error.get("reason", ""),
    )
