"""Template tags for jobs: status, sparkline, hyper-parameters and losses."""

from __future__ import annotations

from collections.abc import Sequence

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from jobs.models import TuningJob
from jobs.status import RunProgress, describe_alerts, get_run_progress, status_of
from studio.formats import format_rough_duration, join_sentences
from studio.pages.list_query import ListQuery
from studio.templatetags.studio import icon

register = template.Library()
WIDTH, HEIGHT, EDGE = 84, 22, 3


@register.simple_tag
def status(job: TuningJob, css: str = "") -> SafeString:
    look = status_of(job)
    drawn = icon(look.icon, "spin" if look.spins else "")
    return format_html('<span class="st st-{} {}">{}{}</span>', look.tone, css, drawn, look.word)


@register.simple_tag
def sparkline(values: Sequence[float], live: bool = False) -> SafeString:
    """Draw validation loss on its own scale with a dot at the minimum. The line of a live run is shorter."""
    if not values:
        return format_html('<span class="t2 small">{}</span>', _("no data yet") if live else "–")
    points = compute_points(values, WIDTH * (0.7 if live else 1) - 2 * EDGE)
    lowest = points[values.index(min(values))]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    words = _("Validation loss from %(first).3f to %(last).3f") % {"first": values[0], "last": values[-1]}
    return format_html(
        '<svg class="spark{}" viewBox="0 0 {} {}" role="img" aria-label="{}"><polyline points="{}"/>'
        '<circle class="min" cx="{}" cy="{}" r="2.5"/></svg>',
        *(" live" if live else "", WIDTH, HEIGHT, words, path),
        *(f"{lowest[0]:.1f}", f"{lowest[1]:.1f}"),
    )


def compute_points(values: Sequence[float], width: float) -> list[tuple[float, float]]:
    """Return (x, y) in pixels with the highest value at the top."""
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    return [
        (EDGE + index * width / max(1, len(values) - 1), EDGE + (high - value) / span * (HEIGHT - 2 * EDGE))
        for index, value in enumerate(values)
    ]


@register.simple_tag
def alerts(job: TuningJob) -> SafeString:
    """Return one icon with the job's alerts as its label, or nothing without alerts."""
    words = describe_alerts(job)
    if not words:
        return SafeString("")
    label = join_sentences(words)
    return format_html(
        '<span class="alerts" title="{}">{}<span class="visually-hidden">{}</span></span>',
        *(label, icon("warning"), label),
    )


@register.simple_tag
def query(asked: ListQuery, **changed: str | int) -> str:
    """Return the page's query string with the given parameters changed."""
    return asked.query(**changed)


@register.filter
def work(job: TuningJob) -> RunProgress:
    return get_run_progress(job)


@register.filter
def plain(value: float | str | None) -> str:
    """Format 4.0 as "4" and 0.5 as "0.5". None and "" (a missing template variable) become a dash."""
    return f"{value:g}" if isinstance(value, int | float) else "–"


@register.filter
def loss(value: float | str | None) -> str:
    return f"{value:.3f}" if isinstance(value, int | float) else "–"


register.filter("roughly", format_rough_duration)
