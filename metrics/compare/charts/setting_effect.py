"""The effect of one setting: a dot for each run -> a Plotly figure (pure)."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from metrics.compare.query import Outcome, Setting
from metrics.compare.runs import RunLine
from studio import plotly_figures
from studio.plotly_figures import Json, escape_text, font

SETTING_LABELS: dict[Setting, str | Promise] = {
    Setting.RATE: gettext_lazy("Learning rate multiplier"),
    Setting.ADAPTER: gettext_lazy("Adapter size"),
    Setting.EPOCHS: gettext_lazy("Number of epochs"),
    Setting.STEPS: gettext_lazy("Steps"),
    Setting.EXAMPLES: gettext_lazy("Examples"),
    Setting.TOKENS: gettext_lazy("Billable tokens"),
    Setting.DURATION: gettext_lazy("Duration (seconds)"),
}
OUTCOME_LABELS: dict[Outcome, str | Promise] = {
    Outcome.BEST: gettext_lazy("Best validation loss"),
    Outcome.FINAL: gettext_lazy("Final validation loss"),
    Outcome.ACCURACY: gettext_lazy("Token accuracy at the best step"),
}
MAX_LABELED_DOTS = 12
"""Names of more runs would overlap."""


def select_drawable(
    lines: Sequence[RunLine], setting: Setting, outcome: Outcome
) -> list[tuple[RunLine, float, float]]:
    """Return the runs for which both numbers are known, with the numbers."""
    return [
        (line, x, y)
        for line in lines
        if (x := line.setting(setting)) is not None and (y := line.outcome(outcome)) is not None
    ]


def build_effect_figure(
    lines: Sequence[RunLine], baseline: RunLine | None, setting: Setting, outcome: Outcome
) -> Json:
    found = select_drawable(lines, setting, outcome)
    is_share = outcome == Outcome.ACCURACY
    layout = {
        "margin": {"l": 60, "r": 24, "t": 16, "b": 44},
        "hovermode": "closest",
        "xaxis": _build_axis(SETTING_LABELS[setting], [x for _line, x, _y in found]),
        "yaxis": _build_axis(OUTCOME_LABELS[outcome], [y for _line, _x, y in found])
        | {"tickformat": ".0%" if is_share else "~g"},
        "annotations": [],
    }
    form = ".1%" if is_share else ".4f"
    named = len(found) <= MAX_LABELED_DOTS
    return plotly_figures.build_figure([build_dot(*one, baseline, form, named) for one in found], layout)


def _build_axis(label: str | Promise, values: Sequence[float]) -> Json:
    return {"title": {"text": str(label), "font": font(11, "text-2")}, **_padded_range(values)}


def build_dot(line: RunLine, x: float, y: float, baseline: RunLine | None, form: str, named: bool) -> Json:
    """Return the trace of one run; hollow if its loss cannot be compared with the baseline's."""
    ranked = baseline is None or line.is_comparable_to(baseline)
    symbol = line.style.plotly_marker if not ranked else line.style.plotly_marker.removesuffix("-open")
    note = "" if ranked else " · " + _("not comparable")
    return {
        "type": "scatter",
        "mode": "markers+text" if named else "markers",
        "x": [x],
        "y": [y],
        "text": [escape_text(line.short)],
        "textposition": "top center",
        "textfont": font(11, f"chart-{line.style.color_number}"),
        "name": str(line.job),
        "legendgroup": line.key,
        "visible": not line.hidden,
        "cliponaxis": False,
        "hovertemplate": f"{escape_text(line.short)}{note}<br>%{{x}} · %{{y:{form}}}<extra></extra>",
        "marker": {
            "symbol": symbol,
            "size": 11,
            "color": line.style.color,
            "line": {"color": line.style.color, "width": 1.5},
        },
    }


def _padded_range(values: Sequence[float]) -> Json:
    """Return a range with room around the outer dots, or around the value if there is only one."""
    if not values:
        return {"range": [0, 1]}
    low, high = min(values), max(values)
    room = (high - low) * 0.12 or abs(high) * 0.5 or 1
    return {"range": [low - room, high + room]}
