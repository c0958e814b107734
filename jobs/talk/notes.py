"""How an answer ended -> what the page says about it, in the reader's language."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from jobs.models import Turn
from jobs.talk.body import REFUSED
from studio.vertex import errors
from studio.words import explain

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
            return note_of_failure(turn.error)
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
    return Note(_("The answer was cut off."), meaning, turn.error.get("message", ""), bad=True)


def note_of_failure(error: dict[str, Any]) -> Note:
    if error.get("kind") == "PromptBlocked":
        return Note(
            _("The message was blocked."),
            _("The service's filters refused it. Ask in other words."),
            " ".join(filter(None, [error.get("reason"), error.get("message")])),
            bad=True,
        )
    banner = explain(as_raised(error))
    return Note(banner.title, f"{banner.meaning} {banner.action}".strip(), banner.machine, bad=True)


def as_raised(error: dict[str, Any]) -> errors.VertexError:
    """The error that was stored with the turn, as it was raised."""
    kind = getattr(errors, str(error.get("kind")), errors.OutcomeUnknown)
    return kind(
        error.get("message", ""),
        code=error.get("code"),
        status=error.get("status", ""),
        reason=error.get("reason", ""),
    )
