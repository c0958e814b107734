"""Numbers, sizes, times and money as text, in the reader's language."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

from django.utils import formats, timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

MINUTE, HOUR, DAY = 60, 3600, 86400
SIZE_UNITS = ("B", "kB", "MB", "GB")


def format_count(number: float) -> str:
    """12,345: a whole number with its digits grouped."""
    return number_format(round(number), use_l10n=True, force_grouping=True)


def format_size(size: int) -> str:
    """1 GB, 2.9 MB, 38 kB: powers of ten, like the documented limits of models."""
    power = min(3, (len(str(max(size, 1))) - 1) // 3)
    value = size / 1000**power
    places = 1 if power and value < 10 and round(value, 1) != round(value) else 0
    return (
        f"{number_format(round(value, places), places, use_l10n=True)}\N{NO-BREAK SPACE}{SIZE_UNITS[power]}"
    )


def format_duration(seconds: float | None) -> str:
    """3 s, 4 min 07 s, 2 h 05 min."""
    if seconds is None:
        return "–"
    if seconds < MINUTE:
        return _("%(n)d s") % {"n": round(seconds)}
    if seconds < HOUR:
        return _("%(m)d min %(s)02d s") % {"m": seconds // MINUTE, "s": seconds % MINUTE}
    return _("%(h)d h %(m)02d min") % {"h": seconds // HOUR, "m": seconds % HOUR // MINUTE}


def format_rough_duration(seconds: float) -> str:
    """40 s, 12 min, 2 h 05 min: an estimate, rounded to minutes from one minute on."""
    if MINUTE <= seconds < HOUR:
        return _("%(n)d min") % {"n": round(seconds / MINUTE)}
    return format_duration(seconds)


def format_relative_time(moment: datetime) -> str:
    """just now, 4 min ago, 3 h ago, yesterday, 4 Nov."""
    seconds = max(0, int((timezone.now() - moment).total_seconds()))
    if seconds < MINUTE:
        return _("just now")
    if seconds < HOUR:
        minutes = seconds // MINUTE
        return ngettext("%(n)d min ago", "%(n)d min ago", minutes) % {"n": minutes}
    if seconds < DAY:
        hours = seconds // HOUR
        return ngettext("%(n)d h ago", "%(n)d h ago", hours) % {"n": hours}
    if seconds < 2 * DAY:
        return _("yesterday")
    local = timezone.localtime(moment)
    style = _("j M") if local.year == timezone.localtime().year else _("j M Y")
    return formats.date_format(local, style)


def list_separator() -> str:
    return pgettext("between items of a list", ", ")


def join_list(items: Iterable[object]) -> str:
    """a, b, c: with the comma of the reader's language."""
    return list_separator().join(map(str, items))


def join_sentences(sentences: Iterable[object]) -> str:
    """Sentences with a space between them, but not after a Japanese full stop; blank ones are left out."""
    return " ".join(filter(None, map(str, sentences))).replace("。 ", "。")


def format_iso_date(text: str) -> str:
    """2026-11-04 as 4 Nov 2026."""
    return formats.date_format(date.fromisoformat(text), _("j M Y"))


def format_money(dollars: float) -> str:
    """$1,234.50"""
    return f"${number_format(round(dollars, 2), 2, force_grouping=True)}"
