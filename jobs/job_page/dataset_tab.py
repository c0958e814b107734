"""The Dataset tab of a job: the service's tuning data statistics and our check of the files.

https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.tuningJobs#SupervisedTuningDataStats
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice, zip_longest
from math import floor
from typing import TYPE_CHECKING, Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from jobs.datasets.check.report import Distribution, Message
from jobs.datasets.report_page.page import DistributionSection, ReportPage, build_distribution_section
from jobs.tuning_job_resource import MAX_COUNT, get_object, parse_float, parse_int

if TYPE_CHECKING:
    from jobs.datasets.models import Dataset
    from jobs.models import TuningJob

INPUT, OUTPUT, MESSAGES = (
    "userInputTokenDistribution",
    "userOutputTokenDistribution",
    "userMessagePerExampleDistribution",
)
SUMS: tuple[tuple[str, str | Promise], ...] = (
    ("tuningDatasetExampleCount", gettext_lazy("Examples")),
    ("tuningStepCount", gettext_lazy("Steps")),
    (f"{INPUT}.sum + {OUTPUT}.sum", gettext_lazy("Tokens")),
    ("totalBillableTokenCount", gettext_lazy("Billable tokens")),
    ("totalBillableCharacterCount", gettext_lazy("Billable characters")),
    ("totalTuningCharacterCount", gettext_lazy("Characters")),
    ("totalTruncatedExampleCount", gettext_lazy("Dropped")),
)


@dataclass(frozen=True, slots=True)
class Total:
    """One total; `source` is its field in the response."""

    label: str
    value: int
    source: str


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file of the job; `page` is its report, or None if the file isn't in the library."""

    title: str
    uri: str
    page: ReportPage | None

    @property
    def dataset(self) -> Dataset | None:
        return self.page.dataset if self.page else None


@dataclass(frozen=True)
class DatasetTab:
    """Tuning data statistics of the last response; missing fields are skipped."""

    job: TuningJob

    @property
    def stats(self) -> dict[str, Any]:
        return self.job.statistics

    @cached_property
    def sums(self) -> list[Total]:
        """The totals. proto3 omits zeros, so a missing number of dropped examples means 0 once tokens are
        counted."""
        if not self.stats:
            return []
        found = ((name, label, self.get_sum(name)) for name, label in SUMS)
        return [Total(str(label), value, name) for name, label, value in found if value is not None]

    def get_sum(self, name: str) -> int | None:
        if " + " in name:
            sums = [parse_int(get_object(self.stats, key).get("sum")) for key in (INPUT, OUTPUT)]
            return sum(filter(None, sums)) if any(sums) else None
        value = parse_int(self.stats.get(name))
        return 0 if value is None and name == "totalTruncatedExampleCount" else value

    @cached_property
    def dropped_examples(self) -> list[tuple[str, str]]:
        """(line, reason) of a sample of dropped examples, from two parallel lists that can each be
        missing."""
        indices, reasons = (
            parse_strings(self.stats.get(name))
            for name in ("truncatedExampleIndices", "droppedExampleReasons")
        )
        return list(zip_longest(indices, reasons, fillvalue=""))

    @property
    def dropped_count(self) -> int:
        return parse_int(self.stats.get("totalTruncatedExampleCount")) or len(self.dropped_examples)

    @cached_property
    def spreads(self) -> list[DistributionSection]:
        fields = [
            ("input", _("Input tokens per example"), _("tokens"), INPUT),
            ("output", _("Output tokens per example"), _("tokens"), OUTPUT),
            ("messages", _("Messages per example"), _("messages"), MESSAGES),
        ]
        told = [
            (id, title, axis, parse_distribution(get_object(self.stats, key)))
            for id, title, axis, key in fields
        ]
        return [build_distribution_section(*each) for each in told if each[3].count]

    @cached_property
    def examples(self) -> list[Message]:
        """The first messages of the file, in the order of the service's statistics."""
        listed = self.stats.get("userDatasetExamples")
        contents = listed if isinstance(listed, list) else []
        return [parse_message(content) for content in contents if isinstance(content, Mapping)]

    @cached_property
    def files(self) -> list[DataFile]:
        spec = get_object(self.job.remote or self.job.request, "supervisedTuningSpec")
        named = [
            (_("Training dataset"), self.job.training, spec.get("trainingDatasetUri")),
            (_("Validation dataset"), self.job.validation, spec.get("validationDatasetUri")),
        ]
        return [
            DataFile(title, str(uri or (dataset and dataset.uri)), ReportPage(dataset) if dataset else None)
            for title, dataset, uri in named
            if dataset or uri
        ]


def parse_message(content: Mapping[str, Any]) -> Message:
    parts = content.get("parts")
    texts = [get_part_text(each) for each in (parts if isinstance(parts, list) else [])]
    return Message(str(content.get("role") or "user"), "\n".join(texts))


def get_part_text(part: Any) -> str:
    """Return a part's text, or the JSON of any other kind of part."""
    text = part.get("text") if isinstance(part, Mapping) else None
    return text if isinstance(text, str) else json.dumps(part, ensure_ascii=False)


def parse_strings(listed: Any) -> list[str]:
    return [str(entry) for entry in listed] if isinstance(listed, list) else []


def parse_distribution(statistics: Mapping[str, Any]) -> Distribution:
    """Return the distribution, or an empty one if one of its figures can't be read: half of them would
    mislead. proto3 omits zeros."""
    buckets = list(islice(parse_buckets(statistics.get("buckets")), MAX_BUCKETS))
    figures = {name: parse_figure(statistics.get(key)) for key, name in DISTRIBUTION_FIELDS.items()}
    known = {name: value for name, value in figures.items() if value is not None}
    if len(known) < len(figures):
        return Distribution()
    return Distribution(
        count=sum(count for _left, _right, count in buckets),
        total=parse_int(statistics.get("sum")) or 0,
        buckets=buckets,
        **known,
    )


MAX_BUCKETS = 200
"""Bars of a chart; the service sends about ten."""
DISTRIBUTION_FIELDS = {
    "min": "minimum",
    "p5": "p5",
    "median": "median",
    "mean": "mean",
    "p95": "p95",
    "max": "maximum",
}


def parse_figure(value: Any) -> float | None:
    """Return a number of tokens, messages or examples; None for what is none."""
    number = 0.0 if value is None else parse_float(value)
    return number if number is not None and abs(number) <= MAX_COUNT else None


def parse_buckets(buckets: Any) -> Iterator[tuple[int, int, int]]:
    """Yield (left, right, count) with `right` exclusive; the service's `right` is inclusive. A bucket that
    counts nothing, or can't be read, is left out. proto3 omits zeros."""
    for bucket in buckets if isinstance(buckets, list) else []:
        if not isinstance(bucket, Mapping):
            continue
        left, right, count = (parse_figure(bucket.get(key)) for key in ("left", "right", "count"))
        if left is not None and right is not None and count is not None and round(count) > 0:
            yield floor(left), floor(max(left, right)) + 1, round(count)
