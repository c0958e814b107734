"""Context and result of an automatic fix."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from django.utils.translation import gettext as _

from jobs import preflight
from jobs.troubleshooting.error_details import ErrorDetail
from studio.vertex.catalog import BaseModel

if TYPE_CHECKING:
    from jobs.models import TuningJob

SETTINGS = "settings"
"""Placeholder `link` of a fix that leads admins to the project's settings."""


@dataclass(frozen=True, slots=True)
class Fix:
    """Cause of a failure and how to fix it.

    `field` is the wizard field, "training" or "validation" for a dataset, or "". `changes` are the columns
    that one click changes in a copy of the job, `button` is its label ("": no button) and `notes` are shown
    at the changed fields. `link` is the URL of a page on which the problem can be fixed.
    """

    cause: str
    action: str = ""
    field: str = ""
    changes: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    button: str = ""
    notes: Mapping[str, str] = dataclasses.field(default_factory=dict)
    link: str = ""
    link_words: str = ""


@dataclass(frozen=True, slots=True)
class FailureCase:
    """One error detail of a job; `found` is the match of the rule's pattern."""

    job: TuningJob
    detail: ErrorDetail
    match: re.Match[str]

    @property
    def text(self) -> str:
        return self.detail.text

    @property
    def on_engine(self) -> bool:
        return self.job.project.on_engine

    @property
    def model(self) -> BaseModel | None:
        return preflight.find_base_model(self.job)

    @property
    def model_id(self) -> str:
        return self.job.base_model or self.job.pre_tuned_model

    def console_url(self, page: str) -> str:
        """Return the URL of a Google Cloud console page for this project, or "" for the engine."""
        project = quote(self.job.project.project_id, safe="")
        return "" if self.on_engine else f"https://console.cloud.google.com/{page}?project={project}"


def describe_change(old: Any, new: Any, why: str) -> str:
    """Return the note for a changed field. `why` is a full sentence."""
    if new in ("", None):
        words = (
            _("Cleared (was %(old)s). %(why)s")
            if new == ""
            else _("Reset to the recommended value (was %(old)s). %(why)s")
        )
        return words % {"old": format_value(old), "why": why}
    return _("Changed from %(old)s to %(new)s. %(why)s") % {
        "old": format_value(old),
        "new": format_value(new),
        "why": why,
    }


def format_value(value: Any) -> str:
    if value in ("", None):
        return _("recommended")
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def format_use_label(value: Any) -> str:
    """Return the label of a button that sets one value."""
    return _("Use %(value)s") % {"value": format_value(value)}
