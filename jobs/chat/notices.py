"""How an answer ended -> what the page says about it, in the reader's language."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from jobs.chat.models import Turn
from jobs.chat.request import REFUSED
from studio.pages.error_messages import explain
from studio.vertex import errors

State = Turn.State


@dataclass(frozen=True, slots=True)
class Note:
    """`title` says what happened, `meaning` what it means and what to do; `machine` is the service's text."""

    title: str
    meaning: str = ""
    machine: str = ""
    bad: bool = False


def note(turn: Turn) -> Note | None:
    match turn.state:
        case State.COMPLETE:
            return note_of_end(turn)
        case State.STOPPED:
            return note_of_stop(turn)
        case State.BROKEN:
            return note_of_break(turn)
        case State.FAILED:
            return note_of_failure(turn)
    return None


def note_of_end(turn: Turn) -> Note | None:
    if turn.finish_reason in REFUSED:
        return Note(
            _("The answer was blocked."),
            _("The service's filters ended it. Ask in other words."),
            turn.finish_reason,
            bad=True,
        )
    if turn.finish_reason == "MAX_TOKENS":
        return Note(_("The output token limit was reached."), _("Raise the limit and regenerate for more."))
    if not turn.reply.strip():
        return Note(_("The answer is empty."), _("The model ended it without any text."), turn.finish_reason)
    if turn.finish_reason != "STOP":
        return Note(_("The service ended the answer for a reason of its own."), "", turn.finish_reason)
    return None


def note_of_stop(turn: Turn) -> Note | None:
    """None when a person stopped it: they know."""
    if turn.error.get("kind") != "Left":
        return None
    return Note(_("The answer was stopped."), _("The page was closed before it ended."))


def note_of_break(turn: Turn) -> Note:
    meaning = (
        _("The connection to the model broke. The text so far is kept.")
        if turn.reply
        else _("The connection to the model broke.")
    )
    told = turn.error.get("kind") == "StreamBroken"
    return Note(
        _("The answer was cut off."), meaning, "" if told else turn.error.get("message", ""), bad=True
    )


def note_of_failure(turn: Turn) -> Note:
    error = turn.error
    match error.get("kind"):
        case "PromptBlocked":
            words = _("The message was blocked."), _("The service's filters refused it. Ask in other words.")
            machine = " ".join(filter(None, [error.get("reason"), error.get("message")]))
        case "NotFound":
            words = (
                _("This endpoint is gone."),
                _("The model was deleted or taken offline. Test another one."),
            )
            machine = error["message"]
        case "OutcomeUnknown":
            words = _("No answer came."), _("The service broke off or took too long. Retry asks once more.")
            machine = error["message"]
        case _:
            banner = explain(as_raised(error), on_engine=turn.conversation.project.on_engine)
            words, machine = (banner.title, f"{banner.meaning} {banner.action}".strip()), banner.machine
    return Note(*words, machine, bad=True)


def as_raised(error: dict[str, Any]) -> errors.VertexError:
    """The error that was stored with the turn, as it was raised."""
    kind = getattr(errors, str(error.get("kind")), errors.OutcomeUnknown)
    return kind(
        error.get("message", ""),
        code=error.get("code"),
        status=error.get("status", ""),
        reason=error.get("reason", ""),
    )
