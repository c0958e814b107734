"""The address of a comparison: which runs, in which places, and how they are shown (pure).

The address holds the complete view, so that a link shows the same to everybody. A run's place decides its
color and does not change when another run is removed: `runs=12,,18` keeps the second place free.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from urllib.parse import urlencode

from django.http import QueryDict

from metrics.charts.controls import Controls, parse_choice
from metrics.metric_names import Metric
from studio.pages.query_values import parse_pk

MIN_RUNS, MAX_RUNS = 2, 50
"""More curves cannot be told apart, and a page of them is no longer drawn at once."""
MAX_PLACES = 4 * MAX_RUNS
"""An address with more places than this is cut: no page makes that many free places."""
Zoom = tuple[float, float]


class Tab(StrEnum):
    CURVES = "curves"
    EFFECT = "effect"
    DATA = "data"


class Setting(StrEnum):
    """Choices for the x axis of the effect tab."""

    RATE = "learning_rate"
    ADAPTER = "adapter_size"
    EPOCHS = "epochs"
    STEPS = "steps"
    EXAMPLES = "examples"
    TOKENS = "tokens"
    DURATION = "duration"


class Outcome(StrEnum):
    """Choices for the y axis of the effect tab."""

    BEST = "best"
    FINAL = "final"
    ACCURACY = "accuracy"


SORTS = ("name", "best", "final", "accuracy", "duration", "tokens", "cost")
"""Columns that sort the table, ascending or, with a minus sign, descending; by default it is in order of
places."""
DEFAULT_CONTROLS = Controls(smoothing=0.0)
DEFAULT_METRICS = (Metric.EVAL_LOSS, Metric.TRAIN_LOSS)


@dataclass(frozen=True, slots=True)
class CompareQuery:
    """`baseline` is None for the first run; `zoom` is a range of x, and `zooms` are ranges of y by metric."""

    places: tuple[int | None, ...] = ()
    metrics: tuple[Metric, ...] = DEFAULT_METRICS
    controls: Controls = DEFAULT_CONTROLS
    hidden: frozenset[int] = frozenset()
    baseline: int | None = None
    tab: Tab = Tab.CURVES
    every_setting: bool = False
    zoom: Zoom | None = None
    zooms: Mapping[Metric, Zoom] = field(default_factory=dict)
    setting: Setting = Setting.RATE
    outcome: Outcome = Outcome.BEST
    other: int | None = None
    sort: str = ""

    @classmethod
    def from_query(cls, query: QueryDict) -> CompareQuery:
        """Read an address, which people may have edited: values that are not valid become defaults."""
        asked = [Metric(name) for name in query.get("metrics", "").split(",") if name in list(Metric)]
        return cls(
            places=parse_places(query.get("runs", ""), query.getlist("run")),
            metrics=tuple(dict.fromkeys(asked)) or DEFAULT_METRICS,
            controls=Controls.from_query(query, DEFAULT_CONTROLS),
            hidden=frozenset(filter(None, map(parse_run_id, query.get("hidden", "").split(",")))),
            baseline=parse_run_id(query.get("baseline", "")),
            tab=parse_choice(Tab.CURVES, query.get("tab", "")),
            every_setting=query.get("settings") == "all",
            zoom=parse_zoom(query.get("x", "")),
            zooms={one: found for one in Metric if (found := parse_zoom(query.get(f"y.{one}", "")))},
            setting=parse_choice(Setting.RATE, query.get("by", "")),
            outcome=parse_choice(Outcome.BEST, query.get("outcome", "")),
            other=parse_run_id(query.get("other", "")),
            sort=query.get("sort", "") if query.get("sort", "").removeprefix("-") in SORTS else "",
        )

    @property
    def runs(self) -> list[int]:
        return [run for run in self.places if run is not None]

    def to_parameters(self) -> dict[str, str]:
        """Return the parameters of the address, without default values."""
        found = {
            "runs": ",".join("" if run is None else str(run) for run in self.places),
            "metrics": "" if self.metrics == DEFAULT_METRICS else ",".join(self.metrics),
            **self.controls.to_parameters(DEFAULT_CONTROLS),
            "hidden": ",".join(map(str, sorted(self.hidden & {*self.runs}))),
            "baseline": str(self.baseline or ""),
            "tab": "" if self.tab == Tab.CURVES else self.tab,
            "settings": "all" if self.every_setting else "",
            "x": format_zoom(self.zoom),
            **{f"y.{one}": format_zoom(found) for one, found in self.zooms.items()},
            "by": "" if self.setting == Setting.RATE else self.setting,
            "outcome": "" if self.outcome == Outcome.BEST else self.outcome,
            "other": str(self.other or ""),
            "sort": self.sort,
        }
        return {name: text for name, text in found.items() if text}

    def query(self) -> str:
        return urlencode(self.to_parameters(), safe=",:")

    def fields_without(self, *names: str) -> list[tuple[str, str]]:
        """Return the hidden fields of a form that sets these parameters."""
        return [(name, text) for name, text in self.to_parameters().items() if name not in names]

    @property
    def fields_for_controls(self) -> list[tuple[str, str]]:
        return self.fields_without("smoothing", "axis", "scale", "clip")

    @property
    def fields_for_effect(self) -> list[tuple[str, str]]:
        return self.fields_without("by", "outcome")

    @property
    def fields_for_data(self) -> list[tuple[str, str]]:
        return self.fields_without("other")

    @property
    def all_fields(self) -> list[tuple[str, str]]:
        return self.fields_without()

    @property
    def figures_query(self) -> str:
        """The parameters that decide what the charts draw."""
        names = {"runs", "metrics", "smoothing", "axis", "scale", "clip", "baseline", "x"}
        if self.tab == Tab.EFFECT:
            names = {"runs", "baseline", "tab", "by", "outcome"}
        return urlencode(
            {name: text for name, text in self.to_parameters().items() if name in names}, safe=",:"
        )

    @property
    def toggle_settings_query(self) -> str:
        return replace(self, every_setting=not self.every_setting).query()

    # ---- other views, each one click away ----

    def without_run(self, run: int) -> CompareQuery:
        places: list[int | None] = [None if one == run else one for one in self.places]
        while places and places[-1] is None:
            places.pop()
        return replace(
            self,
            places=tuple(places),
            hidden=self.hidden - {run},
            baseline=None if self.baseline == run else self.baseline,
        )

    def with_run(self, run: int) -> CompareQuery:
        return replace(self, places=fill_places(self.places, [run]))

    def with_baseline(self, run: int) -> CompareQuery:
        return replace(self, baseline=run)

    def toggle_run(self, run: int) -> CompareQuery:
        return replace(self, hidden=self.hidden ^ {run})

    def isolate_run(self, run: int) -> CompareQuery:
        return replace(self, hidden=frozenset(self.runs) - {run})

    def hide_runs(self, runs: Iterable[int]) -> CompareQuery:
        return replace(self, hidden=self.hidden | frozenset(runs))

    def with_tab(self, tab: Tab) -> CompareQuery:
        return replace(self, tab=tab)


def parse_places(listed: str, ticked: Iterable[str]) -> tuple[int | None, ...]:
    """Return the runs of `runs=…` in their places, then those of `run=…&run=…`: each once, at most
    MAX_RUNS."""
    found: list[int | None] = []
    for text in listed.split(",")[:MAX_PLACES] if listed else []:
        run = parse_run_id(text)
        found.append(None if run in found or len([*filter(None, found)]) == MAX_RUNS else run)
    while found and found[-1] is None:
        found.pop()
    return fill_places(tuple(found), filter(None, map(parse_run_id, ticked)))


def fill_places(places: tuple[int | None, ...], runs: Iterable[int]) -> tuple[int | None, ...]:
    """Return the places with these runs in the first free ones."""
    found = list(places)
    for run in runs:
        if run in found or len([*filter(None, found)]) >= MAX_RUNS:
            continue
        if None in found:
            found[found.index(None)] = run
        else:
            found.append(run)
    return tuple(found)


def parse_run_id(text: str) -> int | None:
    return parse_pk(text) or None


def parse_zoom(text: str) -> Zoom | None:
    """Parse `from:to` with from < to."""
    try:
        low, high = map(float, text.split(":"))
    except ValueError:
        return None
    return (low, high) if math.isfinite(low) and math.isfinite(high) and low < high else None


def format_zoom(zoom: Zoom | None) -> str:
    return f"{zoom[0]:.10g}:{zoom[1]:.10g}" if zoom else ""
