"""One setting against what came of it: a dot for each run -> a Plotly figure (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from metrics.charts import theme
from metrics.compare.query import Outcome, Setting
from metrics.compare.runs import RunLine

Json = dict[str, Any]
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


def select_drawable(
    lines: Sequence[RunLine], setting: Setting, outcome: Outcome
) -> list[tuple[RunLine, float, float]]:
    """The runs of which both are known, with the two numbers."""
    return [
        (line, x, y)
        for line in lines
        if (x := line.setting(setting)) is not None and (y := line.outcome(outcome)) is not None
    ]


def build_effect_figure(
    lines: Sequence[RunLine], baseline: RunLine | None, setting: Setting, outcome: Outcome
) -> Json:
    found = select_drawable(lines, setting, outcome)
    share = outcome == Outcome.ACCURACY
    axis = {
        "title": {"text": str(SETTING_LABELS[setting]), "font": theme.font(11, "text-2")},
        "showgrid": False,
        "showline": True,
        **_padded_range([x for _line, x, _y in found]),
    }
    height = {
        "title": {"text": str(OUTCOME_LABELS[outcome]), "font": theme.font(11, "text-2")},
        "gridcolor": theme.css_var("grid"),
        "tickformat": ".0%" if share else "~g",
        **_padded_range([y for _line, _x, y in found]),
    }
    layout = {
        "font": theme.font(11, "text-2"),
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 60, "r": 24, "t": 16, "b": 44},
        "showlegend": False,
        "autosize": True,
        "hovermode": "closest",
        "hoverlabel": theme.hover_label(),
        "xaxis": theme.axis() | axis,
        "yaxis": theme.axis() | height,
        "annotations": [],
    }
    form = ".1%" if share else ".4f"
    named = len(found) <= MAX_LABELED_DOTS
    return {"data": [dot(*one, baseline, form, named) for one in found], "layout": layout}


def dot(line: RunLine, x: float, y: float, baseline: RunLine | None, form: str, named: bool) -> Json:
    """Hollow where the loss does not compare with the baseline's."""
    ranked = baseline is None or line.is_comparable_to(baseline)
    symbol = line.look.plotly_marker if not ranked else line.look.plotly_marker.removesuffix("-open")
    note = "" if ranked else " · " + _("not comparable")
    return {
        "type": "scatter",
        "mode": "markers+text" if named else "markers",
        "x": [x],
        "y": [y],
        "text": [theme.escape_text(line.short)],
        "textposition": "top center",
        "textfont": theme.font(11, f"chart-{line.look.color_number}"),
        "name": str(line.job),
        "legendgroup": line.key,
        "visible": not line.hidden,
        "cliponaxis": False,
        "hovertemplate": f"{theme.escape_text(line.short)}{note}<br>%{{x}} · %{{y:{form}}}<extra></extra>",
        "marker": {
            "symbol": symbol,
            "size": 11,
            "color": line.look.colour,
            "line": {"color": line.look.colour, "width": 1.5},
        },
    }


def _padded_range(values: Sequence[float]) -> Json:
    """A range with space around the outer dots; round about the value where there is only one."""
    if not values:
        return {"range": [0, 1]}
    low, high = min(values), max(values)
    room = (high - low) * 0.12 or abs(high) * 0.5 or 1
    return {"range": [low - room, high + room]}
