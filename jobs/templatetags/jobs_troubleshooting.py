"""Template tag for the known causes of a job's failure."""

from __future__ import annotations

from django import template

from jobs.troubleshooting.views import suggest_fixes

register = template.Library()
register.simple_tag(suggest_fixes, name="suggested_fixes")
