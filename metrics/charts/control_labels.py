"""The texts of the control bar above charts."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from metrics.charts.controls import Axis, Scale


def axis_labels() -> list[tuple[Axis, str]]:
    return [
        (Axis.STEP, _("Step")),
        (Axis.EPOCH, _("Epoch")),
        (Axis.ELAPSED, _("Elapsed")),
        (Axis.CLOCK, _("Wall time")),
    ]


def scale_labels() -> list[tuple[Scale, str]]:
    return [(Scale.LINEAR, _("Linear")), (Scale.LOG, _("Log"))]


def chip_labels() -> dict[str, str]:
    """Return the texts of the status chip; the page's script fills in {n} and {age}."""
    return {
        "live": _("Live · {age}"),
        "stale": _("Last update · {age}"),
        "paused": _("Paused"),
        "over": pgettext("state of a run", "Ended"),
        "waiting": _("Waiting"),
        "seconds": _("{n} s ago"),
        "minutes": _("{n} min ago"),
        "hours": _("{n} h ago"),
        "pause": _("Pause updates"),
        "resume": _("Resume updates"),
    }
