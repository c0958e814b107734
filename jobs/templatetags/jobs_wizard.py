"""Template tags of the wizard: chosen and recommended values, grouped numbers, sizes and dates."""

from __future__ import annotations

from django import template
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from studio.formats import format_count, format_iso_date, format_size

register = template.Library()
MODALITIES: dict[str, str | Promise] = {
    "text": gettext_lazy("text"),
    "image": gettext_lazy("image"),
    "audio": gettext_lazy("audio"),
    "video": gettext_lazy("video"),
    "document": gettext_lazy("document"),
}
ROLES: dict[str, str | Promise] = {"user": gettext_lazy("User"), "model": gettext_lazy("Model")}


@register.simple_tag
def setting_value(value: float | None, recommended: float | str | None = None) -> SafeString:
    """Return the value with a blue dot if it was changed, else "recommended" with the value if known.

    "" is a missing template variable.
    """
    if value is None:
        known = f" {recommended:g}" if isinstance(recommended, int | float) else ""
        return format_html('<span class="t2">{}</span>{}', _("recommended"), known)
    return format_html(
        '<span class="changed" title="{}">{}</span>', _("Changed from the recommended value"), f"{value:g}"
    )


@register.filter
def grouped(value: float | str) -> str:
    """Group thousands; "" (a missing template variable) stays empty."""
    return value if isinstance(value, str) else format_count(value)


register.filter("size", format_size)
register.filter("iso_date", format_iso_date)


@register.filter
def modality_word(name: str) -> str:
    return str(MODALITIES.get(name, name))


@register.filter
def role_word(name: str) -> str:
    return str(ROLES.get(name, name))


@register.filter
def unlocal(value: float) -> str:
    """Format a coordinate with a decimal point in every language."""
    return f"{value:g}"
