"""What stands below the charts in words: notes, and each number in them with where it was read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.utils.html import conditional_escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from metrics.diagnosis.citations import difference, place, span
from metrics.diagnosis.findings import (
    Diverged,
    Falling,
    Finding,
    Kept,
    Level,
    Measured,
    NoEvaluation,
    Odd,
    Overfitting,
    Plateau,
    Reading,
)
from metrics.summary import EVAL_LOSS


@dataclass(frozen=True, slots=True)
class Note:
    """A tinted band: what is wrong, what it means. `again` offers to tune again, `default` to make that
    checkpoint the default; `machine` is foreign."""

    title: str
    text: str = ""
    tone: str = "note-warn"
    icon: str = "warning"
    again: str = ""
    machine: str = ""
    default: str = ""


def hints(findings: Sequence[Finding], *, over: bool, settable: bool) -> list[Note]:
    """What was found about the course and the checkpoints is one note, everything else its own."""
    kept = next((one for one in findings if isinstance(one, Kept)), None)
    course = next((one for one in findings if isinstance(one, Overfitting | Plateau | Falling)), None)
    alerts = [alert_note(one, over) for one in findings if isinstance(one, Odd | Diverged)]
    absent = [absent_note(one) for one in findings if isinstance(one, NoEvaluation)]
    return [*alerts, *_hint(course, kept, settable), *absent]


def _hint(
    course: Overfitting | Plateau | Falling | None, kept: Kept | None, settable: bool
) -> Iterator[Note]:
    """The course of the validation loss, what it means for the checkpoints, and for more epochs."""
    better = kept if settable and kept and kept.default else None
    default = better.best.checkpoint.id if better else ""
    if course:
        said = course_note(course)
        told = kept and (kept.default or kept.last or not isinstance(course, Falling))
        parts = [said.text, *(checkpoint_words(kept) if kept and told else []), further(course)]
        yield Note(said.title, joined(parts), said.tone, said.icon, said.again, default=default)
    elif better:
        title = spoken(
            _("Checkpoint %(id)s has a lower validation loss than the default."), id=named(better.best)
        )
        yield Note(title, joined(checkpoint_words(better)[1:]), "", "info", default=default)


def further(course: Overfitting | Plateau | Falling) -> str:
    if isinstance(course, Falling):
        return _("More epochs may help.")
    return _("More epochs are unlikely to help.")


def checkpoint_words(kept: Kept) -> list[SafeString]:
    """Which one to take, then what the last one and the default cost against it."""
    best = {"id": named(kept.best)}
    if kept.is_default:
        said = [spoken(_("The default, checkpoint %(id)s, is the closest one kept."), **best)]
    else:
        said = [spoken(_("Checkpoint %(id)s is the closest one kept."), **best)]
    if kept.last and kept.last == kept.default:
        said += [
            _worse(_("The last checkpoint, the default, is %(cost)s worse (%(share)s)."), kept, kept.last)
        ]
    elif kept.last:
        said += [_worse(_("The last checkpoint is %(cost)s worse (%(share)s)."), kept, kept.last)]
    if kept.default and kept.default != kept.last:
        words = _("The default, checkpoint %(id)s, is %(cost)s worse (%(share)s).")
        said += [_worse(words, kept, kept.default)]
    return said


def _worse(template: str, kept: Kept, worse: Measured) -> SafeString:
    cost = worse.loss.value - kept.best.loss.value
    source = difference(EVAL_LOSS, worse.loss.step, kept.best.loss.step)
    share = f"+{100 * cost / abs(kept.best.loss.value):.0f}\u00a0%" if kept.best.loss.value else "–"
    return spoken(
        template, cost=sourced(f"{cost:.3f}", source), share=sourced(share, source), id=named(worse)
    )


# ---- one finding ----


def course_note(course: Overfitting | Plateau | Falling) -> Note:
    match course:
        case Overfitting():
            return _overfitting(course)
        case Plateau():
            words = _("Validation loss has not improved for %(n)s checks, since step %(step)s.")
            step = at(course.best)
            count = sourced(f"{course.checks:,}", place(EVAL_LOSS, course.best.step))
            return Note(spoken(words, n=count, step=step), icon="trending_up")
        case Falling():
            words = _("It went from %(before)s to %(now)s in its last checks.")
            text = spoken(words, before=read(course.before), now=read(course.now))
            return Note(_("Validation loss was still falling at the end."), text, "", "info", _("Tune again"))


def _overfitting(found: Overfitting) -> Note:
    title = (
        _("Overfitting began at step %(step)s.")
        if found.epoch is None
        else _("Overfitting began at step %(step)s (epoch %(epoch)s).")
    )
    epoch = sourced(f"{found.epoch or 0:.2f}", place(EVAL_LOSS, found.start.step))
    words = _("Validation loss rose from %(start)s to %(now)s since then, while training loss kept falling.")
    return Note(
        spoken(title, step=at(found.start), epoch=epoch),
        spoken(words, start=read(found.start), now=read(found.now)),
        icon="trending_up",
    )


def alert_note(finding: Odd | Diverged, over: bool) -> Note:
    """What is broken; red where the run can learn nothing more."""
    if isinstance(finding, Odd) and not finding.lasting:
        return _gap(finding)
    if isinstance(finding, Odd):
        words = (
            _("Validation loss has not been a number since step %(step)s.")
            if finding.metric == EVAL_LOSS
            else _("Training loss has not been a number since step %(step)s.")
        )
        step = sourced(f"{finding.first:,}", place(finding.metric, finding.first))
        title = spoken(words, step=step)
    else:
        words = (
            _("Validation loss has diverged: from %(lowest)s at step %(step)s to %(now)s.")
            if finding.now.metric == EVAL_LOSS
            else _("Training loss has diverged: from %(lowest)s at step %(step)s to %(now)s.")
        )
        lowest, now = finding.lowest, finding.now
        step = sourced(f"{lowest.last:,}", span(lowest.metric, lowest.first, lowest.last))
        title = spoken(words, lowest=read(lowest), step=step, now=read(now))
    return Note(title, cure(over), "note-bad", "error", _("Tune again") if over else "")


def cure(over: bool) -> str:
    if over:
        return _("Tune again with a lower learning rate multiplier, and look at the data of these steps.")
    return _("Cancel it, and tune again with a lower learning rate multiplier.")


def _gap(found: Odd) -> Note:
    """The numbers came back after it."""
    words = (
        ngettext(
            "The validation loss is not a number at %(n)s step.",
            "The validation loss is not a number at %(n)s steps.",
            found.count,
        )
        if found.metric == EVAL_LOSS
        else ngettext(
            "The training loss is not a number at %(n)s step.",
            "The training loss is not a number at %(n)s steps.",
            found.count,
        )
    )
    source = place(found.metric, found.first)
    text = spoken(
        _("The line breaks there, first at step %(step)s."), step=sourced(f"{found.first:,}", source)
    )
    return Note(spoken(words, n=sourced(f"{found.count:,}", source)), text)


def absent_note(found: NoEvaluation) -> Note:
    if found.given:
        title = _("The service recorded no validation loss.")
        text = _("Which checkpoint is best cannot be told from the training loss; test them instead.")
        return Note(title, text, "", "info")
    text = _("No validation dataset was given, so only the training curves can be drawn.")
    return Note(_("There is no validation curve."), text, "", "info", _("Tune again with validation"))


# ---- numbers with where they come from ----


def spoken(template: str, **values: SafeString) -> SafeString:
    """The sentence as HTML, its numbers being HTML already."""
    return mark_safe(conditional_escape(template) % values)  # noqa: S308


def joined(parts: Sequence[str]) -> SafeString:
    return format_html_join(" ", "{}", ((part,) for part in parts if part))


def sourced(text: str, source: str) -> SafeString:
    return format_html('<span class="num" title="{}">{}</span>', source, text)


def at(reading: Reading) -> SafeString:
    """The step of a reading."""
    return sourced(f"{reading.step:,}", place(reading.metric, reading.step))


def read(found: Reading | Level) -> SafeString:
    """The value of a reading, or of a level."""
    if isinstance(found, Level):
        return sourced(f"{found.value:.3f}", span(found.metric, found.first, found.last))
    return sourced(f"{found.value:.3f}", place(found.metric, found.step))


def named(measured: Measured) -> SafeString:
    return sourced(measured.checkpoint.id, place(EVAL_LOSS, measured.loss.step))
