"""Icons, dates and numbers as the design writes them."""

from __future__ import annotations

from pathlib import Path

from django import template
from django.conf import settings

register = template.Library()
ICONS: Path = settings.BASE_DIR / "static" / "vendor" / "material-symbols"
