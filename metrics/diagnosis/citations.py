"""Sources of displayed numbers, for their tooltips."""

from __future__ import annotations

from django.utils.translation import gettext as _


def cite_step(metric: str, step: int) -> str:
    return _("%(metric)s at step %(step)s, raw") % {"metric": metric, "step": f"{step:,}"}


def cite_span(metric: str, first: int, last: int) -> str:
    return _("%(metric)s, median of steps %(first)s to %(last)s") % {
        "metric": metric,
        "first": f"{first:,}",
        "last": f"{last:,}",
    }


def cite_difference(metric: str, step: int, other: int) -> str:
    return _("%(metric)s at step %(step)s minus step %(other)s, raw") % {
        "metric": metric,
        "step": f"{step:,}",
        "other": f"{other:,}",
    }
