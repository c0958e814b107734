"""Labels as entered, one `key=value` per line, and as a dict for the service (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from django.utils.translation import gettext as _

from jobs.request.body import SUBMISSION_LABEL

MAX_CHARACTERS = 63
"""Vertex AI's documentation says 63 or 64 characters; 63 are always accepted."""
MAX_LABELS = 63
"""Vertex AI allows 64 labels, one of which is ours."""


class InvalidLabels(ValueError):
    """Its messages name the line and how to fix it."""

    def __init__(self, sentences: list[str]) -> None:
        super().__init__(*sentences)
        self.sentences = sentences


def format_labels(labels: Mapping[str, str]) -> str:
    return "\n".join(f"{key}={value}" for key, value in labels.items())


def parse_labels(text: str) -> dict[str, str]:
    """Return the labels. Raise InvalidLabels. Empty lines are skipped, but counted in line numbers."""
    labels: dict[str, str] = {}
    wrong: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        key, equals, value = (part.strip() for part in line.partition("="))
        faults = list(iter_label_errors(key, equals, value, labels))
        wrong += [_("Line %(n)d: %(fault)s") % {"n": number, "fault": fault} for fault in faults]
        labels[key] = value
    if len(labels) > MAX_LABELS:
        wrong.append(
            _("Enter up to %(most)d labels; there are %(n)d now.") % {"most": MAX_LABELS, "n": len(labels)}
        )
    if wrong:
        raise InvalidLabels(wrong)
    return labels


def iter_label_errors(key: str, equals: str, value: str, before: Mapping[str, str]) -> Iterator[str]:
    if not equals or not key:
        yield _("enter key=value.")
    elif key == SUBMISSION_LABEL:
        yield _("“%(key)s” is set by Tuning Studio. Remove it.") % {"key": key}
    elif key in before:
        yield _("the key “%(key)s” appears twice. Remove one.") % {"key": key}
    elif not key[0].isalpha():
        yield _("keys must start with a letter.")
    for part in (key, value) if equals else ():
        if len(part) > MAX_CHARACTERS:
            yield _("“%(part)s…” has %(n)d characters; the limit is %(most)d.") % {
                "most": MAX_CHARACTERS,
                "part": part[:16],
                "n": len(part),
            }
        elif not all(map(is_label_character, part)):
            yield _("“%(part)s” can only contain lowercase letters, digits, _ and -.") % {"part": part}


def is_label_character(letter: str) -> bool:
    return letter in "_-" or (letter.isalnum() and letter == letter.lower())
