"""What is known about a job's failure, for the notes at the head of its pages."""

from __future__ import annotations

from django import template

from jobs.models import TuningJob
from jobs.troubleshooting.views import SuggestedFixes
from jobs.troubleshooting.views import suggest_fixes as remedy_of

register = template.Library()


@register.simple_tag
def remedy(job: TuningJob) -> SuggestedFixes | None:
    return remedy_of(job)
