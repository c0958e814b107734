"""Honest comparison: which evaluation losses may be ranked, and in words why others may not (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from jobs.datasets.models import Dataset
from metrics.compare.runs import Line
from studio.formats import format_count

NAMED = 4


@dataclass(frozen=True, slots=True)
class Warned:
    """A note above the table: `runs` can be hidden with one click."""

    title: str
    text: str
    runs: tuple[int, ...]
    severe: bool = True


def notes(lines: Sequence[Line], baseline: Line | None) -> list[Warned]:
    return [*_notes(lines, baseline)] if baseline else []


def _notes(lines: Sequence[Line], baseline: Line) -> Iterator[Warned]:
    measured = [line for line in lines if line.validated_on]
    if baseline.validated_on is None:
        if measured:
            yield Warned(
                _("The baseline has no validation data."),
                _("No validation loss can be ranked against it. Choose another baseline."),
                (),
            )
    else:
        yield from _other_data(
            [one for one in measured if one.validated_on != baseline.validated_on], baseline
        )
    yield from _other_base([one for one in lines if one.job.base_model != baseline.job.base_model], baseline)
    yield from _none([line for line in lines if not line.validated_on and line is not baseline])


def _other_data(others: Sequence[Line], baseline: Line) -> Iterator[Warned]:
    if not others:
        return
    title = ngettext(
        "%(n)d run was validated on other data: validation losses not comparable.",
        "%(n)d runs were validated on other data: validation losses not comparable.",
        len(others),
    ) % {"n": len(others)}
    files: dict[tuple[str, int] | None, list[Line]] = {}
    for line in others:
        files.setdefault(line.validated_on, []).append(line)
    used = [
        _("%(runs)s: %(file)s.") % {"runs": listed(lines), "file": told(lines[0].job.validation)}
        for lines in files.values()
    ]
    used.append(_("Baseline: %(file)s.") % {"file": told(baseline.job.validation)})
    yield Warned(title, " ".join(used), keys(others))


def _other_base(others: Sequence[Line], baseline: Line) -> Iterator[Warned]:
    if not others:
        return
    title = ngettext(
        "%(n)d run has another base model: losses not comparable.",
        "%(n)d runs have another base model: losses not comparable.",
        len(others),
    ) % {"n": len(others)}
    text = _(
        "%(runs)s: another model than %(base)s. A loss is counted per token, and another tokenizer cuts the "
        "same text into other tokens."
    ) % {"runs": listed(others), "base": baseline.job.base_model}
    yield Warned(title, text, keys(others))


def _none(others: Sequence[Line]) -> Iterator[Warned]:
    if not others:
        return
    title = ngettext(
        "%(n)d run has no validation data.", "%(n)d runs have no validation data.", len(others)
    ) % {"n": len(others)}
    text = _("%(runs)s: only the training curves can be compared.") % {"runs": listed(others)}
    yield Warned(title, text, keys(others), severe=False)


def listed(lines: Sequence[Line]) -> str:
    names = [line.short for line in lines]
    if len(names) > NAMED:
        more = _("%(n)d more") % {"n": len(names) - NAMED + 1}
        names = [*names[: NAMED - 1], more]
    return _(", ").join(names)


def told(dataset: Dataset | None) -> str:
    """The file by name, with what the comparison went by."""
    if dataset is None:
        return "–"
    size = format_count(dataset.size)
    return _("%(file)s (%(size)s bytes, crc32c %(crc)s)") % {
        "file": dataset,
        "size": size,
        "crc": dataset.crc32c or "–",
    }


def keys(lines: Sequence[Line]) -> tuple[int, ...]:
    return tuple(line.job.pk for line in lines)
