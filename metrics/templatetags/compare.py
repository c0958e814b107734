"""Tags of the compare page: a sample of a run's line as the chart draws it, and formats."""

from __future__ import annotations

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from jobs.estimates.presentation import format_price
from metrics.compare.charts.run_style import RunStyle
from studio.formats import format_count, format_size

register = template.Library()


@register.simple_tag
def swatch(style: RunStyle) -> SafeString:
    return format_html(
        '<svg class="swatch s{}" viewBox="0 0 30 10" aria-hidden="true">'
        '<path d="M0 5h30" stroke-dasharray="{}"/><path class="mk" d="{}"/></svg>',
        style.color_number,
        style.svg_dashes or "none",
        style.svg_shape,
    )


@register.filter
def grouped(count: int | None) -> str:
    return "–" if count is None else format_count(count)


@register.filter
def dollars(amount: float | None) -> str:
    return "–" if amount is None else format_price(round(amount, 2))


register.filter("size", format_size)
