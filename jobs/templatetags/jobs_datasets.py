"""Template tags for datasets: report state, token counts and recent datasets."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from jobs.datasets import library
from jobs.datasets.models import Dataset
from jobs.datasets.sample_data import SampleData, samples
from studio.formats import format_count
from studio.models import Project
from studio.templatetags.studio import icon

register = template.Library()


@register.simple_tag
def report_state(errors: int | None, warnings: int | None, css: str = "") -> SafeString:
    """Return the icon and text of a report's state; a count is None if the report lacks it."""
    if errors:
        words = ngettext("%(n)s problem", "%(n)s problems", errors) % {"n": format_count(errors)}
        return render_chip("bad", "error", words, css)
    if warnings:
        words = ngettext("%(n)s warning", "%(n)s warnings", warnings) % {"n": format_count(warnings)}
        return render_chip("warn", "warning", words, css)
    if errors is None:
        return render_chip("idle", "radio_button_unchecked", _("Not checked"), css)
    return render_chip("ok", "check_circle", _("No problems found"), css)


def render_chip(tone: str, symbol: str, words: str, css: str) -> SafeString:
    return format_html('<span class="st st-{} {}">{}{}</span>', tone, css, icon(symbol), words)


@register.simple_tag
def token_count(estimated: int | None, calibration: dict[str, float] | None) -> SafeString | str:
    """Return the token count, corrected with a model's own count if there is one, and labeled accordingly."""
    if estimated is None:
        return "–"
    if not calibration:
        return format_html(
            '<span title="{}">≈ {}</span>',
            _("Estimated at 4 bytes per token"),
            format_count(estimated),
        )
    model, ratio = next(reversed(calibration.items()))
    words = _("Estimated, adjusted with %(model)s’s tokenizer") % {"model": model}
    return format_html('<span title="{}">{}</span>', words, format_count(round(estimated * ratio)))


@register.filter
def points(shift: float) -> str:
    """Format percentage points with a sign, using U+2212 for minus."""
    sign = "+" if shift > 0 else "\N{MINUS SIGN}" if shift < 0 else ""
    return sign + number_format(abs(shift), 1, use_l10n=True)


@register.simple_tag
def sample_data() -> tuple[SampleData, ...]:
    return samples()


@register.simple_tag
def recent_datasets(project: Project) -> list[Dataset]:
    """Return the datasets offered in the wizard, newest first."""
    return list(library.recent(project))


@register.inclusion_tag("jobs/datasets/report_page/_used_by.html")
def dataset_users(users: library.DatasetUsage, project: Project) -> dict[str, Any]:
    return {"users": users, "project": project}
