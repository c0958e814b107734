"""The six statistics that a page shows of a distribution, in words and numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.formats import number_format
from django.utils.translation import gettext as _

if TYPE_CHECKING:
    from jobs.datasets.check.report import Distribution


def list_statistics(distribution: Distribution) -> list[tuple[str, str, float]]:
    """(key, word, value) of each, from the least value to the greatest."""
    return [
        ("min", _("Min"), distribution.minimum),
        ("p5", "p5", distribution.p5),
        ("median", _("Median"), distribution.median),
        ("mean", _("Mean"), distribution.mean),
        ("p95", "p95", distribution.p95),
        ("max", _("Max"), distribution.maximum),
    ]


def format_statistic(value: float) -> str:
    """1,234 or, where the value is not whole, 1,234.5."""
    whole = value == round(value)
    return number_format(value, 0 if whole else 1, use_l10n=True, force_grouping=True)


def format_range(left: int, right: int) -> str:
    """A bucket from `left` to below `right`: 10–19, or 10 where it has one value."""
    if right - left == 1:
        return format_statistic(left)
    return f"{format_statistic(left)}–{format_statistic(right - 1)}"
