"""Which validation losses can be compared, and warnings about those that cannot (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from jobs.datasets.models import Dataset
from metrics.compare.runs import RunLine
from studio.formats import format_count, join_list, join_sentences

MAX_NAMES = 4
"""Names of runs in a sentence; more are counted, since a sentence of fifty names is not read."""


@dataclass(frozen=True, slots=True)
class ComparabilityWarning:
    """A note above the table; one click hides its `runs`."""

    title: str
    text: str
    runs: tuple[int, ...]
    severe: bool = True


def list_warnings(lines: Sequence[RunLine], baseline: RunLine | None) -> list[ComparabilityWarning]:
    return [*_iter_warnings(lines, baseline)] if baseline else []


def _iter_warnings(lines: Sequence[RunLine], baseline: RunLine) -> Iterator[ComparabilityWarning]:
    measured = [line for line in lines if line.validation_content]
    if baseline.validation_content is None:
        if measured:
            yield ComparabilityWarning(
                _("The baseline has no validation data."),
                _("Validation losses can’t be compared with it. Choose another baseline."),
                (),
            )
    else:
        yield from _warn_other_data(
            [one for one in measured if one.validation_content != baseline.validation_content], baseline
        )
    yield from _warn_other_base_model(
        [one for one in lines if one.job.base_model != baseline.job.base_model], baseline
    )
    yield from _warn_no_validation(
        [line for line in lines if not line.validation_content and line is not baseline]
    )


def _warn_other_data(others: Sequence[RunLine], baseline: RunLine) -> Iterator[ComparabilityWarning]:
    if not others:
        return
    title = ngettext(
        "%(n)d run used different validation data, so its loss can’t be compared.",
        "%(n)d runs used different validation data, so their losses can’t be compared.",
        len(others),
    ) % {"n": len(others)}
    files: dict[tuple[str, int] | None, list[RunLine]] = {}
    for line in others:
        files.setdefault(line.validation_content, []).append(line)
    used = [
        _("%(runs)s: %(file)s.")
        % {"runs": join_run_names(lines), "file": describe_dataset(lines[0].job.validation)}
        for lines in files.values()
    ]
    used.append(_("Baseline: %(file)s.") % {"file": describe_dataset(baseline.job.validation)})
    yield ComparabilityWarning(title, join_sentences(used), collect_job_ids(others))


def _warn_other_base_model(others: Sequence[RunLine], baseline: RunLine) -> Iterator[ComparabilityWarning]:
    if not others:
        return
    title = ngettext(
        "%(n)d run has a different base model, so its loss can’t be compared.",
        "%(n)d runs have a different base model, so their losses can’t be compared.",
        len(others),
    ) % {"n": len(others)}
    text = _(
        "%(runs)s: the base model isn’t %(base)s. Loss is measured per token, and different "
        "tokenizers split the same text differently."
    ) % {"runs": join_run_names(others), "base": baseline.job.base_model}
    yield ComparabilityWarning(title, text, collect_job_ids(others))


def _warn_no_validation(others: Sequence[RunLine]) -> Iterator[ComparabilityWarning]:
    if not others:
        return
    title = ngettext(
        "%(n)d run has no validation data.", "%(n)d runs have no validation data.", len(others)
    ) % {"n": len(others)}
    text = _("%(runs)s: only the training curves can be compared.") % {"runs": join_run_names(others)}
    yield ComparabilityWarning(title, text, collect_job_ids(others), severe=False)


def join_run_names(lines: Sequence[RunLine]) -> str:
    names = [line.short for line in lines]
    if len(names) > MAX_NAMES:
        more = _("%(n)d more") % {"n": len(names) - MAX_NAMES + 1}
        names = [*names[: MAX_NAMES - 1], more]
    return join_list(names)


def describe_dataset(dataset: Dataset | None) -> str:
    """Return the name of the file, with the size and checksum that were compared."""
    if dataset is None:
        return "–"
    size = format_count(dataset.size)
    return _("%(file)s (%(size)s bytes, crc32c %(crc)s)") % {
        "file": dataset,
        "size": size,
        "crc": dataset.crc32c or "–",
    }


def collect_job_ids(lines: Sequence[RunLine]) -> tuple[int, ...]:
    return tuple(line.job.pk for line in lines)
