"""Findings in words: the notes below the charts, and the source of each number in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from metrics.diagnosis.citations import cite_difference, cite_span, cite_step
from metrics.diagnosis.findings import (
    CheckpointChoice,
    Divergence,
    Finding,
    Level,
    MeasuredCheckpoint,
    NoEvaluation,
    NotANumber,
    Overfitting,
    Plateau,
    Reading,
    StillFalling,
)
from metrics.metric_names import EVAL_LOSS
from studio.formats import join_sentences


@dataclass(frozen=True, slots=True)
class Note:
    """A colored box: what is wrong, and what it means. `again` is the label of a link to tune again,
    `default` the checkpoint to offer as default, `machine` the service's own message."""

    title: str
    text: str = ""
    tone: str = "note-warn"
    icon: str = "warning"
    again: str = ""
    machine: str = ""
    default: str = ""


def build_notes(findings: Sequence[Finding], *, over: bool, settable: bool) -> list[Note]:
    """Return one note about course and checkpoints together, and one for each other finding."""
    kept = next((one for one in findings if isinstance(one, CheckpointChoice)), None)
    course = next((one for one in findings if isinstance(one, Overfitting | Plateau | StillFalling)), None)
    alerts = [alert_note(one, over) for one in findings if isinstance(one, NotANumber | Divergence)]
    absent = [no_evaluation_note(one) for one in findings if isinstance(one, NoEvaluation)]
    return [*alerts, *_iter_course_notes(course, kept, settable), *absent]


def _iter_course_notes(
    course: Overfitting | Plateau | StillFalling | None, kept: CheckpointChoice | None, settable: bool
) -> Iterator[Note]:
    """Yield the note about the course of the validation loss, the checkpoints, and more epochs."""
    better = kept if settable and kept and kept.default else None
    default = better.best.checkpoint.id if better else ""
    if course:
        said = course_note(course)
        told = kept and (kept.default or kept.last or not isinstance(course, StillFalling))
        parts = [said.text, *(describe_checkpoints(kept) if kept and told else []), advise_epochs(course)]
        yield Note(said.title, join_as_html(parts), said.tone, said.icon, said.again, default=default)
    elif better:
        title = format_sentence(
            _("Checkpoint %(id)s has a lower validation loss than the default checkpoint."),
            id=render_checkpoint_id(better.best),
        )
        yield Note(title, join_as_html(describe_checkpoints(better)[1:]), "", "info", default=default)


def advise_epochs(course: Overfitting | Plateau | StillFalling) -> str:
    if isinstance(course, StillFalling):
        return _("More epochs may help.")
    return _("More epochs are unlikely to help.")


def describe_checkpoints(kept: CheckpointChoice) -> list[SafeString]:
    """Return sentences about the best checkpoint, and how much worse the last one and the default are."""
    best = {"id": render_checkpoint_id(kept.best)}
    if kept.is_default:
        said = [
            format_sentence(
                _("Checkpoint %(id)s, the default, is the saved checkpoint closest to the best step."), **best
            )
        ]
    else:
        said = [
            format_sentence(_("Checkpoint %(id)s is the saved checkpoint closest to the best step."), **best)
        ]
    if kept.last and kept.last == kept.default:
        said += [
            _describe_cost(
                _("Validation loss at the last checkpoint (the default) is %(cost)s higher (%(share)s)."),
                kept,
                kept.last,
            )
        ]
    elif kept.last:
        said += [
            _describe_cost(
                _("Validation loss at the last checkpoint is %(cost)s higher (%(share)s)."), kept, kept.last
            )
        ]
    if kept.default and kept.default != kept.last:
        words = _("Validation loss at checkpoint %(id)s (the default) is %(cost)s higher (%(share)s).")
        said += [_describe_cost(words, kept, kept.default)]
    return said


def _describe_cost(template: str, kept: CheckpointChoice, worse: MeasuredCheckpoint) -> SafeString:
    cost = worse.loss.value - kept.best.loss.value
    source = cite_difference(EVAL_LOSS, worse.loss.step, kept.best.loss.step)
    share = f"+{100 * cost / abs(kept.best.loss.value):.0f}%" if kept.best.loss.value else "–"
    return format_sentence(
        template,
        cost=render_cited(f"{cost:.3f}", source),
        share=render_cited(share, source),
        id=render_checkpoint_id(worse),
    )


# ---- one finding ----


def course_note(course: Overfitting | Plateau | StillFalling) -> Note:
    match course:
        case Overfitting():
            return _overfitting_note(course)
        case Plateau():
            words = _(
                "Validation loss hasn’t improved noticeably in the last %(n)s evaluations, since step "
                "%(step)s."
            )
            step = render_step(course.best)
            count = render_cited(f"{course.checks:,}", cite_step(EVAL_LOSS, course.best.step))
            return Note(format_sentence(words, n=count, step=step), icon="trending_up")
        case StillFalling():
            words = _("It fell from %(before)s to %(now)s in the last evaluations.")
            text = format_sentence(words, before=render_value(course.before), now=render_value(course.now))
            return Note(_("Validation loss was still falling at the end."), text, "", "info", _("Tune again"))


def _overfitting_note(found: Overfitting) -> Note:
    title = (
        _("Overfitting began at step %(step)s.")
        if found.epoch is None
        else _("Overfitting began at step %(step)s (epoch %(epoch)s).")
    )
    epoch = render_cited(f"{found.epoch or 0:.2f}", cite_step(EVAL_LOSS, found.start.step))
    words = _(
        "Validation loss has risen from %(start)s to %(now)s since then, while training loss kept falling."
    )
    return Note(
        format_sentence(title, step=render_step(found.start), epoch=epoch),
        format_sentence(words, start=render_value(found.start), now=render_value(found.now)),
        icon="trending_up",
    )


def alert_note(finding: NotANumber | Divergence, over: bool) -> Note:
    """Return the note about NaN values or a divergence; red if the run cannot recover."""
    if isinstance(finding, NotANumber) and not finding.is_lasting:
        return _gap_note(finding)
    if isinstance(finding, NotANumber):
        words = (
            _("Validation loss has been NaN or infinite since step %(step)s.")
            if finding.metric == EVAL_LOSS
            else _("Training loss has been NaN or infinite since step %(step)s.")
        )
        step = render_cited(f"{finding.first:,}", cite_step(finding.metric, finding.first))
        title = format_sentence(words, step=step)
    else:
        words = (
            _("Validation loss has diverged, from %(lowest)s at step %(step)s to %(now)s.")
            if finding.now.metric == EVAL_LOSS
            else _("Training loss has diverged, from %(lowest)s at step %(step)s to %(now)s.")
        )
        lowest, now = finding.lowest, finding.now
        step = render_cited(f"{lowest.last:,}", cite_span(lowest.metric, lowest.first, lowest.last))
        title = format_sentence(words, lowest=render_value(lowest), step=step, now=render_value(now))
    return Note(title, suggest_remedy(over), "note-bad", "error", _("Tune again") if over else "")


def suggest_remedy(over: bool) -> str:
    if over:
        return _("Tune again with a lower learning rate multiplier, and check the data used in these steps.")
    return _("Cancel the job, then tune again with a lower learning rate multiplier.")


def _gap_note(found: NotANumber) -> Note:
    """Return the note about NaN values that finite values followed."""
    words = (
        ngettext(
            "Validation loss is NaN or infinite at %(n)s step.",
            "Validation loss is NaN or infinite at %(n)s steps.",
            found.count,
        )
        if found.metric == EVAL_LOSS
        else ngettext(
            "Training loss is NaN or infinite at %(n)s step.",
            "Training loss is NaN or infinite at %(n)s steps.",
            found.count,
        )
    )
    source = cite_step(found.metric, found.first)
    text = format_sentence(
        _("The first gap in the curve is at step %(step)s."), step=render_cited(f"{found.first:,}", source)
    )
    return Note(format_sentence(words, n=render_cited(f"{found.count:,}", source)), text)


def no_evaluation_note(found: NoEvaluation) -> Note:
    if found.has_dataset:
        title = _("The service recorded no validation loss.")
        text = _("Training loss can’t show which checkpoint is best. Test the checkpoints instead.")
        return Note(title, text, "", "info")
    text = _("No validation dataset was set, so only training curves are shown.")
    return Note(_("No validation curve."), text, "", "info", _("Tune again with validation"))


# ---- numbers with their sources ----


def format_sentence(template: str, **values: SafeString) -> SafeString:
    """Return the sentence as HTML; its values are HTML already."""
    return mark_safe(conditional_escape(template) % values)  # noqa: S308


def join_as_html(parts: Sequence[str]) -> SafeString:
    return mark_safe(join_sentences(map(conditional_escape, parts)))  # noqa: S308


def render_cited(text: str, source: str) -> SafeString:
    return format_html('<span class="num" title="{}">{}</span>', source, text)


def render_step(reading: Reading) -> SafeString:
    """Return the step of a reading."""
    return render_cited(f"{reading.step:,}", cite_step(reading.metric, reading.step))


def render_value(found: Reading | Level) -> SafeString:
    """Return the value of a reading or a level."""
    if isinstance(found, Level):
        return render_cited(f"{found.value:.3f}", cite_span(found.metric, found.first, found.last))
    return render_cited(f"{found.value:.3f}", cite_step(found.metric, found.step))


def render_checkpoint_id(measured: MeasuredCheckpoint) -> SafeString:
    return render_cited(measured.checkpoint.id, cite_step(EVAL_LOSS, measured.loss.step))
