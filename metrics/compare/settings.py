"""What was set in each run, line by line, and where the runs differ (pure)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from jobs.datasets.models import Dataset
from jobs.tuning_job_resource import Setting, part
from metrics.compare.runs import Line, content


@dataclass(frozen=True, slots=True)
class Cell:
    """`asked` is what was left to the service or asked for, where it is not what stands here."""

    text: str
    asked: str = ""
    unlike: bool = False
    title: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    label: str | Promise
    cells: list[Cell]
    differs: bool


@dataclass(frozen=True, slots=True)
class Value:
    """`key` decides whether two are alike, where the text alone does not."""

    text: str
    asked: str = ""
    key: object = None
    title: str = ""


def rows(lines: Sequence[Line], baseline: Line | None) -> list[Row]:
    """Every setting that at least one run has."""
    found = []
    at = lines.index(baseline) if baseline else 0
    for label, read in SETTINGS:
        values = [read(line) for line in lines]
        if any(value.text for value in values):
            found.append(row(label, values, at))
    return found


def row(label: str | Promise, values: Sequence[Value], baseline: int) -> Row:
    keys = [value.key or value.text for value in values]
    cells = [
        Cell(value.text or "–", value.asked, key != keys[baseline], value.title)
        for value, key in zip(values, keys, strict=True)
    ]
    return Row(label, cells, len(set(keys)) > 1)


def hyper(setting: Setting) -> Value:
    told = "" if setting.effective is None else f"{setting.effective:g}"
    asked = _("recommended") if not setting.changed else ""
    if setting.changed and setting.resolved is not None and setting.resolved != setting.requested:
        asked = f"{setting.requested:g} →"
    return Value(told, asked if told else "")


def file(dataset: Dataset | None) -> Value:
    if dataset is None:
        return Value("")
    return Value(str(dataset), key=content(dataset), title=f"{dataset.uri} · crc32c {dataset.crc32c}")


def counted(value: float | None) -> Value:
    return Value("" if value is None else f"{value:,.0f}")


def labels(line: Line) -> Value:
    found = part(line.job.remote or line.job.request, "labels")
    own = {key: value for key, value in found.items() if key != "studio-submission"}
    return Value(", ".join(f"{key}={value}" for key, value in sorted(own.items())))


def pre_tuned(line: Line) -> Value:
    model = line.job.pre_tuned_model
    checkpoint = line.job.pre_tuned_checkpoint
    return Value(" · ".join(filter(None, [model.rpartition("/")[2], checkpoint])), title=model)


SETTINGS: tuple[tuple[str | Promise, Callable[[Line], Value]], ...] = (
    (gettext_lazy("Base model"), lambda line: Value(line.job.base_model)),
    (gettext_lazy("Pre-tuned model"), pre_tuned),
    (gettext_lazy("Training dataset"), lambda line: file(line.job.training)),
    (gettext_lazy("Validation dataset"), lambda line: file(line.job.validation)),
    (gettext_lazy("Number of epochs"), lambda line: hyper(line.job.epochs)),
    (gettext_lazy("Adapter size"), lambda line: hyper(line.job.adapter)),
    (gettext_lazy("Learning rate multiplier"), lambda line: hyper(line.job.learning_rate)),
    (
        gettext_lazy("Export last checkpoint only"),
        lambda line: Value(_("Yes") if line.job.export_last_checkpoint_only else _("No")),
    ),
    (gettext_lazy("Steps"), lambda line: counted(line.steps)),
    (gettext_lazy("Examples"), lambda line: counted(line.examples)),
    (gettext_lazy("Billable tokens"), lambda line: counted(line.tokens)),
    (gettext_lazy("Region"), lambda line: Value(line.job.location)),
    (gettext_lazy("Labels"), labels),
    (gettext_lazy("Service account"), lambda line: Value(line.job.service_account)),
    (gettext_lazy("Encryption key"), lambda line: Value(line.job.kms_key_name)),
)
