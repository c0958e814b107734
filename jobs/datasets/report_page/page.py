"""What the report page shows of a dataset: its problems by kind, its distributions, how it was made."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from jobs.datasets.check.messages import BYTES, SENTENCES, describe_problem
from jobs.datasets.check.report import Problem, Report
from jobs.datasets.models import Dataset
from jobs.datasets.report_page import distribution_chart
from jobs.datasets.report_page.histogram_svg import Bar, bars
from jobs.datasets.statistics import format_range, format_statistic, list_statistics
from studio.formats import join_sentences

if TYPE_CHECKING:
    from jobs.datasets.check.report import Distribution

MAX_PROBLEMS = 20
"""Problems of a kind that are listed, as many as a report has; the CSV file has all."""
INDEX = re.compile(r"\[\d+\]")
FORMATS: dict[str, str | Promise] = {
    "openai_messages": gettext_lazy("OpenAI’s chat format"),
    "legacy_messages": gettext_lazy("the older “messages” format"),
    "legacy_text_pairs": gettext_lazy("the older “input_text” and “output_text” format"),
    "prompt_completion": gettext_lazy("the “prompt” and “completion” format"),
}


@dataclass(frozen=True, slots=True)
class ProblemGroup:
    """Problems of one kind: how many there are, and the first ones, each with its own sentence if that says
    more than the title."""

    code: str
    severity: str
    title: str
    cure: str
    count: int
    problems: list[tuple[Problem, str]]

    @property
    def more(self) -> int:
        return self.count - len(self.problems)


@dataclass(frozen=True, slots=True)
class DistributionSection:
    """One distribution: the chart, the six statistics as (word, value), the table rows as (range, count), and
    the bars that are shown without JavaScript."""

    id: str
    title: str
    figure: dict[str, Any]
    figures: list[tuple[str, str]]
    rows: list[tuple[str, str]]
    bars: list[Bar]

    @property
    def figure_id(self) -> str:
        return f"figure-{self.id}"


@dataclass(frozen=True)
class ReportPage:
    dataset: Dataset

    @cached_property
    def report(self) -> Report:
        return self.dataset.parsed_report

    @cached_property
    def groups(self) -> list[ProblemGroup]:
        """Errors before warnings, the most frequent ones first."""
        kinds: dict[tuple[str, str], list[Problem]] = {}
        for problem in self.report.problems:
            if problem.code in SENTENCES:
                kinds.setdefault((problem.severity, problem.code), []).append(problem)
        found = [group(self.report, problems) for problems in kinds.values()]
        return sorted(found, key=lambda group: (group.severity, -group.count))

    @cached_property
    def spreads(self) -> list[DistributionSection]:
        named = [
            ("tokens", _("Tokens per example"), *self.tokens),
            ("turns", _("Turns per example"), _("turns"), self.report.turns),
        ]
        return [build_distribution_section(*each) for each in named if each[3].count]

    @property
    def tokens(self) -> tuple[str, Distribution]:
        """Return what is counted, in words, and its distribution: adjusted to a model if one was asked."""
        if not self.dataset.calibration:
            return _("tokens (estimated)"), self.report.tokens
        model, ratio = next(reversed(self.dataset.calibration.items()))
        words = _("tokens (estimated, adjusted with %(model)s’s tokenizer)") % {"model": model}
        return words, self.report.tokens.scale(ratio)

    @property
    def calibrated_tokens(self) -> list[tuple[str, int]]:
        """The total tokens by each model that counted some of the examples."""
        total = self.report.tokens.total
        return [(model, round(total * ratio)) for model, ratio in sorted(self.dataset.calibration.items())]

    @property
    def convertible(self) -> int:
        return sum(self.report.convertible.values())

    @property
    def conversion(self) -> str:
        """What would be converted: 412 lines use OpenAI's chat format and can be converted."""
        known = self.report.convertible.items()
        return join_sentences(
            ngettext(
                "%(n)d line uses %(format)s and can be converted.",
                "%(n)d lines use %(format)s and can be converted.",
                count,
            )
            % {"n": count, "format": FORMATS.get(code, code)}
            for code, count in known
        )

    @property
    def is_cleanable(self) -> bool:
        """Whether a cleaned file would differ from this one and would not be empty."""
        faults = self.report.errors or self.report.duplicates or self.report.counts.keys() & FIXABLE_WARNINGS
        return bool(faults and (self.report.examples or self.convertible))

    @property
    def outdated(self) -> bool:
        """Whether it was checked before the studio counted tokens."""
        return "tokens" not in self.dataset.report

    @property
    def derivation(self) -> str:
        return describe_derivation(self.dataset.derivation)


FIXABLE_WARNINGS = {"bom"}
"""Warnings that a cleaned file no longer has, beside duplicates."""


def group(report: Report, problems: list[Problem]) -> ProblemGroup:
    first, message = problems[0], describe_problem(merge_problems(problems))
    sentences = [(problem, describe_problem(problem).what) for problem in problems[:MAX_PROBLEMS]]
    return ProblemGroup(
        code=first.code,
        severity=first.severity,
        title=capitalize_sentence(message.what, first.code),
        cure=message.cure,
        count=max(report.counts.get(first.code, 0), len(problems)),
        problems=[(problem, "" if what == message.what else what) for problem, what in sentences],
    )


def capitalize_sentence(sentence: str, code: str) -> str:
    """Capitalize the first letter, unless the sentence starts with the path of a field."""
    begins_with_field = str(SENTENCES[code][0]).startswith("%(field)")
    return sentence if begins_with_field else sentence[:1].upper() + sentence[1:]


def merge_problems(problems: list[Problem]) -> Problem:
    """Return one problem that describes all: what differs between them becomes an ellipsis."""
    first = problems[0]
    fields = {problem.field for problem in problems}
    general = {INDEX.sub("[…]", field) for field in fields}
    params = {
        key: value
        if key in BYTES.get(first.code, ()) or all(p.params.get(key) == value for p in problems)
        else "…"
        for key, value in first.params.items()
    }
    field = first.field if len(fields) == 1 else general.pop() if len(general) == 1 else "…"
    return replace(first, field=field, params=params)


def build_distribution_section(id: str, title: str, axis: str, counted: Distribution) -> DistributionSection:
    return DistributionSection(
        id=id,
        title=title,
        figure=distribution_chart.figure(counted, axis),
        figures=[(word, format_statistic(value)) for _key, word, value in list_statistics(counted)],
        rows=[
            (format_range(left, right), format_statistic(count))
            for left, right, count in counted.buckets
            if count
        ],
        bars=bars([(float(left), float(right), float(count)) for left, right, count in counted.buckets]),
    )


def describe_derivation(derivation: dict[str, Any]) -> str:
    """Describe a derivation; blank if there is none."""
    match derivation:
        case {"how": "cleaned"}:
            return _("Cleaned: unusable lines and exact duplicates removed.")
        case {"how": "converted"}:
            return _("Converted to Gemini format; unusable lines removed.")
        case {"how": "held_out", "percent": percent, "part": part, **rest}:
            seed = rest.get("seed", 0)
            parts = {"training": _("training part"), "validation": _("held-out part")}
            return _("%(percent)s%% held out for validation (seed %(seed)s): %(part)s.") % {
                "percent": percent,
                "seed": seed,
                "part": parts.get(str(part), part),
            }
        case {"how": how}:
            return str(how)
    return ""
