"""The sample of a run's line, as its chart draws it."""

from __future__ import annotations

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from jobs.estimates.presentation import price_of
from jobs.templatetags.jobs_wizard import grouped as with_marks
from jobs.templatetags.jobs_wizard import size as in_units
from metrics.compare.charts.run_style import Look

register = template.Library()


@register.simple_tag
def swatch(look: Look) -> SafeString:
    return format_html(
        '<svg class="swatch s{}" viewBox="0 0 30 10" aria-hidden="true">'
        '<path d="M0 5h30" stroke-dasharray="{}"/><path class="mk" d="{}"/></svg>',
        look.number,
        look.dashes or "none",
        look.shape,
    )


@register.filter
def grouped(count: int | None) -> str:
    return "–" if count is None else with_marks(count)


@register.filter
def dollars(amount: float | None) -> str:
    return "–" if amount is None else price_of(round(amount, 2))


@register.filter
def size(count: int) -> str:
    return in_units(count)
