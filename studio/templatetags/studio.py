"""Template tags for icons, bundles, Markdown, dates and people."""

from __future__ import annotations

import re
from datetime import datetime
from functools import cache
from pathlib import Path

from django import template
from django.conf import settings
from django.utils import formats, timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from studio.formats import format_duration, format_relative_time, join_list
from studio.operation.static_bundles import list_bundle_urls
from studio.pages.markdown import render_markdown

register = template.Library()
ICONS: Path = settings.BASE_DIR / "static" / "vendor" / "material-symbols"


@cache
def icon_path(name: str) -> str:
    """Return the `d` of a vendored Material Symbol."""
    drawn = re.search(r'\bd="([^"]+)"', (ICONS / f"{name}.svg").read_text())
    if not drawn:
        raise ValueError(f"{name}.svg holds no path")
    return drawn[1]


@register.simple_tag
def icon(name: str, css: str = "") -> SafeString:
    return format_html(
        '<svg class="ico {}" viewBox="0 -960 960 960" aria-hidden="true"><path d="{}"/></svg>',
        css,
        icon_path(name),
    )


@register.simple_tag
def bundle(name: str) -> SafeString:
    """The element that loads a bundle of style sheets or scripts, or one element for each of its parts."""
    element = (
        '<link rel="stylesheet" href="{}">' if name.endswith(".css") else '<script src="{}" defer></script>'
    )
    return format_html_join("\n", element, ((url,) for url in list_bundle_urls(name)))


@register.filter
def ago(moment: datetime | None) -> SafeString | str:
    """A relative time, with the exact time as its title."""
    if moment is None:
        return "–"
    exact = formats.date_format(timezone.localtime(moment), _("j M Y, H:i"))
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', moment.isoformat(), exact, format_relative_time(moment)
    )


register.filter("duration", format_duration)
register.filter("join_list", join_list)
register.filter("markdown", render_markdown)


@register.filter
def initials(user: object) -> str:
    name = str(getattr(user, "get_full_name", lambda: "")() or user or "?")
    words = name.replace(".", " ").replace("@", " ").split()
    return "".join(word[0] for word in words[:2]).upper()


@register.filter
def person(user: object) -> str:
    """The full name or the username; "a former member" for a deleted person."""
    if user is None:
        return _("a former member")
    return str(getattr(user, "get_full_name", lambda: "")() or user)


@register.filter
def hue(user: object) -> int:
    """One of four colors, always the same for one person."""
    return int(getattr(user, "pk", None) or 0) % 4 + 1
