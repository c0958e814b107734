"""Template tag for the known causes of a job's failure."""

from __future__ import annotations

from django import template

from jobs.models import TuningJob
from jobs.troubleshooting.views import SuggestedFixes
from jobs.troubleshooting.views import suggest_fixes as remedy_of

register = template.Library()


@register.simple_tag
def remedy(job: TuningJob) -> SuggestedFixes | None:
    return remedy_of(job)
