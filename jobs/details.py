"""What the Details and Dataset tabs show of a job, each field read from the last answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _

from jobs.bars import Bar, bars
from jobs.models import moment
from jobs.remote import number, part, whole

if TYPE_CHECKING:
    from datetime import datetime

    from jobs.models import Dataset, TuningJob

DISTRIBUTIONS = (
    "userInputTokenDistribution",
    "userOutputTokenDistribution",
    "userMessagePerExampleDistribution",
)


@dataclass(frozen=True, slots=True)
class Field:
    """One line: `kind` is text, id (mono, with a copy button), time, setting (requested -> resolved) or
    asked (the same of a text)."""

    label: str
    value: Any
    kind: str = "text"


@dataclass(frozen=True, slots=True)
class Asked:
    """A text: what was asked for (blank: left to the service) and what the service made of it."""

    requested: str
    resolved: str

    def __bool__(self) -> bool:
        return bool(self.requested or self.resolved)


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    fields: list[Field]


def sections(job: TuningJob) -> list[Section]:
    """Fields without a value are left out."""
    found = [
        Section(_("Tuned model"), list(model_fields(job))),
        Section(_("Job"), list(job_fields(job))),
        Section(_("Settings"), list(setting_fields(job))),
        Section(_("Data"), list(data_fields(job))),
    ]
    return [Section(each.title, [field for field in each.fields if field.value]) for each in found]


def model_fields(job: TuningJob) -> Iterator[Field]:
    yield Field(_("Tuned model name"), str(job))
    yield Field(_("Model name"), job.tuned_model, "id")
    yield Field(_("Endpoint"), job.endpoint, "id")
    yield Field(_("Description"), job.remote.get("description") or job.description)
    labels = part(job.remote or job.request, "labels")
    yield Field(_("Labels"), ", ".join(f"{key}={value}" for key, value in labels.items()), "id")


def job_fields(job: TuningJob) -> Iterator[Field]:
    yield Field(_("Job name"), job.name, "id")
    yield Field(_("State"), job.state, "id")
    yield Field(_("Experiment"), job.remote.get("experiment"), "id")
    yield Field(_("Region"), job.location)
    yield Field(_("Created"), time_of(job, "createTime"), "time")
    yield Field(_("Started"), job.started_at, "time")
    yield Field(_("Ended"), job.ended_at, "time")
    yield Field(_("Updated"), time_of(job, "updateTime"), "time")
    yield Field(_("Service account"), asked(job, job.service_account, "serviceAccount"), "asked")
    key = asked(job, job.kms_key_name, "encryptionSpec", "kmsKeyName")
    yield Field(_("Encryption key"), key, "asked")


def setting_fields(job: TuningJob) -> Iterator[Field]:
    yield Field(_("Tuning method"), _("Supervised tuning"))
    pre_tuned = part(job.remote or job.request, "preTunedModel")
    yield Field(_("Base model"), job.base_model or pre_tuned.get("baseModel"), "id")
    model = asked(job, job.pre_tuned_model, "preTunedModel", "tunedModelName")
    yield Field(_("Pre-tuned model"), model, "asked")
    checkpoint = asked(job, job.pre_tuned_checkpoint, "preTunedModel", "checkpointId")
    yield Field(_("Checkpoint to start from"), checkpoint if model else None, "asked")
    yield Field(_("Number of epochs"), job.epochs, "setting")
    yield Field(_("Adapter size"), job.adapter, "setting")
    yield Field(_("Learning rate multiplier"), job.learning_rate, "setting")
    yield Field(_("Export last checkpoint only"), _("Yes") if job.export_last_checkpoint_only else _("No"))


def asked(job: TuningJob, requested: str, *path: str) -> Asked:
    """The draft's own column beside what stands at `path` of the last answer."""
    return Asked(requested, str(part(job.remote, *path[:-1]).get(path[-1]) or ""))


def data_fields(job: TuningJob) -> Iterator[Field]:
    spec = part(job.remote or job.request, "supervisedTuningSpec")
    yield Field(_("Training dataset"), spec.get("trainingDatasetUri"), "id")
    yield Field(_("Validation dataset"), spec.get("validationDatasetUri"), "id")
    yield Field(_("Steps"), grouped(job.statistics.get("tuningStepCount")))
    yield Field(_("Billable tokens"), grouped(job.statistics.get("totalBillableTokenCount")))


def time_of(job: TuningJob, key: str) -> datetime | None:
    return moment(job.remote.get(key))


def grouped(value: Any) -> str:
    count = whole(value)
    return "" if count is None else f"{count:,}"


@dataclass(frozen=True, slots=True)
class Distribution:
    title: str
    figures: list[tuple[str, float]]
    bars: list[Bar]


@dataclass(frozen=True, slots=True)
class Data:
    """The Dataset tab: the service's own count of the data, and the files with what our check saw."""

    counts: list[Field]
    distributions: list[Distribution]
    dropped: list[tuple[str, str]]
    dropped_count: int
    files: list[tuple[str | Promise, Dataset]]


def data(job: TuningJob) -> Data:
    stats = job.statistics
    return Data(
        counts=[field for field in count_fields(stats) if field.value],
        distributions=[distribution(stats[key], key) for key in DISTRIBUTIONS if part(stats, key)],
        dropped=list(
            zip(
                strings(stats.get("truncatedExampleIndices")),
                strings(stats.get("droppedExampleReasons")),
                strict=False,
            )
        ),
        dropped_count=whole(stats.get("totalTruncatedExampleCount")) or 0,
        files=[
            (title, file)
            for title, file in [(_("Training"), job.training), (_("Validation"), job.validation)]
            if file
        ],
    )


def count_fields(stats: Mapping[str, Any]) -> Iterator[Field]:
    yield Field(_("Examples"), grouped(stats.get("tuningDatasetExampleCount")))
    yield Field(_("Steps"), grouped(stats.get("tuningStepCount")))
    yield Field(_("Billable tokens"), grouped(stats.get("totalBillableTokenCount")))
    yield Field(_("Characters"), grouped(stats.get("totalTuningCharacterCount")))


def strings(listed: Any) -> list[str]:
    return [str(entry) for entry in listed] if isinstance(listed, list) else []


def distribution(told: Mapping[str, Any], key: str) -> Distribution:
    titles = {
        DISTRIBUTIONS[0]: _("Input tokens per example"),
        DISTRIBUTIONS[1]: _("Output tokens per example"),
        DISTRIBUTIONS[2]: _("Messages per example"),
    }
    names = {
        "min": _("Min"),
        "p5": "p5",
        "median": _("Median"),
        "mean": _("Mean"),
        "p95": "p95",
        "max": _("Max"),
    }
    return Distribution(
        titles[key],
        [(label, number(told.get(name)) or 0.0) for name, label in names.items()],
        bars(list(ranges(told.get("buckets")))),
    )


def ranges(buckets: Any) -> Iterator[tuple[float, float, float]]:
    """(left, right, count); proto3 leaves zeros out."""
    for bucket in buckets if isinstance(buckets, list) else []:
        if isinstance(bucket, Mapping):
            left, right, count = (number(bucket.get(key)) or 0.0 for key in ("left", "right", "count"))
            yield left, right, count
