"""What is known about a job's failure, for the notes at the head of its pages."""

from __future__ import annotations

from django import template

from jobs.models import TuningJob
from jobs.troubleshooting.views import Remedy
from jobs.troubleshooting.views import remedy as remedy_of

register = template.Library()


@register.simple_tag
def remedy(job: TuningJob) -> Remedy | None:
    return remedy_of(job)
